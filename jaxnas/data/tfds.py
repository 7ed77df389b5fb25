"""Data that TensorFlow Datasets has prepared, read without TensorFlow."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from jaxnas.data.dataset import Dataset, from_arrays, subset
from jaxnas.data.errors import DataError


def load_tfds(
    name: str,
    *,
    limit: int | None = None,
    validation: float | int | None = None,
    seed: int = 0,
) -> Dataset:
    """Loads a prepared TFDS set of images with one class each.

    The set must have been prepared as array_record or parquet, which are read without TensorFlow;
    it is looked for where TFDS keeps its data (`TFDS_DATA_DIR`). Nothing is downloaded.

    Args:
      name: as TFDS writes it: `mnist`, `cifar10:3.0.2`, `NAME/CONFIG:VERSION`.
      limit: at most so many of the train images, validation included, and of the test images;
        no others are decoded.
      validation: a share or a number of the train images; a tenth by default.
      seed: of the permutation that parts validation from training.

    Returns:
      TFDS's `train` split, from which validation is parted, and its `test` split, or in its place
      `validation`; a set with `train` alone loses a fifth of it for testing.

    Raises:
      DataError: TFDS is not installed, does not know the set or has not prepared it, or the set
        does not hold one image and one class per example.
    """
    builder = _builder(name)
    image_key, label_key = _keys(name, builder.info)
    available = set(builder.info.splits) or {"train", "test"}
    test_split = next((split for split in ("test", "validation") if split in available), None)
    arrays: list[np.ndarray] = []
    for split in ("train", test_split):
        if split:
            source = _source(builder, name, split)
            arrays += _read(name, source, image_key, label_key, limit, seed)
    names = getattr(builder.info.features[label_key], "names", None)
    try:
        return from_arrays(
            *arrays,
            validation=0.1 if validation is None else validation,
            seed=seed,
            name=builder.info.full_name,
            class_names=names,
            prefix="train_",
        )
    except DataError as error:
        raise DataError(f"TFDS set {name}: {error}") from error


def _builder(name: str) -> Any:
    try:
        import array_record  # noqa: F401
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise DataError(
            f"data source tfds:{name} needs TensorFlow Datasets ({error}): "
            "pip install 'jaxnas[tfds]'."
        ) from error
    try:
        # TFDS reads the variable at its import only; a notebook may set it later.
        return tfds.builder(name, data_dir=os.environ.get("TFDS_DATA_DIR"))
    except tfds.core.DatasetNotFoundError as error:
        first_line = str(error).splitlines()[0]
        raise DataError(
            f"TFDS does not know {name!r} ({first_line}) and has no prepared data of that name: "
            "correct the name, or point TFDS_DATA_DIR at the folder that holds it."
        ) from error
    except Exception as error:  # TFDS wraps what a set's own code raises, in several ways.
        raise DataError(
            f"TFDS cannot open {name!r} ({error}): correct the name, or save the set as .npz and "
            "use npz:PATH."
        ) from error


def _keys(name: str, info: Any) -> tuple[str, str]:
    """The features that hold the image and the class."""
    keys = info.supervised_keys or ("image", "label")
    features = dict(info.features) if hasattr(info.features, "keys") else {}
    if len(keys) != 2 or not all(isinstance(key, str) and key in features for key in keys):
        raise DataError(
            f"TFDS set {name} has the features {sorted(features)}: jaxnas reads sets of one image "
            "and one label per example; prepare others as .npz and use npz:PATH."
        )
    return keys[0], keys[1]


def _source(builder: Any, name: str, split: str) -> Any:
    try:
        return builder.as_data_source(split=split)
    except (NotImplementedError, AssertionError, ValueError, OSError) as error:
        raise DataError(
            f"TFDS set {name} is not prepared for reading without TensorFlow in "
            f"{builder.data_dir}: prepare it once where TensorFlow is installed (tfds build "
            f"{builder.name} --file_format=array_record), or point TFDS_DATA_DIR elsewhere."
        ) from error


def _read(
    name: str, source: Any, image_key: str, label_key: str, limit: int | None, seed: int
) -> list[np.ndarray]:
    rows = np.arange(len(source))
    if limit is not None:
        rows = subset(len(source), limit, seed, f"TFDS set {name}")
    images, labels = [], []
    for row in rows.tolist():
        example = source[row]
        images.append(np.asarray(example[image_key]))
        labels.append(example[label_key])
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        raise DataError(
            f"TFDS set {name} has images of {len(shapes)} sizes, {sorted(shapes)[0]} among them: "
            "resize them to one size, save them as .npz and use npz:PATH."
        )
    return [np.stack(images), np.asarray(labels)]
