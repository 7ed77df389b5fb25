"""An autoregressive LSTM policy over any graph of decisions.

Source: Zoph & Le 2017, "Neural architecture search with reinforcement learning"
(arXiv:1611.01578), section 3; Pham et al. 2018, ENAS (arXiv:1802.03268), section 2, for anchor
attention and the squashing of logits; de Laroussilhe et al. 2018 (arXiv:1812.10666) for one head
per vertex of a graph.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxnas.policies import categorical
from jaxnas.policies.base import Evaluation, Params, Policy, Sample
from jaxnas.policies.lstm_module import randomize
from jaxnas.policies.recurrence import LSTMConfig, make_module, run
from jaxnas.policies.tables import Biases, bias_table, decision_heads
from jaxnas.spaces import SearchSpace


def lstm(
    space: SearchSpace,
    *,
    hidden: int = 64,
    embedding: int | None = None,
    temperature: float | None = None,
    tanh_constant: float | None = None,
    share_heads: bool = False,
    context_size: int = 0,
    init_scale: float = 0.1,
    head_scale: float = 1.0,
    visit_inputs: bool | None = None,
    operation_tanh_constant: float | None = None,
    initial_bias: Mapping[str, Sequence[float]] | None = None,
    fixed_bias: Mapping[str, Sequence[float]] | None = None,
    skip_connection: bool = False,
    layers: int = 1,
) -> Policy:
    """Makes an LSTM policy over the walks of `space`.

    At each step the LSTM reads the embedding of the action before (and the context, and in a loop
    the number of the visit), and a head of the current decision gives the logits of its
    actions. Decisions with `points_at` are scored by anchor attention instead, and the anchor of
    the chosen node is added to the next input. Logits are divided by `temperature`, then become
    `tanh_constant * tanh(logits)`. Actions past a visit cap are masked.

    Args:
      space: the search space; its walks may branch and loop.
      hidden: `H`, the size of the LSTM (ENAS's code: 64).
      embedding: `E`, the size of the embeddings; `hidden` by default.
      temperature: divides the logits (ENAS's text: 5); `None` leaves them.
      tanh_constant: bounds the logits (ENAS's text: 2.5); `None` leaves them.
      share_heads: decisions of one `group` share their head and embeddings.
      context_size: `C`, the size of the context that every function then takes as `[N, C]`.
      init_scale: weights start uniform in `[-init_scale, init_scale]`.
      head_scale: multiplies the first weights that logits are read with. With 0 all open actions
        of a decision are equally likely at the start.
      visit_inputs: whether the number of the visit is an input too, so that the rounds of a loop,
        which share heads and embeddings, are told apart from the start; by default where a walk
        can take a decision twice. In nested loops several visits may have the same number.
      operation_tanh_constant: the bound of decisions that do not point at nodes, where it is not
        `tanh_constant` (ENAS's code for micro cells: 1.1 and 0.44).
      initial_bias: by decision, the first value of the learned bias of each of its actions, which
        is 0 otherwise. Decisions that share a head share it.
      fixed_bias: by decision, what is added to the bounded logits of its actions for good.
      skip_connection: whether the heads read the input of the LSTM too, past it, so that which
        action is good whatever came before is easy to learn (Wong et al. 2018, arXiv:1803.02780).
      layers: of the LSTM, each of `hidden` units (Zoph & Le: 2 of 35 units).

    Returns:
      A `Policy` whose parameters are a nested dict of arrays. Equal arguments give functions that
      share their compiled programs.

    Raises:
      ValueError: a size or constant out of range.

    Example:
      >>> policy = lstm(jaxnas.spaces.nasbench201(), hidden=16)
      >>> params = policy.init(jax.random.key(0))
      >>> policy.sample(params, jax.random.key(1), 1000).architectures.shape
      (1000, 6)
    """
    config = LSTMConfig(
        space=space,
        hidden=hidden,
        embedding=hidden if embedding is None else embedding,
        temperature=temperature,
        tanh_constant=tanh_constant,
        share_heads=share_heads,
        context_size=context_size,
        init_scale=init_scale,
        head_scale=head_scale,
        visit_inputs=not space.acyclic if visit_inputs is None else visit_inputs,
        operation_tanh_constant=operation_tanh_constant,
        initial_bias=_as_biases(initial_bias),
        fixed_bias=_as_biases(fixed_bias),
        skip_connection=skip_connection,
        layers=layers,
    )
    _check(config)
    return _make(config)


def _as_biases(given: Mapping[str, Sequence[float]] | None) -> Biases:
    return tuple((name, tuple(map(float, values))) for name, values in (given or {}).items())


def _check(config: LSTMConfig) -> None:
    for name in ("hidden", "embedding", "layers"):
        if getattr(config, name) < 1:
            raise ValueError(f"{name!r} is {getattr(config, name)}; it must be >= 1.")
    for name in ("temperature", "tanh_constant", "operation_tanh_constant"):
        value = getattr(config, name)
        if value is not None and not value > 0:
            raise ValueError(f"{name!r} is {value}; it must be > 0, or None to leave logits as is.")
    if config.operation_tanh_constant is not None and config.tanh_constant is None:
        raise ValueError("'operation_tanh_constant' needs a 'tanh_constant': give both.")
    for biases in (config.initial_bias, config.fixed_bias):
        bias_table(config.space, biases)
    if config.context_size < 0:
        raise ValueError(f"'context_size' is {config.context_size}; it must be >= 0.")
    if config.tables.num_nodes and config.embedding != config.hidden:
        raise ValueError(
            f"'embedding' is {config.embedding} and 'hidden' {config.hidden}: space "
            f"{config.space.name!r} points at nodes, whose anchors are added to the embeddings, "
            "so the two must be equal."
        )


@functools.lru_cache(maxsize=64)
def _make(config: LSTMConfig) -> Policy:
    def bind(function: Callable[..., Any]) -> Callable[..., Any]:
        return functools.partial(function, config)

    return Policy(
        space=config.space,
        context_size=config.context_size,
        init=bind(_init),
        sample=bind(_sample),
        log_prob=bind(_log_prob),
        entropy=bind(_entropy),
        evaluate=bind(_evaluate),
    )


@functools.partial(jax.jit, static_argnums=0)
def _init(config: LSTMConfig, key: jax.Array) -> Params:
    zeros = nnx.to_pure_dict(nnx.state(make_module(config)))
    drawn = randomize(zeros, key, config.init_scale, config.head_scale)
    if not config.initial_bias:
        return drawn
    heads = decision_heads(config.space, config.share_heads)
    given = [config.space.vertex_index[name] for name, _ in config.initial_bias]
    values = bias_table(config.space, config.initial_bias)[given]
    return drawn | {"head_bias": drawn["head_bias"].at[heads[given]].set(values)}


@functools.partial(jax.jit, static_argnums=(0, 3))
def _sample(
    config: LSTMConfig, params: Params, key: jax.Array, num: int, context: Any = None
) -> Sample:
    uniform = jax.random.uniform(key, (config.space.max_length, num))

    def choose(uniform, log_probs, is_open):
        return categorical.sample(log_probs, is_open, uniform)

    steps = run(config, params, num, context, uniform, choose)
    return Sample(steps.action.T, steps.log_prob.sum(0), steps.entropy.sum(0))


@functools.partial(jax.jit, static_argnums=0)
def _evaluate(
    config: LSTMConfig, params: Params, architectures: Any, context: Any = None
) -> Evaluation:
    architectures = jnp.asarray(architectures, jnp.int32)

    def choose(action, log_probs, is_open):
        return action

    steps = run(config, params, len(architectures), context, architectures.T, choose)
    probabilities = jnp.moveaxis(steps.probabilities, 0, 1)
    return Evaluation(steps.log_prob.sum(0), steps.entropy.sum(0), probabilities)


# Not jitted themselves: they share the program of `_evaluate`.
def _log_prob(
    config: LSTMConfig, params: Params, architectures: Any, context: Any = None
) -> jax.Array:
    return _evaluate(config, params, architectures, context).log_prob


def _entropy(
    config: LSTMConfig, params: Params, architectures: Any, context: Any = None
) -> jax.Array:
    return _evaluate(config, params, architectures, context).entropy
