"""InstaNAS's three stages as one sequence of steps, a pure function of one state.

Pretraining, the joint search, and the fine-tuning of some states of the search, its Pareto points.
The policy learns from validation images, the shared weights from training images (the authors'
code uses training images for both, and chooses by test images).

Source: Cheng et al. 2018, "InstaNAS" (arXiv:1811.10201), section 3, and the authors' code.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnas.config_checks import check_batch
from jaxnas.data.batches import batches_per_epoch
from jaxnas.engine import DeviceData
from jaxnas.instance.batches import augmented_batch, labelled_batch, plain_batch
from jaxnas.instance.config import InstanceConfig, StageConfig
from jaxnas.instance.controller_start import classify, standardize
from jaxnas.instance.engine import InstanceEngine, Metrics
from jaxnas.instance.evaluation import evaluate
from jaxnas.instance.schedule import InstanceSchedule, Place
from jaxnas.instance.states import InstanceSearchState, Point, point_of, state_of
from jaxnas.objectives import LatencyTable, WindowSchedule
from jaxnas.optimizers import make_optimizer
from jaxnas.policies.instance import InstancePolicy
from jaxnas.supernets import Supernet, average_moments


@dataclasses.dataclass(frozen=True, eq=False)
class InstanceSearch:
    """The steps of one search, made for sizes that are known.

    Attributes:
      supernet: a supernet over a space of bits.
      policy: the policy over that space.
      table: what operations cost.
      window: the window of costs that is rewarded.
      config: the options of the stages and the policy.
      train_size: images in the train split.
      validation_size: images in the validation split.

    Raises:
      DataError: a batch larger than its split.
      ValueError: parts that do not fit each other.
    """

    supernet: Supernet
    policy: InstancePolicy
    table: LatencyTable
    window: WindowSchedule
    config: InstanceConfig
    train_size: int
    validation_size: int

    def __post_init__(self):
        for name in ("pretrain", "search", "finetune"):
            size = getattr(self.config, name).batch_size
            check_batch(f"{name}.batch_size", size, "train", self.train_size)
        size = self.config.search.reward_batch_size
        check_batch("search.reward_batch_size", size, "validation", self.validation_size)
        self.engines  # noqa: B018  what does not fit fails before any work

    @functools.cached_property
    def engines(self) -> dict[str, InstanceEngine]:
        """The engine of each stage: they differ in the optimiser of the shared weights."""
        options = self.config.controller
        return {
            stage: InstanceEngine(
                self.supernet,
                self.policy,
                self.table,
                self.window,
                self._optimizer(getattr(self.config, stage)),
                _adam(options.learning_rate),
                options.right,
                options.exponent,
                options.entropy,
                options.shaping,
                options.samples,
                options.baseline,
                options.information,
                options.enough,
            )
            for stage in ("pretrain", "search", "finetune")
        }

    def _optimizer(self, stage: StageConfig) -> optax.GradientTransformation:
        epoch = self.schedule.weight_steps(stage)
        return make_optimizer(stage.optimizer, stage.epochs * epoch, epoch)

    @functools.cached_property
    def schedule(self) -> InstanceSchedule:
        """Which step does what."""
        return InstanceSchedule(self.config, self.train_size)

    @property
    def total_steps(self) -> int:
        """Steps of all stages."""
        return self.schedule.total_steps

    def init(self, key: jax.Array) -> InstanceSearchState:
        """The state before the first step."""
        key, engine_key, noise = jax.random.split(key, 3)
        # Moments are measured before they are used; here they only get their shapes.
        shape = (self.config.search.reward_batch_size, *self.supernet.network.image_shape)
        current = self.engines["pretrain"].init(engine_key, jax.random.normal(noise, shape))
        points = (point_of(current),) * self.config.search.points
        return InstanceSearchState(jnp.int32(0), key, current, points)

    def step(
        self, state: InstanceSearchState, data: DeviceData
    ) -> tuple[InstanceSearchState, Metrics]:
        """The next step, and what it measured."""
        place = self.schedule.place(int(state.step))
        state = self._begin(state, place) if place.first else state
        run = {
            "pretrain": self._pretrain,
            "policy": self._policy,
            "weights": self._weights,
            "finetune": self._finetune,
        }
        current, metrics = run[place.phase](state, data, place)
        state = state._replace(current=current)
        if place.last:
            state, found = self._end(state, data, place)
            metrics = metrics | found
        metrics = metrics | {"phase": place.phase, "epoch": place.epoch}
        return state._replace(step=state.step + 1), metrics

    def _begin(self, state: InstanceSearchState, place: Place) -> InstanceSearchState:
        stage = "search" if place.phase == "policy" else place.phase
        current = state.current
        if stage == "finetune":
            current = current._replace(**state.points[place.point]._asdict())
        optimizer = self.engines[stage].weight_optimizer.init(current.params)
        return state._replace(current=current._replace(optimizer=optimizer))

    def _end(self, state: InstanceSearchState, data: DeviceData, place: Place):
        """Measures moments; takes a point, with its validation accuracy and latency."""
        engine = self.engines["finetune"]
        greedy = place.phase == "finetune"
        current = state.current
        if place.phase == "pretrain" and self.config.controller.start == "classifier":
            images = jnp.concatenate([*self._plain_batches(state, data)])
            policy = standardize(self.policy, current.policy, images)
            optimizer = engine.policy_optimizer.init(policy)
            current = current._replace(policy=policy, policy_optimizer=optimizer)
        current = engine.recalibrate(current, self._plain_batches(state, data), greedy=greedy)
        state = state._replace(current=current)
        if place.point < 0:
            return state, {}
        points = list(state.points)
        points[place.point] = point_of(current)
        found = evaluate(engine, current, data.validation, data, self.evaluation_batch)
        metrics = {"validation_accuracy": found.accuracy, "latency": float(found.latency.mean())}
        return state._replace(points=tuple(points)), metrics | {"point": place.point}

    @property
    def evaluation_batch(self) -> int:
        """Images per pass of an evaluation: as many as in a policy update, so one program."""
        return 2 * self.config.search.reward_batch_size

    def finetune_static(
        self, state: InstanceSearchState, point: Point, data: DeviceData, architecture: Any
    ) -> Point:
        """Fine-tunes a point under one architecture `[T]` for all images, for comparison.

        The images, their order and the optimiser are those of the points' own fine-tuning.
        """
        engine, stage = self.engines["finetune"], self.config.finetune
        optimizer = engine.weight_optimizer.init(point.params)
        current = state_of(point)._replace(optimizer=optimizer)
        rows = np.broadcast_to(np.asarray(architecture), (stage.batch_size, len(architecture)))
        for number in range(stage.epochs * self.schedule.weight_steps(stage)):
            place = Place("finetune", 0, number, False, False)
            images, labels = self._train_batch(state, data, place, stage, 2)
            current, _ = engine.fixed_step(current, images, labels, rows)
        measured = [
            self.supernet.measure_moments_each(current.params, rows[:1].repeat(len(x), 0), x)
            for x in self._plain_batches(state, data)
        ]
        return Point(current.params, {**point.moments, **average_moments(measured)}, point.policy)

    def _plain_batches(self, state: InstanceSearchState, data: DeviceData) -> Iterator[jax.Array]:
        """The batches on which moments are measured."""
        size = self.config.search.batch_size
        count = batches_per_epoch(self.train_size, size)
        count = min(self.config.search.recalibration_batches, count)
        key = jax.random.fold_in(state.key, 4)
        return (plain_batch(data.train, data, key, i, size) for i in range(count))

    def _pretrain(self, state: InstanceSearchState, data: DeviceData, place: Place):
        config = self.config.pretrain
        images, labels = self._train_batch(state, data, place, config, 0)
        done = (place.number + 1) / self.schedule.stage_steps["pretrain"]
        sunk = max(0.0, done - config.whole) / (1 - config.whole) if config.whole < 1 else 0.0
        keep = 1 - (1 - config.keep) * sunk
        engine = self.engines["pretrain"]
        current, metrics = engine.pretrain_step(state.current, images, labels, keep)
        metrics = metrics | {"keep": keep}
        if self.config.controller.start == "random":
            return current, metrics
        given = current.policy, current.policy_optimizer
        classes, optimizer = self.supernet.network.num_classes, engine.policy_optimizer
        policy, optimizer_state, right = classify(
            self.policy, optimizer, given, images, labels, classes
        )
        current = current._replace(policy=policy, policy_optimizer=optimizer_state)
        return current, metrics | {"controller_accuracy": float(right)}

    def _weights(self, state: InstanceSearchState, data: DeviceData, place: Place):
        images, labels = self._train_batch(state, data, place, self.config.search, 1)
        return self.engines["search"].weight_step(state.current, images, labels)

    def _finetune(self, state: InstanceSearchState, data: DeviceData, place: Place):
        # Points see the same images, so that they differ in their policies only.
        images, labels = self._train_batch(state, data, place, self.config.finetune, 2)
        engine, permuted = self.engines["finetune"], self.schedule.permuted(place.number)
        current, metrics = engine.finetune_step(state.current, images, labels, permuted)
        return current, metrics | {"permuted": permuted}

    def _train_batch(self, state, data: DeviceData, place: Place, stage: StageConfig, stream: int):
        key = jax.random.fold_in(state.key, stream)
        size, augmentation = stage.batch_size, stage.augmentation
        return augmented_batch(data, key, place.number, size, augmentation)

    def _policy(self, state: InstanceSearchState, data: DeviceData, place: Place):
        size, engine = self.config.search.reward_batch_size, self.engines["search"]
        key = jax.random.fold_in(state.key, 3)
        images, labels = labelled_batch(data.validation, data, key, place.number, size)
        progress = place.epoch / max(1, self.config.search.epochs - 1)
        current, found = engine.policy_step(state.current, images, labels, progress)
        return current, {"reward_mean" if k == "reward" else k: v for k, v in found.items()}


# One object per rate: it is a static argument of compiled programs.
@functools.lru_cache(maxsize=64)
def _adam(learning_rate: float) -> optax.GradientTransformation:
    return optax.adam(learning_rate)
