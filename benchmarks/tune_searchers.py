"""Sweeps settings of REINFORCE and evolution on simulated landscapes.

Four spaces (a short and a long chain, ENAS macro with skip bits, a loop), a new random landscape
for each seed (`landscapes.py`), 200 evaluations. The score of a setting is the best reward found
so far, in standard deviations above the mean of uniformly drawn architectures, averaged over
seeds, over the spaces, and over the moments after 50, 100 and 200 evaluations. The summary holds
the mean difference of REINFORCE with its defaults to the best setting of evolution at each moment,
paired by landscape, with its 95% interval. No table of trained networks is read here.

    python benchmarks/tune_searchers.py --json benchmarks/results/tune_searchers.json
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import landscapes
import numpy as np
import optax
from curves import best_so_far, mean_interval, seed_keys
from record import make_record, write_record
from scipy.special import logit

from jaxnas.policies import lstm
from jaxnas.searchers import Searcher, evolution, random, reinforce
from jaxnas.spaces import SearchSpace

CHECKPOINTS = (50, 100, 200)
GRID = ((0.03, 5.0), (0.05, 4.0), (0.05, 5.0), (0.05, 6.0))
"""The learning rates and entropy targets that the base is tried with."""
DEFAULT = (0.05, 5.0)
"""With `BASE`, the defaults of `reinforce`; every variant is tried with these."""
BASE: dict[str, Any] = {
    "batch": 5,
    "hidden": 16,
    "init_scale": 0.3,
    "head_scale": 0.0,
    "entropy_weight": 0.2,
    "memory": 256,
    "replay": 32,
    "replay_updates": 8,
}
"""Each variant changes it in few places."""
POLICY = ("hidden", "init_scale", "head_scale")
"""The settings that belong to the policy."""
VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {"memory": 0, "batch": 1, "entropy_weight": 1.0},
    {"batch": 2, "replay_updates": 4},
)
POPULATIONS = ((20, 20), (10, 20), (20, 10))
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
        """For each space the score `[..., seeds, 3]` at each checkpoint; `...`: the settings."""
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
            scores[name] = deviations[..., [n - 1 for n in CHECKPOINTS]]
        return scores


def make_row(searcher: str, setting: dict[str, Any], scores: dict[str, np.ndarray]):
    """One line of the table: the setting, its score, and the score in each space."""
    by_space = {name: [round(float(x), 3) for x in s.mean(0)] for name, s in scores.items()}
    mean = round(float(np.mean(list(scores.values()))), 4)
    infinite = {k: "inf" if v == float("inf") else v for k, v in setting.items()}
    return {"searcher": searcher, **infinite, "score": mean, **by_space}


def reinforce_scores(arena: Arena, variant: dict[str, Any]):
    """`(setting, scores)` of one variant for the learning rates and entropy targets it gets."""
    fixed = BASE | variant
    pairs = (DEFAULT,) if variant else GRID
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
        (
            {"learning_rate": rate, "entropy_target": target, **fixed},
            {name: score[i] for name, score in scores.items()},
        )
        for i, (rate, target) in enumerate(pairs)
    ]


def evolution_scores(arena: Arena, population: int, tournament: int):
    """`(setting, scores)` of one population; children one at a time, as in the paper."""
    options = {"population": population, "tournament": tournament}
    return options, arena.scores(lambda space: evolution(space, **options), 1)


def differences(mine: dict[str, np.ndarray], evolutions: list[dict[str, np.ndarray]]):
    """What REINFORCE is above the evolution that is best at each checkpoint, paired."""
    summary = {}
    for i, n in enumerate(CHECKPOINTS):
        best = max(evolutions, key=lambda s: np.mean([x[:, i].mean() for x in s.values()]))
        paired = np.concatenate([mine[name][:, i] - best[name][:, i] for name in mine])
        summary[f"reinforce_default_minus_best_evolution_{n}"] = mean_interval(paired)
    return summary


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
    scores = [("random", {}, arena.scores(random, 10))]
    for population, tournament in POPULATIONS[: 1 if quick else None]:
        scores.append(("evolution", *evolution_scores(arena, population, tournament)))
    for variant in VARIANTS[: 1 if quick else None]:
        scores += [("reinforce", *one) for one in reinforce_scores(arena, variant)]
        print(f"{variant or 'base'}: done", flush=True)
    rows = [make_row(*one) for one in scores]
    print_rows(rows)
    summary: dict[str, Any] = {
        f"{name}_score": max(r["score"] for r in rows if r["searcher"] == name)
        for name in ("random", "evolution", "reinforce")
    }
    default = dict(zip(("learning_rate", "entropy_target"), DEFAULT, strict=True)) | BASE
    index = next(i for i, one in enumerate(scores) if one[1] == default)
    summary["reinforce_default_score"] = rows[index]["score"]
    summary |= differences(scores[index][2], [s for name, _, s in scores if name == "evolution"])
    for name, value in summary.items():
        print(f"{name}: {value}")
    if arguments.json:
        write_record(
            arguments.json,
            make_record("tune_searchers", rows=rows, summary=summary, seeds=seeds),
        )


if __name__ == "__main__":
    main()
