"""One space of `ranking.py`: children by shared weights under each policy, and trained alone."""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas import searchers
from jaxnas.config import (
    EnasMicroConfig,
    SearchConfig,
    ShuffleNasConfig,
    TrainConfig,
)
from jaxnas.data import Dataset
from jaxnas.data.batches import normalize
from jaxnas.engine import Engine, Split, device_data
from jaxnas.evaluators.shared import shared
from jaxnas.runtime.files import write_json
from jaxnas.supernets import Network, Supernet, children_network
from jaxnas.supernets.executors import host
from jaxnas.training import Trainer

SPACES = {
    "enas_micro": EnasMicroConfig(cells=3, nodes=5, channels=8, dropout=0.0),
    "shufflenas": ShuffleNasConfig(channels=32, depths=(1, 2, 2), dropout=0.0),
}
POLICIES = ("batch", "own", "common")
MOMENT_BATCHES = 8


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What is trained: the shared weights, and how many children alone, each how often."""

    shared: SearchConfig
    alone: TrainConfig
    children: int
    trainings: int


@dataclasses.dataclass(frozen=True, eq=False)
class Study:
    """One space on one data set."""

    name: str
    recipe: Recipe
    dataset: Dataset
    work: pathlib.Path

    @functools.cached_property
    def network(self) -> Network:
        """The shared-weight network."""
        return SPACES[self.name].build(self.dataset.image_shape, self.dataset.num_classes)

    @functools.cached_property
    def architectures(self) -> np.ndarray:
        """The children that are ranked, `int32 [A, T]`."""
        return np.asarray(self.network.space.sample(jax.random.key(1), self.recipe.children))

    @functools.cached_property
    def data(self):
        """The train and validation splits on the device."""
        return device_data(self.dataset)

    def shared_accuracies(self) -> dict[str, list[float]]:
        """The accuracies `[A]` with shared weights, by policy."""
        return self._kept("shared", self._shared_accuracies)

    def standalone_accuracies(self) -> np.ndarray:
        """The accuracies `[trainings, A]` with weights of their own."""
        return np.array(
            [
                [
                    self._kept(f"child-{child}-{seed}", lambda c=child, s=seed: self._train(c, s))
                    for child in range(self.recipe.children)
                ]
                for seed in range(self.recipe.trainings)
            ]
        )

    def _kept(self, task: str, compute: Callable[[], Any]) -> Any:
        """The result of a task, from its file if it is finished."""
        path = self.work / f"{self.name}-{task}.json"
        about = {"data": self.dataset.name, "sizes": self.dataset.sizes}
        about |= {"network": dataclasses.asdict(SPACES[self.name])}
        terms = json.loads(json.dumps(about | dataclasses.asdict(self.recipe)))
        if path.is_file():
            done = json.loads(path.read_text())
            if done["terms"] != terms:
                raise SystemExit(f"{path} is of other data or another recipe: give another --work.")
            return done["result"]
        result = compute()
        self.work.mkdir(parents=True, exist_ok=True)
        write_json(path, {"terms": terms, "result": result})
        return result

    def _shared_accuracies(self) -> dict[str, list[float]]:
        params = self._shared_weights()
        images = normalize(self.data.validation.images, self.data.mean, self.data.std)
        labels, size = self.data.validation.labels, self.recipe.shared.reward_batch_size
        evaluate = shared(Supernet(self.network), params, images, labels, batch_size=size)
        moments = [self._moments(params, child) for child in self.architectures]
        own = [
            self._accuracy(params, *pair) for pair in zip(self.architectures, moments, strict=True)
        ]
        common = _mean_by_operation(moments)
        together = [self._accuracy(params, child, common) for child in self.architectures]
        batch = np.asarray(evaluate(self.architectures)).tolist()
        return {"batch": batch, "own": own, "common": together}

    def _shared_weights(self) -> Any:
        sizes = self.dataset.sizes
        searcher = searchers.random(self.network.space)
        engine = Engine(
            Supernet(self.network),
            searcher,
            self.recipe.shared,
            sizes["train"],
            sizes["validation"],
        )
        state = engine.init(jax.random.key(0))
        while int(state.step) < engine.total_steps:
            state, _ = engine.step(state, self.data)
        return state.params

    def _moments(self, params: Any, child: np.ndarray) -> dict[str, Any]:
        """The mean over batches of training images of the moments of a child."""
        plan, size = Supernet(self.network).plan([child]), self.recipe.shared.batch_size
        batches = min(MOMENT_BATCHES, self.dataset.sizes["train"] // size)
        images = normalize(self.data.train.images[: batches * size], self.data.mean, self.data.std)
        measured = [
            host.measure_moments(plan, params, images[i * size : (i + 1) * size])
            for i in range(batches)
        ]
        return jax.tree.map(lambda *leaves: jnp.mean(jnp.stack(leaves), 0), *measured)

    def _accuracy(self, params: Any, child: np.ndarray, moments: dict[str, Any]) -> float:
        """The accuracy of a child on the same validation images with given moments."""
        plan, size = Supernet(self.network).plan([child]), self.recipe.shared.reward_batch_size
        images = normalize(self.data.validation.images, self.data.mean, self.data.std)
        labels = np.asarray(self.data.validation.labels)
        hits = [
            np.asarray(host.forward(plan, params, images[i : i + size], moments=moments))[0].argmax(
                -1
            )
            == labels[i : i + size]
            for i in range(0, len(labels) - size + 1, size)
        ]
        return float(np.mean(hits))

    @functools.cached_property
    def _trainer(self) -> Trainer:
        network = children_network(self.network, self.architectures)
        return Trainer(network, self.recipe.alone, self.dataset.sizes["train"])

    def _train(self, child: int, seed: int) -> float:
        """The stand-alone accuracy of a child; 0 if it diverged."""
        key = jax.random.fold_in(jax.random.key(2 + seed), child)
        trained = self._trainer.train(key, self.data, [child])
        test = Split(jnp.asarray(self.dataset.test_images), jnp.asarray(self.dataset.test_labels))
        parts = [
            (self._trainer.accuracy(trained, split, self.data, [child]), len(split.labels))
            for split in (self.data.validation, test)
        ]
        hits = sum(np.nan_to_num(accuracy) * count for accuracy, count in parts)
        return float(hits / sum(count for _, count in parts))


def _mean_by_operation(moments: list[dict[str, Any]]) -> dict[str, Any]:
    """For each operation the mean of its moments over the children that apply it."""
    found: dict[str, list[Any]] = {}
    for of_child in moments:
        for key, value in of_child.items():
            found.setdefault(key, []).append(value)
    return {
        key: jax.tree.map(lambda *leaves: jnp.mean(jnp.stack(leaves), 0), *values)
        for key, values in found.items()
    }
