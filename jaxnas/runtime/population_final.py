"""The best children of a population search and of its random arm, trained again for longer."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from jaxnas.evaluators.population import PopulationState
from jaxnas.population_search import PopulationSearchState
from jaxnas.runtime.checkpoint import Checkpoints
from jaxnas.runtime.metrics import MetricsWriter
from jaxnas.runtime.population_experiment import Finalist, PopulationExperiment
from jaxnas.runtime.progress import Progress
from jaxnas.runtime.run_folder import RunFolder
from jaxnas.runtime.timing import Timing

CHECKPOINT_SECONDS = 10.0


def finalists(experiment: PopulationExperiment, state: PopulationSearchState) -> list[Finalist]:
    """The children to train: the best different ones of either arm, and the baselines.

    Diverged ones never.
    """
    final, result = experiment.config.final, []
    for kind, kept, number in (
        ("best", state.best, final.best),
        ("random", state.random, final.random),
    ):
        pairs = zip(np.asarray(kept.architectures), np.asarray(kept.values), strict=True)
        for i, (architecture, value) in enumerate(pairs):
            if i < number and np.isfinite(value):
                child = Finalist(
                    f"{kind}-{i}", kind, architecture, float(value), experiment.population
                )
                result.append(child)
    return result + experiment.baselines()


@dataclasses.dataclass(frozen=True, eq=False)
class FinalPhase:
    """The training of all finalists, side by side in the search's own program.

    Attributes:
      experiment: the experiment.
      folder: the run folder.
      finalists: the children.
    """

    experiment: PopulationExperiment
    folder: RunFolder
    finalists: list[Finalist]

    def run(
        self, metrics: MetricsWriter, progress: Progress, timing: Timing
    ) -> list[dict[str, Any]]:
        """Trains from the last checkpoint on, saves every child, and returns their records."""
        parts, records = list(self._parts()), []
        progress.phase("train", self.experiment.config.final.epochs * len(parts))
        for number, (children, first) in enumerate(parts):
            checkpoints = Checkpoints(self.folder.path / "final_checkpoints" / str(number), keep=1)
            trained = self._train(number, children, first, checkpoints, metrics, progress, timing)
            for i, child in enumerate(children):
                one = jax.tree.map(lambda leaf, i=i: leaf[i], trained)
                folder = self.folder.path / "children" / child.name
                records.append(self.experiment.finish(child, one, folder))
            timing.save("train")
        return records

    def _parts(self) -> Iterator[tuple[list[Finalist], PopulationState]]:
        """The children that are trained together, and their untrained population."""
        search = self.experiment.search_of(self.experiment.config.final.epochs)
        key = self.experiment.key("final")
        for population, group in itertools.groupby(self.finalists, lambda c: c.population):
            children = list(group)
            architectures = np.stack([child.architecture for child in children])
            own = dataclasses.replace(search, population=population)
            for where, first in own.children(key, architectures):
                yield children[where], first

    def _train(self, number, children, state, checkpoints, metrics, progress, timing):
        found = checkpoints.restore(jax.eval_shape(lambda: state))
        done, state = found if found is not None else (0, state)
        epochs = self.experiment.config.final.epochs
        start = self.experiment.total_steps + number * epochs
        if done < epochs:  # The lines of later parts stay where this one is done.
            metrics.rewind(start + done - 1)
        progress.advance(steps=done)
        for epoch in range(done, epochs):
            state = children[0].population.run(state, self.experiment.data, 1, scored=0)
            for child, loss in zip(children, np.asarray(state.loss), strict=False):
                line = {"phase": "train", "child": child.name, "epoch": epoch, "loss": float(loss)}
                metrics.write(start + epoch, line | {"seconds": timing.elapsed()})
            progress.advance({"loss": float(np.asarray(state.loss)[0])})
            if timing.due(CHECKPOINT_SECONDS) or epoch + 1 == epochs:
                checkpoints.save(epoch + 1, state)
                timing.save("train")
        return state
