"""An autoregressive LSTM policy over any graph of decisions.

Source: Zoph & Le 2017, "Neural architecture search with reinforcement learning"
(arXiv:1611.01578), section 3; Pham et al. 2018, ENAS (arXiv:1802.03268), section 2, for anchor
attention and the squashing of logits; de Laroussilhe et al. 2018 (arXiv:1812.10666) for one head
per vertex of a graph.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxnas.policies import attention, categorical
from jaxnas.policies.base import Evaluation, Params, Policy, Sample, check_context
from jaxnas.policies.lstm_module import LSTMModule, embed, head_logits
from jaxnas.policies.tables import Rows, Tables, make_tables
from jaxnas.spaces import SearchSpace


@dataclasses.dataclass(frozen=True)
class _Config:
    space: SearchSpace
    hidden: int
    embedding: int
    temperature: float | None
    tanh_constant: float | None
    share_heads: bool
    context_size: int
    init_scale: float

    @property
    def tables(self) -> Tables:
        return make_tables(self.space, self.share_heads)


class _Carry(NamedTuple):
    state: jax.Array  # int32 [N]; of use only where the space is not a path
    inputs: jax.Array  # [N, E]
    hidden: jax.Array  # [N, H]
    cell: jax.Array  # [N, H]
    anchors: jax.Array | None  # [K + 1, N, 2 H]


class _Step(NamedTuple):
    action: jax.Array  # int32 [N], -1 where the step does not count
    log_prob: jax.Array  # [N]
    entropy: jax.Array  # [N]
    probabilities: jax.Array  # [N, A]


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
) -> Policy:
    """Makes an LSTM policy over the walks of `space`.

    At each step the LSTM reads the embedding of the action before (and the context) and a head of
    the current decision gives the logits of its actions. Decisions with `points_at` are scored by
    anchor attention instead, and the anchor of the chosen node is added to the next input. Logits
    are divided by `temperature`, then become `tanh_constant * tanh(logits)`. Actions past a visit
    cap are masked.

    Args:
      space: the search space; its walks may branch and loop.
      hidden: `H`, the size of the LSTM (ENAS's code: 64).
      embedding: `E`, the size of the embeddings; `hidden` by default.
      temperature: divides the logits (ENAS's text: 5); `None` leaves them.
      tanh_constant: bounds the logits (ENAS's text: 2.5); `None` leaves them.
      share_heads: decisions of one `group` share their head and embeddings.
      context_size: `C`, the size of the context that every function then takes as `[N, C]`.
      init_scale: weights start uniform in `[-init_scale, init_scale]`.

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
    embedding = hidden if embedding is None else embedding
    config = _Config(
        space, hidden, embedding, temperature, tanh_constant, share_heads, context_size, init_scale
    )
    _check(config)
    return _make(config)


def _check(config: _Config) -> None:
    for name in ("hidden", "embedding"):
        if getattr(config, name) < 1:
            raise ValueError(f"{name!r} is {getattr(config, name)}; it must be >= 1.")
    for name in ("temperature", "tanh_constant"):
        value = getattr(config, name)
        if value is not None and not value > 0:
            raise ValueError(f"{name!r} is {value}; it must be > 0, or None to leave logits as is.")
    if config.context_size < 0:
        raise ValueError(f"'context_size' is {config.context_size}; it must be >= 0.")
    if config.tables.num_nodes and config.embedding != config.hidden:
        raise ValueError(
            f"'embedding' is {config.embedding} and 'hidden' {config.hidden}: space "
            f"{config.space.name!r} points at nodes, whose anchors are added to the embeddings, "
            "so the two must be equal."
        )


@functools.lru_cache(maxsize=64)
def _make(config: _Config) -> Policy:
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


def _module(config: _Config, rngs: nnx.Rngs) -> LSTMModule:
    return LSTMModule(
        num_heads=config.tables.num_heads,
        num_actions=config.space.max_actions,
        num_nodes=config.tables.num_nodes,
        embedding=config.embedding,
        hidden=config.hidden,
        context_size=config.context_size,
        scale=config.init_scale,
        rngs=rngs,
    )


@functools.lru_cache(maxsize=64)
def _graphdef(config: _Config) -> Any:
    abstract = nnx.eval_shape(lambda: _module(config, nnx.Rngs(params=jax.random.key(0))))
    return nnx.split(abstract)[0]


@functools.partial(jax.jit, static_argnums=0)
def _init(config: _Config, key: jax.Array) -> Params:
    return nnx.to_pure_dict(nnx.state(_module(config, nnx.Rngs(params=key))))


@functools.partial(jax.jit, static_argnums=(0, 3))
def _sample(
    config: _Config, params: Params, key: jax.Array, num: int, context: Any = None
) -> Sample:
    uniform = jax.random.uniform(key, (config.space.max_length, num))

    def choose(uniform, log_probs, is_open):
        return categorical.sample(log_probs, is_open, uniform)

    steps = _run(config, params, num, context, uniform, choose)
    return Sample(steps.action.T, steps.log_prob.sum(0), steps.entropy.sum(0))


@functools.partial(jax.jit, static_argnums=0)
def _evaluate(
    config: _Config, params: Params, architectures: Any, context: Any = None
) -> Evaluation:
    architectures = jnp.asarray(architectures, jnp.int32)

    def choose(action, log_probs, is_open):
        return action

    steps = _run(config, params, len(architectures), context, architectures.T, choose)
    probabilities = jnp.moveaxis(steps.probabilities, 0, 1)
    return Evaluation(steps.log_prob.sum(0), steps.entropy.sum(0), probabilities)


# Not jitted themselves: they share the program of `_evaluate`.
def _log_prob(
    config: _Config, params: Params, architectures: Any, context: Any = None
) -> jax.Array:
    return _evaluate(config, params, architectures, context).log_prob


def _entropy(config: _Config, params: Params, architectures: Any, context: Any = None) -> jax.Array:
    return _evaluate(config, params, architectures, context).entropy


def _run(config: _Config, params, num: int, context, choices, choose) -> _Step:
    """Walks `num` times through the space; `choose` takes each step's row of `choices` `[T, ...]`.

    Sampling and teacher forcing differ in `choose` alone, so they agree on every number.
    """
    check_context(config.context_size, context, num)
    tables, module = config.tables, nnx.merge(_graphdef(config), params)
    context_input = module.project(context)
    heads = (module.head_kernel[...], module.head_bias[...], module.embeddings[...])
    weights = tuple(x[tables.step_heads] for x in heads)
    rows = jax.tree.map(jnp.asarray, tables.rows)

    def step(carry: _Carry, inputs) -> tuple[_Carry, _Step]:
        weights, slots, row, choice = inputs
        if not tables.path:
            row = jax.tree.map(lambda x: x[jnp.maximum(carry.state, 0)], rows)
        return _step(config, module, context_input, weights, slots, row, carry, choose, choice)

    per_step = (weights, jnp.asarray(tables.slots), rows if tables.path else None, choices)
    _, steps = jax.lax.scan(step, _first(config, module, num), per_step)
    return steps


def _first(config: _Config, module: LSTMModule, num: int) -> _Carry:
    inputs = module.first_input(num)
    zeros = jnp.zeros((num, config.hidden), inputs.dtype)
    anchors = None if module.attention is None else module.attention.initial(num)
    return _Carry(jnp.zeros((num,), jnp.int32), inputs, zeros, zeros, anchors)


def _step(
    config: _Config,
    module: LSTMModule,
    context_input: Any,
    weights: tuple[jax.Array, jax.Array, jax.Array],
    slots: jax.Array,
    row: Rows,
    carry: _Carry,
    choose: Callable[..., jax.Array],
    choice: Any,
) -> tuple[_Carry, _Step]:
    """One decision of every walk: `LSTM -> logits -> action -> next input`."""
    kernel, bias, embeddings = weights
    hidden, cell = module.recur(carry.inputs + context_input, carry.hidden, carry.cell)
    slot = slots[row.head]
    logits = head_logits(kernel, bias, hidden, slot)
    if module.attention is not None:
        pointed, keys = module.attention.read(carry.anchors, row.nodes)
        pointing = module.attention.logits(keys, hidden, row)
        logits = jnp.where(row.pointing[..., None], pointing, logits)
    log_probs = categorical.open_log_softmax(_squash(config, logits), row.is_open)
    action = choose(choice, log_probs, row.is_open)
    counts = (carry.state >= 0) & (action >= 0)
    inputs = embed(embeddings, slot, action)
    anchors = carry.anchors
    if module.attention is not None:
        inputs = inputs + attention.chosen(pointed, action, row)
        anchors = module.attention.write(anchors, row.made, hidden)
    state = _next_state(config.tables, carry.state, action, counts)
    carry = _Carry(state, inputs, hidden, cell, anchors)
    return carry, _account(action, counts, log_probs, row.is_open)


def _squash(config: _Config, logits: jax.Array) -> jax.Array:
    if config.temperature is not None:
        logits = logits / config.temperature
    if config.tanh_constant is not None:
        logits = config.tanh_constant * jnp.tanh(logits)
    return logits


def _next_state(tables: Tables, state, action, counts) -> jax.Array:
    if tables.path:
        return state
    table = jnp.asarray(tables.next_state)
    return jnp.where(counts, table[jnp.maximum(state, 0), action], np.int32(-1))


def _account(action, counts, log_probs, is_open) -> _Step:
    """What the step adds to the results; nothing where it does not count."""
    probabilities = jnp.where(is_open & counts[:, None], jnp.exp(log_probs), 0.0)
    return _Step(
        jnp.where(counts, action, -1),
        jnp.where(counts, categorical.log_prob(log_probs, is_open, action), 0.0),
        jnp.where(counts, categorical.entropy(log_probs, is_open), 0.0),
        probabilities,
    )
