"""One process of `benchmarks/throughput.py`: `python -m throughput_cases TASK RESULT`."""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

import jax

from jaxnas.runtime import one_core_per_program
from throughput_cases.cases import CASES


def run(task: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a task: `cases` by name, or the `memory` of one side."""
    if task["quick"]:
        jax.config.update("jax_disable_most_optimizations", True)
    cases = [case for case in CASES if case.name in task.get("cases", ())]
    if not any(case.mode == "instance" for case in cases):
        one_core_per_program()
    if "memory" in task:
        from throughput_cases import memory_case

        return [memory_case.run(task["memory"], task["quick"], task["seed"])]
    import torch
    from measuring import matmul_peak

    from throughput_cases.contest import Options

    torch.set_num_threads(task["threads"])
    torch.manual_seed(task["seed"])
    size = 256 if task["quick"] else 2048
    peak = matmul_peak(size=size, wall=task["threads"] > 1)
    options = Options(task["threads"], task["quick"], task["seed"], peak)
    return [_run_case(case, options) | {"peak_gflops": peak / 1e9} for case in cases]


def _run_case(case: Any, options: Any) -> dict[str, Any]:
    from throughput_cases import controller_case, instance_case, network_case

    runs = {
        "instance": instance_case.run,
        "controller": controller_case.run_controller,
        "update": controller_case.run_update,
    }
    row = runs.get(case.mode, network_case.run)(case, options)
    ratio = row["ratio_tuned"]
    print(
        f"{case.name:<38}{options.threads} threads  {row['seconds']:8.4f} s  tuned x "
        f"{ratio['value']:.2f} [{ratio['low']:.2f}, {ratio['high']:.2f}]",
        flush=True,
    )
    return row


if __name__ == "__main__":
    result = run(json.loads(pathlib.Path(sys.argv[1]).read_text()))
    pathlib.Path(sys.argv[2]).write_text(json.dumps(result))
