"""Sweeps settings of REINFORCE and evolution on simulated landscapes.

Four spaces (a short and a long chain, ENAS macro with skip bits, a loop), a new random landscape
for each seed (`landscapes.py`), 500 evaluations. The score of a setting is the best reward found
so far, in standard deviations above the mean of uniformly drawn architectures, averaged over
seeds, over the spaces, and over the moments after 50, 100, 200 and 500 evaluations. No table of
trained networks is read here.

    python benchmarks/tune_searchers.py --json benchmarks/results/tune_searchers.json
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import landscapes
import numpy as np
import optax
from curves import best_so_far, seed_keys
from record import make_record, write_record
from scipy.special import logit

from jaxnas.policies import lstm
from jaxnas.searchers import Searcher, evolution, random, reinforce
from jaxnas.spaces import SearchSpace

CHECKPOINTS = (50, 100, 200, 500)
LEARNING_RATES = (0.03, 0.06, 0.1)
ENTROPY_TARGETS = (3.0, 5.0, 7.0, float("inf"))
FEW = ((0.03, 5.0), (0.06, 5.0))
"""The learning rates and entropy targets that every variant is tried with."""
BASE: dict[str, Any] = {
    "batch": 1,
    "hidden": 16,
    "init_scale": 0.3,
    "baseline_decay": 0.7,
    "entropy_weight": 1.0,
    "memory": 1024,
    "elite": 2,
    "elite_weight": 0.3,
    "normalize_advantage": True,
}
"""Tried with every learning rate and entropy target; each variant changes it in few places."""
POLICY = ("hidden", "init_scale")
"""The settings that belong to the policy."""
DEFAULT = {"learning_rate": 0.06, "entropy_target": 5.0}
"""With `BASE`, the defaults of `reinforce`."""
VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {"batch": 2},
    {"batch": 5},
    {"batch": 10},
    {"hidden": 32},
    {"hidden": 64},
    {"init_scale": 0.1},
    {"baseline_decay": 0.9},
    {"elite": 1},
    {"elite": 5},
    {"elite_weight": 1.0},
    {"entropy_weight": 0.2},
    {"elite": 0},
    {"memory": 0},
    {"memory": 0, "elite": 0},
    {"normalize_advantage": False},
)
POPULATIONS = ((10, 3), (10, 5), (10, 10), (20, 5), (20, 10), (20, 20), (50, 10), (50, 25))
FIRST_LANDSCAPE = 1000
"""Landscapes have other seeds than searches."""


class Arena:
    """The landscapes of all spaces, and the score of a searcher on them."""

    def __init__(self, seeds: int):
        self.seeds = seeds
        self.spaces = landscapes.spaces()
        self.landscapes = {
            name: jax.jit(jax.vmap(lambda key, s=space: landscapes.make_landscape(s, key)))(
                seed_keys(seeds, FIRST_LANDSCAPE)
            )
            for name, space in self.spaces.items()
        }

    def scores(
        self, make: Callable[[SearchSpace], Searcher], batch: int, settings=None, change=None
    ) -> dict[str, np.ndarray]:
        """For each space the score `[..., 4]` at each checkpoint, `...` being the settings."""
        scores = {}
        for name, space in self.spaces.items():
            best = best_so_far(
                make(space),
                lambda architectures, data, s=space: landscapes.reward(s, architectures, data),
                seed_keys(self.seeds),
                self.landscapes[name],
                batch=batch,
                evaluations=CHECKPOINTS[-1],
                settings=settings,
                change=change,
            )
            deviations = logit(np.minimum(best, 1 - 1e-6)) - landscapes.OFFSET
            scores[name] = deviations[..., [n - 1 for n in CHECKPOINTS]].mean(-2)
        return scores


def make_row(searcher: str, setting: dict[str, Any], scores: dict[str, np.ndarray]):
    """One line of the table: the setting, its score, and the score in each space."""
    by_space = {name: [round(float(x), 3) for x in score] for name, score in scores.items()}
    mean = round(float(np.mean(list(scores.values()))), 4)
    infinite = {k: "inf" if v == float("inf") else v for k, v in setting.items()}
    return {"searcher": searcher, **infinite, "score": mean, **by_space}


def reinforce_rows(arena: Arena, variant: dict[str, Any]) -> list[dict[str, Any]]:
    """The learning rates and entropy targets of one variant, in one program for each space."""
    fixed = BASE | variant
    pairs = FEW if variant else tuple(itertools.product(LEARNING_RATES, ENTROPY_TARGETS))
    rates, targets = (jnp.array(column) for column in zip(*pairs, strict=True))

    def make(space: SearchSpace) -> Searcher:
        options = {k: v for k, v in fixed.items() if k not in POLICY and k != "batch"}
        optimizer = optax.inject_hyperparams(optax.adam)(learning_rate=0.01)
        return reinforce(lstm(space, **{k: fixed[k] for k in POLICY}), optimizer, **options)

    def change(state, setting):
        rate, target = setting
        hyperparams = state.optimizer.hyperparams | {"learning_rate": rate}
        return state._replace(
            optimizer=state.optimizer._replace(hyperparams=hyperparams),
            settings=state.settings._replace(entropy_target=target),
        )

    scores = arena.scores(make, fixed["batch"], (rates, targets), change)
    return [
        make_row(
            "reinforce",
            {"learning_rate": rate, "entropy_target": target, **fixed},
            {name: score[i] for name, score in scores.items()},
        )
        for i, (rate, target) in enumerate(pairs)
    ]


def evolution_row(arena: Arena, population: int, tournament: int) -> dict[str, Any]:
    """One size of population and tournament; children one at a time, as in the paper."""
    scores = arena.scores(
        lambda space: evolution(space, population=population, tournament=tournament), 1
    )
    return make_row("evolution", {"population": population, "tournament": tournament}, scores)


def print_rows(rows: list[dict[str, Any]]) -> None:
    """Prints the best settings of each searcher, best first."""
    for searcher in dict.fromkeys(row["searcher"] for row in rows):
        mine = sorted((r for r in rows if r["searcher"] == searcher), key=lambda r: -r["score"])
        print(f"{searcher}: the best of {len(mine)} settings")
        for row in mine[:12]:
            shown = {k: v for k, v in row.items() if k != "searcher" and not isinstance(v, list)}
            print("  " + ", ".join(f"{key} {value}" for key, value in shown.items()))


def main() -> None:
    """Runs the sweep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="2 seeds and few settings")
    parser.add_argument("--json", help="where to write the table")
    arguments = parser.parse_args()
    quick = arguments.quick
    seeds = 2 if quick else arguments.seeds
    arena = Arena(seeds)
    rows = [make_row("random", {}, arena.scores(random, 10))]
    for population, tournament in POPULATIONS[: 1 if quick else None]:
        rows.append(evolution_row(arena, population, tournament))
    for variant in VARIANTS[: 1 if quick else None]:
        rows += reinforce_rows(arena, variant)
        best = max(row["score"] for row in rows if row["searcher"] == "reinforce")
        print(f"{variant or 'base'}: the best so far has {best}", flush=True)
    print_rows(rows)
    names = ("random", "evolution", "reinforce")
    best = {s: max(r["score"] for r in rows if r["searcher"] == s) for s in names}
    summary = {f"{searcher}_score": score for searcher, score in best.items()}
    summary["reinforce_default_score"] = next(
        row["score"]
        for row in rows
        if all(row.get(key) == value for key, value in (BASE | DEFAULT).items())
    )
    if arguments.json:
        write_record(
            arguments.json,
            make_record("tune_searchers", rows=rows, summary=summary, seeds=seeds),
        )


if __name__ == "__main__":
    main()
