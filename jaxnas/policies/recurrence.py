"""The recurrence of the LSTM policy: one step after another, for many walks at once."""

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
from jaxnas.policies.base import Params, check_context
from jaxnas.policies.lstm_module import LSTMModule, Upper, embed, head_logits
from jaxnas.policies.tables import Biases, Rows, Tables, make_tables
from jaxnas.spaces import SearchSpace


@dataclasses.dataclass(frozen=True)
class LSTMConfig:
    """The arguments of `jaxnas.policies.lstm`, hashable, so that equal ones share programs."""

    space: SearchSpace
    hidden: int
    embedding: int
    temperature: float | None
    tanh_constant: float | None
    share_heads: bool
    context_size: int
    init_scale: float
    head_scale: float
    visit_inputs: bool
    operation_tanh_constant: float | None = None
    initial_bias: Biases = ()
    fixed_bias: Biases = ()
    skip_connection: bool = False
    layers: int = 1

    @property
    def tables(self) -> Tables:
        """The tables of the space for this policy."""
        return make_tables(self.space, self.share_heads, self.fixed_bias)


class _Carry(NamedTuple):
    state: jax.Array  # int32 [N]; of use only where the space is not a path
    inputs: jax.Array  # [N, E]
    hidden: jax.Array  # [N, H]
    cell: jax.Array  # [N, H]
    upper: Upper
    anchors: jax.Array | None  # [K + 1, N, 2 H]


class Step(NamedTuple):
    """One decision of `N` walks."""

    action: jax.Array  # int32 [N], -1 where the step does not count
    log_prob: jax.Array  # [N]
    entropy: jax.Array  # [N]
    probabilities: jax.Array  # [N, A]


def make_module(config: LSTMConfig) -> LSTMModule:
    """The module of a policy, its weights all zeros."""
    return LSTMModule(
        num_heads=config.tables.num_heads,
        num_actions=config.space.max_actions,
        num_nodes=config.tables.num_nodes,
        embedding=config.embedding,
        hidden=config.hidden,
        context_size=config.context_size,
        num_visits=config.tables.num_visits if config.visit_inputs else 0,
        skip_connection=config.skip_connection,
        layers=config.layers,
    )


@functools.lru_cache(maxsize=64)
def _graphdef(config: LSTMConfig) -> Any:
    return nnx.split(nnx.eval_shape(lambda: make_module(config)))[0]


def run(
    config: LSTMConfig,
    params: Params,
    num: int,
    context: Any,
    choices: jax.Array,
    choose: Callable[..., jax.Array],
) -> Step:
    """Walks `num` times through the space.

    Sampling and teacher forcing differ in `choose` alone, so they agree on every number.

    Args:
      config: the policy.
      params: its parameters.
      num: `N`.
      context: `[N, C]` or `None`.
      choices: `[T, N]`, what `choose` goes by at each step.
      choose: `(choices [N], log_probs [N, A], is_open) -> actions int32 [N]`.

    Returns:
      The steps, with a leading axis `T`.
    """
    check_context(config.context_size, context, num)
    tables, module = config.tables, nnx.merge(_graphdef(config), params)
    context_input = module.project(context)
    heads = (module.head_kernel[...], module.head_bias[...], module.embeddings[...])
    weights = tuple(x[tables.step_heads] for x in heads)
    rows = jax.tree.map(jnp.asarray, tables.rows)

    def step(carry: _Carry, inputs) -> tuple[_Carry, Step]:
        weights, slots, row, choice = inputs
        if not tables.path:
            row = jax.tree.map(lambda x: x[jnp.maximum(carry.state, 0)], rows)
        return _step(config, module, context_input, weights, slots, row, carry, choose, choice)

    per_step = (weights, jnp.asarray(tables.slots), rows if tables.path else None, choices)
    _, steps = jax.lax.scan(step, _first(config, module, num), per_step)
    return steps


def _first(config: LSTMConfig, module: LSTMModule, num: int) -> _Carry:
    inputs = module.first_input(num)
    zeros = jnp.zeros((num, config.hidden), inputs.dtype)
    anchors = None if module.attention is None else module.attention.initial(num)
    upper = ((zeros, zeros),) * (config.layers - 1)
    return _Carry(jnp.zeros((num,), jnp.int32), inputs, zeros, zeros, upper, anchors)


def _step(
    config: LSTMConfig,
    module: LSTMModule,
    context_input: Any,
    weights: tuple[jax.Array, jax.Array, jax.Array],
    slots: jax.Array,
    row: Rows,
    carry: _Carry,
    choose: Callable[..., jax.Array],
    choice: Any,
) -> tuple[_Carry, Step]:
    """One decision of every walk: `LSTM -> logits -> action -> next input`."""
    kernel, bias, embeddings = weights
    inputs = carry.inputs + context_input + module.visit_input(row.visit)
    hidden, cell = module.recur(inputs, carry.hidden, carry.cell)
    top, upper = module.climb(hidden, carry.upper)
    slot = slots[row.head]
    read = jnp.concatenate([top, inputs], -1) if config.skip_connection else top
    logits = head_logits(kernel, bias, read, slot)
    if module.attention is not None and carry.anchors is not None:
        pointed, keys = module.attention.read(carry.anchors, row.nodes)
        pointing = module.attention.logits(keys, top, row)
        logits = jnp.where(row.pointing[..., None], pointing, logits)
    log_probs = categorical.open_log_softmax(_squash(config, logits, row), row.is_open)
    action = choose(choice, log_probs, row.is_open)
    counts = (carry.state >= 0) & (action >= 0)
    inputs = embed(embeddings, slot, action)
    anchors = carry.anchors
    if module.attention is not None and anchors is not None:
        inputs = inputs + attention.chosen(pointed, action, row)
        anchors = module.attention.write(anchors, row.made, top)
    state = _next_state(config.tables, carry.state, action, counts)
    carry = _Carry(state, inputs, hidden, cell, upper, anchors)
    return carry, _account(action, counts, log_probs, row.is_open)


def _squash(config: LSTMConfig, logits: jax.Array, row: Rows) -> jax.Array:
    if config.temperature is not None:
        logits = logits / config.temperature
    if config.tanh_constant is not None:
        constant: Any = config.tanh_constant
        if config.operation_tanh_constant is not None:
            pointing = jnp.asarray(row.pointing)[..., None]
            constant = jnp.where(pointing, constant, config.operation_tanh_constant)
        logits = constant * jnp.tanh(logits)
    return logits + jnp.asarray(row.bias, logits.dtype) if config.fixed_bias else logits


def _next_state(tables: Tables, state, action, counts) -> jax.Array:
    if tables.path:
        return state
    table = jnp.asarray(tables.next_state)
    return jnp.where(counts, table[jnp.maximum(state, 0), action], np.int32(-1))


def _account(action, counts, log_probs, is_open) -> Step:
    """What the step adds to the results; nothing where it does not count."""
    probabilities = jnp.where(is_open & counts[:, None], jnp.exp(log_probs), 0.0)
    return Step(
        jnp.where(counts, action, -1),
        jnp.where(counts, categorical.log_prob(log_probs, is_open, action), 0.0),
        jnp.where(counts, categorical.entropy(log_probs, is_open), 0.0),
        probabilities,
    )
