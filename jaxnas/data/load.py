"""Data by name, as configs and the command line write it."""

from __future__ import annotations

import difflib

from jaxnas.data.dataset import Dataset
from jaxnas.data.digits import load_digits
from jaxnas.data.errors import DataError
from jaxnas.data.npz import load_npz
from jaxnas.data.tfds import load_tfds

FORMS = ("digits", "npz:PATH", "tfds:NAME[:VERSION]")


def load(
    source: str,
    *,
    limit: int | None = None,
    validation: float | int | None = None,
    seed: int = 0,
) -> Dataset:
    """Loads the data that `source` names.

    Args:
      source: `digits` (embedded), `npz:PATH` (see `load_npz`) or `tfds:NAME[:VERSION]` (see
        `load_tfds`).
      limit: at most so many images of train and validation together, and of test.
      validation: a share (a float below 1) or a number (an int) of the train images, parted from
        them for validation; by default 397 images of the digits, and a tenth elsewhere.
      seed: of the permutation that parts validation from training.

    Raises:
      DataError: an unknown source, or data that cannot be read or used.

    Example:
      >>> load("digits").sizes
      {'train': 1000, 'validation': 397, 'test': 400}
    """
    kind, _, rest = source.partition(":")
    if source == "digits":
        return load_digits(limit=limit, validation=validation, seed=seed)
    if kind == "npz" and rest:
        return load_npz(rest, limit=limit, validation=validation, seed=seed)
    if kind == "tfds" and rest:
        return load_tfds(rest, limit=limit, validation=validation, seed=seed)
    if kind in ("ptb", "text"):
        raise DataError(f"data source {source!r} is text, which only recurrent cells read.")
    raise DataError(f"data source {source!r} is unknown: use {_advice(source, kind)}.")


def _advice(source: str, kind: str) -> str:
    forms = f"{', '.join(FORMS[:-1])} or {FORMS[-1]}"
    if source.endswith(".npz"):
        return f"npz:{source.removeprefix('npz').lstrip(':')}; the forms are {forms}"
    names = {form.partition(":")[0]: form for form in FORMS}
    nearest = difflib.get_close_matches(kind.lower(), names, n=1, cutoff=0.5)
    return f"{forms}; the nearest is {names[nearest[0]]}" if nearest else forms
