"""Checks of arrays that users bring: one clear error, naming the field and the remedy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxnas.data.errors import DataError


def check_images(field: str, images: Any) -> np.ndarray:
    """Returns images as `uint8` or `float32` `[N, H, W, C]`.

    Raises:
      DataError: wrong rank, type, channels or range, no images, or values that are not finite.
    """
    array = _array(field, images)
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or 0 in array.shape:
        raise DataError(
            f"{field} has shape {list(array.shape)}: give at least one image as [N, H, W, C], or "
            "[N, H, W] for one channel."
        )
    if array.shape[-1] not in (1, 3):
        remedy = (
            f"move the channels last: np.moveaxis({field}, 1, -1)"
            if array.shape[1] in (1, 3)
            else "jaxnas takes 1 or 3"
        )
        raise DataError(
            f"{field} has {array.shape[-1]} channels (shape {list(array.shape)}): {remedy}."
        )
    return array if array.dtype == np.uint8 else _check_floats(field, array)


def _check_floats(field: str, array: np.ndarray) -> np.ndarray:
    if not np.issubdtype(array.dtype, np.floating):
        raise DataError(
            f"{field} are {array.dtype}: give uint8 in 0..255, {field}.astype(np.uint8), or "
            "floats in [0, 1]."
        )
    low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise DataError(
            f"{field} has values that are not finite: repair or remove them "
            f"(np.isfinite({field}).all(axis=(1, 2, 3)) finds the good images)."
        )
    if low < 0.0 or high > 1.0:
        raise DataError(
            f"{field} are floats from {low:g} to {high:g}, not in [0, 1]: scale them (divide "
            "0..255 by 255), or give uint8; jaxnas standardises them itself."
        )
    return array.astype(np.float32)


def check_labels(field: str, labels: Any, images: int) -> np.ndarray:
    """Returns labels as `int32 [N]`, one for each of `images` images.

    Raises:
      DataError: wrong rank, type or number, or a negative label.
    """
    array = _array(field, labels)
    if array.ndim != 1:
        remedy = (
            f"{field}.argmax(-1) turns one-hot rows into labels"
            if array.ndim == 2 and array.shape[1] > 1
            else f"{field}.ravel() drops axes of size 1"
        )
        raise DataError(f"{field} has shape {list(array.shape)}, not [N]: {remedy}.")
    if not np.issubdtype(array.dtype, np.integer):
        raise DataError(f"{field} are {array.dtype}: give ints counted from 0, one per image.")
    if len(array) != images:
        raise DataError(f"{field} has {len(array)} entries for {images} images: give one each.")
    if array.min() < 0:
        raise DataError(f"{field} has label {array.min()}: remove unlabelled images; 0 is lowest.")
    return array.astype(np.int32)


def check_class_names(
    class_names: Sequence[str] | None, labels: np.ndarray, test_labels: np.ndarray | None
) -> tuple[str, ...]:
    """Returns a name for every class; names that are not given are the labels themselves.

    Raises:
      DataError: fewer than two classes, or a label for which there is no name.
    """
    top = int(labels.max())
    if test_labels is not None:
        top = max(top, int(test_labels.max()))
    if class_names is None:
        if top < 1:
            raise DataError("labels are all 0: a classifier needs at least 2 classes.")
        return tuple(str(label) for label in range(top + 1))
    names = tuple(str(name) for name in class_names)
    if len(names) < 2:
        raise DataError(f"class_names is {list(names)}: a classifier needs at least 2 classes.")
    if top >= len(names):
        raise DataError(
            f"labels go up to {top}, but class_names has {len(names)} names, for labels 0 to "
            f"{len(names) - 1}: correct the labels or name every class."
        )
    return names


def check_alike(images: np.ndarray, test_images: np.ndarray) -> None:
    """Checks that train and test images have one shape and one type.

    Raises:
      DataError: they differ.
    """
    ours = (images.shape[1:], images.dtype)
    theirs = (test_images.shape[1:], test_images.dtype)
    if ours != theirs:
        raise DataError(
            f"test_images are {theirs[1]} {list(theirs[0])}, but images are {ours[1]} "
            f"{list(ours[0])}: give both in one size and type."
        )


def split_size(field: str, share: float | int, total: int, left: int | None = None) -> int:
    """The number of images that a share (float) or a number (int) of `total` stands for.

    Raises:
      DataError: nothing would be split off, or nothing of what is `left` would stay.
    """
    left = total if left is None else left
    count = share if isinstance(share, (int, np.integer)) else round(share * total)
    if isinstance(share, bool) or not 1 <= count < left:
        raise DataError(
            f"{field}={share!r} splits {count} of {left} images off: give a share between 0 and "
            f"1, or a number from 1 to {left - 1}, so that both sides keep some."
        )
    return int(count)


def _array(field: str, value: Any) -> np.ndarray:
    if value is None:
        raise DataError(f"{field} is missing: give images and labels together.")
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise DataError(f"{field} is ragged: every image needs the same shape.") from error
    if array.dtype == object:
        raise DataError(f"{field} is an array of Python objects: give one plain array of numbers.")
    return array
