"""Text classifiers that are trained from scratch, all of a space in one program.

A child embeds the tokens, then convolves over them and takes the largest value of each filter over
time (Kim 2014, arXiv:1408.5882), or adds their embeddings up and divides by the root of their
number; a deep tower follows. A wide tower, linear in words and hashed pairs of neighbouring words,
is added to it (Cheng et al. 2016, arXiv:1606.07792). The space is `jaxnas.spaces.text`.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.children import towers
from jaxnas.children.towers import NEVER, Choices
from jaxnas.data.vocabulary import PADDING
from jaxnas.evaluators.child_model import Layout
from jaxnas.evaluators.labelled_text_batches import LabelledTextBatch
from jaxnas.spaces import SearchSpace
from jaxnas.spaces.text import TextOptions

_LOWEST = -1e9


@dataclasses.dataclass(frozen=True)
class TextChildren:
    """All children of a space of text classifiers, as a `ChildModel`.

    One program serves tasks with other numbers of classes too: `K` is the largest, and the data of
    a task say which classes it has.

    Attributes:
      options: the actions of each decision.
      num_classes: `K`.
      vocabulary_size: `V`, as of the vocabulary that numbered the tokens.
      pairs: numbers that pairs of words are hashed to, for the wide tower.
    """

    options: TextOptions
    num_classes: int
    vocabulary_size: int
    pairs: int = 4096

    def __post_init__(self):
        if self.num_classes < 2 or self.vocabulary_size < 2 or self.pairs < 1:
            raise ValueError(
                f"num_classes is {self.num_classes}, vocabulary_size {self.vocabulary_size}, pairs "
                f"{self.pairs}: give at least 2, 2 and 1."
            )

    @property
    def space(self) -> SearchSpace:
        """The search space of the children."""
        return self.options.space

    def for_layout(self, layout: Layout) -> TextChildren:
        """The same: there is one form."""
        return self

    def init(self, key: jax.Array, architecture: Any) -> dict[str, Any]:
        """The first weights of a child; an embedding from a table is what is added to it."""
        options, choices = self.options, self.options.read(architecture)
        embedding_key, filter_key, deep_key = jax.random.split(key, 3)
        columns, from_table, _ = self._embedding(choices)
        drawn = jax.random.normal(embedding_key, (self.vocabulary_size, len(columns)))
        deep = towers.init_deep(
            options, choices, deep_key, self._features(choices), self.num_classes
        )
        scale = jnp.where(from_table, 0.0, 1.0) / jnp.sqrt(columns.sum())
        return {
            "deep": deep
            | self._init_filters(choices, filter_key)
            | {"embedding": drawn * columns * scale},
            "wide": {
                "kernel": jnp.zeros((self.vocabulary_size + self.pairs, self.num_classes)),
            },
        }

    def initial_carry(self, batch_size: int) -> tuple[()]:
        """Nothing."""
        return ()

    def loss(self, parameters, architecture, carry, batch: LabelledTextBatch, key):
        """The mean cross-entropy of a batch, and the regularisation."""
        logits = self.logits(parameters, architecture, batch, key)
        choices = self.options.read(architecture)
        penalty = towers.penalty(self.options, parameters, choices)
        return towers.mean_loss(logits, batch.labels) + penalty, carry

    def score(self, parameters, architecture, carry, batch: LabelledTextBatch):
        """How many answers are right, and of how many."""
        logits = self.logits(parameters, architecture, batch, None)
        return towers.count_right(logits, batch.labels, batch.weights), carry

    def value(self, sums: dict[str, jax.Array]) -> jax.Array:
        """The accuracy."""
        return sums["right"] / sums["count"]

    def logits(
        self, parameters: Any, architecture: Any, batch: LabelledTextBatch, key: jax.Array | None
    ) -> jax.Array:
        """The logits `[B, K]` of one child; `key` for the dropout of training, else `None`."""
        choices = self.options.read(architecture)
        tokens = batch.tokens[self.preprocessing(choices)]
        there = tokens != PADDING
        embedded = self._embed(parameters["deep"], choices, batch, tokens)
        keys = (None, None) if key is None else tuple(jax.random.split(key))
        features = self._pool(parameters["deep"], choices, embedded, there, batch.weights, keys[0])
        logits = towers.deep_logits(
            self.options, parameters["deep"], choices, features, batch.weights, keys[1]
        )
        wide = jax.lax.cond(
            self.options.is_yes(choices, "wide"),
            lambda: self._wide_logits(parameters["wide"]["kernel"], tokens, there),
            lambda: jnp.zeros_like(logits),
        )
        return jnp.where(batch.class_mask, logits + wide, NEVER)

    def logits_by(
        self, reference: jax.Array, parameters: Any, architecture: Any, tokens: jax.Array
    ) -> jax.Array:
        """The logits `[B, K]` of texts that do not depend on each other.

        Args:
          reference: `int32 [R, L]`, texts by whose statistics batch normalisation normalises; none
            of them are needed by a child without it (`towers.needs_reference`).
          parameters: of the child; with an embedding from a table, `with_tables` of them.
          architecture: `int32 [T]`.
          tokens: `int32 [B, L]`, by the child's preprocessing.
        """
        rows = jnp.concatenate([reference, tokens])
        variants = len(self.options.lowercase) * len(self.options.strip)
        widest = max(self.options.embedding_widths)
        batch = LabelledTextBatch(
            tokens=jnp.broadcast_to(rows, (variants, *rows.shape)),
            labels=jnp.zeros(rows.shape[0], jnp.int32),
            weights=(jnp.arange(rows.shape[0]) < len(reference)).astype(jnp.result_type(float)),
            class_mask=jnp.ones(self.num_classes, bool),
            tables=jnp.zeros((len(self.options.tables), self.vocabulary_size, widest)),
        )
        return self.logits(parameters, architecture, batch, None)[len(reference) :]

    def with_tables(self, parameters: Any, architecture: Any, tables: jax.Array) -> Any:
        """Parameters whose embedding holds what is read from tables `[S, V, E]` otherwise."""
        if not self.options.tables:
            return parameters
        columns, from_table, which = self._embedding(self.options.read(architecture))
        base = jnp.where(from_table, jnp.asarray(tables)[jnp.maximum(which, 0)], 0.0) * columns
        deep = parameters["deep"]
        return parameters | {"deep": deep | {"embedding": deep["embedding"] + base}}

    def _embedding(self, choices: Choices) -> tuple[jax.Array, jax.Array, jax.Array]:
        """The columns of the embedding `bool [E]`, whether it is from a table, and which."""
        options, action = self.options, jnp.maximum(choices["embedding"], 0)
        widths = jnp.asarray(options.embedding_widths)
        table = [
            (options.tables.index(e) if e in options.tables else -1) for e in options.embeddings
        ]
        which = jnp.asarray(table)[action]
        return jnp.arange(max(options.embedding_widths)) < widths[action], which >= 0, which

    def _embed(self, deep: Any, choices: Choices, batch: LabelledTextBatch, tokens) -> jax.Array:
        """The embedded tokens `[B, L, E]`, 0 for padding."""
        columns, from_table, which = self._embedding(choices)
        own = deep["embedding"]
        if self.options.tables:
            trained = ~from_table | self.options.is_yes(choices, "fine_tune")
            own = jnp.where(trained, own, jax.lax.stop_gradient(own))
            base = jnp.where(from_table, batch.tables[jnp.maximum(which, 0)], 0.0)
            own = own + base.astype(own.dtype)
        return own[tokens] * columns * (tokens != PADDING)[..., None]

    def _pool(self, deep, choices: Choices, embedded, there, weights, key) -> jax.Array:
        """The features `[B, D]` of the texts."""
        size = len(self._features(choices))

        def fill(x: jax.Array) -> jax.Array:
            return jnp.pad(x, ((0, 0), (0, size - x.shape[1])))

        def add() -> jax.Array:
            number = there.sum(-1, keepdims=True).astype(embedded.dtype)
            return fill(embedded.sum(1) / jnp.sqrt(jnp.maximum(number, 1)))

        def convolve() -> jax.Array:
            return fill(self._convolve(deep, choices, embedded, there, weights, key))

        if not self._convolves:
            return add()
        return jax.lax.cond(self.options.is_yes(choices, "convolution"), convolve, add)

    def _convolve(self, deep, choices: Choices, embedded, there, weights, key) -> jax.Array:
        """The largest value over time of each filter, `[B, F]`."""
        options, (batch, length, width) = self.options, embedded.shape
        first, second = (None, None) if key is None else jax.random.split(key)
        x = towers.drop(first, embedded, options.number(choices, "embedding_dropout"))
        span = options.most("ngrams")
        padded = jnp.pad(x, ((0, 0), (0, span - 1), (0, 0)))
        windows = jnp.stack([padded[:, i : i + length] for i in range(span)], 2)
        windows = windows * (jnp.arange(span) < options.number(choices, "ngram"))[:, None]
        flat = windows.reshape(batch * length, span * width) @ deep["filters"]
        rows = (there * weights[:, None]).reshape(-1)
        used = self._filters(choices)
        flat = towers.normalize(
            options.conv_normalizations, choices["conv_normalization"], flat, rows, used
        )
        flat = flat * deep["filter_scales"] + deep["filter_biases"]
        flat = towers.activate(options.conv_activations, choices["conv_activation"], flat)
        values = jnp.where(there[..., None], flat.reshape(batch, length, -1), _LOWEST)
        largest = values.max(1) * used
        return towers.drop(second, largest, options.number(choices, "conv_dropout"))

    def _wide_logits(self, kernel: jax.Array, tokens: jax.Array, there: jax.Array) -> jax.Array:
        """Weights of words and of pairs, added up and divided by the root of their number."""
        first, second = (t.astype(jnp.uint32) for t in (tokens[:, :-1], tokens[:, 1:]))
        mixed = (first * np.uint32(0x9E3779B1)) ^ (second * np.uint32(0x85EBCA77))
        mixed = mixed ^ (mixed >> 15)
        pairs = (mixed % np.uint32(self.pairs)).astype(jnp.int32) + self.vocabulary_size
        indices = jnp.concatenate([tokens, pairs], -1)
        count = jnp.concatenate([there, there[:, :-1] & there[:, 1:]], -1)
        total = (kernel[indices] * count[..., None]).sum(1)
        return total / jnp.sqrt(jnp.maximum(count.sum(-1, keepdims=True), 1).astype(total.dtype))

    def preprocessing(self, choices: Choices) -> jax.Array:
        """The position of the child's preprocessing among all, as `text_data` orders them."""
        position = jnp.int32(0)
        for name in ("lowercase", "strip"):
            number = len(getattr(self.options, name))
            position = position * number + jnp.maximum(choices[name], 0)
        return position

    @property
    def _convolves(self) -> bool:
        return "yes" in self.options.convolution

    def _filters(self, choices: Choices) -> jax.Array:
        used = jnp.arange(self.options.most("filters")) < self.options.number(choices, "filters")
        return used.astype(jnp.result_type(float))

    def _features(self, choices: Choices) -> jax.Array:
        """The features `bool [D]` that a child's deep tower reads."""
        columns, _, _ = self._embedding(choices)
        if not self._convolves:
            return columns
        filters = self._filters(choices) > 0
        size = max(len(columns), len(filters))
        columns, filters = (jnp.zeros(size, bool).at[: len(x)].set(x) for x in (columns, filters))
        return jnp.where(self.options.is_yes(choices, "convolution"), filters, columns)

    def _init_filters(self, choices: Choices, key: jax.Array) -> dict[str, jax.Array]:
        span, width = self.options.most("ngrams"), max(self.options.embedding_widths)
        number = self.options.most("filters") if self._convolves else 0
        columns, _, _ = self._embedding(choices)
        taps = jnp.arange(span) < self.options.number(choices, "ngram")
        rows = (taps[:, None] & columns).reshape(-1) & self.options.is_yes(choices, "convolution")
        used = self._filters(choices)[:number] > 0
        drawn = jax.random.normal(key, (span * width, number)) * jnp.sqrt(
            2.0 / jnp.maximum(rows.sum(), 1)
        )
        return {
            "filters": jnp.where(rows[:, None] & used, drawn, 0.0),
            "filter_scales": jnp.ones(number),
            "filter_biases": jnp.zeros(number),
        }
