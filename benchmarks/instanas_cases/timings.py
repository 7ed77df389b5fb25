"""All that `benchmarks/instanas.py` measures by the clock, and what it says in short."""

from __future__ import annotations

import argparse
import json
import pathlib
from typing import Any

import numpy as np
from curves import mean_interval
from measuring import ratio_of_processes, run_worker
from measuring.allocator import SETTINGS

from instanas_cases import contest
from instanas_cases.work import Work

SERVED = {name: value for name, value in SETTINGS.items() if name != "MALLOC_ARENA_MAX"}
"""With one arena, what compilation leaves behind slows what is timed down, by up to a third."""
AVERAGED = ("masked_seconds", "routed_seconds", "modules_per_block", "ratio_of_flops")
PROCESSES = 5
"""That measure routed and masked, each with weights, images and policies of its own."""


def run_contest(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows of routed and masked: their speed over several processes, and each one's memory."""
    common, threads = {"quick": arguments.quick, "seed": 0}, arguments.threads
    several = []
    for seed in range(2 if arguments.quick else PROCESSES):
        task = common | {"kind": "contest", "seed": seed}
        several.append(run_worker("instanas_cases", task, threads, SERVED))
        found = (f"{row['case']} {row['ratio']['value']:.3f}" for row in several[-1])
        print(f"contest {seed}:", *found, flush=True)
    rows = [pool(list(same)) for same in zip(*several, strict=True)]
    for case in ("forward", "step"):
        for way in ("masked", "routed"):
            task = common | {"kind": "memory", "case": case, "way": way}
            rows.append(run_worker("instanas_cases", task, threads, SERVED))
    return rows


def pool(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """One row of those that several processes measured of one case.

    What was measured is averaged, the ratio with its interval over processes, and each process's
    own stays in `ratios`.
    """
    first, ratios = rows[0], [row["ratio"]["value"] for row in rows]
    averaged = {k: float(np.mean([r[k] for r in rows])) for k in AVERAGED}
    return (
        {k: first[k] for k in ("case", "share_on", "batch", "threads")}
        | averaged
        | {"largest_difference": max(row["largest_difference"] for row in rows)}
        | {"repeats": sum(row["repeats"] for row in rows), "processes": len(rows)}
        | {"ratio": ratio_of_processes(ratios), "ratios": ratios}
    )


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
