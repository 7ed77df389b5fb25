"""The search over shared weights: weight steps and policy updates, pure functions of one state.

Source: Pham et al. 2018, ENAS (arXiv:1802.03268), section 2.2: the shared weights are trained on
sampled children, the policy is trained on their validation reward, and the two alternate. Unlike
the paper, several children may share a weight step, and the children of a step always see the same
minibatch: their common work is then computed once, and they are compared under common noise.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnas.config import SearchConfig
from jaxnas.config_checks import check_batch
from jaxnas.data import Augmentation, Dataset, augment
from jaxnas.data.batches import batch_indices, batches_per_epoch, gather, normalize
from jaxnas.evaluators.shared import shared
from jaxnas.objectives import Efficiency, accuracy, cross_entropy
from jaxnas.optimizers import apply_gradient, learning_rate_schedule, make_optimizer
from jaxnas.searchers import Searcher
from jaxnas.supernets import Noise, Supernet

Metrics = dict[str, Any]


class SearchState(NamedTuple):
    """Everything that a search knows; a pytree that is saved, restored and handed on.

    Attributes:
      step: `int32 []`, weight steps and policy updates done.
      key: the PRNG key of the engine.
      params: the shared parameters.
      optimizer: the state of their optimiser.
      searcher: the state of the searcher.
    """

    step: jax.Array
    key: jax.Array
    params: Any
    optimizer: Any
    searcher: Any


class Split(NamedTuple):
    """One split on the device: `images [N, H, W, C]` as stored, `labels int32 [N]`."""

    images: jax.Array
    labels: jax.Array


class DeviceData(NamedTuple):
    """What a search reads, on the device: images as stored, standardised inside `jit`."""

    train: Split
    validation: Split
    mean: jax.Array
    std: jax.Array


def device_data(dataset: Dataset) -> DeviceData:
    """Puts the train and validation splits of a data set on the default device."""
    train = Split(jnp.asarray(dataset.train_images), jnp.asarray(dataset.train_labels))
    validation = Split(
        jnp.asarray(dataset.validation_images), jnp.asarray(dataset.validation_labels)
    )
    return DeviceData(train, validation, jnp.asarray(dataset.mean), jnp.asarray(dataset.std))


@dataclasses.dataclass(frozen=True, eq=False)
class Engine:
    """The pure functions of one search, made for sizes that are known.

    Attributes:
      supernet: executes the children.
      searcher: proposes architectures and learns from their rewards.
      config: the options of the search.
      train_size: images in the train split.
      validation_size: images in the validation split.
      efficiency: turns accuracies into rewards; rewards are accuracies without it.

    Raises:
      ValueError: a batch larger than its split, or more epochs of warm-up than epochs.

    Example:
      >>> engine = Engine(supernet, searcher, config, 1000, 400)  # doctest: +SKIP
      >>> state = engine.init(jax.random.key(0))  # doctest: +SKIP
      >>> while state.step < engine.total_steps:  # doctest: +SKIP
      ...     state, metrics = engine.step(state, data)
    """

    supernet: Supernet
    searcher: Searcher
    config: SearchConfig
    train_size: int
    validation_size: int
    efficiency: Efficiency | None = None

    def __post_init__(self):
        config = self.config
        check_batch("search.batch_size", config.batch_size, "train", self.train_size)
        rewards = "search.reward_batch_size", config.reward_batch_size
        check_batch(*rewards, "validation", self.validation_size)
        if config.warmup_epochs > config.epochs:
            raise ValueError(
                f"search.warmup_epochs is {config.warmup_epochs}, but search.epochs is "
                f"{config.epochs}: give no more warm-up than epochs."
            )

    @functools.cached_property
    def weight_steps(self) -> int:
        """Weight steps of one epoch."""
        return batches_per_epoch(self.train_size, self.config.batch_size)

    @functools.cached_property
    def schedule(self) -> tuple[str, ...]:
        """The phases of one epoch in order: `weights` or `policy`."""
        weights, updates = self.weight_steps, self.config.policy_updates
        if self.config.interleave == "epoch":
            return ("weights",) * weights + ("policy",) * updates
        ends = [(i + 1) * weights // updates for i in range(updates)] if updates else []
        phases: list[str] = []
        for step in range(1, weights + 1):
            phases += ["weights"] + ["policy"] * ends.count(step)
        return tuple(["policy"] * ends.count(0) + phases)

    @property
    def total_steps(self) -> int:
        """Steps of the whole search."""
        return self.config.epochs * len(self.schedule)

    @functools.cached_property
    def optimizer(self):
        """The optimiser of the shared weights."""
        steps = self.config.epochs * self.weight_steps
        return make_optimizer(self.config.optimizer, steps, self.weight_steps)

    @functools.cached_property
    def learning_rate(self):
        """The learning rate by weight step."""
        steps = self.config.epochs * self.weight_steps
        return learning_rate_schedule(self.config.optimizer, steps, self.weight_steps)

    def init(self, key: jax.Array) -> SearchState:
        """The state before the first step."""
        key, params_key, searcher_key = jax.random.split(key, 3)
        params = self.supernet.init(params_key)
        optimizer = jax.jit(self.optimizer.init)(params)
        return SearchState(jnp.int32(0), key, params, optimizer, self.searcher.init(searcher_key))

    def step(self, state: SearchState, data: DeviceData) -> tuple[SearchState, Metrics]:
        """The next step of the schedule: a weight step or a policy update."""
        epoch, position = divmod(int(state.step), len(self.schedule))
        phase = self.schedule[position]
        if phase == "weights":
            done = epoch * self.weight_steps + self.schedule[:position].count("weights")
            state, metrics = self.weight_step(state, data, done)
        elif epoch < self.config.warmup_epochs:
            metrics = {}
        else:
            last = "policy" not in self.schedule[position + 1 :]
            updates = self.schedule.count("policy")
            done = epoch * updates + self.schedule[:position].count("policy")
            state, metrics = self.policy_step(state, data, done, with_random=last)
        metrics |= {"phase": phase, "epoch": epoch}
        return state._replace(step=state.step + 1), metrics

    def weight_step(
        self, state: SearchState, data: DeviceData, step: int
    ) -> tuple[SearchState, Metrics]:
        """One step of the shared weights on the mean loss of sampled children.

        Args:
          state: the search; its `step` is left alone.
          data: the data.
          step: weight steps done before: the position in the order of the training images.
        """
        keys = _step_keys(state.key, 0, step)
        searcher, architectures = self._children(state, keys.sample, step)
        images, labels = _train_batch(
            data, keys.order, keys.augment, step, self.config.batch_size, self.config.augmentation
        )
        gradient_of = self.supernet.value_and_grad(_loss)
        noise = Noise(keys.noise) if self._noisy else None
        (loss, correct), gradient = gradient_of(
            state.params, architectures, images, labels, noise=noise
        )
        params, optimizer = apply_gradient(self.optimizer, state.params, state.optimizer, gradient)
        metrics = {"loss": loss, "accuracy": correct, "learning_rate": self.learning_rate(step)}
        return state._replace(params=params, optimizer=optimizer, searcher=searcher), metrics

    @functools.cached_property
    def _noisy(self) -> bool:
        shared_operations = self.supernet.network.operations.values()
        return any(entry.operation.stochastic for entry in shared_operations)

    def _children(self, state: SearchState, key: jax.Array, step: int):
        if step < self.config.warmup_epochs * self.weight_steps:
            return state.searcher, self.searcher.space.sample(key, self.config.children)
        return self.searcher.ask(state.searcher, self.config.children)

    def policy_step(
        self, state: SearchState, data: DeviceData, step: int, *, with_random: bool = False
    ) -> tuple[SearchState, Metrics]:
        """One update of the searcher by shared-weight rewards on one validation minibatch.

        Args:
          state: the search; its `step` is left alone.
          data: the data.
          step: policy updates done before: the position in the order of the validation images.
          with_random: also evaluate uniformly sampled children on the same minibatch, for
            comparison; the searcher is not told of them.
        """
        keys = _step_keys(state.key, 1, step)
        images, labels = _validation_batch(data, keys.order, step, self.config.reward_batch_size)
        evaluate = shared(self.supernet, state.params, images, labels)
        searcher, architectures = self.searcher.ask(state.searcher, self.config.policy_children)
        rewards = self.rewards(evaluate(architectures), architectures)
        searcher, metrics = self.searcher.tell(searcher, architectures, rewards)
        if self.efficiency is not None:
            metrics["cost_mean"] = jnp.asarray(self.efficiency.costs(architectures).mean())
        if with_random and self.config.random_children:
            uniform = self.searcher.space.sample(keys.sample, self.config.random_children)
            metrics["random_reward_mean"] = jnp.nanmean(self.rewards(evaluate(uniform), uniform))
        return state._replace(searcher=searcher), metrics

    def rewards(self, accuracies: Any, architectures: Any) -> Any:
        """The rewards `[N]` of children `[N, T]` with accuracies `[N]`."""
        if self.efficiency is None:
            return accuracies
        return jnp.asarray(self.efficiency.rewards(accuracies, architectures))


class _Keys(NamedTuple):
    order: jax.Array
    sample: jax.Array
    augment: jax.Array
    noise: jax.Array


@functools.partial(jax.jit, static_argnums=1)
def _step_keys(key: jax.Array, stream: int, step: int) -> _Keys:
    """The keys of one step; `order` is the same for all steps of a stream."""
    base = jax.random.fold_in(key, stream)
    sample, augmentation, noise = jax.random.split(jax.random.fold_in(base, step), 3)
    return _Keys(base, sample, augmentation, noise)


@functools.partial(jax.jit, static_argnums=(4, 5))
def _train_batch(
    data: DeviceData, order_key, augment_key, step, size: int, augmentation: Augmentation
):
    indices = batch_indices(order_key, step, data.train.labels.shape[0], size)
    images, labels = gather(*data.train, indices)
    return augment(augmentation, augment_key, normalize(images, data.mean, data.std)), labels


@functools.partial(jax.jit, static_argnums=3)
def _validation_batch(data: DeviceData, order_key, step, size: int):
    indices = batch_indices(order_key, step, data.validation.labels.shape[0], size)
    images, labels = gather(*data.validation, indices)
    return normalize(images, data.mean, data.std), labels


def _loss(logits: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The mean over children of the cross-entropy, and of the accuracy."""
    return cross_entropy(logits, labels), accuracy(logits, labels).mean()
