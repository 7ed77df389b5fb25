"""Training one child of a population from scratch: what `lax.map` or `vmap` repeats for all.

Source: Zoph & Le 2017 (arXiv:1611.01578), section 4: each child is trained for some epochs, and
its reward is the best validation result of the last of them.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxnas.evaluators.child_model import Batches, ChildModel, Data, Parameters

Hyperparameters = Any
"""The numbers of one child's training, a pytree of scalars, such as its learning rate."""

MakeOptimizer = Callable[[Hyperparameters], optax.GradientTransformation]
"""Makes the optimiser of a child from its (traced) hyperparameters."""

_INIT, _ORDER, _STEPS = range(3)


class ChildState(NamedTuple):
    """A child in training; with a leading axis `[N]` everywhere, a population.

    Attributes:
      key: of its weights, the order of its data and its noise.
      architecture: `int32 [T]`.
      hyperparameters: what its optimiser is made from.
      parameters: its weights.
      optimizer: the state of its optimiser.
      epoch: `int32 []`, epochs done.
      active: `bool []`; a child that diverged or was stopped stays as it is.
      diverged: `bool []`, whether a loss or gradient was not finite; the weights are those from
        before that step.
      loss: `[]`, the mean training loss of the last epoch.
      value: `[]`, the best value of the epochs that were scored last; minus infinity before, and
        for a child that diverged.
    """

    key: jax.Array
    architecture: jax.Array
    hyperparameters: Hyperparameters
    parameters: Parameters
    optimizer: Any
    epoch: jax.Array
    active: jax.Array
    diverged: jax.Array
    loss: jax.Array
    value: jax.Array


class _Step(NamedTuple):
    """What one training step hands to the next."""

    parameters: Parameters
    optimizer: Any
    carry: Any
    fine: jax.Array
    loss: jax.Array


@dataclasses.dataclass(frozen=True)
class ChildTraining:
    """Pure functions of one child.

    Attributes:
      model: the children, in the form of the layout that they are in.
      batches: what they learn from.
      make_optimizer: the optimiser of a child.
      real_branches: whether a condition of one child's own saves time, as in `lax.map`; under
        `vmap` it would make others pay for what they do not need.
    """

    model: ChildModel
    batches: Batches
    make_optimizer: MakeOptimizer
    real_branches: bool

    def init(self, key: jax.Array, architecture: Any, hyperparameters: Any) -> ChildState:
        """A child with its first weights."""
        architecture = jnp.asarray(architecture, jnp.int32)
        parameters = self.model.init(jax.random.fold_in(key, _INIT), architecture)
        infinity = jnp.asarray(jnp.inf, jnp.result_type(float))
        return ChildState(
            key=key,
            architecture=architecture,
            hyperparameters=hyperparameters,
            parameters=parameters,
            optimizer=self.make_optimizer(hyperparameters).init(parameters),
            epoch=jnp.int32(0),
            active=jnp.bool_(True),
            diverged=jnp.bool_(False),
            loss=infinity,
            value=-infinity,
        )

    def run(
        self, child: ChildState, data: Data, epochs: jax.Array, scored: jax.Array
    ) -> ChildState:
        """Trains on for some epochs, and scores the child after each of the last `scored`."""
        forget = child.active & (scored > 0)
        child = child._replace(value=jnp.where(forget, -jnp.inf, child.value))
        # Under `vmap` the number of rounds must be the same for all.
        rounds = jnp.where(child.active, epochs, 0) if self.real_branches else epochs

        def epoch(i: jax.Array, child: ChildState) -> ChildState:
            child = self._epoch(child, data)
            due = i >= epochs - scored
            due = due & child.active if self.real_branches else due
            worst = jnp.full_like(child.value, -jnp.inf)
            new = jax.lax.cond(due, lambda: self.score(child, data), lambda: worst)
            value = jnp.where(child.active, jnp.maximum(child.value, new), child.value)
            return child._replace(value=jnp.where(child.diverged, worst, value))

        return jax.lax.fori_loop(0, rounds, epoch, child)

    def score(self, child: ChildState, data: Data) -> jax.Array:
        """The value of a child on the validation split; minus infinity if it is not finite."""
        add = functools.partial(jax.tree.map, jnp.add)

        def one_batch(step: jax.Array, carry: Any) -> Any:
            batch = self.batches.score_batch(data, step)
            return self.model.score(child.parameters, child.architecture, carry, batch)

        def step(i: jax.Array, state: Any) -> Any:
            sums, carry = state
            new, carry = one_batch(i, carry)
            return add(sums, new), carry

        first = self.model.initial_carry(self.batches.score_batch_size)
        shapes = jax.eval_shape(one_batch, jnp.int32(0), first)[0]
        zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
        sums, _ = jax.lax.fori_loop(0, self.batches.score_steps, step, (zeros, first))
        value = self.model.value(sums).astype(child.value.dtype)
        return jnp.where(jnp.isfinite(value) & ~child.diverged, value, -jnp.inf)

    def _epoch(self, child: ChildState, data: Data) -> ChildState:
        """One epoch; a child that is not active stays as it is."""
        order = self.batches.start_epoch(data, jax.random.fold_in(child.key, _ORDER), child.epoch)
        step = functools.partial(self._step, child, data, order)
        carry = self.model.initial_carry(self.batches.batch_size)
        zero = jnp.zeros_like(child.loss)
        first = _Step(child.parameters, child.optimizer, carry, child.active, zero)
        last = jax.lax.fori_loop(0, self.batches.epoch_steps, step, first)
        return child._replace(
            parameters=last.parameters,
            optimizer=last.optimizer,
            epoch=child.epoch + child.active,
            active=last.fine,
            diverged=child.diverged | (child.active & ~last.fine),
            loss=jnp.where(child.active, last.loss / self.batches.epoch_steps, child.loss),
        )

    def _step(self, child: ChildState, data: Data, order: Any, i: jax.Array, last: _Step) -> _Step:
        count = child.epoch * self.batches.epoch_steps + i
        key = jax.random.fold_in(jax.random.fold_in(child.key, _STEPS), count)
        batch_key, noise_key = jax.random.split(key)
        batch = self.batches.training_batch(data, order, batch_key, i)
        loss_and_gradient = jax.value_and_grad(self.model.loss, has_aux=True)
        (loss, carry), gradient = loss_and_gradient(
            last.parameters, child.architecture, last.carry, batch, noise_key
        )
        optimizer = self.make_optimizer(child.hyperparameters)
        updates, optimizer_state = optimizer.update(gradient, last.optimizer, last.parameters)
        parameters = optax.apply_updates(last.parameters, updates)
        fine = last.fine & jnp.isfinite(loss) & jnp.isfinite(optax.tree.norm(gradient))

        def keep(new: Any, old: Any) -> Any:
            return jax.tree.map(lambda n, o: jnp.where(fine, n, o), new, old)

        return _Step(
            keep(parameters, last.parameters),
            keep(optimizer_state, last.optimizer),
            keep(carry, last.carry),
            fine,
            last.loss + loss.astype(last.loss.dtype),
        )
