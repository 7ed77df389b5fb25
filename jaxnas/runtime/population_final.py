"""The best children of a population search and of its random arm, trained again for longer."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.children.masked_layers import LayerMoments
from jaxnas.data.batches import batch_indices, gather, normalize
from jaxnas.engine import DeviceData, Split
from jaxnas.evaluators.population import PopulationState
from jaxnas.population_search import PopulationSearchState
from jaxnas.runtime import saved_population_child
from jaxnas.runtime.checkpoint import Checkpoints
from jaxnas.runtime.metrics import MetricsWriter
from jaxnas.runtime.packing import digest
from jaxnas.runtime.population_experiment import PopulationExperiment
from jaxnas.runtime.progress import Progress
from jaxnas.runtime.run_folder import RunFolder
from jaxnas.runtime.timing import Timing

CHECKPOINT_SECONDS = 10.0
_MOMENT_BATCHES, _TEST_BATCH = 8, 256


class Finalist(NamedTuple):
    """One child: its name, its kind (`best` or `random`), and what the search knew of it."""

    name: str
    kind: str
    architecture: np.ndarray
    value: float


def finalists(experiment: PopulationExperiment, state: PopulationSearchState) -> list[Finalist]:
    """The children to train: the best different ones of either arm; diverged ones never."""
    final, result = experiment.config.final, []
    for kind, kept, number in (
        ("best", state.best, final.best),
        ("random", state.random, final.random),
    ):
        pairs = zip(np.asarray(kept.architectures), np.asarray(kept.values), strict=True)
        for i, (architecture, value) in enumerate(pairs):
            if i < number and np.isfinite(value):
                result.append(Finalist(f"{kind}-{i}", kind, architecture, float(value)))
    return result


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
        epochs, records = self.experiment.config.final.epochs, []
        search = self.experiment.search_of(epochs)
        architectures = np.stack([child.architecture for child in self.finalists])
        chunks = list(search.children(self.experiment.key("final"), architectures))
        progress.phase("train", epochs * len(chunks))
        for number, (where, first) in enumerate(chunks):
            checkpoints = Checkpoints(self.folder.path / "final_checkpoints" / str(number), keep=1)
            trained = self._train(
                where, first, number * epochs, checkpoints, metrics, progress, timing
            )
            for i, child in enumerate(self.finalists[where]):
                one = jax.tree.map(lambda leaf, i=i: leaf[i], trained)
                records.append(self._finish(child, one))
            timing.save("train")
        return records

    def _train(self, where, state, before, checkpoints, metrics, progress, timing):
        found = checkpoints.restore(jax.eval_shape(lambda: state))
        done, state = found if found is not None else (0, state)
        start = self.experiment.total_steps + before
        metrics.rewind(start + done - 1)
        progress.advance(steps=done)
        epochs = self.experiment.config.final.epochs
        for epoch in range(done, epochs):
            state = self.experiment.population.run(state, self.experiment.data, 1, scored=0)
            for child, loss in zip(self.finalists[where], np.asarray(state.loss), strict=False):
                line = {"phase": "train", "child": child.name, "epoch": epoch, "loss": float(loss)}
                metrics.write(start + epoch, line | {"seconds": timing.elapsed()})
            progress.advance({"loss": float(np.asarray(state.loss)[0])})
            if timing.due(CHECKPOINT_SECONDS) or epoch + 1 == epochs:
                checkpoints.save(epoch + 1, state)
                timing.save("train")
        return state

    def _finish(self, child: Finalist, trained: PopulationState) -> dict[str, Any]:
        """Measures a trained child's moments, saves it, and reads its accuracies."""
        experiment, dataset = self.experiment, self.experiment.dataset
        model: Any = experiment.population.model
        size = experiment.config.training.batch_size
        moments = _moments(model, size, trained, experiment.data)
        folder = self.folder.path / "children" / child.name
        saved_population_child.save(folder, experiment, child.architecture, trained, moments)
        test = Split(jnp.asarray(dataset.test_images), jnp.asarray(dataset.test_labels))
        accuracy = functools.partial(_accuracy, model, moments, trained, experiment.data)
        used = int(model.count_parameters(trained.architecture))
        return {
            "name": child.name,
            "kind": child.kind,
            "architecture": model.space.encode(child.architecture),
            "search_value": child.value,
            "validation_accuracy": accuracy(experiment.data.validation),
            "test_accuracy": accuracy(test),
            "parameters": used,
            "diverged": bool(trained.diverged),
            "weights_digest": digest(trained.parameters),
        }


@functools.partial(jax.jit, static_argnums=(0, 1))
def _moments(model: Any, size: int, trained: PopulationState, data: DeviceData) -> LayerMoments:
    """The mean over some training batches of what each layer normalises."""
    number = data.train.labels.shape[0]
    batches = min(_MOMENT_BATCHES, number // size)

    def one(step: jax.Array) -> LayerMoments:
        rows = batch_indices(trained.key, step, number, size)
        images = normalize(gather(*data.train, rows)[0], data.mean, data.std)
        return model.moments(trained.parameters, trained.architecture, images)

    return jax.tree.map(lambda leaf: leaf.mean(0), jax.lax.map(one, jnp.arange(batches)))


@functools.partial(jax.jit, static_argnums=0)
def _right(model: Any, moments, trained, data: DeviceData, images, labels) -> jax.Array:
    images = normalize(images, data.mean, data.std)
    logits = model.logits_by(moments, trained.parameters, trained.architecture, images)
    right = logits.argmax(-1) == labels
    return jnp.where(jnp.isfinite(logits).all(), right, jnp.nan)


def _accuracy(model: Any, moments, trained, data: DeviceData, split: Split) -> float:
    """The accuracy on a split; NaN for a child that diverged."""
    if bool(trained.diverged):
        return float("nan")
    count, hits = len(split.labels), 0.0
    for start in range(0, count, _TEST_BATCH):
        # The last batch is filled up, and the filling is not counted.
        rows = np.minimum(np.arange(start, start + _TEST_BATCH), count - 1)
        right = _right(model, moments, trained, data, split.images[rows], split.labels[rows])
        hits += float(np.asarray(right)[: count - start].sum())
    return hits / count
