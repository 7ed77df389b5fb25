"""All that `benchmarks/instanas.py` measures by the clock, and what it says in short."""

from __future__ import annotations

import argparse
import json
import pathlib
from typing import Any

import numpy as np
from curves import mean_interval
from measuring import run_worker
from measuring.allocator import SETTINGS

from instanas_cases import contest
from instanas_cases.work import Work

SERVED = {name: value for name, value in SETTINGS.items() if name != "MALLOC_ARENA_MAX"}
"""With one arena, what compilation leaves behind slows what is timed down, by up to a third."""


def run_contest(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows of routed and masked: their speed, and each one's memory."""
    common, threads = {"quick": arguments.quick, "seed": 0}, arguments.threads
    rows = run_worker("instanas_cases", common | {"kind": "contest"}, threads, SERVED)
    for case in ("forward", "step"):
        for way in ("masked", "routed"):
            task = common | {"kind": "memory", "case": case, "way": way}
            rows.append(run_worker("instanas_cases", task, threads, SERVED))
    return rows


def run_timings(arguments: argparse.Namespace, work: Work) -> list[dict[str, Any]]:
    """The rows of all timings, each kind in a process of its own."""
    rows = run_contest(arguments)
    for folder in map(work.instance, range(arguments.seeds)):
        if (folder / "instance.json").is_file():  # A process each, as it would be served.
            task = {"quick": arguments.quick, "seed": 0, "kind": "clock"}
            task |= {"data": arguments.data, "folder": str(folder)}
            rows += run_worker("instanas_cases", task, arguments.threads, SERVED)
    return rows


def timing_summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Ratios, reductions and memory."""
    summary: dict[str, Any] = {}
    for row in rows:
        if "share_on" in row:
            ending = "" if row["share_on"] == contest.AIMED[row["case"]] else "_other_share"
            summary[f"routed_over_masked_{row['case']}{ending}"] = row["ratio"]
        if "way" in row:
            summary[f"peak_mb_{row['way']}_{row['case']}"] = row["peak_mb"]
    # Grouped by architecture, as it would be served, and as one routed program.
    for way, ending in (("grouped", ""), ("routed", "_routed")):
        for batch, size in ((1, ""), (64, "_64")):
            key = f"latency_reduction_measured{ending}{size}"
            found = [r for r in rows if r["case"] == "end_to_end"]
            found = [r for r in found if (r["inference"], r["batch"]) == (way, batch)]
            if len(found) > 1:
                summary[key] = mean_interval(np.array([r["reduction"]["value"] for r in found]))
            elif found:
                summary[key] = found[0]["reduction"]
    return summary


def replace_timings(path: str | pathlib.Path, measured: dict[str, Any]) -> dict[str, Any]:
    """A finished record with rows of the cases that were measured again, and when and where.

    Args:
      path: the finished record.
      measured: the record of this run.
    """
    record = json.loads(pathlib.Path(path).read_text())

    def kind(row: dict[str, Any]) -> tuple[Any, ...]:
        return row.get("case"), "way" in row

    again = {kind(row) for row in measured["rows"]}
    kept = [row for row in record["rows"] if kind(row) not in again]
    said = ("commit", "date", "machine", "command", "seconds")
    facts = {name: measured[name] for name in said}
    cases = sorted({row["case"] for row in measured["rows"]})
    return record | {
        "rows": kept + measured["rows"],
        "summary": record["summary"] | measured["summary"],
        "measured_again": {"cases": cases, **facts},
    }
