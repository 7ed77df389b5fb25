"""A policy against random search in a table of trained children, as in figure 6 of the paper.

The policy is the paper's: a two-layer LSTM of 35 units, trained by REINFORCE without replay,
entropy bonus or normalised advantages, with a moving average as its baseline and Adam; the reward
is the cube of the validation accuracy. Our Adam is faster (0.0006 is for 12,800 children). Beside
it runs REINFORCE with the defaults of jaxnas, which learns from remembered evaluations too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from curves import mean_interval, seed_keys

from jaxnas.policies import lstm
from jaxnas.searchers import Searcher, random, reinforce, run
from jaxnas.spaces import SearchSpace, rank

BATCHES = {"random": 8, "policy": 8, "policy_replay": 4}
"""Children told at once; the paper's replicas send 8."""
LEARNING_RATE, BASELINE_DECAY = 0.01, 0.9
TOPS = (1, 5, 15)
LAST = 50


def searchers(space: SearchSpace) -> dict[str, Searcher]:
    """The arms."""
    policy = lstm(space, hidden=35, layers=2, init_scale=0.08, share_heads=False)
    plain = reinforce(
        policy,
        optax.adam(LEARNING_RATE),
        baseline_decay=BASELINE_DECAY,
        entropy_weight=0.0,
        normalize_advantage=False,
        memory=0,
    )
    return {"random": random(space), "policy": plain, "policy_replay": reinforce(space)}


def search(
    space: SearchSpace,
    values: np.ndarray,
    reward: Callable[[Any], Any],
    *,
    seeds: int,
    samples: int,
) -> dict[str, np.ndarray]:
    """The positions in the space `int [seeds, samples]` that each arm evaluated.

    Args:
      space: the space; the table has a value for each of its architectures.
      values: `[count]`.
      reward: from values to rewards, written in JAX.
      seeds: how many searches.
      samples: how many children each evaluates.
    """
    table = jnp.asarray(reward(values), jnp.float32)
    found = {}

    def evaluate(architectures: jax.Array) -> jax.Array:
        return table[rank(space, architectures)]

    for name, searcher in searchers(space).items():
        batch = BATCHES[name]

        def one(key: jax.Array, searcher=searcher, batch=batch) -> jax.Array:
            state = searcher.init(key)
            _, history = run(searcher, evaluate, state, -(-samples // batch), batch)
            flat = history.architectures.reshape(-1, space.max_length)[:samples]
            return rank(space, flat)

        found[name] = np.asarray(jax.jit(jax.vmap(one))(seed_keys(seeds)))
    return found


def top_means(values: np.ndarray, positions: np.ndarray) -> dict[int, float]:
    """The mean value of the best 1, 5 and 15 different children among those sampled."""
    ranked = np.sort(values[np.unique(positions)])[::-1]
    return {top: float(ranked[:top].mean()) for top in TOPS}


def make_rows(
    values: np.ndarray, found: dict[str, np.ndarray], checkpoints: tuple[int, ...]
) -> list[dict[str, Any]]:
    """One row for each arm and number of samples, with intervals over seeds."""
    rows = []
    for name, positions in found.items():
        for number in checkpoints:
            tops = [top_means(values, seed[:number]) for seed in positions]
            last = values[positions[:, max(0, number - LAST) : number]].mean(-1)
            rows.append(
                {
                    "part": "search",
                    "arm": name,
                    "samples": number,
                    f"mean_of_last_{LAST}": mean_interval(last),
                    **{f"top_{t}": mean_interval(np.array([x[t] for x in tops])) for t in TOPS},
                    "different": float(np.mean([len(np.unique(s[:number])) for s in positions])),
                }
            )
    return rows


def make_summary(values: np.ndarray, found: dict[str, np.ndarray], prefix: str) -> dict[str, Any]:
    """What each policy has over random search at the end; the seeds are independent."""
    summary: dict[str, Any] = {}
    for name in found:
        if name == "random":
            continue
        key = f"{prefix}{name.removeprefix('policy').removeprefix('_')}".rstrip("_")
        key = f"{key}_" if key else ""
        last = {arm: values[found[arm][:, -LAST:]].mean(-1) for arm in (name, "random")}
        summary[f"{key}mean_gap"] = mean_interval(last[name] - last["random"])
        tops = {a: [top_means(values, s) for s in found[a]] for a in (name, "random")}
        for top in TOPS:
            pairs = zip(tops[name], tops["random"], strict=True)
            summary[f"{key}top{top}_gap"] = mean_interval(
                np.array([ours[top] - theirs[top] for ours, theirs in pairs])
            )
    return summary


def print_rows(rows: list[dict[str, Any]]) -> None:
    """Prints one line for each row."""
    names = (f"mean_of_last_{LAST}", *(f"top_{top}" for top in TOPS))
    print(f"{'arm':<16}{'samples':>8}" + "".join(f"{name:>26}" for name in names))
    for row in rows:
        cells = ("{value:.4f} [{low:.4f}, {high:.4f}]".format(**row[name]) for name in names)
        print(f"{row['arm']:<16}{row['samples']:>8}" + "".join(f"{cell:>26}" for cell in cells))


def plot(path: str, rows: list[dict[str, Any]], label: str) -> None:
    """Draws the paper's figure 6: what each policy has over random search, over samples."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    of = {(row["arm"], row["samples"]): row for row in rows}
    samples = sorted({number for _, number in of})
    arms = [arm for arm in dict.fromkeys(arm for arm, _ in of) if arm != "random"]
    figure = Figure(figsize=(4.2 * len(arms), 3.4))
    FigureCanvasAgg(figure)
    for axis, arm in zip(figure.subplots(1, len(arms), squeeze=False)[0], arms, strict=True):
        for name in (f"mean_of_last_{LAST}", *(f"top_{top}" for top in TOPS)):
            gaps = [of[arm, n][name]["value"] - of["random", n][name]["value"] for n in samples]
            axis.plot(samples, gaps, marker=".", label=name.replace("_", " "))
        axis.axhline(0, color="0.6", linewidth=0.8)
        axis.set(title=arm, xlabel="children trained", ylabel=f"{label} over random search")
    figure.axes[0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
