"""NAS with reinforcement learning: policy against random search, and populations trained at once.

(a) `search`: in the table of really trained children that `make_nasrl_conv_table.py` makes, what
the policy samples and finds against random search (figure 6 of Zoph & Le 2017). Accuracies are of
validation images, whose best the search can see; the test accuracies of what it found stand beside
them. (c) `conv`: children trained per second, a population in one program against PyTorch one by
one, both on one core, by process time; losses are compared first. Needs the extra `bench` for (c).

    python benchmarks/nasrl.py --json benchmarks/results/nasrl.json
    python benchmarks/nasrl.py --parts search --plot benchmarks/results/nasrl.png
"""

from __future__ import annotations

import argparse
import importlib.util
from typing import Any

import numpy as np
from curves import mean_interval
from measuring import run_worker
from nasrl_cases import digit_convs, search_case
from record import make_record, write_record

PARTS = ("search", "conv")
CHECKPOINTS = (50, 100, 200, 400, 800, 1600)


def search_part(arguments: argparse.Namespace) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Policy against random search in the table of convolutional children."""
    table, about = digit_convs.read_table()
    validation, test = table[:, 0], table[:, digit_convs.COLUMNS.index("test")]
    seeds = 10 if arguments.quick else arguments.seeds
    checkpoints = CHECKPOINTS[:2] if arguments.quick else CHECKPOINTS
    space = digit_convs.children().space
    options = {"seeds": seeds, "samples": checkpoints[-1]}
    found = search_case.search(space, validation, lambda accuracy: accuracy**3, **options)
    rows = search_case.make_rows(validation, found, checkpoints)
    search_case.print_rows(rows)
    if arguments.plot:
        search_case.plot(arguments.plot, rows, "validation accuracy")
    summary = search_case.make_summary(validation, found, "")
    for arm, positions in found.items():
        best = [seed[np.argmax(validation[seed])] for seed in positions]
        summary[f"test_accuracy_of_best_{arm}"] = mean_interval(test[best])
    summary["conv_table_children"] = len(table)
    for name in ("cpu_seconds", "children_per_cpu_second"):
        summary[f"conv_table_{name}"] = about[name]
    return rows, summary


def conv_part(arguments: argparse.Namespace) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Throughput of convolutional children."""
    rows = []
    for images in ("digits",) if arguments.quick else ("digits", "cifar"):
        task = {"part": "conv", "images": images, "quick": arguments.quick, "seed": arguments.seed}
        rows += run_worker("nasrl_cases", task, 1)
    digits, compiled, *cifar = rows
    summary = {
        "population_over_torch_conv": digits["ratio"],
        "population_over_torch_conv_with_compilation": compiled["ratio"],
    }
    if "torch_compile_failed" in compiled:
        summary["torch_compile_failed"] = compiled["torch_compile_failed"]
    if "ratio_torch_compile" in compiled:
        summary["population_over_torch_compile_conv"] = compiled["ratio_torch_compile"]
    for row, name in zip(cifar, ("", "_32"), strict=False):
        summary[f"population_over_torch_conv_cifar10_sizes{name}"] = row["ratio"]
    for row in rows:
        print(", ".join(f"{key} {_text(value)}" for key, value in row.items()))
    return rows, summary


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "{value:.2f} [{low:.2f}, {high:.2f}]".format(**value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--seeds", type=int, default=50, help="searches of each arm")
    parser.add_argument("--seed", type=int, default=0, help="of the children that are timed")
    parser.add_argument("--quick", action="store_true", help="10 seeds, 100 samples, 2 children")
    parser.add_argument("--json", help="where to write the figures")
    parser.add_argument("--plot", help="where to draw the searches (png)")
    arguments = parser.parse_args()
    if arguments.seeds < 2:
        parser.error("--seeds must be at least 2 for an interval")
    if "conv" in arguments.parts and importlib.util.find_spec("torch") is None:
        parser.error("PyTorch is not installed: python -m pip install 'jaxnas[bench]'")
    return arguments


def main() -> None:
    """Runs the benchmark."""
    arguments = parse()
    rows, summary = [], {}
    for part in arguments.parts:
        new_rows, new_summary = {"search": search_part, "conv": conv_part}[part](arguments)
        rows, summary = rows + new_rows, summary | new_summary
    for key, value in summary.items():
        print(f"{key:<48}{_text(value)}")
    record = make_record("nasrl", rows=rows, summary=summary, seeds=arguments.seeds)
    print(f"{record['seconds']} seconds in all, compilation included")
    if arguments.json:
        write_record(arguments.json, record)


if __name__ == "__main__":
    main()
