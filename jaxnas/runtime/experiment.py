"""A whole experiment in a run folder: search, derive, train children, report; resumable anywhere.

Every phase is a function of the phase before it and of keys that derive from the seed, and leaves
its result in the folder. A run that was killed goes on from the last checkpoint or the last
finished child and ends in the same state, bit for bit.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import optax

from jaxnas import searchers
from jaxnas.config import Config, SearcherConfig
from jaxnas.config_checks import check_batch
from jaxnas.data import Dataset
from jaxnas.derive import Candidates, derive, random_children, rank
from jaxnas.engine import DeviceData, Engine, SearchState, device_data
from jaxnas.policies import enas_bias, lstm
from jaxnas.runtime.checkpoint import Checkpoints
from jaxnas.runtime.metrics import MetricsWriter
from jaxnas.runtime.progress import Progress
from jaxnas.runtime.timing import Timing
from jaxnas.searchers import Searcher
from jaxnas.spaces import SearchSpace
from jaxnas.supernets import Network, Supernet

CHECKPOINT_SECONDS = 10.0
_SHOWN = ("loss", "accuracy", "reward_mean", "random_reward_mean", "entropy")


def make_searcher(space: SearchSpace, config: SearcherConfig) -> Searcher:
    """The searcher that a configuration names; values that it leaves open are the defaults."""
    if config.name == "random":
        return searchers.random(space)
    if config.name == "evolution":
        given = {} if config.population is None else {"population": config.population}
        return searchers.evolution(space, **given)
    biases = enas_bias(space)._asdict() if config.convolution_bias else {}
    policy = lstm(
        space,
        hidden=config.hidden,
        layers=config.layers,
        temperature=config.temperature,
        tanh_constant=config.tanh_constant,
        operation_tanh_constant=config.operation_tanh_constant,
        share_heads=config.share_heads,
        **biases,
    )
    # No memory: with shared weights, what an evaluation says does not hold for good.
    return searchers.reinforce(
        policy,
        _policy_optimizer(config),
        entropy_weight=config.entropy_weight,
        entropy_target=config.entropy_target,
        baseline_decay=config.baseline_decay,
        normalize_advantage=config.normalize_advantage,
        baseline_start=config.baseline_start,
        entropy_in_reward=config.entropy_in_reward,
        skip_weight=config.skip_weight,
        skip_target=config.skip_target,
        memory=0,
    )


# One object per recipe: it is a static argument of compiled programs.
@functools.lru_cache(maxsize=64)
def _policy_optimizer(config: SearcherConfig) -> optax.GradientTransformation:
    adam = optax.adam(config.learning_rate, b1=config.adam_b1, eps=config.adam_epsilon)
    if config.accumulate == 1:
        return adam
    return optax.MultiSteps(adam, config.accumulate).gradient_transformation()


@dataclasses.dataclass(frozen=True, eq=False)
class Experiment:
    """The parts of an experiment, built and checked before any work is done.

    Attributes:
      config: its configuration.
      dataset: its data.

    Raises:
      ValueError: data, network or options that do not fit each other.
    """

    config: Config
    dataset: Dataset

    def __post_init__(self):
        self.engine  # noqa: B018  build now: what does not fit fails before any work
        self.final_network  # noqa: B018
        train, sizes = self.config.train, self.dataset.sizes
        check_batch("train.batch_size", train.batch_size, "train", sizes["train"])
        if self.config.derive.retrain > self.config.derive.samples:
            raise ValueError(
                f"derive.retrain is {self.config.derive.retrain}, but derive.samples is "
                f"{self.config.derive.samples}: sample at least as many as are retrained."
            )

    @functools.cached_property
    def network(self) -> Network:
        """The shared-weight network."""
        return self.config.network.build(self.dataset.image_shape, self.dataset.num_classes)

    @functools.cached_property
    def final_network(self) -> Network:
        """The network that children are trained in."""
        if self.config.final_network is None:
            return self.network
        network = self.config.final_network.build(
            self.dataset.image_shape, self.dataset.num_classes
        )
        if network.space != self.network.space:
            raise ValueError("'final_network' has another search space than 'network'.")
        if self.config.train.inherit:
            raise ValueError("'train.inherit' needs the weights of 'final_network': leave it out.")
        return network

    @functools.cached_property
    def engine(self) -> Engine:
        """The search."""
        sizes = self.dataset.sizes
        searcher = make_searcher(self.network.space, self.config.searcher)
        return Engine(
            Supernet(self.network, executor=self.config.search.executor),
            searcher,
            self.config.search,
            sizes["train"],
            sizes["validation"],
        )

    @functools.cached_property
    def data(self) -> DeviceData:
        """The train and validation splits on the device."""
        return device_data(self.dataset)

    def key(self, stream: str) -> jax.Array:
        """The PRNG key of one part of the experiment."""
        number = ("search", "candidates", "random", "train", "policy").index(stream)
        return jax.random.fold_in(jax.random.key(self.config.seed), number)

    def search(
        self, checkpoints: Checkpoints, metrics: MetricsWriter, progress: Progress, timing: Timing
    ) -> SearchState:
        """Runs the search from the last checkpoint, or from the start, to its end."""
        state = self._restore(checkpoints, metrics)
        progress.phase("search", self.engine.total_steps)
        progress.advance(steps=int(state.step))
        pending: list[tuple[int, dict[str, Any]]] = []
        try:
            while int(state.step) < self.engine.total_steps:
                step = int(state.step)
                state, measured = self.engine.step(state, self.data)
                pending.append((step, measured | {"seconds": timing.elapsed()}))
                if len(pending) > 1 or measured["phase"] == "policy":
                    _flush(pending, metrics, progress)
                if timing.due(CHECKPOINT_SECONDS):
                    _flush(pending, metrics, progress)
                    self._save(checkpoints, timing, state)
        finally:
            # Ctrl-C too: the last whole step is not lost.
            _flush(pending, metrics, progress)
            self._save(checkpoints, timing, state)
        return state

    def _restore(self, checkpoints: Checkpoints, metrics: MetricsWriter) -> SearchState:
        key = self.key("search")
        found = checkpoints.restore(jax.eval_shape(self.engine.init, key))
        step, state = found if found is not None else (0, self.engine.init(key))
        if step < self.engine.total_steps:
            metrics.rewind(step - 1)
        return state

    def _save(self, checkpoints: Checkpoints, timing: Timing, state: SearchState) -> None:
        checkpoints.save(int(state.step), state)
        timing.save("search")

    def candidates(self, state: SearchState) -> tuple[Candidates, Candidates]:
        """The children to train: the best of the searcher's samples, and uniform ones."""
        config = self.config.derive
        best = derive(self.engine, state, self.data, config.samples)
        top = Candidates(best.architectures[: config.retrain], best.accuracies[: config.retrain])
        if not config.random:
            return top, Candidates(best.architectures[:0], best.accuracies[:0])
        uniform = random_children(self.engine, self.key("random"), config.random)
        return top, rank(self.engine, state, self.data, uniform)


def _flush(pending: list, metrics: MetricsWriter, progress: Progress) -> None:
    while pending:
        step, measured = pending[0]
        values = {
            name: float(value) if isinstance(value, jax.Array) else value
            for name, value in measured.items()
        }
        # Taken off first: Ctrl-C here must not write a line twice.
        del pending[0]
        metrics.write(step, values)
        progress.advance({name: values[name] for name in _SHOWN if name in values})
