"""A labelled set of images in three splits, held as plain arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from jaxnas.data import checks
from jaxnas.data.errors import DataError
from jaxnas.data.statistics import channel_statistics

SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """Images and labels of three splits; `N` images of `H` by `W` pixels and `C` channels.

    Rewards of a search see validation only; test is read once, for the report.

    Attributes:
      name: the name that reports print.
      train_images: `uint8` or `float32` in [0, 1], `[N, H, W, C]`.
      train_labels: `int32 [N]` in `range(num_classes)`.
      validation_images: as `train_images`, other images.
      validation_labels: as `train_labels`.
      test_images: as `train_images`, other images.
      test_labels: as `train_labels`.
      num_classes: the number of classes.
      class_names: the name of each class, in the order of the labels.
      mean: `float32 [C]`, the mean of each channel of the train split, in [0, 1] scale.
      std: `float32 [C]`, its standard deviation; 1 for a channel that is constant.
    """

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    validation_images: np.ndarray
    validation_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    num_classes: int
    class_names: tuple[str, ...]
    mean: np.ndarray
    std: np.ndarray

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(H, W, C)` of every image."""
        height, width, channels = self.train_images.shape[1:]
        return height, width, channels

    @property
    def sizes(self) -> dict[str, int]:
        """The number of images of each split."""
        return {split: len(getattr(self, f"{split}_labels")) for split in SPLITS}

    def arrays(self) -> Iterator[np.ndarray]:
        """All images and labels, for a digest."""
        for split in SPLITS:
            for part in ("images", "labels"):
                yield getattr(self, f"{split}_{part}")

    def take(
        self,
        train: int | None = None,
        validation: int | None = None,
        test: int | None = None,
        *,
        seed: int = 0,
    ) -> Dataset:
        """Limits the splits to at most so many images each, drawn without replacement by `seed`.

        The drawn images keep their order. `mean` and `std` are taken anew from the train split.

        Raises:
          DataError: a size below 1.
        """
        changes: dict[str, Any] = {}
        for split, size in zip(SPLITS, (train, validation, test), strict=True):
            if size is not None:
                keep = subset(self.sizes[split], size, seed, split)
                for field in (f"{split}_images", f"{split}_labels"):
                    changes[field] = getattr(self, field)[keep]
        if "train_images" in changes:
            changes["mean"], changes["std"] = channel_statistics(changes["train_images"])
        return dataclasses.replace(self, **changes)


def subset(available: int, size: int, seed: int, field: str) -> np.ndarray:
    """Indices of at most `size` of `available` rows, drawn by `seed`, in rising order.

    Raises:
      DataError: a size below 1; the message calls it `field`.
    """
    if size < 1:
        raise DataError(f"{field} is limited to {size} images: give at least 1.")
    return np.sort(np.random.default_rng(seed).permutation(available)[:size])


def from_arrays(
    images: Any,
    labels: Any,
    test_images: Any = None,
    test_labels: Any = None,
    *,
    validation: float | int = 0.1,
    test: float | int = 0.2,
    limit: int | None = None,
    seed: int = 0,
    name: str = "arrays",
    class_names: Sequence[str] | None = None,
    prefix: str = "",
) -> Dataset:
    """Makes a dataset of one's own arrays, checked and split.

    Args:
      images: `uint8`, or floats in [0, 1], `[N, H, W, C]` with 1 or 3 channels, or `[N, H, W]`.
      labels: ints `[N]`, counted from 0.
      test_images: images of the test split; without them, `test` of `images` is split off.
      test_labels: their labels.
      validation: what is split off for validation: a share of `images` (a float below 1), or a
        number of images (an int).
      test: what is split off for testing where `test_images` is not given, in the same way.
      limit: at most so many of `images`, drawn before anything is split off, and of
        `test_images`.
      seed: of the permutation by which the splits are drawn.
      name: the name that reports print.
      class_names: the name of each class; "0", "1", ... up to the largest label by default.
      prefix: what stands before `images` and `labels` where the caller's fields are called, say,
        `train_images`; messages use it.

    Raises:
      DataError: the arrays or the shares do not fit; the message names the field and the remedy.

    Example:
      >>> images = np.zeros((100, 8, 8), np.uint8)
      >>> from_arrays(images, np.arange(100) % 10).sizes
      {'train': 70, 'validation': 10, 'test': 20}
    """
    images, labels = _checked(prefix, images, labels, limit, seed)
    given = test_images is not None or test_labels is not None
    if given:
        test_images, test_labels = _checked("test_", test_images, test_labels, limit, seed)
        checks.check_alike(images, test_images)
    names = checks.check_class_names(class_names, labels, test_labels)
    order = np.random.default_rng(seed).permutation(len(images))
    if not given:
        count = checks.split_size("test", test, len(images))
        test_images, test_labels = images[order[:count]], labels[order[:count]]
        order = order[count:]
    # A share counts against all the images, so that the three shares add up to one.
    count = checks.split_size("validation", validation, len(images), left=len(order))
    held_out, train = order[:count], order[count:]
    mean, std = channel_statistics(images[train])
    return Dataset(
        name=name,
        train_images=images[train],
        train_labels=labels[train],
        validation_images=images[held_out],
        validation_labels=labels[held_out],
        test_images=test_images,
        test_labels=test_labels,
        num_classes=len(names),
        class_names=names,
        mean=mean,
        std=std,
    )


def _checked(
    prefix: str, images: Any, labels: Any, limit: int | None, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    images = checks.check_images(f"{prefix}images", images)
    labels = checks.check_labels(f"{prefix}labels", labels, len(images))
    if limit is None:
        return images, labels
    keep = subset(len(images), limit, seed, f"{prefix}images")
    return images[keep], labels[keep]


def from_data(data: Any, **options: Any) -> Dataset:
    """Makes a dataset of `(images, labels)` or `((images, labels), (test_images, test_labels))`.

    Args:
      data: the arrays in one of the two forms, or a `Dataset`, which is returned as it is.
      **options: as `from_arrays` takes them.

    Raises:
      DataError: neither form, or arrays that do not fit.
    """
    if isinstance(data, Dataset):
        return data
    if not isinstance(data, (tuple, list)) or len(data) != 2:
        raise DataError(
            "data is neither a Dataset, nor (images, labels), nor ((images, labels), "
            f"(test_images, test_labels)), but {type(data).__name__}."
        )
    if all(isinstance(part, (tuple, list)) and len(part) == 2 for part in data):
        return from_arrays(*data[0], *data[1], **options)
    return from_arrays(*data, **options)
