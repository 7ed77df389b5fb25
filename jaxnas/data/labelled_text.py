"""Texts with one class each, in three splits, from gzip-JSON, TSV and CSV files."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from jaxnas.data.checks import split_size
from jaxnas.data.errors import DataError
from jaxnas.data.text_files import Rows, read_json, read_table

SPLITS = ("train", "validation", "test")
_SPLIT_FILES = {"validation": ("dev", "validation", "valid"), "test": ("test",)}


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledTexts:
    """Texts and labels of three splits.

    Rewards of a search see validation only; test is read once, for the report.

    Attributes:
      name: the name that reports print.
      class_names: the name of each class, in the order of the labels.
      texts: by split, `train`, `validation` and `test`, its texts, none of them empty.
      labels: by split `int32 [N]` in `range(num_classes)`.
    """

    name: str
    class_names: tuple[str, ...]
    texts: dict[str, tuple[str, ...]]
    labels: dict[str, np.ndarray]

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def sizes(self) -> dict[str, int]:
        """The number of texts of each split."""
        return {split: len(self.labels[split]) for split in SPLITS}

    def arrays(self) -> Iterator[np.ndarray]:
        """All texts, as their bytes, and labels, for a digest."""
        for split in SPLITS:
            # One length of each text would be that of the longest.
            yield np.array([len(text) for text in self.texts[split]])
            yield np.frombuffer("".join(self.texts[split]).encode(), np.uint8)
            yield self.labels[split]

    def take(self, *, seed: int = 0, **sizes: int) -> LabelledTexts:
        """Limits splits to at most so many texts each, drawn without replacement by `seed`.

        Raises:
          DataError: an unknown split, or a size below 1.

        Example:
          >>> texts.take(train=2000)  # doctest: +SKIP
        """
        drawn_texts, drawn_labels = dict(self.texts), dict(self.labels)
        for split, size in sizes.items():
            if split not in SPLITS or size < 1:
                raise DataError(
                    f"{split!r} is limited to {size}: give at least 1 text, of {', '.join(SPLITS)}."
                )
            order = np.random.default_rng(seed).permutation(len(self.labels[split]))
            keep = np.sort(order[:size])
            drawn_texts[split] = tuple(self.texts[split][i] for i in keep)
            drawn_labels[split] = self.labels[split][keep]
        return dataclasses.replace(self, texts=drawn_texts, labels=drawn_labels)


def load_texts(
    path: str | pathlib.Path,
    *,
    validation: float | int = 0.1,
    test: float | int = 0.2,
    drop_empty: bool = False,
    seed: int = 0,
) -> LabelledTexts:
    """Loads a text classification set.

    Args:
      path: one of
        `NAME.json.gz` (or `.json`): `{"classes": [...], "train": [[text, label], ...], "dev": ...,
        "test": ...}` with labels as positions in `classes`;
        `NAME.tsv` or `NAME.csv`: a header with the columns `text` and `label`;
        a folder with `train.tsv`, `dev.tsv` and `test.tsv`, or `.csv`.
      validation: what is parted from train where the set has no split of its own for validation: a
        share (a float below 1) or a number (an int).
      test: the same for testing.
      drop_empty: leaves out texts without any character but spaces, which are an error otherwise.
      seed: of the permutation by which splits are parted.

    Raises:
      DataError: no such set, an empty text, labels that do not fit, or nothing to split.

    Example:
      >>> load_texts("text/trec.json.gz").sizes  # doctest: +SKIP
      {'train': 4906, 'validation': 546, 'test': 500}
    """
    path = pathlib.Path(path).expanduser()
    if not path.exists():
        raise DataError(f"text set {path} does not exist: {_neighbours(path)}.")
    classes, rows = _read(path)
    name = path.name.split(".")[0]
    rows = {split: _checked(f"{path}, {split}", of, drop_empty) for split, of in rows.items()}
    classes = _class_names(path, classes, rows)
    positions = {label: i for i, label in enumerate(classes)}
    splits = _split(rows, validation, test, seed)
    return LabelledTexts(
        name,
        classes,
        {split: tuple(text for text, _ in splits[split]) for split in SPLITS},
        {
            split: np.array([positions[label] for _, label in splits[split]], np.int32)
            for split in SPLITS
        },
    )


def load_task(folder: str | pathlib.Path, task: str, **options) -> LabelledTexts:
    """Loads the set that is called `task` in a folder of sets; options as for `load_texts`.

    Raises:
      DataError: the folder holds no such set; the message lists those that it holds.

    Example:
      >>> load_task("text", "sst2").class_names  # doctest: +SKIP
      ('negative', 'positive')
    """
    folder = pathlib.Path(folder).expanduser()
    for ending in (".json.gz", ".json", ".tsv", ".csv", ""):
        path = folder / f"{task}{ending}"
        if task and path.exists():
            return load_texts(path, **options)
    raise DataError(f"task {task!r} is unknown: {_neighbours(folder / task)}.")


def _neighbours(path: pathlib.Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"there is no folder {folder}"
    names = sorted({p.name.split(".")[0] for p in folder.iterdir() if not p.name.startswith(".")})
    return f"{folder} holds {', '.join(names) or 'nothing'}"


def _read(path: pathlib.Path) -> tuple[Sequence[str] | None, dict[str, Rows]]:
    """The names of the classes, where the set gives them, and the rows of the splits it has."""
    if path.is_dir():
        return None, _read_folder(path)
    if path.suffix in (".tsv", ".csv"):
        return None, {"train": read_table(path)}
    if path.name.endswith((".json", ".json.gz")):
        return read_json(path)
    raise DataError(f"{path} is none of .json.gz, .json, .tsv, .csv and no folder of these.")


def _read_folder(folder: pathlib.Path) -> dict[str, Rows]:
    rows = {}
    for split, names in {"train": ("train",), **_SPLIT_FILES}.items():
        files = [folder / f"{name}{end}" for name in names for end in (".tsv", ".csv")]
        found = next((file for file in files if file.is_file()), None)
        if found is not None:
            rows[split] = read_table(found)
    if "train" not in rows:
        raise DataError(f"{folder} has no train.tsv or train.csv: add one.")
    return rows


def _checked(where: str, rows: Rows, drop_empty: bool) -> Rows:
    empty = [i for i, (text, _) in enumerate(rows) if not text.strip()]
    if empty and not drop_empty:
        raise DataError(
            f"{where}: {len(empty)} texts are empty, the first in row {empty[0]} (from 0): remove "
            "them, or leave them out with drop_empty=True (--set data.drop_empty=true)."
        )
    kept = [row for row in rows if row[0].strip()]
    if not kept:
        raise DataError(f"{where}: there are no texts: give at least one.")
    return kept


def _class_names(
    path: pathlib.Path, classes: Sequence[str] | None, rows: dict[str, Rows]
) -> tuple[str, ...]:
    """The names of the classes; every label of every split is one that train has."""
    seen = {split: {label for _, label in of} for split, of in rows.items()}
    for split, labels in seen.items():
        foreign = sorted(labels - seen["train"])
        if foreign:
            raise DataError(
                f"{path}: split {split} has the label {foreign[0]!r}, which train, with "
                f"{sorted(seen['train'])}, never has: the splits must share one set of labels."
            )
    names = tuple(classes) if classes else tuple(sorted(seen["train"]))
    if len(names) < 2:
        raise DataError(f"{path}: the classes are {list(names)}: a classifier needs at least 2.")
    return names


def _split(
    rows: dict[str, Rows], validation: float | int, test: float | int, seed: int
) -> dict[str, Rows]:
    """The three splits, parting from train those that are missing."""
    train, splits = rows["train"], dict(rows)
    order = np.random.default_rng(seed).permutation(len(train)).tolist()
    for split, share in (("test", test), ("validation", validation)):
        if split not in splits:
            count = split_size(split, share, len(train), left=len(order))
            splits[split], order = [train[i] for i in order[:count]], order[count:]
    splits["train"] = [train[i] for i in sorted(order)]
    return splits
