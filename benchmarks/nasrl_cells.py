"""NAS-RL's recurrent cells: a policy against random search, and cells side by side.

(b) `search`: in the table of really trained cells that `make_nasrl_cell_table.py` makes, what the
policy samples and finds against random search (figure 6 of Zoph & Le 2017). The values are minus
validation perplexities of characters, at worst that of a uniform guess; the reward is
80 / perplexity^2. `cells`: the cell that is best by the table, NASCell, an LSTM and a GRU are
trained at equal parameters with the same recipe, each at the learning rate that is best for it on
validation, over seeds; this needs `--data`, and `--part cells` runs it alone. Intervals are 95%.

    python benchmarks/nasrl_cells.py --json nasrl_cells.json
    python benchmarks/nasrl_cells.py --part cells --data ptb:FOLDER --json nasrl_cells_contest.json
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from nasrl_cases import cell_recipe as recipes
from nasrl_cases import known_cells, search_case
from record import make_record, write_record

from jaxnas import objectives

CHECKPOINTS = (50, 100, 200, 400, 800)


def search_part(arguments: argparse.Namespace) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows and the summary of the searches."""
    perplexity, about = recipes.read_table()
    values = -np.minimum(perplexity, about["vocabulary"])
    checkpoints = CHECKPOINTS[:2] if arguments.quick else CHECKPOINTS
    found = search_case.search(
        recipes.space(),
        values,
        perplexity_reward,
        seeds=2 if arguments.quick else arguments.seeds,
        samples=checkpoints[-1],
    )
    rows = search_case.make_rows(values, found, checkpoints)
    search_case.print_rows(rows)
    if arguments.plot:
        search_case.plot(arguments.plot, rows, "minus perplexity")
    summary = search_case.make_summary(values, found, "cells_") | {
        f"cell_table_{name}": about[name] for name in ("cells", "cpu_seconds", "cells_per_minute")
    }
    return rows, summary


def best_of_table() -> Any:
    """The cell that is best by the table, `[T]` of base 2."""
    perplexity, _ = recipes.read_table()
    return recipes.to_cells(recipes.space().unrank(int(perplexity.argmin()))[None])[0]


def cells_part(arguments: argparse.Namespace) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Known cells and the best one of the table, side by side."""
    quick, best = arguments.quick, best_of_table()
    recipe = recipes.Recipe(
        hidden=8 if quick else known_cells.HIDDEN,
        updates=3 if quick else arguments.updates,
        score_steps=2 if quick else 100,
    )
    text = recipes.characters(arguments.data)
    rows = known_cells.measure_all(text, best, recipe, 2 if quick else known_cells.SEEDS)
    summary = {f"test_perplexity_{row['cell']}": row["test_perplexity"] for row in rows}
    return rows, summary


def perplexity_reward(values: Any) -> Any:
    """The reward of minus perplexities."""
    return objectives.perplexity_reward(-values)


def _seeds(arguments: argparse.Namespace) -> int:
    """The seeds of the part that is run, of the searches where both are."""
    return known_cells.SEEDS if arguments.part == "cells" else arguments.seeds


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "{value:.4g} [{low:.4g}, {high:.4g}]".format(**value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="ptb:FOLDER or text:FILE: cells are trained side by side")
    parser.add_argument("--quick", action="store_true", help="2 seeds: shows that it runs")
    parser.add_argument("--part", choices=("search", "cells"), help="one part only")
    parser.add_argument("--seeds", type=int, default=50, help="searches of each arm")
    parser.add_argument("--updates", type=int, default=2000, help="training steps of the contest")
    parser.add_argument("--json", help="where to write the figures")
    parser.add_argument("--plot", help="where to draw the searches (png)")
    return parser.parse_args()


def main() -> None:
    """Runs the benchmark."""
    arguments = parse()
    if arguments.part == "cells" and not arguments.data:
        raise SystemExit("--part cells trains on a text: give --data ptb:FOLDER or text:FILE.")
    rows, summary = [], {}
    if arguments.part != "cells":
        rows, summary = search_part(arguments)
    if arguments.data and arguments.part != "search":
        more_rows, more = cells_part(arguments)
        rows, summary = rows + more_rows, summary | more
    for key, value in summary.items():
        print(f"{key:<44}{_text(value)}")
    record = make_record("nasrl_cells", rows=rows, summary=summary, seeds=_seeds(arguments))
    print(f"{record['seconds']} seconds in all, compilation included")
    if arguments.json:
        write_record(arguments.json, record)


if __name__ == "__main__":
    main()
