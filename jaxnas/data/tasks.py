"""Several tasks of one kind, texts or images, and tasks made of scikit-learn's digits."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from jaxnas.data.dataset import Dataset
from jaxnas.data.digits import load_digits
from jaxnas.data.errors import DataError
from jaxnas.data.labelled_text import LabelledTexts, load_task

SPLITS = ("train", "validation", "test")

DIGIT_TASKS: dict[str, tuple[tuple[str, ...], tuple[int, ...]]] = {
    "digit": (tuple(str(digit) for digit in range(10)), tuple(range(10))),
    "parity": (("even", "odd"), (0, 1, 0, 1, 0, 1, 0, 1, 0, 1)),
    "larger_than_4": (("no", "yes"), (0, 0, 0, 0, 0, 1, 1, 1, 1, 1)),
    "loops": (("none", "one", "two"), (1, 0, 0, 0, 0, 0, 1, 0, 2, 1)),
    "prime": (("no", "yes"), (0, 0, 1, 1, 0, 1, 0, 1, 0, 0)),
}
"""For each task made of digits the names of its classes, and the class of each digit."""


@dataclasses.dataclass(frozen=True, eq=False)
class Tasks:
    """Tasks that are searched together.

    Attributes:
      name: the name that reports print.
      sets: the data of each task by its name, all texts or all images of one shape.

    Raises:
      DataError: no task, texts beside images, or images of several shapes.
    """

    name: str
    sets: dict[str, Dataset | LabelledTexts]

    def __post_init__(self):
        if not self.sets:
            raise DataError("there is no task: name at least one in data.tasks.")
        kinds = {type(of).__name__ for of in self.sets.values()}
        shapes = {of.image_shape for of in self.sets.values() if isinstance(of, Dataset)}
        if len(kinds) > 1 or len(shapes) > 1:
            raise DataError(
                f"the tasks {', '.join(self.sets)} are {sorted(kinds)} of shapes {sorted(shapes)}: "
                "give texts alone, or images of one shape."
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The tasks in their order."""
        return tuple(self.sets)

    @property
    def num_classes(self) -> int:
        """The largest number of classes of all tasks."""
        return max(of.num_classes for of in self.sets.values())

    @property
    def sizes(self) -> dict[str, int]:
        """The rows of each split, of all tasks together."""
        return {split: sum(of.sizes[split] for of in self.sets.values()) for split in SPLITS}

    def smallest(self, split: str) -> int:
        """The rows of a split of the smallest task."""
        return min(of.sizes[split] for of in self.sets.values())

    def take(self, **sizes: int | None) -> Tasks:
        """Limits splits of each task to at most so many rows; `None` leaves a split as it is."""
        given = {split: size for split, size in sizes.items() if size is not None}
        return dataclasses.replace(
            self, sets={name: of.take(**given) for name, of in self.sets.items()}
        )

    def arrays(self) -> Iterable[np.ndarray]:
        """All that the tasks consist of, for a digest."""
        for name, of in self.sets.items():
            yield np.array([name, *of.class_names])
            yield from of.arrays()


def load_tasks(
    source: str, names: Sequence[str], *, drop_empty: bool = False, **sizes: int | None
) -> Tasks:
    """Loads the tasks that a source holds.

    Args:
      source: `text:FOLDER` with a set for each task (see `load_task`), or `digits`.
      names: of the tasks.
      drop_empty: leaves out texts without any character, which are an error otherwise.
      **sizes: `train`, `validation` and `test`: at most so many rows of each task.

    Raises:
      DataError: an unknown source or task, or data that cannot be read.

    Example:
      >>> load_tasks("digits", ["digit", "parity"]).num_classes
      10
    """
    kind, _, folder = source.partition(":")
    if source == "digits":
        digits = load_digits()
        return Tasks("digits", {name: digit_task(digits, name) for name in names}).take(**sizes)
    if kind == "text" and folder:
        sets: dict[str, Dataset | LabelledTexts] = {}
        for name in names:
            sets[name] = load_task(folder, name, drop_empty=drop_empty)
        return Tasks(pathlib.Path(folder).name, sets).take(**sizes)
    if source == "text":
        raise DataError("the texts are not part of jaxnas: say where they lie, data=text:FOLDER.")
    raise DataError(f"data source {source!r} holds no tasks: use digits or text:FOLDER.")


def tasks_of(sets: Mapping[str, Dataset | LabelledTexts]) -> Tasks:
    """The tasks that a caller gives by name.

    Raises:
      DataError: no mapping of names to `Dataset` or `LabelledTexts`.
    """
    if not isinstance(sets, Mapping) or not all(
        isinstance(of, (Dataset, LabelledTexts)) for of in sets.values()
    ):
        raise DataError("give the tasks as {name: jaxnas.data.load_texts(...)} or of Datasets.")
    return Tasks("arrays", dict(sets))


def digit_task(digits: Dataset, name: str) -> Dataset:
    """The digits with the classes of one of `DIGIT_TASKS`.

    Raises:
      DataError: an unknown task.
    """
    if name not in DIGIT_TASKS:
        raise DataError(f"task {name!r} is unknown: digits have {', '.join(DIGIT_TASKS)}.")
    class_names, classes = DIGIT_TASKS[name]
    labels = {
        f"{split}_labels": np.array(classes, np.int32)[getattr(digits, f"{split}_labels")]
        for split in SPLITS
    }
    return dataclasses.replace(
        digits, name=name, num_classes=len(class_names), class_names=class_names, **labels
    )
