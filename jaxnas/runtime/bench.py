"""How fast a configured search runs on this machine: compilation, weight steps, rewards."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import jax

from jaxnas.config import Config
from jaxnas.runtime.errors import ConfigError, memory_errors
from jaxnas.runtime.experiment import Experiment
from jaxnas.runtime.machine import cores, peak_memory_mb, processor
from jaxnas.runtime.overrides import batch_sizes
from jaxnas.runtime.run_data import load_dataset


def bench(config: Config, *, repeats: int = 5) -> dict[str, Any]:
    """Measures a weight step and a policy update of a search.

    Args:
      config: the experiment.
      repeats: timed repeats after the first, compiling call; medians are given.

    Returns:
      Seconds, children per second, and the shares of work that the plan saves.

    Raises:
      ConfigError: fewer than one repeat.
      RunError: a device with too little memory.
    """
    if repeats < 1:
        raise ConfigError(f"--repeats is {repeats}: give at least 1.")
    with memory_errors(batch_sizes(config), resumable=False):
        return _measure(config, repeats)


def _measure(config: Config, repeats: int) -> dict[str, Any]:
    experiment = Experiment(config, load_dataset(config))
    engine, data = experiment.engine, experiment.data
    state = engine.init(experiment.key("search"))
    weights = _time(lambda i: engine.weight_step(state, data, i)[0].params, repeats)
    policy = _time(lambda i: engine.policy_step(state, data, i)[0].searcher, repeats)
    sampled = engine.searcher.ask(state.searcher, engine.config.policy_children)[1]
    work = engine.supernet.plan(sampled).work
    options = engine.config
    return {
        "config": config.name,
        "machine": f"{processor()}, {cores()} cores",
        "weight_step_first_seconds": weights[0],
        "weight_step_seconds": weights[1],
        "trained_children_per_second": options.children / weights[1],
        "policy_update_first_seconds": policy[0],
        "policy_update_seconds": policy[1],
        "evaluated_children_per_second": options.policy_children / policy[1],
        "unique_share_of_live_flops": work["unique"].flops / max(1, work["live"].flops),
        "peak_memory_mb": peak_memory_mb(),
    }


def _time(call: Callable[[int], Any], repeats: int) -> tuple[float, float]:
    """The seconds of the first call, and the median of those after it."""
    seconds = []
    for i in range(repeats + 1):
        start = time.perf_counter()
        jax.block_until_ready(call(i))
        seconds.append(time.perf_counter() - start)
    return seconds[0], statistics.median(seconds[1:])
