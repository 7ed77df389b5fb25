"""Routed against masked: the test forward and the policy step at batch 32, and their memory.

At the paper's size (17 blocks of 5 modules, 32 x 32 pixels), under a sharp controller that turns
on a fifth of the modules, so that a block runs one on average, and under one that turns on a tenth.
Both ways do the same: their logits and rewards are compared before anything is timed.

The aim of the policy step is about the fifth: policy shaping turns a fifth of the modules on even
where the controller wants none. That of the test forward is about the tenth, greedy policies as a
search leaves them: with the authors' default module such a child costs about as many FLOPs as
MobileNetV2 1.0x, above which no search would end (the paper's cost half of it). The forward's aim
was about the fifth until that had been measured (3.1 times as fast, where FLOPs allow 3.4).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from measuring import interleave, peak_memory_mb, ratio

from instanas_cases.masked import MaskedEngine
from jaxnas.instance.engine import InstanceEngine, InstanceState
from jaxnas.instance.evaluation import _greedy
from jaxnas.instance.policy_update import draw, earn
from jaxnas.objectives import WindowSchedule, flops_table
from jaxnas.policies import instance
from jaxnas.spaces.mobilenet import MODULES
from jaxnas.supernets import Supernet, make_routing, mobilenet
from jaxnas.supernets.executors import routed_sharing

BATCH, SHARPNESS = 32, 4.0
SHARES = (0.2, 0.1)
AIMED = {"forward": 0.1, "step": 0.2}
"""The share that the aim of a case is about."""
DEFAULT = "basic_block"


class Contest(NamedTuple):
    """Both ways and what they work on."""

    engine: InstanceEngine
    masked: MaskedEngine
    state: InstanceState
    images: jax.Array
    labels: jax.Array


def make(quick: bool, seed: int, on: float) -> Contest:
    """The contest at the paper's size, or a tiny one, with a share `on` of the modules."""
    small: dict[str, Any] = {"stages": ((8, 2, 2),), "stem": 8, "head": 8} if quick else {}
    shape = (8, 8, 3) if quick else (32, 32, 3)
    network = mobilenet(image_shape=shape, num_classes=10, default=DEFAULT, **small)
    policy = instance(network.space, shape)
    table = flops_table(network, policy.flops)
    every = float(sum(table.costs.values()))
    engine = InstanceEngine(
        Supernet(network), policy, table, WindowSchedule(0.0, every, every), optax.sgd(0.1)
    )
    keys = jax.random.split(jax.random.key(seed), 3)
    images = jax.random.normal(keys[0], (BATCH, *shape))
    labels = jax.random.randint(keys[1], (BATCH,), 0, 10)
    state = engine.init(keys[2], images)
    masked = MaskedEngine(engine, MODULES, DEFAULT)
    return sharpened(Contest(engine, masked, state, images, labels), on)


def sharpened(contest: Contest, on: float) -> Contest:
    """The contest with a policy that is sure of its choice and turns on a share of the bits.

    Whatever share the policy turned on before: only the scale and the bias of its logits change.
    """
    state = contest.state
    logits = contest.engine.policy.logits(state.policy, contest.images)
    threshold, spread = jnp.quantile(logits, 1 - on, axis=0), logits.std(0)
    scale, last = SHARPNESS / spread, max(state.policy, key=int)
    linear = state.policy[last]
    sharp = {"weights": linear["weights"] * scale, "bias": (linear["bias"] - threshold) * scale}
    return contest._replace(state=state._replace(policy={**state.policy, last: sharp}))


def routed_predict(contest: Contest) -> jax.Array:
    """The test forward as the engine evaluates: the policy, then the chosen modules."""
    engine, state = contest.engine, contest.state
    chosen = _greedy(engine.policy, state.policy, contest.images)
    given = state.params, chosen[None], contest.images, state.moments
    return routed_sharing.forward(engine.supernet.network, *given)[0]


def calls(contest: Contest, what: str) -> dict[str, Any]:
    """The two ways of `forward` or `step`, as functions that return when they are done."""
    engine, masked, state, images, labels = contest
    if what == "forward":
        return {
            "masked": lambda: jax.block_until_ready(masked.predict(state, images)),
            "routed": lambda: jax.block_until_ready(routed_predict(contest)),
        }
    return {
        "masked": lambda: jax.block_until_ready(masked.policy_step(state, images, labels, 0.5)),
        "routed": lambda: jax.block_until_ready(
            engine.policy_step(state, images, labels, 0.5)[0].policy
        ),
    }


def check(contest: Contest) -> float:
    """The largest difference of the logits, as a share of the largest.

    Raises:
      RuntimeError: logits, or the rewards of sampled and greedy policies, differ by more than
        rounding.
    """
    engine, masked, state, images, labels = contest
    ours, theirs = np.asarray(routed_predict(contest)), np.asarray(masked.predict(state, images))
    difference = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    # All are "right", so that every reward says its latency.
    labels = jnp.asarray(theirs.argmax(-1))
    greedy = _greedy(engine.policy, state.policy, images)
    rewards = earn(engine, state, images, labels, greedy[None], 0.5).reward[0]
    other = masked.rewards(state, images, labels, greedy, 0.5)
    gap = float(jnp.abs(rewards - other).max() / jnp.abs(other).max())
    if difference > 1e-3 or gap > 1e-3:
        raise RuntimeError(
            f"routed and masked differ: logits by {difference:.2g}, rewards by {gap:.2g}."
        )
    return difference


def run_policies(contest: Contest, what: str) -> jax.Array:
    """The architectures `[N, T]` that the images run in a `forward` or `step`."""
    engine, _, state, images, _ = contest
    key = jax.random.split(state.key)[1]
    drawn = draw(engine.policy, state.policy, images, key, 1, engine.shaping)
    return drawn.greedy if what == "forward" else jnp.concatenate([*drawn.samples, drawn.greedy])


def ratio_of_flops(contest: Contest, architectures: jax.Array) -> float:
    """The FLOPs of all modules for every image over those of the chosen ones `[N, T]`.

    About what a routed forward can gain; the controller and modules that must run are in both.
    """
    table = contest.engine.table
    every = sum(table.costs.values()) + table.controller
    routing = make_routing(contest.engine.supernet.network, architectures)
    return float(every / np.asarray(table.total(routing)).mean())


def run(quick: bool, seed: int, threads: int) -> list[dict[str, Any]]:
    """For each share of modules one row for the test forward and one for the policy step."""
    rows, contest = [], make(quick, seed, SHARES[0])
    for on in SHARES:
        contest = sharpened(contest, on)  # One network: what is compiled serves both shares.
        difference = check(contest)
        for what in ("forward", "step"):
            row = _race(calls(contest, what), quick, threads)
            architectures = run_policies(contest, what)
            row |= {
                "modules_per_block": float(architectures.mean() * len(MODULES)),
                "ratio_of_flops": ratio_of_flops(contest, architectures),
                "largest_difference": difference,
            }
            rows.append({"case": what, "share_on": on, "batch": BATCH, "threads": threads} | row)
    return rows


def _race(ways: dict[str, Any], quick: bool, threads: int) -> dict[str, Any]:
    for call in ways.values():
        call()
    times = interleave(ways, seconds=0.5 if quick else 30, least=5)
    clock = "cpu" if threads == 1 else "wall"
    slow, fast = (getattr(times[name], clock) for name in ("masked", "routed"))
    return {
        "masked_seconds": float(np.median(slow)),
        "routed_seconds": float(np.median(fast)),
        "repeats": len(slow),
        "ratio": ratio(slow, fast),
    }


def memory(quick: bool, seed: int, what: str, way: str) -> dict[str, Any]:
    """The peak memory of a process that does one thing in one way, twice."""
    contest = make(quick, seed, AIMED[what])
    before = peak_memory_mb()
    for _ in range(2):
        calls(contest, what)[way]()
    return {"case": what, "way": way, "start_mb": before, "peak_mb": peak_memory_mb()}
