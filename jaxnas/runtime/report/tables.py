"""The tables and texts of the report page."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from jaxnas.runtime.report import formats, instance_findings, tasks_findings
from jaxnas.runtime.report.reading import Run, number

KINDS = {"best": "searched", "random": "random", "baseline": "baseline"}


def children(run: Run) -> str:
    """All retrained children with their accuracies and sizes."""
    entries = run.children()
    if not entries:
        return ""
    scored, batches = accuracies(run), latency_batches(run)
    times = [f"ms for {batch}" for batch in batches]
    heads = ["child", "kind", *scored.values(), "parameters", "FLOPs", *times]
    rows, chosen = [], []
    for child in entries:
        scores = [formats.score(child.get(key), run.measure) for key in scored]
        sizes = [formats.quantity(child.get(key), short=True) for key in ("parameters", "flops")]
        kind = str(child.get("kind", ""))
        took = [formats.latency(child.get("latency"), batch) for batch in batches]
        rows.append([str(child.get("name", "")), KINDS.get(kind, kind), *scores, *sizes, *took])
        same = child.get("architecture") == run.result.get("architecture")
        only = kind == "best" and same and "architecture" in child
        chosen.append(only or child.get("chosen") is True)
    text = "Scores and sizes (M: million, B: billion); the final child in bold."
    if batches:
        text += " Milliseconds for so many images on the machine of the run: median +- half of "
        text += "the interquartile range."
    note = f'<p class="quiet">{text}</p>'
    table = _table(heads, rows, numeric=len(heads) - 2, chosen=chosen)
    return f"<h2>Children</h2>\n{table}\n{note}"


def accuracies(run: Run) -> dict[str, str]:
    """The accuracies of children by their headings; with shared weights where there were any."""
    alone = {f"{split}_{run.measure}": split for split in ("validation", "test")}
    if any("shared_accuracy" in child for child in run.children()):
        return {"shared_accuracy": "shared weights", **alone}
    return alone


def latency_batches(run: Run) -> list[int]:
    """The numbers of images for which some child has a latency."""
    found = [child.get("latency") for child in run.children()]
    names = {str(name) for latency in found if isinstance(latency, Mapping) for name in latency}
    sizes = [name.removeprefix("batch_") for name in names]
    return sorted(int(size) for size in sizes if size.isdecimal())


def costs(run: Run) -> str:
    """Wall time by phase."""
    seconds = run.result.get("seconds_by_phase")
    if not isinstance(seconds, Mapping) or not seconds:
        return ""
    total = sum(value for value in map(number, seconds.values()) if math.isfinite(value))
    rows = []
    for phase, value in seconds.items():
        share = number(value) / total if total > 0 else math.nan
        percent = f"{100 * share:.0f}%" if math.isfinite(share) else formats.MISSING
        rows.append([str(phase), formats.duration(value), percent])
    rows.append(["sum", formats.duration(total), ""])
    return f"<h2>Cost</h2>\n{_table(['phase', 'wall time', 'share'], rows, numeric=2)}"


def usage(run: Run) -> str:
    """How to go on from here, on the command line and in Python."""
    instance = "arms" in run.result
    several = tasks_findings.tasks(run)
    if "architecture" not in run.result and not instance and not several:
        return ""
    folder = str(run.folder)
    quoted = shlex.quote(folder)
    best = [str(of.get("child")) for of in several.values()]
    one = shlex.quote(f"{folder}/children/{best[0]}") if best else quoted
    shell = (
        f"jaxnas show {quoted}  # this report on the terminal, the page made anew\n"
        f"jaxnas evaluate {quoted}  # test accuracy of what was found\n"
        f"jaxnas export {one} --out exported  # for use without this run"
    )
    outputs = "logits, architectures, latency" if instance else "logits"
    call = "result.module(images)"
    if several:
        module = f"result.module[{next(iter(several))!r}]"
        call = f"{module}({module}.prepare(rows))"
    python = (
        f"import jaxnas\n\nresult = jaxnas.load_result({folder!r})\n"
        f"{outputs} = {call}  # a Flax NNX module with its weights\n"
        "result  # in a notebook: numbers and pictures"
    )
    blocks = (f"<pre>{escape(text)}</pre>" for text in (shell, python))
    return f"<h2>How to use the result of {escape(run.name)}</h2>\n" + "\n".join(blocks)


def tasks(run: Run) -> str:
    """What was found for each of several tasks."""
    rows = tasks_findings.rows(run)
    return f"<h2>Tasks</h2>\n{_table(tasks_findings.HEADS, rows, numeric=3)}" if rows else ""


def arms(run: Run) -> str:
    """The arms of an instance-aware run, and its Pareto points."""
    found, points = run.result.get("arms") or [], run.result.get("points") or []
    unit = str(run.result.get("latency_unit", ""))
    if not found:
        return ""
    rows = [
        [
            str(arm.get("name", "")),
            formats.accuracy(arm.get("test_accuracy")),
            instance_findings.latency(number(arm.get("latency")), unit),
        ]
        for arm in found
    ]
    text = f"<h2>Arms</h2>\n{_table(['arm', 'test accuracy', 'mean latency'], rows, numeric=2)}"
    rows = [
        [
            str(point.get("epoch")),
            formats.accuracy(point.get("validation_accuracy")),
            instance_findings.latency(number(point.get("validation_latency")), unit),
            str(point.get("unique_architectures")),
        ]
        for point in points
    ]
    heads = ["taken after epoch", "validation accuracy", "mean latency", "architectures"]
    chosen = [bool(point.get("chosen")) for point in points]
    table = _table(heads, rows, numeric=3, chosen=chosen)
    return f"{text}\n<h2>Pareto points, fine-tuned</h2>\n{table}" if points else text


def reproduction(run: Run) -> str:
    """The exact command, seed, digest of the final state, versions and machine."""
    result = run.result
    pairs = [(label, result[key]) for key, label in _REPRODUCTION if result.get(key) is not None]
    rows = [[label, str(value)] for label, value in pairs]
    for key in ("versions", "machine"):
        rows += [[f"{key}: {name}", value] for name, value in formats.flattened(result.get(key))]
    command = result.get("command")
    text = f"<pre>{escape(str(command))}</pre>\n" if command else ""
    if not rows and not text:
        return ""
    return f"<h2>How to reproduce this run</h2>\n{text}{_table([], rows)}"


_REPRODUCTION = (("seed", "seed"), ("state_digest", "digest of the final state"))


def configuration(run: Run) -> str:
    """The whole configuration, folded away."""
    pairs = formats.flattened(run.config or run.result.get("config"))
    if not pairs:
        return ""
    table = _table([], [[key, value] for key, value in pairs])
    return f"<h2>Configuration</h2>\n<details><summary>All settings</summary>{table}</details>"


def _table(
    heads: Sequence[str],
    rows: Sequence[Sequence[Any]],
    numeric: int = 0,
    chosen: Sequence[bool] = (),
) -> str:
    """A table; the last `numeric` columns are numbers, `chosen` rows stand out."""

    def row(cells: Sequence[Any], tag: str, bold: bool = False) -> str:
        first = len(cells) - numeric
        other = "" if tag == "th" else ' class="long"'
        classes = [other if i < first else ' class="number"' for i in range(len(cells))]
        pairs = zip(cells, classes, strict=True)
        texts = (f"<{tag}{kind}>{escape(str(cell))}</{tag}>" for cell, kind in pairs)
        opening = '<tr class="chosen">' if bold else "<tr>"
        return opening + "".join(texts) + "</tr>"

    if not rows:
        return ""
    head = f"<thead>{row(heads, 'th')}</thead>" if heads else ""
    bold = chosen or [False] * len(rows)
    body = "".join(row(cells, "td", b) for cells, b in zip(rows, bold, strict=True))
    return f'<div class="scroll"><table>{head}<tbody>{body}</tbody></table></div>'
