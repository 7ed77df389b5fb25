"""How fast many children of a shared-weight network are evaluated and trained, against PyTorch.

Both sides have the same shared weights, children and minibatch, the same cores and the same
allocator settings; results are compared before anything is timed, and the benchmark ends where
they differ. Contenders take turns; a figure is the ratio of medians to *tuned* PyTorch (one child
at a time, channels last), with the 95% interval over repeats (bootstrap of pairs).

The figures of the summary are those of two cores, by elapsed time: PyTorch splits each operation
over its two threads, jaxnas computes two applications at once, as its host executor does by itself.
XLA keeps each program to the thread that calls it (`jaxnas.runtime.one_core_per_program`), as
`jaxnas search` has it for shared weights, except in the instance cases, which it would slow. The
figures of one core, by process time, have the suffix `_1_core`. Untuned PyTorch, which is slow,
runs where A = 8, on one core. PyTorch driven by the same plan shows what of the gain is the plan's:
a ratio is about `saved_by_plan`, the children's arithmetic over what of it is distinct, times
`ratio_same_plan`, how fast we are at equal arithmetic. `cores_busy` is the share of the cores' time
that is used; the rest is waiting.

Peaked children come of a policy whose every decision has 0.25 of the uniform entropy around one
uniform child (`measuring/samples.py`). What they share depends on that child, so the summary's
cases have several samples (seeds `--seed` and the next ones): figures are geometric means, and
`distinct_share` lists what of the children's arithmetic is distinct in each. Needs the extra
`bench`.

    python benchmarks/throughput.py --json benchmarks/results/throughput.json
    python benchmarks/throughput.py --only nb201_forward --threads 1
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
from typing import Any

from measuring import run_worker
from record import make_record, write_record
from throughput_cases import memory_case
from throughput_cases.cases import SUMMARY, Case, select

COLUMNS = ("seconds", "children_per_second", "useful_share_of_peak", "compile_seconds")
PEERS = ("tuned", "same_plan", "untuned", "per_image", "instance_norm")


def run_cases(cases: tuple[Case, ...], arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows of cases, each group and number of threads in a process of its own."""
    rows = []
    for threads in arguments.threads:
        chosen = [c for c in cases if threads in c.threads or arguments.only]
        for _, group in itertools.groupby(chosen, lambda c: arguments.quick or c.group):
            names = [case.name for case in group]
            task = {"cases": names, "quick": arguments.quick, "seed": arguments.seed}
            rows += run_worker("throughput_cases", task, threads)
    return rows


def run_memory(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows of memory; the first only in the quick form."""
    tasks = memory_case.tasks()[: 1 if arguments.quick else None]
    options = {"quick": arguments.quick, "seed": arguments.seed}
    return [
        row
        for task in tasks
        for row in run_worker("throughput_cases", {"memory": task} | options, 1)
    ]


def make_summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The ratios to tuned PyTorch by case: on two cores, and as `..._1_core` on one."""
    found = {(row["case"], row["threads"]): row.get("ratio_tuned") for row in rows}
    summary = {name: found[name, 2] for name in SUMMARY if (name, 2) in found}
    return summary | {f"{name}_1_core": found[name, 1] for name in SUMMARY if (name, 1) in found}


def print_table(rows: list[dict[str, Any]]) -> None:
    """Prints seconds, rates and the ratios to each peer."""
    names = "".join(f"{name:>22}" for name in (*COLUMNS, *PEERS))
    print(f"{'case':<40}{'threads':>8}{names}")
    for row in rows:
        numbers = (row.get(column) for column in COLUMNS)
        ratios = (row.get(f"ratio_{peer}") for peer in PEERS)
        cells = [*map(_number, numbers), *map(_ratio, ratios)]
        print(f"{row['case']:<40}{row['threads']:>8}" + "".join(f"{c:>22}" for c in cells))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _ratio(ratio: dict[str, float] | None) -> str:
    return "" if ratio is None else "{value:.2f} [{low:.2f}, {high:.2f}]".format(**ratio)


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick",
        action="store_true",
        help="tiny networks, 2 repeats, 1 thread: shows that it runs",
    )
    parser.add_argument("--only", help="the cases whose name contains this; no memory then")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", help="where to write the figures")
    arguments = parser.parse_args()
    if importlib.util.find_spec("torch") is None:
        parser.error("PyTorch is not installed: python -m pip install 'jaxnas[bench]'")
    if not select(arguments.only):
        parser.error(f"--only {arguments.only}: no case has that in its name")
    if min(arguments.threads) < 1:
        parser.error("--threads must be at least 1")
    if arguments.quick:
        arguments.threads = [1]
    return arguments


def main() -> None:
    """Runs the benchmark."""
    arguments = parse()
    rows = run_cases(select(arguments.only, arguments.quick), arguments)
    if not arguments.only:
        rows += run_memory(arguments)
    print_table(rows)
    summary = make_summary(rows)
    record = make_record("throughput", rows=rows, summary=summary, seeds=[arguments.seed])
    print(f"{record['seconds']} seconds in all, compilation included")
    if arguments.json:
        write_record(arguments.json, record)


if __name__ == "__main__":
    main()
