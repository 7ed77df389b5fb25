"""What a run shows, in numbers and plain sentences: the same on the page and on the terminal."""

from __future__ import annotations

import math
from typing import NamedTuple

from jaxnas.runtime.report import formats, instance_findings, tasks_findings
from jaxnas.runtime.report.reading import Run, number
from jaxnas.runtime.report.statistics import mean_interval


class Figure(NamedTuple):
    """One headline number: its value as text, what it is, and a remark."""

    value: str
    label: str
    remark: str = ""


def finished(run: Run) -> bool:
    """Whether the run has its result."""
    return math.isfinite(number(run.result.get("test_accuracy")))


def headline(run: Run) -> list[Figure]:
    """The numbers that a reader wants first; only those that are there."""
    result = run.result
    remark = "the child with the highest validation accuracy; test data read once"
    if instance_findings.is_instance(run):
        remark = "the fastest point as accurate as MobileNetV2 1.0x on validation data, if any"
    if tasks_findings.is_tasks(run):
        remark = tasks_findings.remark(run)
    figures = []
    if finished(run):
        text = formats.accuracy(result["test_accuracy"])
        figures.append(Figure(text, "test accuracy, searched", remark))
    if instance_findings.is_instance(run):
        figures += [Figure(*entry) for entry in instance_findings.headline(run)]
    random = mean_interval(run.test_accuracies("random"))
    if random.n:
        figures.append(Figure(formats.accuracy(random.mean), "test accuracy, random", _spread(run)))
    for key, label in (("parameters", "parameters"), ("flops", "FLOPs per image")):
        if math.isfinite(number(result.get(key))):
            figures.append(Figure(formats.quantity(result[key]), label))
    seconds = number(result.get("seconds"))
    if math.isfinite(seconds):
        figures.append(Figure(formats.duration(seconds), "wall time"))
    return figures


def _spread(run: Run) -> str:
    random = mean_interval(run.test_accuracies("random"))
    children = "1 child" if random.n == 1 else f"mean of {random.n} children"
    if random.n < 2:
        return children
    return f"{children}, 95% interval {random.low:.4f} to {min(random.high, 1.0):.4f}"


def comparison(run: Run) -> str:
    """Searched against random in one sentence that claims no more than the numbers do."""
    if instance_findings.is_instance(run):
        return instance_findings.comparison(run)
    if tasks_findings.is_tasks(run):
        return tasks_findings.comparison(run)
    random, searched = run.test_accuracies("random"), number(run.result.get("test_accuracy"))
    if not math.isfinite(searched) or not len(random):
        return ""
    below, n = int((random < searched).sum()), len(random)
    gain = 100 * (searched - float(random.mean()))
    direction = "above" if gain >= 0 else "below"
    return (
        f"The searched child's test accuracy is {abs(gain):.2f} percentage points {direction} the "
        f"mean of the random children, and higher than that of {below} of {n} of them."
    )


def caveats(run: Run) -> list[str]:
    """How to read the numbers, and what they do not say."""
    if instance_findings.is_instance(run):
        return instance_findings.caveats(run)
    if tasks_findings.is_tasks(run):
        return tasks_findings.caveats(run)
    notes = [
        "Data is split into training, validation and test data. Rewards, the choice of the final "
        "child and its training see the first two only; test data is read once, for this report.",
    ]
    if len(run.test_accuracies("random")):
        notes.append(
            "The random children are drawn uniformly from the same search space and trained from "
            "scratch like the searched ones. What the searched child gains over them is the gain "
            "of the search; the rest is due to the space and the training."
        )
    if any("random_reward_mean" in record for record in run.phase("policy")):
        notes.append(
            "The random arm of the reward curve are uniformly drawn children under the same shared "
            "weights and on the same minibatch. It rises as the weights learn; the distance to "
            "it is what the policy has learned."
        )
    if len(run.test_accuracies("best")) > 1:
        notes.append(
            "The final child was chosen among several retrained ones by validation accuracy. Its "
            "validation accuracy is therefore biased upwards; its test accuracy is not."
        )
    notes.append(
        f"This is one search{_seed(run)}. Another seed can end elsewhere: claims about the method "
        "need several. The intervals span children of this one run."
    )
    return notes


def _seed(run: Run) -> str:
    seed = run.result.get("seed")
    return "" if seed is None else f" (seed {seed})"


def status(run: Run) -> str:
    """Whether the run is finished, or how far it has come."""
    if finished(run):
        return "finished"
    if not run.metrics:
        return "not finished; nothing recorded yet"
    last = run.metrics[-1]
    return f"not finished; last record: step {last.get('step')}, phase {last.get('phase')}"
