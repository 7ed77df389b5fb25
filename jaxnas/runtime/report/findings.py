"""What a run shows, in numbers and plain sentences: the same on the page and on the terminal."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from jaxnas.runtime.report import formats, instance_findings, tasks_findings
from jaxnas.runtime.report.reading import Run, number
from jaxnas.runtime.report.statistics import mean_interval


class Figure(NamedTuple):
    """One headline number: its value as text, what it is, and a remark."""

    value: str
    label: str
    remark: str = ""


def finished(run: Run) -> bool:
    """Whether the run has its result; that of a child that diverged may be not a number."""
    return bool(run.result)


def headline(run: Run) -> list[Figure]:
    """The numbers that a reader wants first; only those that are there."""
    result = run.result
    remark = f"the child with the {_chosen_by(run)}; test data read once"
    if instance_findings.is_instance(run):
        remark = "the fastest point as accurate as MobileNetV2 1.0x on validation data, if any"
    if tasks_findings.is_tasks(run):
        remark = tasks_findings.remark(run)
    figures = []
    if f"test_{run.measure}" in result:
        text = formats.score(result[f"test_{run.measure}"], run.measure)
        figures.append(Figure(text, f"test {run.measure}, searched", remark))
    if instance_findings.is_instance(run):
        figures += [Figure(*entry) for entry in instance_findings.headline(run)]
    random = mean_interval(run.test_scores("random"))
    # A mean over children of different tasks would say nothing of any of them.
    if random.n and not tasks_findings.is_tasks(run):
        mean = formats.score(random.mean, run.measure)
        figures.append(Figure(mean, f"test {run.measure}, random", _spread(run)))
    for key, label in (("parameters", "parameters"), ("flops", "FLOPs per image")):
        if math.isfinite(number(result.get(key))):
            figures.append(Figure(formats.quantity(result[key]), label))
    seconds = number(result.get("seconds"))
    if math.isfinite(seconds):
        figures.append(Figure(formats.duration(seconds), "wall time"))
    return figures


def _chosen_by(run: Run) -> str:
    """What the final child has most of, or least."""
    if run.measure == "perplexity":  # Its reward only falls with it.
        return "lowest validation perplexity"
    if any("reward" in child for child in run.children("best")):
        return "highest reward on validation data"
    return f"highest validation {run.measure}"


def _spread(run: Run) -> str:
    random = mean_interval(run.test_scores("random"))
    children = "1 child" if random.n == 1 else f"mean of {random.n} children"
    if random.n < 2:
        return children
    most = min(random.high, 1.0) if run.measure == "accuracy" else random.high
    ends = (max(random.low, 0.0), most)
    low, high = (formats.score(end, run.measure) for end in ends)
    return f"{children}, 95% interval {low} to {high}"


def comparison(run: Run) -> str:
    """Searched against random in one sentence that claims no more than the numbers do."""
    if instance_findings.is_instance(run):
        return instance_findings.comparison(run)
    if tasks_findings.is_tasks(run):
        return tasks_findings.comparison(run)
    random, searched = run.test_scores("random"), number(run.result.get(f"test_{run.measure}"))
    if not math.isfinite(searched) or not len(random):
        return ""
    below, n = int((random < searched).sum()), len(random)
    if run.measure == "perplexity":
        return _perplexities(run, searched, random)
    gain = 100 * (searched - float(random.mean()))
    direction = "above" if gain >= 0 else "below"
    return (
        f"The searched child's test accuracy is {abs(gain):.2f} percentage points {direction} the "
        f"mean of the random children, and higher than that of {below} of {n} of them."
    )


def _perplexities(run: Run, searched: float, random: np.ndarray) -> str:
    """The searched cell against the random ones and the baselines."""
    text = (
        f"The searched cell's test perplexity is {searched:.3f}, the mean of the random cells "
        f"{random.mean():.3f}; it is lower than that of {int((random > searched).sum())} of "
        f"{len(random)} of them."
    )
    names = (child["name"] for child in run.children("baseline"))
    known = zip(names, run.children("baseline"), strict=True)
    parts = [f"{n.removeprefix('baseline-')} {number(c['test_perplexity']):.3f}" for n, c in known]
    return f"{text} At equal parameters: {', '.join(parts)}." if parts else text


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
    if len(run.test_scores("random")):
        notes.append(
            "The random children are drawn uniformly from the same search space and trained from "
            "scratch like the searched ones. What the searched child gains over them is the gain "
            "of the search; the rest is due to the space and the training."
        )
    drawn = any("random_reward_mean" in record for record in run.phase("policy"))
    if drawn and run.from_scratch:
        notes.append(
            "The random arm of the reward curve has uniformly drawn children, trained from scratch "
            "as long as the searcher's. The distance to it is what the searcher has learned."
        )
    elif drawn:
        notes.append(
            "The random arm of the reward curve has uniformly drawn children under the same shared "
            "weights and on the same minibatch. It rises as the weights learn; the distance to "
            "it is what the policy has learned."
        )
    if len(run.test_scores("best")) > 1:
        notes.append(
            f"The final child is the one with the {_chosen_by(run)} among several retrained ones. "
            f"Its validation {run.measure} is therefore biased in its favour; its test "
            f"{run.measure} is not."
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
