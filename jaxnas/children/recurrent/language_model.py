"""A recurrent language model whose cell is an architecture: a child of NAS-RL's search on text.

Source: Zoph & Le 2017, arXiv:1611.01578, sections 3.4 and 4.2.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from jaxnas.children.recurrent.dropout import NO_DROPOUT, Dropout, apply_mask, draw_mask
from jaxnas.children.recurrent.embedding import ONE_HOT_ROWS, lookup
from jaxnas.children.recurrent.softmax import CHUNK, negative_log_likelihood
from jaxnas.children.recurrent.tree_cell import State, TreeCell
from jaxnas.evaluators.child_model import Layout
from jaxnas.spaces import SearchSpace


class Cell(Protocol):
    """A recurrent cell: `TreeCell`, `GatedCell`, or one of the same form."""

    @property
    def space(self) -> SearchSpace:
        """The architectures of the cell."""

    @property
    def maps(self) -> int:
        """`K`: how many maps of its input and of its hidden state it computes."""

    def run(
        self,
        weights: jax.Array,
        architecture: jax.Array,
        inputs: jax.Array,
        state: State,
        mask: jax.Array | None = None,
    ) -> tuple[jax.Array, State]:
        """See `TreeCell.run`."""


class Layer(NamedTuple):
    """The weights of one layer: maps of its input and of its hidden state.

    Attributes:
      inputs: `[H, K, H]`.
      hidden: `[H, K, H]`.
      bias: `[K, H]`.
    """

    inputs: jax.Array
    hidden: jax.Array
    bias: jax.Array


class Parameters(NamedTuple):
    """The weights of a language model.

    Attributes:
      embedding: `[V, H]`.
      layers: from the first to the last.
      softmax: `[V, H]`, or `None` where the embedding is used again.
      bias: of the softmax, `[V]`.
    """

    embedding: jax.Array
    layers: tuple[Layer, ...]
    softmax: jax.Array | None
    bias: jax.Array


class Likelihood(NamedTuple):
    """What a text's likelihood is added up in: nats, and tokens."""

    nats: jax.Array
    tokens: jax.Array


@dataclasses.dataclass(frozen=True)
class LanguageModel:
    """Predicts each token of a text from those before it; a `ChildModel`.

    A minibatch is `int32 [B, T + 1]` tokens: `T` inputs, and what follows each. The carry is the
    state of every layer, so that a text is read in segments of `T` (truncated backpropagation
    through time). All layers have the same cell with weights of their own.

    Attributes:
      vocabulary: `V`, the kinds of tokens.
      hidden: `H`, the units of the embedding, of the hidden and of the cell states.
      cell: whose architecture is searched.
      layers: how many layers stand on each other.
      tied: whether the softmax has the embedding's weights (Press & Wolf 2017).
      dropout: variational, in training only.
      init_scale: weights start uniform in `[-init_scale, init_scale]`, biases at 0.
      chunk: logits of one chunk of the softmax at most.

    Raises:
      ValueError: a size below 1, or `init_scale` that is not above 0.

    Example:
      >>> model = LanguageModel(vocabulary=50, hidden=64)
      >>> model.space.count()
      63331869759897600
    """

    vocabulary: int
    hidden: int
    cell: Cell = TreeCell()
    layers: int = 1
    tied: bool = False
    dropout: Dropout = NO_DROPOUT
    init_scale: float = 0.1
    chunk: int = CHUNK

    def __post_init__(self):
        for field in ("vocabulary", "hidden", "layers", "chunk"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} is {getattr(self, field)}: give 1 or more.")
        if not self.init_scale > 0:
            raise ValueError(f"init_scale is {self.init_scale}: give a number above 0.")

    @property
    def space(self) -> SearchSpace:
        """The architectures of the cell."""
        return self.cell.space

    def for_layout(self, layout: Layout) -> LanguageModel:
        """The model itself: one form serves both layouts."""
        return self

    def init(self, key: jax.Array, architecture: jax.Array) -> Parameters:
        """The first weights, the same for every architecture."""
        size, maps = self.hidden, self.cell.maps
        keys = iter(jax.random.split(key, 2 + 2 * self.layers))

        def uniform(*shape: int) -> jax.Array:
            scale = self.init_scale
            return jax.random.uniform(next(keys), shape, minval=-scale, maxval=scale)

        layers = tuple(
            Layer(uniform(size, maps, size), uniform(size, maps, size), jnp.zeros((maps, size)))
            for _ in range(self.layers)
        )
        embedding, softmax = uniform(self.vocabulary, size), uniform(self.vocabulary, size)
        return Parameters(
            embedding, layers, None if self.tied else softmax, jnp.zeros(self.vocabulary)
        )

    def initial_carry(self, batch_size: int) -> tuple[State, ...]:
        """Zeros for every layer."""
        return tuple(State.zeros(batch_size, self.hidden) for _ in range(self.layers))

    def loss(
        self,
        parameters: Parameters,
        architecture: jax.Array,
        carry: tuple[State, ...],
        batch: jax.Array,
        key: jax.Array,
    ) -> tuple[jax.Array, tuple[State, ...]]:
        """The mean negative log-likelihood of a token, in nats, and the next carry."""
        carry = jax.lax.stop_gradient(carry)
        sums, carry = self._read(parameters, architecture, carry, batch, self.dropout, key)
        return sums.nats / sums.tokens, jax.lax.stop_gradient(carry)

    def score(
        self,
        parameters: Parameters,
        architecture: jax.Array,
        carry: tuple[State, ...],
        batch: jax.Array,
    ) -> tuple[Likelihood, tuple[State, ...]]:
        """The likelihood of a minibatch without dropout, and the next carry."""
        return self._read(parameters, architecture, carry, batch, NO_DROPOUT, None)

    def value(self, sums: Likelihood) -> jax.Array:
        """Minus the perplexity, `exp(nats / tokens)`."""
        return -jnp.exp(sums.nats / sums.tokens)

    def count_parameters(self) -> int:
        """How many weights a child has, the same for every architecture."""
        child = jnp.zeros(self.space.max_length, jnp.int32)
        shapes = jax.eval_shape(self.init, jax.random.key(0), child)
        return sum(leaf.size for leaf in jax.tree.leaves(shapes))

    def logits(
        self, parameters: Parameters, architecture: jax.Array, carry: Any, tokens: jax.Array
    ) -> tuple[jax.Array, tuple[State, ...]]:
        """The logits `[B, T, V]` of what follows each token `int [B, T]`, and the next carry."""
        masks = _Masks(None, (None,) * self.layers, (None,) * self.layers, None)
        values, states = self._run(parameters, architecture, carry, tokens.T, masks)
        softmax = parameters.embedding if parameters.softmax is None else parameters.softmax
        logits = values @ softmax.T + parameters.bias
        return jnp.swapaxes(logits.reshape(*tokens.T.shape, -1), 0, 1), states

    def _read(
        self,
        parameters: Parameters,
        architecture: jax.Array,
        carry: tuple[State, ...],
        batch: jax.Array,
        dropout: Dropout,
        key: jax.Array | None,
    ) -> tuple[Likelihood, tuple[State, ...]]:
        """Tokens `[B, T + 1]` to their likelihood; without a key nothing may be dropped."""
        tokens, labels = batch[:, :-1].T, batch[:, 1:].T
        masks = _draw_masks(dropout, key, self, len(batch), parameters.embedding.dtype)
        values, states = self._run(parameters, architecture, carry, tokens, masks)
        softmax = parameters.embedding if parameters.softmax is None else parameters.softmax
        nats = negative_log_likelihood(
            self.chunk, values, softmax, parameters.bias, labels.reshape(-1)
        )
        return Likelihood(nats, jnp.asarray(labels.size, nats.dtype)), states

    def _run(
        self, parameters: Parameters, architecture: jax.Array, carry: Any, tokens, masks: _Masks
    ) -> tuple[jax.Array, tuple[State, ...]]:
        """The last layer's values `[T B, H]` on tokens `[T, B]`, and the next carry."""
        maps, states = _first_maps(parameters, tokens, masks), []
        for i, layer in enumerate(parameters.layers):
            values, state = self.cell.run(
                layer.hidden, architecture, maps, carry[i], masks.hidden[i]
            )
            states.append(state)
            if i + 1 < self.layers:
                following = apply_mask(values, masks.inputs[i + 1])
                maps = _maps(parameters.layers[i + 1], following)
        return apply_mask(values, masks.output).reshape(-1, self.hidden), tuple(states)


class _Masks(NamedTuple):
    """The masks of a segment: tokens `[V, 1]`, the others `[B, H]`; `None` for ones."""

    embedding: jax.Array | None
    inputs: tuple[jax.Array | None, ...]
    hidden: tuple[jax.Array | None, ...]
    output: jax.Array | None


def _draw_masks(
    dropout: Dropout, key: jax.Array | None, model: LanguageModel, rows: int, dtype: Any
) -> _Masks:
    layers = model.layers
    if key is None or dropout == NO_DROPOUT:
        return _Masks(None, (None,) * layers, (None,) * layers, None)
    first, last, *others = jax.random.split(key, 2 + 2 * layers)
    shape = (rows, model.hidden)
    return _Masks(
        draw_mask(first, dropout.embedding, (model.vocabulary, 1), dtype),
        tuple(draw_mask(k, dropout.inputs, shape, dtype) for k in others[:layers]),
        tuple(draw_mask(k, dropout.hidden, shape, dtype) for k in others[layers:]),
        draw_mask(last, dropout.output, shape, dtype),
    )


def _first_maps(parameters: Parameters, tokens: jax.Array, masks: _Masks) -> jax.Array:
    """The maps `[T, B, K, H]` of the embedded tokens `[T, B]`.

    Tokens of a small vocabulary come many times in a batch: the embedding is mapped once.
    """
    table, layer = apply_mask(parameters.embedding, masks.embedding), parameters.layers[0]
    if len(table) <= min(ONE_HOT_ROWS, tokens.size) and masks.inputs[0] is None:
        return lookup(_maps(layer, table), tokens)
    return _maps(layer, apply_mask(lookup(table, tokens), masks.inputs[0]))


def _maps(layer: Layer, values: jax.Array) -> jax.Array:
    """`[..., H]` to `[..., K, H]`."""
    size, maps, _ = layer.inputs.shape
    product = values.reshape(-1, size) @ layer.inputs.reshape(size, -1)
    return product.reshape(*values.shape[:-1], maps, -1) + layer.bias
