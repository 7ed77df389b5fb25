"""The optimiser of network weights: SGD with Nesterov momentum and a cosine learning rate."""

from __future__ import annotations

import functools
import math
from typing import Any

import jax
import optax

from jaxnas.config import OptimizerConfig

_ONE_CYCLE_START = 25.0


def learning_rate_schedule(config: OptimizerConfig, steps: int, epoch: int) -> optax.Schedule:
    """The learning rate by step.

    Args:
      config: its kind, its start, its end and the restarts.
      steps: steps of the whole training.
      epoch: steps of one epoch.
    """
    if config.schedule == "one_cycle":
        return _one_cycle(config, steps)
    if not config.restart_epochs:
        return _cosine(config, steps)
    schedules: list[optax.Schedule] = []
    boundaries: list[int] = []
    length = config.restart_epochs * epoch
    while not boundaries or boundaries[-1] < steps:
        schedules.append(_cosine(config, length))
        boundaries.append((boundaries[-1] if boundaries else 0) + length)
        length *= 2
    return optax.join_schedules(schedules, boundaries[:-1])


def _cosine(config: OptimizerConfig, steps: int) -> optax.Schedule:
    alpha = config.final_learning_rate / config.learning_rate
    return optax.cosine_decay_schedule(config.learning_rate, max(1, steps), alpha)


def _one_cycle(config: OptimizerConfig, steps: int) -> optax.Schedule:
    start, end = config.learning_rate / _ONE_CYCLE_START, config.final_learning_rate
    return optax.cosine_onecycle_schedule(
        max(1, steps),
        config.learning_rate,
        div_factor=_ONE_CYCLE_START,
        final_div_factor=start / end if end else math.inf,
    )


# One object per recipe: it is a static argument of compiled programs.
@functools.lru_cache(maxsize=64)
def make_optimizer(config: OptimizerConfig, steps: int, epoch: int) -> optax.GradientTransformation:
    """SGD as `config` says, for a training of `steps` steps."""
    schedule = learning_rate_schedule(config, steps, epoch)
    clip = optax.clip_by_global_norm(config.clip) if config.clip else optax.identity()
    decay = optax.add_decayed_weights(config.weight_decay)
    return optax.chain(clip, decay, optax.sgd(schedule, config.momentum, nesterov=True))


@functools.partial(jax.jit, static_argnums=0)
def apply_gradient(
    optimizer: optax.GradientTransformation, params: Any, state: Any, gradient: Any
) -> tuple[Any, Any]:
    """One step of an optimiser; a gradient that is not finite changes nothing.

    Returns:
      The new parameters and the new state of the optimiser.
    """
    finite = jax.numpy.isfinite(optax.tree.norm(gradient))
    updates, new_state = optimizer.update(gradient, state, params)
    new_params = optax.apply_updates(params, updates)
    keep = functools.partial(jax.tree.map, lambda new, old: jax.numpy.where(finite, new, old))
    return keep(new_params, params), keep(new_state, state)
