"""What a search of several tasks shows, in plain sentences and in a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxnas.runtime.report import formats
from jaxnas.runtime.report.reading import Run, number

HEADS = ("task", "best child", "validation", "test", "random child, test")


def is_tasks(run: Run) -> bool:
    """Whether several tasks were searched."""
    return bool(tasks(run))


def tasks(run: Run) -> dict[str, Mapping[str, Any]]:
    """What was found for each task; nothing in a run of one task or without its result."""
    found = run.result.get("tasks")
    if not isinstance(found, Mapping):
        return {}
    return {str(name): of for name, of in found.items() if isinstance(of, Mapping)}


def remark(run: Run) -> str:
    """What the headline's test accuracy is."""
    return (
        f"mean over {len(tasks(run))} tasks; of each the child with the highest validation "
        "accuracy; test data read once"
    )


def rows(run: Run) -> list[list[str]]:
    """A row for each task, below `HEADS`."""
    return [
        [
            name,
            str(of.get("child", "")),
            formats.accuracy(of.get("validation_accuracy")),
            formats.accuracy(of.get("test_accuracy")),
            formats.accuracy(of.get("random_test_accuracy")),
        ]
        for name, of in tasks(run).items()
    ]


def comparison(run: Run) -> str:
    """Searched against random, task by task."""
    pairs = [
        (number(of.get("test_accuracy")), number(of.get("random_test_accuracy")))
        for of in tasks(run).values()
    ]
    gains = np.array([searched - random for searched, random in pairs])
    gains = gains[np.isfinite(gains)]
    if not len(gains):
        return ""
    mean = 100 * float(gains.mean())
    direction = "above" if mean >= 0 else "below"
    return (
        f"The searched children's test accuracy is {abs(mean):.2f} percentage points {direction} "
        f"that of the best random children by validation accuracy, as a mean over {len(gains)} "
        f"tasks, and higher in {int((gains > 0).sum())} of them."
    )


def caveats(run: Run) -> list[str]:
    """How to read the numbers, and what they do not say."""
    seed = run.result.get("seed")
    which = "" if seed is None else f" (seed {seed})"
    return [
        "Data of each task is split into training, validation and test data. Rewards and the "
        "choice of the final children see the first two only; test data is read once, for this "
        "report.",
        "Each task's random children are as many uniformly drawn ones, trained beside the "
        "searcher's in the search, and their best by validation accuracy trained again alike.",
        "A reward in the curve is of the task of its step: accuracies of different tasks do not "
        "compare. The policy's probabilities are means over tasks.",
        f"This is one search{which}. Another seed can end elsewhere.",
    ]
