"""The arms of `shufflenas.py`: where their children come from, and what training them gives.

An arm with one seed is one task. Its result is a JSON file in the folder of the work, so that a
benchmark that was stopped goes on after the last finished task.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib
import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from cell_networks import CLASSES, Family, families

from jaxnas.config import SearchConfig, SearcherConfig, TrainConfig
from jaxnas.data import Dataset
from jaxnas.derive import derive
from jaxnas.engine import DeviceData, Engine, Split, device_data
from jaxnas.runtime.experiment import make_searcher
from jaxnas.runtime.files import write_json
from jaxnas.runtime.json_values import from_json
from jaxnas.supernets import Supernet, child_network, count_flops
from jaxnas.training import Trainer


class Arm(NamedTuple):
    """Where children come from: `search`, `random`, or the `fixed` one of a family."""

    family: str
    source: str


ARMS = {
    "enas": Arm("enas", "search"),
    "enas_published": Arm("enas", "fixed"),
    "shufflenas": Arm("shufflenas", "search"),
    "shufflenet_v2": Arm("shufflenas", "fixed"),
    "random": Arm("shufflenas", "random"),
}


@dataclasses.dataclass(frozen=True)
class Budget:
    """What every arm may spend.

    Attributes:
      nodes: of a cell of ENAS (5, as published), and of a branch of ShuffleNASNets.
      channels: of ENAS's published cells, whose parameters all children are matched to.
      search_channels: of the shared-weight network, by family.
      search: the search, the same for both families.
      samples: children that are ranked by shared weights after it.
      trained: how many children of a search, or random ones, are trained; the best one on
        validation data is the result of the arm.
      training: the training of one child.
    """

    nodes: tuple[int, int]
    channels: int
    search_channels: dict[str, int]
    search: SearchConfig
    samples: int
    trained: int
    training: TrainConfig


@dataclasses.dataclass(frozen=True, eq=False)
class Contest:
    """All arms on one data set.

    Attributes:
      budget: what every arm may spend.
      dataset: the data.
      work: the folder of finished tasks.
    """

    budget: Budget
    dataset: Dataset
    work: pathlib.Path

    @property
    def families(self) -> dict[str, Family]:
        """Both families of networks."""
        return families(*self.budget.nodes)

    @functools.cached_property
    def data(self) -> DeviceData:
        """The train and validation splits on the device."""
        return device_data(self.dataset)

    @functools.cached_property
    def test(self) -> Split:
        """The test split on the device."""
        return Split(jnp.asarray(self.dataset.test_images), jnp.asarray(self.dataset.test_labels))

    @functools.cached_property
    def target(self) -> int:
        """The parameters that all children are matched to."""
        enas = self.families["enas"]
        return enas.parameters(np.array(enas.fixed), self.budget.channels, self.dataset.image_shape)

    @property
    def terms(self) -> dict[str, Any]:
        """What finished tasks depend on, as plain values."""
        about = {"data": self.dataset.name, "sizes": self.dataset.sizes, "target": self.target}
        return json.loads(json.dumps(about | dataclasses.asdict(self.budget)))

    def run(self, name: str, seed: int) -> list[dict[str, Any]]:
        """The rows of the children of an arm, from its file if it is finished."""
        path = self.work / f"{name}-{seed}.json"
        if path.is_file():
            done = from_json(json.loads(path.read_text()))
            if done["terms"] != self.terms:
                raise SystemExit(f"{path} is of other data or another budget: give another --work.")
            return done["rows"]
        rows = self._rows(name, ARMS[name], seed)
        self.work.mkdir(parents=True, exist_ok=True)
        write_json(path, {"terms": self.terms, "rows": rows})
        # Each child has programs of its own width; a process cannot hold those of all.
        jax.clear_caches()
        return rows

    def _rows(self, name: str, arm: Arm, seed: int) -> list[dict[str, Any]]:
        family, start = self.families[arm.family], time.process_time()
        children = self._children(arm, seed)
        searched = time.process_time() - start
        rows = []
        for i, (architecture, shared) in enumerate(children):
            row = {"arm": name, "seed": seed, "child": i, "search_cpu_seconds": round(searched, 1)}
            shared_accuracy = None if np.isnan(shared) else round(float(shared), 4)
            key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), 1), i)
            row |= {"shared_accuracy": shared_accuracy} | self._train(family, architecture, key)
            rows.append(row)
        return rows

    def _children(self, arm: Arm, seed: int) -> list[tuple[np.ndarray, float]]:
        """Architectures with their shared-weight accuracies, NaN where there is none."""
        family = self.families[arm.family]
        if arm.source == "fixed":
            return [(np.array(family.fixed, np.int32), np.nan)]
        key = jax.random.fold_in(jax.random.key(seed), 0)
        if arm.source == "random":
            space = family.network(self.budget.channels, self.dataset.image_shape).space
            return [(a, np.nan) for a in np.asarray(space.sample(key, self.budget.trained))]
        return self._search(arm.family, key)

    def _search(self, name: str, key: jax.Array) -> list[tuple[np.ndarray, float]]:
        """The best children of a search by shared weights."""
        config = self.families[name].search(self.budget.search_channels[name])
        network = config.build(self.dataset.image_shape, CLASSES)
        searcher = make_searcher(network.space, SearcherConfig())
        sizes = self.dataset.sizes
        engine = Engine(
            Supernet(network), searcher, self.budget.search, sizes["train"], sizes["validation"]
        )
        state = engine.init(key)
        while int(state.step) < engine.total_steps:
            state, _ = engine.step(state, self.data)
        best = derive(engine, state, self.data, self.budget.samples)
        return list(zip(*best, strict=True))[: self.budget.trained]

    def _train(self, family: Family, architecture: np.ndarray, key: jax.Array) -> dict[str, Any]:
        """Trains one child at the width that matches the target, and measures it."""
        shape, start = self.dataset.image_shape, time.process_time()
        channels = family.channels(architecture, self.target, shape)
        network = family.network(channels, shape)
        child = child_network(network, architecture)
        trainer = Trainer(child, self.budget.training, self.dataset.sizes["train"])
        trained = trainer.train(key, self.data, [0])
        accuracy = functools.partial(trainer.accuracy, trained, data=self.data, architecture=[0])
        return {
            "architecture": [int(action) for action in architecture],
            "channels": channels,
            "parameters": child.count_parameters(),
            "macs": count_flops(network, architecture) // 2,
            "validation_accuracy": accuracy(self.data.validation),
            "test_accuracy": accuracy(self.test),
            "train_cpu_seconds": round(time.process_time() - start, 1),
        }


def chosen(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The child with the highest validation accuracy; one that diverged comes last."""
    return max(rows, key=lambda row: np.nan_to_num(row["validation_accuracy"], nan=-1.0))
