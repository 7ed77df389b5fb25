"""How fast populations of recurrent cells are trained, against PyTorch child by child.

Different cells of base 8, one layer, batches of 20 by 35 tokens, SGD with clipped gradients: in
jaxnas all in one program by the population trainer, in PyTorch one after the other by a tuned loop
(`torch_reference/tree_cell.py`), eager and, where the row says so, with `torch.compile` around a
step of the cell. Both start from the same weights; the trained weights are compared first. The
clock is process time on one core; contenders take turns; ratios are of medians, with the 95%
interval over repeats. Compile time is counted apart, and in `seconds_100_children`: 100 different
children of 300 steps, everything included, as one program in jaxnas, and compiled for each child by
`torch.compile`. Needs the extra `bench`.

    python benchmarks/nasrl_cell_speed.py --json benchmarks/results/nasrl_cell_speed.json
"""

from __future__ import annotations

import argparse
import importlib.util
from typing import Any

from measuring import run_worker
from record import make_record, write_record

HIDDEN, VOCABULARY = 64, 50
"""The size that the summary's main figure is of."""
CASES = (
    {"hidden": 32, "vocabulary": 50, "children": 16, "steps": 4},
    {"hidden": 64, "vocabulary": 50, "children": 8, "steps": 4},
    {"hidden": 64, "vocabulary": 50, "children": 32, "steps": 2},
    {"hidden": 64, "vocabulary": 1000, "children": 8, "steps": 3},
    {"hidden": 64, "vocabulary": 10000, "children": 4, "steps": 2},
    {"hidden": 200, "vocabulary": 50, "children": 4, "steps": 2},
    {"hidden": 200, "vocabulary": 1000, "children": 4, "steps": 2},
    {"hidden": 200, "vocabulary": 10000, "children": 2, "steps": 2},
)
COMPILED = {"hidden": 64, "vocabulary": 50, "children": 2, "steps": 4, "compiled": True}
QUICK = {"hidden": 8, "vocabulary": 11, "children": 2, "steps": 1}
CHILDREN, STEPS = 100, 300
"""Of the figure with compile time included."""


def make_summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The ratio at hidden 64 and a character vocabulary, and every other by its size."""
    plain = [row for row in rows if not row["compiled"]]
    summary: dict[str, Any] = {}
    for row in plain:
        if (row["hidden"], row["vocabulary"]) == (HIDDEN, VOCABULARY):
            summary.setdefault("population_over_torch_cells", row["ratio_tuned"])
    summary |= {f"ratio_{row['case']}": row["ratio_tuned"] for row in plain}
    for row in rows:
        if row["compiled"]:
            if "torch_compile_failed" in row:
                summary["torch_compile_failed"] = row["torch_compile_failed"]
            else:
                summary["population_over_torch_compiled"] = row["ratio_compiled"]
            summary |= {f"seconds_100_children_{k}": v for k, v in with_compiling(row).items()}
    return summary


def with_compiling(row: dict[str, Any]) -> dict[str, float]:
    """The seconds of 100 different children of 300 steps, compiling included, by contender."""
    train = {
        name: 1e-3 * each * CHILDREN * STEPS for name, each in row["milliseconds_per_step"].items()
    }
    train["jaxnas"] += row["compile_seconds"]
    if "compiled" in train:
        train["compiled"] += row["torch_compile_seconds_per_child"] * CHILDREN
    return train


def print_table(rows: list[dict[str, Any]]) -> None:
    """Prints milliseconds of a child's step, and ratios."""
    print(f"{'case':<44}{'jaxnas ms':>10}{'PyTorch ms':>12}{'ratio':>22}{'compile s':>11}")
    for row in rows:
        for peer in ("tuned", "compiled"):
            if f"ratio_{peer}" in row:
                each, ratio = row["milliseconds_per_step"], row[f"ratio_{peer}"]
                shown = "{value:.2f} [{low:.2f}, {high:.2f}]".format(**ratio)
                name = row["case"] + (" (compiled)" if peer == "compiled" else "")
                print(
                    f"{name:<44}{each['jaxnas']:>10.2f}{each[peer]:>12.2f}{shown:>22}"
                    f"{row['compile_seconds']:>11.1f}"
                )
        if row["compiled"]:
            seconds = (f"{name} {value:.0f} s" for name, value in with_compiling(row).items())
            print(f"{CHILDREN} different children, compiling included: {', '.join(seconds)}")
        if "torch_compile_failed" in row:
            print(f"torch.compile does not work here: {row['torch_compile_failed']}")


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one tiny case: shows that it runs")
    parser.add_argument("--only", type=int, nargs="+", help="the cases of these hidden units")
    parser.add_argument("--repeats", type=int, default=5, help="repeats at least")
    parser.add_argument("--json", help="where to write the figures")
    arguments = parser.parse_args()
    if importlib.util.find_spec("torch") is None:
        parser.error("PyTorch is not installed: python -m pip install 'jaxnas[bench]'")
    return arguments


def main() -> None:
    """Runs the benchmark, each case in a process of its own."""
    arguments = parse()
    cases = [QUICK] if arguments.quick else [*CASES, COMPILED]
    if arguments.only:
        cases = [case for case in cases if case["hidden"] in arguments.only]
    rows = []
    for case in cases:
        repeats = 2 if arguments.quick else arguments.repeats
        task = {"cases": [case], "seconds": 30.0, "repeats": repeats}
        rows += run_worker("nasrl_cases.cell_speed", task, threads=1)
    print_table(rows)
    record = make_record("nasrl_cell_speed", rows=rows, summary=make_summary(rows), seeds=[0])
    print(f"{record['seconds']} seconds in all, compilation included")
    if arguments.json:
        write_record(arguments.json, record)


if __name__ == "__main__":
    main()
