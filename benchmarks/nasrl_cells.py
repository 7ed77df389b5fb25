"""NAS-RL's recurrent cells: a policy against random search, and the found cell against known ones.

First, searches over the table that `make_nasrl_cell_table.py` made of real trainings: REINFORCE and
random search with the same number of samples, the reward being 80 / perplexity^2 of validation, the
best, the top 5 and the top 15 different cells after each number of samples, over seeds. Then the
cell that is best by the table, NASCell, an LSTM and a GRU are trained at equal parameters, with the
same recipe, each with the learning rate that is best for it on validation, over seeds. Intervals
are 95%.

    python benchmarks/nasrl_cells.py --data ptb:FOLDER --json benchmarks/results/nasrl_cells.json
"""

from __future__ import annotations

import argparse
from typing import Any

from cell_cases import contest, search
from cell_cases import recipe as recipes
from record import make_record, write_record


def run_searches(seeds: int, samples: int) -> tuple[list[dict[str, Any]], dict[str, Any], Any]:
    """The rows and the summary of the searches, and the cell that is best by the table."""
    perplexity, about = search.read_table()
    space = recipes.space()
    found = {
        name: search.search(perplexity, searcher, seeds, samples)
        for name, searcher in search.searchers(space).items()
    }
    best = recipes.to_cells(space.all_architectures()[[perplexity.argmin()]])[0]
    summary = search.compare(found) | {
        "table_cells": len(perplexity),
        "table_cells_per_minute": about["cells_per_minute"],
        "table_cpu_seconds": about["cpu_seconds"],
    }
    return search.rows(found), summary, best


def print_table(rows: list[dict[str, Any]]) -> None:
    """Prints rows, those of searches first."""
    for row in rows:
        cells = []
        for name, value in row.items():
            shown = (
                "{value:.4g} [{low:.4g}, {high:.4g}]".format(**value)
                if isinstance(value, dict)
                else str(value)
            )
            cells.append(f"{name} {shown}")
        print("  ".join(cells))


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="ptb:FOLDER or text:FILE: cells are trained side by side")
    parser.add_argument("--quick", action="store_true", help="2 seeds: shows that it runs")
    parser.add_argument("--seeds", type=int, default=20, help="searches of each arm")
    parser.add_argument("--samples", type=int, default=search.SAMPLES)
    parser.add_argument("--updates", type=int, default=2000, help="training steps of the contest")
    parser.add_argument("--json", help="where to write the figures")
    return parser.parse_args()


def main() -> None:
    """Runs the benchmark."""
    arguments = parse()
    quick = arguments.quick
    seeds, samples = (2, 100) if quick else (arguments.seeds, arguments.samples)
    rows, summary, best = run_searches(seeds, samples)
    if arguments.data:
        hidden, updates = (8, 3) if quick else (contest.HIDDEN, arguments.updates)
        recipe = recipes.Recipe(hidden=hidden, updates=updates, score_steps=2 if quick else 100)
        text = recipes.characters(arguments.data)
        measured = contest.measure_all(text, best, recipe, 2 if quick else contest.SEEDS)
        rows += measured
        for row in measured:
            summary[f"test_perplexity_{row['cell'].lower()}"] = row["test_perplexity"]
    print_table(rows)
    record = make_record("nasrl_cells", rows=rows, summary=summary, seeds=seeds)
    print(f"{record['seconds']} seconds in all, compilation included")
    if arguments.json:
        write_record(arguments.json, record)


if __name__ == "__main__":
    main()
