"""One process of `benchmarks/instanas.py`: `python -m instanas_cases TASK RESULT`."""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

import jax


def run(task: dict[str, Any]) -> Any:
    """The rows of a task: `contest`, `memory` or `clock`."""
    from instanas_cases import clock, contest

    quick, seed, threads = task["quick"], task["seed"], task["threads"]
    if quick:
        jax.config.update("jax_disable_most_optimizations", True)
    if threads == 1:
        # As `jaxnas` itself has it: on one core another thread does not run beside the caller, and
        # handing over costs both sides.
        jax.config.update("jax_cpu_enable_async_dispatch", False)
    if task["kind"] == "contest":
        return contest.run(quick, seed, threads)
    if task["kind"] == "memory":
        return contest.memory(quick, seed, task["case"], task["way"])
    return clock.run(task["data"], task["folder"], quick, threads)


if __name__ == "__main__":
    result = run(json.loads(pathlib.Path(sys.argv[1]).read_text()))
    pathlib.Path(sys.argv[2]).write_text(json.dumps(result))
