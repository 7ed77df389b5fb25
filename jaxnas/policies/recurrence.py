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

Choose = Callable[..., jax.Array]
_UNROLLED = 12
"""The most steps that are unrolled: faster than a loop, but longer to compile."""


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
    coming: jax.Array  # [N, 4 H], what the next input adds to the gates; or that input, [N, E]
    hidden: jax.Array | None  # [N, H]; none before the first step
    cell: jax.Array | None  # [N, H]
    upper: Upper
    anchors: jax.Array | None  # [K + 1, N, 2 H]


class _Heads(NamedTuple):
    """What the heads of a step own: `M` of them, or `[T, M]` for all steps."""

    kernel: jax.Array  # [M, H, A]
    bias: jax.Array  # [M, A]
    embeddings: jax.Array  # [M, A, E], or what they add to the gates [M, A, 4 H]


class _Taken(NamedTuple):
    """What steps decide, for `N` walks."""

    action: jax.Array  # int32 [N]
    log_probs: jax.Array  # [N, A]
    is_open: Any  # bool [N, A] or [A]
    counts: jax.Array  # bool [N]


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
    choose: Choose,
) -> Step:
    """Walks `num` times through the space.

    Sampling and teacher forcing differ in `choose` alone, so they agree but for rounding.

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
    recurrence = _Recurrence(config, module, context)
    heads, first = recurrence.heads(), recurrence.first(num)
    if tables.path and len(choices) <= _UNROLLED:
        taken = _unrolled(recurrence, heads, first, choices, choose)
    else:
        taken = _scanned(recurrence, heads, first, choices, choose)
    return _account(taken)


def _unrolled(recurrence: _Recurrence, heads: _Heads, carry: _Carry, choices, choose) -> _Taken:
    """The steps of short paths, one after the other: what does not depend on actions is static."""
    rows, steps = recurrence.config.tables.rows, []
    parts = [jax.lax.split(x, [1] * len(choices)) for x in heads]
    for t, choice in enumerate(choices):
        here = _Heads(*(part[t][0] for part in parts))
        row = jax.tree.map(lambda x, t=t: x[t], rows)
        carry, taken = recurrence.step(here, 0, row, carry, choose, choice)
        steps.append(taken)
    actions, log_probs, _, counts = zip(*steps, strict=True)
    is_open = rows.is_open[:, None]
    return _Taken(jnp.stack(actions), jnp.stack(log_probs), is_open, jnp.stack(counts))


def _scanned(recurrence: _Recurrence, heads: _Heads, first: _Carry, choices, choose) -> _Taken:
    """The steps as one loop."""
    tables = recurrence.config.tables
    rows = jax.tree.map(jnp.asarray, tables.rows)
    zeros = jnp.zeros((len(first.coming), recurrence.config.hidden), first.coming.dtype)

    def step(carry: _Carry, inputs) -> tuple[_Carry, _Taken]:
        here, slots, row, choice = inputs
        if not tables.path:
            row = jax.tree.map(lambda x: x[jnp.maximum(carry.state, 0)], rows)
        return recurrence.step(here, slots[row.head], row, carry, choose, choice)

    per_step = (heads, jnp.asarray(tables.slots), rows if tables.path else None, choices)
    _, taken = jax.lax.scan(step, first._replace(hidden=zeros, cell=zeros), per_step)
    return taken._replace(is_open=taken.is_open[:, None]) if tables.path else taken


class _Recurrence:
    """One policy with its parameters: what is the same in every step, and a step."""

    def __init__(self, config: LSTMConfig, module: LSTMModule, context: Any):
        self.config, self.module = config, module
        # Where heads read no inputs, what these add to the gates is computed once.
        constant, visits = module.project(context), module.visit_inputs()
        self.constant = 0.0 if constant is None else self._coming(constant)
        self.visits = None if visits is None else self._coming(visits)
        # Where a step has one head, its embeddings go through the kernel for all walks at once.
        one_head = config.tables.path and module.attention is None
        self.projected = one_head and not config.skip_connection

    def heads(self) -> _Heads:
        """The heads of all steps, `[T, M, ...]`."""
        module = self.module
        embeddings = module.embeddings[...]
        if self.projected:
            embeddings = module.to_gates(embeddings)
        own = _Heads(module.head_kernel[...], module.head_bias[...], embeddings)
        return jax.tree.map(lambda x: x[self.config.tables.step_heads], own)

    def first(self, num: int) -> _Carry:
        """What `num` walks start with."""
        attention = self.module.attention
        anchors = None if attention is None else attention.initial(num)
        coming = self._coming(self.module.start[...][None])
        coming = jnp.broadcast_to(coming, (num, coming.shape[-1]))
        zeros = jnp.zeros((num, self.config.hidden), coming.dtype)
        upper = ((zeros, zeros),) * (self.config.layers - 1)
        return _Carry(jnp.zeros((num,), jnp.int32), coming, None, None, upper, anchors)

    def _coming(self, inputs: jax.Array) -> jax.Array:
        """What steps hand on of the next input `[..., E]`."""
        return inputs if self.config.skip_connection else self.module.to_gates(inputs)

    def step(
        self, heads: _Heads, slot: Any, row: Rows, carry: _Carry, choose: Choose, choice: Any
    ) -> tuple[_Carry, _Taken]:
        """One decision of every walk: `LSTM -> logits -> action -> next input`."""
        module, anchors, skip = self.module, carry.anchors, self.config.skip_connection
        came = carry.coming + self.constant + self._visit(row.visit)
        gates = module.to_gates(came) if skip else came
        hidden, cell = module.recur(gates, carry.hidden, carry.cell)
        top, upper = module.climb(hidden, carry.upper)
        read = jnp.concatenate([top, came], -1) if skip else top
        logits = head_logits(heads.kernel, heads.bias, read, slot)
        if module.attention is not None and anchors is not None:
            pointed, keys = module.attention.read(anchors, row.nodes)
            pointing = module.attention.logits(keys, top, row)
            logits = jnp.where(row.pointing[..., None], pointing, logits)
        log_probs = categorical.open_log_softmax(_squash(self.config, logits, row), row.is_open)
        action = choose(choice, log_probs, row.is_open)
        counts = (carry.state >= 0) & (action >= 0)
        coming = embed(heads.embeddings, slot, action)
        if module.attention is not None and anchors is not None:
            coming = coming + attention.chosen(pointed, action, row)
            anchors = module.attention.write(anchors, row.made, top)
        coming = coming if self.projected else self._coming(coming)
        state = _next_state(self.config.tables, carry.state, action, counts)
        carry = _Carry(state, coming, hidden, cell, upper, anchors)
        return carry, _Taken(action, log_probs, row.is_open, counts)

    def _visit(self, visit: Any) -> jax.Array | float:
        if self.visits is None:
            return 0.0
        return jax.nn.one_hot(visit, len(self.visits), dtype=self.visits.dtype) @ self.visits


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


def _account(taken: _Taken) -> Step:
    """What the steps `[T, N]` add to the results; nothing where one does not count."""
    action, log_probs, is_open, counts = taken
    probabilities = jnp.where(is_open & counts[..., None], jnp.exp(log_probs), 0.0)
    return Step(
        jnp.where(counts, action, -1),
        jnp.where(counts, categorical.log_prob(log_probs, is_open, action), 0.0),
        jnp.where(counts, categorical.entropy(log_probs, is_open), 0.0),
        probabilities,
    )
