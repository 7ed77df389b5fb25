"""The summary of a run for the terminal, in tables."""

from __future__ import annotations

import pathlib

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from jaxnas.runtime.report import findings, formats
from jaxnas.runtime.report.reading import Run, read_run
from jaxnas.runtime.report.tables import KINDS, accuracies, latency_batches

FILES = ("report.html", "result.json")


def print_summary(folder: str | pathlib.Path, console: Console | None = None) -> None:
    """Prints the summary of a run folder.

    Args:
      folder: a run folder.
      console: where to; the standard output by default.

    Raises:
      FileNotFoundError: there is no such folder.
    """
    (console or Console()).print(summary(read_run(folder)))


def summary(run: Run) -> RenderableType:
    """Headline numbers, children and cost as something that a rich console can print."""
    parts: list[RenderableType] = [Text(f"{run.name}: {findings.status(run)}", style="bold")]
    parts.append(_headline(run))
    if sentence := findings.comparison(run):
        parts.append(Text(sentence))
    parts += [
        table for table in (_children(run), _latencies(run), _costs(run)) if table is not None
    ]
    if digest := run.result.get("state_digest"):
        parts.append(Text(f"digest of the final state: {digest}", style="dim"))
    files = [run.folder / name for name in FILES if (run.folder / name).exists()]
    parts += [Text(f"see {file}", style="dim") for file in files]
    parts += [Text(problem, style="yellow") for problem in run.problems]
    return Group(*parts)


def _headline(run: Run) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column()
    table.add_column(justify="right", style="bold")
    table.add_column(style="dim")
    for value, label, remark in findings.headline(run):
        table.add_row(Text(label), Text(value), Text(remark))
    return table


def _children(run: Run) -> Table | None:
    children = run.children()
    if not children:
        return None
    table = Table(title="Children trained from scratch", title_justify="left")
    for head in ("child", "kind"):
        table.add_column(head)
    scored = accuracies(run)
    # One word: the table fits 80 characters.
    names = [name.removesuffix(" weights") for name in scored.values()]
    for head in (*names, "parameters", "FLOPs"):
        table.add_column(head, justify="right", no_wrap=True)
    for child in children:
        kind = str(child.get("kind", ""))
        scores = [formats.score(child.get(key), run.measure) for key in scored]
        sizes = [formats.quantity(child.get(key), short=True) for key in ("parameters", "flops")]
        cells = [str(child.get("name", "")), KINDS.get(kind, kind), *scores, *sizes]
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _latencies(run: Run) -> Table | None:
    """A table of its own: with these columns the children's would be wider than 80 characters."""
    batches = latency_batches(run)
    if not batches:
        return None
    table = Table(title="Latency of the trained children", title_justify="left")
    table.add_column("child")
    for batch in batches:
        table.add_column(f"ms for {batch}", justify="right", no_wrap=True)
    for child in run.children():
        cells = [formats.latency(child.get("latency"), batch) for batch in batches]
        table.add_row(*map(Text, (str(child.get("name", "")), *cells)))
    return table


def _costs(run: Run) -> Table | None:
    seconds = run.result.get("seconds_by_phase")
    if not isinstance(seconds, dict) or not seconds:
        return None
    table = Table(title="Wall time", title_justify="left")
    for phase in seconds:
        table.add_column(Text(str(phase)), justify="right")
    table.add_row(*(formats.duration(value) for value in seconds.values()))
    return table
