"""Data in one plain `.npz` file."""

from __future__ import annotations

import pathlib
import zipfile
import zlib
from typing import Any

import numpy as np

from jaxnas.data.dataset import Dataset, from_arrays
from jaxnas.data.errors import DataError

REQUIRED = ("train_images", "train_labels", "test_images", "test_labels")


def load_npz(
    path: str | pathlib.Path,
    *,
    limit: int | None = None,
    validation: float | int | None = None,
    seed: int = 0,
) -> Dataset:
    """Loads a `.npz` file with its own test split; validation is parted from train.

    Args:
      path: a file with the arrays `train_images` (`uint8`, or floats in [0, 1], `[N, H, W, C]`),
        `train_labels` (ints `[N]`), `test_images`, `test_labels`, and, where the classes have
        names, `class_names` (strings `[K]`).
      limit: at most so many of the train images, validation included, and of the test images.
      validation: a share or a number of the train images; a tenth by default.
      seed: of the permutation that parts validation from training.

    Raises:
      DataError: the file cannot be read, or an array is missing or does not fit.
    """
    path = pathlib.Path(path).expanduser()
    arrays = _read(path)
    try:
        return from_arrays(
            *(arrays[field] for field in REQUIRED),
            validation=0.1 if validation is None else validation,
            limit=limit,
            seed=seed,
            name=path.stem,
            class_names=_names(arrays),
            prefix="train_",
        )
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _names(arrays: dict[str, np.ndarray]) -> list[str] | None:
    if "class_names" not in arrays:
        return None
    names = np.atleast_1d(arrays["class_names"]).tolist()
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def _read(path: pathlib.Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise DataError(f"npz file {path} does not exist: correct the path after 'npz:'.")
    try:
        # Opened here, because numpy leaves a file open that it fails to read.
        with open(path, "rb") as file:
            return _arrays(path, np.load(file, allow_pickle=False))
    except DataError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read as .npz ({error}): save it anew with np.savez, without "
            "Python objects."
        ) from error


def _arrays(path: pathlib.Path, archive: Any) -> dict[str, np.ndarray]:
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise DataError(f"{path} is a single array: save the splits with np.savez.")
    missing = [field for field in REQUIRED if field not in archive]
    if missing:
        raise DataError(
            f"{path} has no {', '.join(missing)}; it holds {sorted(archive)}: save "
            f"{', '.join(REQUIRED)} (class_names if there are any) with np.savez."
        )
    wanted = [field for field in (*REQUIRED, "class_names") if field in archive]
    return {field: archive[field] for field in wanted}
