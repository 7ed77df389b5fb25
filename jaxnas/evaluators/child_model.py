"""What a population is trained from: a model of all children of a space, and batches of data.

A `ChildModel` is one pair of pure functions, `init` and `loss`, that serves every architecture of
a space: the architecture is data, `int32 [T]`, so that one compiled program trains all children,
each from weights of its own. `Batches` says what they learn from. Both are frozen, hashable
dataclasses: they are static arguments of compiled programs.

Source: Zoph & Le 2017, "Neural architecture search with reinforcement learning"
(arXiv:1611.01578), sections 3.2 and 4: every child is trained from scratch.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol, runtime_checkable

import jax

from jaxnas.spaces import SearchSpace

Layout = Literal["one_by_one", "side_by_side"]
"""How children lie in the program: one after the other, or all of them in every operation."""

Parameters = Any
"""The weights of one child, a pytree of float arrays."""

Carry = Any
"""What one step leaves to the next, a pytree of arrays; `()` where there is nothing."""

Batch = Any
"""One minibatch, a pytree of arrays."""

Data = Any
"""All data of a training on the device, a pytree of arrays."""

Sums = Any
"""What is added up over the batches of an evaluation, a pytree of scalars."""


@runtime_checkable
class ChildModel(Protocol):
    """The children of a space; hashable, and static under `jit`.

    Every function is pure, is written for one child, and takes its architecture `int32 [T]` as a
    traced array. Under `one_by_one` the functions run inside `lax.map` and loops, so that a
    `lax.switch` on the architecture is a real branch; under `side_by_side` they run under `vmap`,
    where a switch computes every branch. The gradient of `loss` with respect to `parameters` is
    taken by `jax.value_and_grad`; a `custom_vjp` inside is fine. Randomness comes from `key` only.

    Attributes:
      space: the search space of the children.
    """

    @property
    def space(self) -> SearchSpace:
        """The search space of the children."""

    def for_layout(self, layout: Layout) -> ChildModel:
        """The same children in the form that is fast in a layout; `self` where there is one form.

        Both forms have parameters of the same structure and give the same numbers.
        """

    def init(self, key: jax.Array, architecture: jax.Array) -> Parameters:
        """The first weights of a child; of the same shapes for every architecture of the space.

        Weights that a child does not use are there too. They get no gradient, so give them the
        value 0 or leave them: they never matter.
        """

    def initial_carry(self, batch_size: int) -> Carry:
        """The carry before the first step of an epoch: `()`, or for text the hidden states.

        It does not depend on the architecture: its shapes serve all children.
        """

    def loss(
        self,
        parameters: Parameters,
        architecture: jax.Array,
        carry: Carry,
        batch: Batch,
        key: jax.Array,
    ) -> tuple[jax.Array, Carry]:
        """The training loss `[]` of one minibatch, and the carry for the next.

        No gradient flows through the carry: truncated backpropagation through time.
        """

    def score(
        self, parameters: Parameters, architecture: jax.Array, carry: Carry, batch: Batch
    ) -> tuple[Sums, Carry]:
        """What one validation minibatch adds to the sums, without noise, and the next carry.

        For images the number of right answers and of images; for text the sum of negative
        log-likelihoods in nats and the number of tokens.
        """

    def value(self, sums: Sums) -> jax.Array:
        """What sums over a split are worth, `[]`, higher is better: accuracy, minus perplexity.

        The trainer ranks children by it; what is not finite counts as the worst.
        """


@runtime_checkable
class Batches(Protocol):
    """Minibatches as a pure function of data, a key and a step; hashable, static under `jit`.

    The arrays themselves are handed to every function as `data`, so that they are no constants of
    compiled programs.

    Attributes:
      batch_size: rows of a training batch, what `initial_carry` gets in training.
      epoch_steps: training steps of one epoch. After each the order is drawn anew and the carry
        starts again; an epoch need not be a whole pass.
      score_batch_size: rows of a validation batch, what `initial_carry` gets in scoring.
      score_steps: validation batches.
    """

    @property
    def batch_size(self) -> int:
        """Rows of a training batch."""

    @property
    def epoch_steps(self) -> int:
        """Training steps of one epoch."""

    @property
    def score_batch_size(self) -> int:
        """Rows of a validation batch."""

    @property
    def score_steps(self) -> int:
        """Validation batches."""

    def start_epoch(self, data: Data, key: jax.Array, epoch: jax.Array) -> Any:
        """What the batches of an epoch are taken by, computed once: a permutation, a first token.

        Args:
          data: all data.
          key: the key of the child, the same for all epochs.
          epoch: `int32 []`, counted from 0.
        """

    def training_batch(self, data: Data, order: Any, key: jax.Array, step: jax.Array) -> Batch:
        """The batch of a step of the epoch whose `order` `start_epoch` gave.

        Args:
          data: all data.
          order: what `start_epoch` returned.
          key: of this step, for augmentation.
          step: `int32 []`, counted from 0 in the epoch.
        """

    def score_batch(self, data: Data, step: jax.Array) -> Batch:
        """The validation batch of a step, the same for every child."""
