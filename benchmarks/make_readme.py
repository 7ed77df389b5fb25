"""Makes `benchmarks/README.md` from the committed results: `python benchmarks/make_readme.py`."""

from __future__ import annotations

import functools
import json
import pathlib
from typing import Any

FOLDER = pathlib.Path(__file__).resolve().parent
INTRODUCTION = """# Benchmarks

Made by `python benchmarks/make_readme.py` from `benchmarks/results/`; do not edit. Every script
runs as `python benchmarks/NAME.py [--quick] [--json FILE]` and prints a table. Values in brackets
are 95% intervals, over seeds or, for times, over repeats or processes. The first lines of each
script say how it measures.

## What we aimed at, and what came out
"""
COLUMNS = {
    "ranking": (
        *("space", "policy", "children", "mean", "standalone_mean", "standalone_std"),
        *("tau", "tau_between_trainings"),
    ),
    "shufflenas": (
        *("arm", "seed", "child", "chosen", "channels", "parameters", "macs"),
        *("validation_accuracy", "test_accuracy", "search_cpu_seconds", "train_cpu_seconds"),
        *("milliseconds_b1", "spread_b1", "milliseconds_b64", "spread_b64"),
    ),
    "throughput": (
        *("case", "threads", "clock", "samples", "seconds", "children_per_second"),
        *("ratio_tuned", "ratio_same_plan", "ratio_untuned", "ratio_per_image", "ratio_two_calls"),
        *("cpu_seconds", "cpu_seconds_tuned", "cores_busy", "cores_busy_tuned"),
        *("useful_share_of_peak", "gflop_raw", "gflop_live", "gflop_unique"),
        *("saved_by_plan", "distinct_share"),
        *("compile_seconds", "process_peak_mb", "values_alive_mb"),
    ),
}
"""The columns shown of rows that have many; the JSON has them all. `NAME.DEVICE` is as `NAME`."""
AIMS: dict[str, dict[str, str]] = json.loads((FOLDER / "aims.json").read_text())
"""What we aimed at before measuring, shown beside what came out."""
COMPARISONS = {
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
}


def page(results: list[tuple[str, dict[str, Any]]]) -> str:
    """The page for results `(file stem, record)`."""
    sections = (section(name, record) for name, record in results)
    return "\n".join([INTRODUCTION, *overview(results), "", *sections])


def overview(results: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """Every figure that had an aim, and whether it was met, as a Markdown table."""
    lines = ["| benchmark | figure | aim | value | met |", "|---|---|---|---|---|"]
    for name, record in results:
        for figure, aim in AIMS.get(name, {}).items():
            value = record["summary"].get(figure)
            row = (f"[{name}](#{name.replace('.', '')})", figure, aim, cell(value), met(value, aim))
            lines.append("| " + " | ".join(row) + " |")
    return lines


def met(value: Any, aim: str) -> str:
    """Whether a figure, and its whole interval where it has one, is on the right side of an aim."""
    if value is None:
        return "not measured"
    sign, bound = aim.split()
    holds = functools.partial(COMPARISONS[sign], b=float(bound))
    if not isinstance(value, dict):
        return "yes" if holds(value) else "no"
    ends = [holds(value[end]) for end in ("low", "high")]
    if holds(value["value"]):
        return "yes" if all(ends) else "in the mean"
    return "no" if not any(ends) else "no, within the interval"


def section(name: str, record: dict[str, Any]) -> str:
    """One benchmark: where and when it ran, its table, its picture."""
    lines = [
        f"## {name}",
        "",
        f"`{record['command']}`",
        "",
        f"{record['date']}, version {record['version']} at {record['commit']}, {where(record)}; "
        f"seeds: {record['seeds']}; {record['seconds']} s in all.",
        "",
        *measured_again(record),
        *summary_table(record["summary"], AIMS.get(name, {})),
        "",
        *needed_speeds(record["rows"], AIMS.get(name, {})),
        *tables(record["rows"], COLUMNS.get(name.partition(".")[0])),
    ]
    if (FOLDER / "results" / f"{name}.png").is_file():
        lines += [f"![{name}](results/{name}.png)", ""]
    return "\n".join(lines)


def where(record: dict[str, Any]) -> str:
    """The machine of a record."""
    machine = record["machine"]
    return ", ".join(f"{key} {value}" for key, value in machine.items() if key != "versions")


def measured_again(record: dict[str, Any]) -> list[str]:
    """Which of the cases were measured later than the rest, and where."""
    if "measured_again" not in record:
        return []
    again = record["measured_again"]
    return [
        f"Of it {', '.join(f'`{case}`' for case in again['cases'])} again by "
        f"`{again['command']}`: {again['date']}, at {again['commit']}, {where(again)}; "
        f"{again['seconds']} s in all.",
        "",
    ]


def tables(rows: list[dict[str, Any]], shown: tuple[str, ...] | None = None) -> list[str]:
    """Rows of one kind in one table each, so that no table has columns of another kind."""
    return [line for kind in kinds(rows) for line in (*table(kind, shown), "")]


def kinds(rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Rows by kind, in order: a row is of the first kind that has more than half of its keys."""
    found: list[tuple[set[str], list[dict[str, Any]]]] = []
    for row in rows:
        like = (kind for kind in found if len(kind[0] & set(row)) > len(row) / 2)
        keys, members = kind = next(like, (set(), []))
        if not members:
            found.append(kind)
        keys |= set(row)
        members.append(row)
    return [members for _, members in found]


def table(
    rows: list[dict[str, Any]], shown: tuple[str, ...] | None = None, most: int = 60
) -> list[str]:
    """Rows as a Markdown table: the columns `shown`, or all; the first `most` lines of a long one.

    How many are left out stands below it.
    """
    there = dict.fromkeys(key for row in rows for key in row)
    columns = [key for key in shown or there if key in there]
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(cell(row.get(c)) for c in columns) + " |" for row in rows[:most]]
    if len(rows) > most:
        lines += ["", f"{len(rows) - most} more rows in the JSON."]
    return lines


def summary_table(summary: dict[str, Any], aims: dict[str, str]) -> list[str]:
    """The main figures as a Markdown table, each beside what it should be, where that was said."""
    if not aims:
        lines = [f"| {name} | {cell(value)} |" for name, value in summary.items()]
        return ["| figure | value |", "|---|---|", *lines]
    lines = [f"| {key} | {cell(value)} | {aims.get(key, '')} |" for key, value in summary.items()]
    return ["| figure | value | aim |", "|---|---|---|", *lines]


def needed_speeds(rows: list[dict[str, Any]], aims: dict[str, str]) -> list[str]:
    """What each aim asks of the speed at equal arithmetic, where rows say what a plan saves.

    A ratio to one child at a time is about what the plan saves times that speed.
    """
    cases = [row for row in rows if row.get("saved_by_plan") and row["threads"] > 1]
    lines = []
    for row in cases:
        if (name := row["case"]) in aims:
            saved, bound = row["saved_by_plan"], float(aims[name].split()[1])
            values = (name, bound, saved, bound / saved, row["ratio_same_plan"], row["cores_busy"])
            lines.append("| " + " | ".join(map(cell, values)) + " |")
    if not lines:
        return []
    head = ("case", "aim", "saved by the plan", "speed at equal arithmetic that the aim needs")
    columns = (*head, "that speed, measured", "cores busy")
    return ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns), *lines, ""]


def cell(value: Any) -> str:
    """A number, a value with its interval, or several of them, by name or in a list."""
    if isinstance(value, dict) and "value" in value:
        return f"{value['value']:.4g} [{value['low']:.4g}, {value['high']:.4g}]"
    if isinstance(value, dict):
        return "; ".join(f"{name}: {cell(each)}" for name, each in value.items())
    if isinstance(value, list):
        return f"[{', '.join(map(cell, value))}]"
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)


def main() -> None:
    """Writes the page."""
    files = sorted((FOLDER / "results").glob("*.json"))
    results = [(file.stem, json.loads(file.read_text())) for file in files]
    (FOLDER / "README.md").write_text(page(results))


if __name__ == "__main__":
    main()
