"""A policy for several tasks, conditioned on an embedding of the task that is learned with it.

Source: Wong et al. 2018, "Transfer learning with neural AutoML" (arXiv:1803.02780): every task has
a vector, drawn at random and trained with the controller, that is an input of every step.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.policies.base import Evaluation, Params, Policy, Sample

Centre = Literal["zero", "mean"]
"""What fresh embeddings of tasks lie around."""


def with_tasks(policy: Policy, tasks: int, *, scale: float = 0.1) -> Policy:
    """A policy whose context is a task.

    Every function then takes as `context` the tasks of its rows, `int32 [N]` in `[0, tasks)`. Its
    parameters are `{"policy": ..., "tasks": [K, C]}`.

    Args:
      policy: a policy with a context of size `C`, such as `lstm(space, context_size=C)`.
      tasks: `K`.
      scale: embeddings start uniform in `[-scale, scale]`.

    Raises:
      ValueError: a policy without context, or no task; when called, tasks of another shape, or,
        outside of `jit`, a task that there is none of.

    Example:
      >>> policy = with_tasks(lstm(space, hidden=32, context_size=16), tasks=8)
      >>> params = policy.init(jax.random.key(0))
      >>> policy.sample(params, jax.random.key(1), 2, jnp.array([0, 7])).architectures.shape[0]
      2
    """
    if policy.context_size < 1:
        raise ValueError("the policy takes no context: make it with context_size=C, such as 16.")
    if tasks < 1:
        raise ValueError(f"'tasks' is {tasks}; it must be >= 1.")
    return _make(_Config(policy, tasks, scale))


def new_task(
    params: Params,
    key: jax.Array,
    *,
    tasks: int = 1,
    scale: float = 0.1,
    centre: Centre = "zero",
) -> Params:
    """The parameters for tasks that were never seen: fresh embeddings, all else as it was learned.

    Args:
      params: of `with_tasks(policy, K)`, for any `K`.
      key: a PRNG key; it is consumed.
      tasks: how many new tasks take the place of the old ones.
      scale: fresh embeddings are uniform in `[-scale, scale]` around the centre; 0 for the centre.
      centre: `zero`, as in `with_tasks`; or `mean`, the mean of the embeddings of the old tasks,
        so that a new task starts with what is good for all of them.

    Raises:
      ValueError: an unknown centre, or parameters of a policy without tasks.

    Example:
      >>> params = new_task(params, jax.random.key(2))
      >>> params["tasks"].shape
      (1, 16)
    """
    if not isinstance(params, dict) or set(params) != {"policy", "tasks"}:
        raise ValueError("these are no parameters of a policy made by 'with_tasks'.")
    if centre not in ("zero", "mean"):
        raise ValueError(f"'centre' is {centre!r}: give 'zero' or 'mean'.")
    width, dtype = params["tasks"].shape[-1], params["tasks"].dtype
    fresh = _embeddings(key, (tasks, width), scale, dtype)
    return params | {"tasks": fresh + (params["tasks"].mean(0) if centre == "mean" else 0)}


@dataclasses.dataclass(frozen=True)
class _Config:
    policy: Policy
    tasks: int
    scale: float


@functools.lru_cache(maxsize=64)
def _make(config: _Config) -> Policy:
    def bind(function: Callable[..., Any]) -> Callable[..., Any]:
        return functools.partial(function, config)

    return Policy(
        space=config.policy.space,
        context_size=config.policy.context_size,
        init=bind(_init),
        sample=bind(_sample),
        log_prob=bind(_log_prob),
        entropy=bind(_entropy),
        evaluate=bind(_evaluate),
    )


def _embeddings(key: jax.Array, shape: tuple[int, int], scale: float, dtype: Any) -> jax.Array:
    return jax.random.uniform(key, shape, dtype, -scale, scale)


@functools.partial(jax.jit, static_argnums=0)
def _init(config: _Config, key: jax.Array) -> Params:
    policy_key, task_key = jax.random.split(key)
    shape = (config.tasks, config.policy.context_size)
    dtype = jnp.result_type(float)
    return {
        "policy": config.policy.init(policy_key),
        "tasks": _embeddings(task_key, shape, config.scale, dtype),
    }


def _context(config: _Config, params: Params, tasks: Any, num: int) -> jax.Array:
    """The embeddings `[N, C]` of tasks `[N]`."""
    check_tasks(config.tasks, tasks, num)
    table = params["tasks"]
    # A product with one-hot rows: its gradient is a product too, not a scatter.
    return jax.nn.one_hot(jnp.asarray(tasks), config.tasks, dtype=table.dtype) @ table


def check_tasks(number: int, tasks: Any, num: int) -> None:
    """Raises `ValueError` unless `tasks` are `num` of `number` tasks.

    Values are checked outside of `jit` only.
    """
    if tasks is None:
        raise ValueError(f"this policy has {number} tasks: say which, as int32 [{num}].")
    tasks = tasks if isinstance(tasks, jax.Array) else np.asarray(tasks)
    if jnp.shape(tasks) != (num,) or not jnp.issubdtype(jnp.result_type(tasks), jnp.integer):
        raise ValueError(
            f"the tasks have shape {list(jnp.shape(tasks))} and type {jnp.result_type(tasks)}: "
            f"give one int for each of {num} architectures."
        )
    if not isinstance(tasks, jax.core.Tracer):
        values = np.asarray(tasks)
        if len(values) and not (values.min() >= 0 and values.max() < number):
            raise ValueError(
                f"the tasks are {sorted(set(values.tolist()))}: give 0 to {number - 1}."
            )


def _sample(
    config: _Config, params: Params, key: jax.Array, num: int, context: Any = None
) -> Sample:
    context = _context(config, params, context, num)
    return config.policy.sample(params["policy"], key, num, context)


def _evaluate(
    config: _Config, params: Params, architectures: Any, context: Any = None
) -> Evaluation:
    context = _context(config, params, context, len(architectures))
    return config.policy.evaluate(params["policy"], architectures, context)


def _log_prob(
    config: _Config, params: Params, architectures: Any, context: Any = None
) -> jax.Array:
    return _evaluate(config, params, architectures, context).log_prob


def _entropy(config: _Config, params: Params, architectures: Any, context: Any = None) -> jax.Array:
    return _evaluate(config, params, architectures, context).entropy
