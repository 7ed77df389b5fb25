"""Chooses the settings of `mnms.py` on simulated tasks, and shows what each of its means is worth.

Tables of eight tasks over the space of the real one: landscapes of `landscapes.py`, at levels and
spreads of their own. How much of their variance tasks share is not known beforehand, so that each
table has its own share. First the settings of PPO are chosen with which the search from scratch
does best, so that no arm has a weak opponent; then those of the transfer. The score is the
geometric mean, over tasks and the two goals of `mnms.py`, of the mean trials until the goal: less
is better. `distinct` counts the different architectures of a search. Last, joint searches of all
tasks, for `specialisation`; these tables have no noise, so that validation and test are the same.
No table of trained networks is read here. With `--ablate`, the settings of `mnms_arms.py` are taken
as they are, and each of the means is left out alone, for both arms.

    python benchmarks/tune_mnms.py --json benchmarks/results/tune_mnms.json
    python benchmarks/tune_mnms.py --ablate --json benchmarks/results/ablate_mnms.json
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
import landscapes
import mnms
import mnms_search
import numpy as np
import text_networks
from mnms_arms import ARMS, PLAIN, Settings
from mnms_specialisation import specialisation
from mnms_study import Study, Trials
from record import make_record, write_record
from text_networks import Table

TASKS, SHARES = 8, (0.5, 0.8)
"""How many simulated tasks there are, and the share of their variance that they have in common."""
RATES = (0.01, 0.02)
TARGETS = (0.45, 0.6)
"""Entropies that are kept, as shares of the logarithm of the size of the space."""
OLD_RATES = (0.003, 0.01)
GREEDY = (0, 10)
CENTRES = ("zero", "mean")
FIRST_LANDSCAPE = 1000


def simulated_table(number: int, share: float) -> Table:
    """Accuracies of simulated tasks; those of the test are the same."""
    space = text_networks.space()
    architectures = jnp.asarray(space.all_architectures())

    def scores(key: jax.Array) -> jax.Array:
        rewards = landscapes.reward(space, architectures, landscapes.make_landscape(space, key))
        return jax.scipy.special.logit(rewards)

    keys = jax.random.split(jax.random.key(FIRST_LANDSCAPE + number), TASKS + 1)
    own = jax.jit(jax.vmap(scores))(keys)
    own = (own - own.mean(1, keepdims=True)) / own.std(1, keepdims=True)
    mixed = share**0.5 * own[0] + (1 - share) ** 0.5 * own[1:]
    # Easy and hard tasks, of large and of small differences.
    level = jnp.linspace(-0.5, 2.0, TASKS)[:, None]
    spread = jnp.tile(jnp.array([0.3, 1.0]), TASKS // 2)[:, None]
    table = np.asarray(jax.nn.sigmoid(level + spread * mixed), np.float64)
    return Table(tuple(f"simulated {i}" for i in range(TASKS)), table, table, {})


def score(table: Table, trials: Trials) -> dict[str, float]:
    """How good the trials were; rewards in standard deviations of the tasks."""
    mean, spread = (getattr(table.validation, name)(1)[:, None, None] for name in ("mean", "std"))
    counts = [mnms.trials_to(trials.rewards, goal) for goal in mnms.goals(table).values()]
    near, top = (np.log(of.mean(1)).mean() for of in counts)
    distinct = [len(np.unique(of)) for of in trials.positions.reshape(-1, trials.rewards.shape[-1])]
    return {
        "score": (near + top) / 2,
        "to_95_percent": near,
        "to_top_1_percent": top,
        "first_50": float(((trials.rewards - mean) / spread)[..., : mnms.FIRST].mean()),
        "distinct": float(np.mean(distinct)),
    }


def measure(studies: list[Study], arm: str, settings: Settings, label: str = "") -> dict[str, Any]:
    """The row of an arm with settings in the place of those of `mnms_search`."""
    rows = []
    for study in studies:
        study.settings = settings
        rows.append(score(study.table, study.run_ppo(ARMS[arm])))
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    for name in ("score", "to_95_percent", "to_top_1_percent"):
        means[name] = math.exp(means[name])
    row = {"arm": arm, "without": label, **dataclasses.asdict(settings)}
    row["entropy_target"] = None if math.isinf(settings.entropy_target) else settings.entropy_target
    row |= {name: round(value, 4) for name, value in means.items()}
    print({name: row[name] for name in ("arm", "without", *means)}, settings, flush=True)
    return row


def best_of(
    studies: list[Study], arm: str, candidates: list[Settings], rows: list[dict[str, Any]]
) -> Settings:
    """The settings with the best score; all rows are added."""
    found = [measure(studies, arm, settings) for settings in candidates]
    rows += found
    return candidates[int(np.argmin([row["score"] for row in found]))]


def changed(settings: Settings, **grid: Any) -> list[Settings]:
    """The settings with every combination of values."""
    combinations = itertools.product(*grid.values())
    return [
        dataclasses.replace(settings, **dict(zip(grid, values, strict=True)))
        for values in combinations
    ]


def tune(studies: list[Study], rows: list[dict[str, Any]], quick: bool) -> Settings:
    """The settings that were chosen."""
    size = math.log(text_networks.space().count())
    only = slice(1 if quick else None)
    targets = [round(share * size, 2) for share in TARGETS]
    grid = changed(Settings(), rate=RATES, entropy_target=targets)
    chosen = best_of(studies, "scratch, ppo", grid[only], rows)
    grid = changed(chosen, centre=CENTRES, greedy=GREEDY)
    chosen = best_of(studies, "transfer", grid[only], rows)
    return best_of(studies, "transfer", changed(chosen, old_rate=OLD_RATES)[only], rows)


def ablate(studies: list[Study], settings: Settings) -> list[dict[str, Any]]:
    """Each choice undone alone, and all of them."""
    plain = dataclasses.asdict(PLAIN)
    parts: dict[str, tuple[str, ...]] = {
        "nothing": (),
        "no repeats": ("candidates",),
        "entropy target": ("entropy_target", "entropy_weight"),
        "ranks": ("advantage",),
        "mean embedding": ("centre",),
        "greedy start": ("greedy",),
        "all": tuple(plain),
    }
    rows = []
    for label, names in parts.items():
        without = dataclasses.replace(settings, **{name: plain[name] for name in names})
        rows.append(measure(studies, "transfer", without, label))
        if label not in ("mean embedding", "greedy start"):
            rows.append(measure(studies, "scratch, ppo", without, label))
    return rows


def joint(studies: list[Study], settings: Settings) -> dict[str, Any]:
    """The specialisation of joint searches, by the share of their variance that tasks have."""
    summary = {}
    for share, study in zip(SHARES, studies, strict=False):
        study.settings = settings
        for key, value in specialisation(study).items():
            if "simulated" not in key:
                summary[f"share_{share}_{key}"] = value
    return summary


def main() -> None:
    """Sweeps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--ablate", action="store_true", help="leave each of the means out")
    parser.add_argument("--quick", action="store_true", help="one table, 2 seeds, few settings")
    parser.add_argument("--json", help="where to write the rows")
    arguments = parser.parse_args()
    quick = arguments.quick
    seeds = 2 if quick else arguments.seeds
    sizes = (20, 60) if quick else (mnms_search.PRETRAINING, mnms_search.TRIALS)
    shares = SHARES[:1] if quick else SHARES
    tables = [simulated_table(i, share) for i, share in enumerate(shares)]
    studies = [Study(table, seeds, *sizes) for table in tables]
    rows: list[dict[str, Any]] = []
    if arguments.ablate:
        rows, summary = ablate(studies, Settings()), {}
    else:
        chosen = tune(studies, rows, quick)
        summary = {f"best_{name}": value for name, value in dataclasses.asdict(chosen).items()}
        summary |= joint(studies, chosen)
    print(summary)
    if arguments.json:
        name = "ablate_mnms" if arguments.ablate else "tune_mnms"
        record = make_record(name, rows=rows, summary=summary, seeds=seeds)
        write_record(arguments.json, record)


if __name__ == "__main__":
    main()
