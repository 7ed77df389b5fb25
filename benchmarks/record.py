"""The one form in which every benchmark records its figures: JSON with machine, command, rows."""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import platform
import shlex
import subprocess
import sys
import time
from typing import Any

import jax

import jaxnas.version

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
START = time.perf_counter()


def make_record(
    benchmark: str, *, rows: list[dict[str, Any]], summary: dict[str, Any], seeds: Any
) -> dict[str, Any]:
    """The record of a finished benchmark, timed from the import of this file.

    Args:
      benchmark: the name of the script.
      rows: the lines of its table.
      summary: its main figures, each a number or `{value, low, high}` with a 95% interval.
      seeds: how many seeds, or which.
    """
    return {
        "benchmark": benchmark,
        "version": jaxnas.version.__version__,
        "commit": commit(),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "machine": machine(),
        "device": jax.devices()[0].device_kind,
        "command": command(),
        "seeds": seeds,
        "seconds": round(time.perf_counter() - START, 1),
        "rows": rows,
        "summary": summary,
    }


def write_record(path: str | pathlib.Path, record: dict[str, Any]) -> None:
    """Writes a record as JSON, one row a line."""
    head = {key: value for key, value in record.items() if key != "rows"}
    rows = ",\n    ".join(json.dumps(row) for row in record["rows"])
    text = json.dumps(head | {"rows": []}, indent=2).replace(
        '"rows": []', f'"rows": [\n    {rows}\n  ]'
    )
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    pathlib.Path(path).write_text(text + "\n")


def commit() -> str:
    """The commit that is checked out, with `+changes` if files differ from it; or `unknown`."""
    try:
        git = ["git", "-C", str(REPOSITORY)]
        head = subprocess.run(
            [*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True
        )
        # Results themselves may differ: a benchmark writes them.
        paths = ["jaxnas", "benchmarks/*.py"]
        status = [*git, "status", "--porcelain", "--", *paths]
        changes = subprocess.run(status, capture_output=True, text=True)
    except OSError:
        return "unknown"
    if head.returncode:
        return "unknown"
    return head.stdout.strip() + ("+changes" if changes.stdout.strip() else "")


def machine() -> dict[str, Any]:
    """What the figures depend on: the processor, the number of cores, versions."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "jax": jax.__version__,
        "backend": jax.default_backend(),
    }


def _processor() -> str:
    info = pathlib.Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def command() -> str:
    """The command, with every file outside the repository by its name alone."""
    script = pathlib.Path(sys.argv[0]).resolve()
    inside = script.is_relative_to(REPOSITORY)
    name = str(script.relative_to(REPOSITORY)) if inside else script.name
    return shlex.join(["python", name, *map(_without_folder, sys.argv[1:])])


def _without_folder(argument: str) -> str:
    """An argument `/FOLDERS/NAME` or `KIND:/FOLDERS/NAME` without its folders."""
    kind, colon, path = argument.rpartition(":")
    return kind + colon + pathlib.Path(path).name if os.path.isabs(path) else argument
