"""A search of several tasks at once, in a run folder; resumable anywhere.

Its phases are those of `population_experiment.py`, for each task: search, train the best children
of the searcher and of the random arm on all of the task's training rows, report.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax

from jaxnas.config_checks import check_batch
from jaxnas.data import DataError, LabelledTexts, Tasks
from jaxnas.runtime.checkpoint import Checkpoints
from jaxnas.runtime.controller import load_controller, make_ppo
from jaxnas.runtime.image_tasks import ImageTasks
from jaxnas.runtime.metrics import MetricsWriter
from jaxnas.runtime.progress import Progress
from jaxnas.runtime.search_batches import run_batches
from jaxnas.runtime.text_tasks import TextTasks
from jaxnas.runtime.timing import Timing
from jaxnas.searchers import Searcher
from jaxnas.tasks_config import PPOConfig, TasksConfig, TextTasksConfig
from jaxnas.tasks_search import TasksSearch, TasksSearchState

_SHOWN = ("task", "value_mean", "random_value_mean", "entropy")


@dataclasses.dataclass(frozen=True, eq=False)
class TasksExperiment:
    """The parts of an experiment, built and checked before any work is done.

    Attributes:
      config: its configuration.
      dataset: its tasks.
      is_new: whether the run starts now; one that goes on has what it was transferred from.

    Raises:
      ValueError: data, children or options that do not fit each other.
      RunError: a controller that cannot be transferred.
    """

    config: TasksConfig
    dataset: Tasks
    is_new: bool = True

    def __post_init__(self):
        texts = isinstance(next(iter(self.dataset.sets.values())), LabelledTexts)
        if texts != isinstance(self.config.children, TextTasksConfig):
            raise DataError(
                f"the children are of kind {self.config.children.kind!r}, but the tasks of "
                f"{self.dataset.name!r} are {'texts' if texts else 'images'}."
            )
        self._check_batch_size()
        self.parts  # noqa: B018  build now: what does not fit fails before any work
        self.search_of()

    def _check_batch_size(self):
        config, size = self.config, self.config.search.batch_size
        check_batch("search.batch_size", size, "train", self.dataset.smallest("train"))
        for field, rows in (("data.train", config.data.train), ("final.train", config.final.train)):
            if rows is not None and rows < size:
                raise DataError(
                    f"{field} is {rows}, less than search.batch_size, {size}: give {size} or more, "
                    "or smaller batches."
                )

    @functools.cached_property
    def parts(self) -> TextTasks | ImageTasks:
        """The children and their data."""
        kind = TextTasks if isinstance(self.config.children, TextTasksConfig) else ImageTasks
        return kind(self.config, self.dataset)

    @property
    def train_size(self) -> int:
        """Training rows of every child in the search."""
        limit, smallest = self.config.data.train, self.dataset.smallest("train")
        return smallest if limit is None else min(limit, smallest)

    @functools.cached_property
    def data(self) -> tuple[Any, ...]:
        """What the children of each task learn from in the search."""
        return tuple(self.parts.data(name, self.train_size) for name in self.dataset.names)

    @functools.cached_property
    def searcher(self) -> Searcher:
        """The searcher."""
        return self._ppo(self.config.searcher)

    @property
    def sampler(self) -> Searcher:
        """The searcher, of the same states, whose `ask` is draws from the policy alone."""
        return self._ppo(dataclasses.replace(self.config.searcher, candidates=1))

    def _ppo(self, config: PPOConfig) -> Searcher:
        tasks, space = len(self.dataset.names), self.parts.model.space
        return make_ppo(space, tasks, config, self.config.transfer)

    @functools.cached_property
    def learned(self) -> Any:
        """What the searcher goes out from; `None` for nothing."""
        start = self.config.transfer
        if not start.source:
            return None
        tasks, space = len(self.dataset.names), self.parts.model.space
        return load_controller(start, space, tasks, self.config.searcher, self.key("transfer"))

    def key(self, stream: str) -> jax.Array:
        """The PRNG key of one part of the experiment."""
        number = ("search", "final", "policy", "transfer").index(stream)
        return jax.random.fold_in(jax.random.key(self.config.seed), number)

    def search_of(self) -> TasksSearch:
        """The search."""
        config = self.config
        return TasksSearch(
            population=self.parts.population(self.train_size),
            searcher=self.searcher,
            tasks=len(self.dataset.names),
            batch=config.search.batch,
            random=config.search.random,
            keep=max(config.final.best, config.final.random),
            learned=self.learned if self.is_new else None,
        )

    @property
    def total_steps(self) -> int:
        """Batches of the search."""
        return -(-self.config.search.samples // self.config.search.batch)

    def search(
        self, checkpoints: Checkpoints, metrics: MetricsWriter, progress: Progress, timing: Timing
    ) -> TasksSearchState:
        """Runs the search from the last checkpoint, or from the start, to its end."""
        search, key = self.search_of(), self.key("search")
        found = checkpoints.restore(jax.eval_shape(search.init, key))
        if found is None:
            # From now on the run needs no other one's controller.
            search = dataclasses.replace(search, learned=self.learned)
            checkpoints.save(0, search.init(key))
            found = checkpoints.restore(jax.eval_shape(search.init, key))
        assert found is not None

        def step_of(state: TasksSearchState) -> tuple[TasksSearchState, dict[str, Any]]:
            state, measured = search.step(state, self.data)
            values: dict[str, Any] = {name: float(value) for name, value in measured.items()}
            return state, values | {"task": self.dataset.names[int(values["task"])]}

        return run_batches(
            step_of,
            found[1],
            self.total_steps,
            _SHOWN,
            checkpoints=checkpoints,
            metrics=metrics,
            progress=progress,
            timing=timing,
        )
