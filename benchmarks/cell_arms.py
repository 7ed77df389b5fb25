"""The arms of `shufflenas.py`: where their children come from, and what training them gives.

An arm with one seed is one task. Its result is a JSON file in the folder of the work, so that a
benchmark that was stopped goes on after the last finished task.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import pathlib
import time
from collections.abc import Sequence
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
from jaxnas.supernets import Network, Supernet, child_network, children_network, count_flops
from jaxnas.training import Trainer


class Arm(NamedTuple):
    """Where children come from.

    `search`: a search and then short trainings; `shortlist`: short trainings of random children;
    `random`; or the `fixed` one of a family.
    """

    family: str
    source: str


ARMS = {
    "enas": Arm("enas", "search"),
    "enas_published": Arm("enas", "fixed"),
    "shufflenas": Arm("shufflenas", "search"),
    "shufflenet_v2": Arm("shufflenas", "fixed"),
    "random": Arm("shufflenas", "random"),
    "random_shortlist": Arm("shufflenas", "shortlist"),
}


class Candidate(NamedTuple):
    """An architecture `[T]` with the validation accuracies that it was picked by, else NaN.

    Attributes:
      architecture: of its space.
      shared_accuracy: with shared weights.
      short_accuracy: after a short training of its own.
      list_accuracy: the mean of the latter over all that were trained shortly beside it.
    """

    architecture: np.ndarray
    shared_accuracy: float = math.nan
    short_accuracy: float = math.nan
    list_accuracy: float = math.nan


@dataclasses.dataclass(frozen=True)
class Budget:
    """What every arm may spend.

    Attributes:
      nodes: of a cell of ENAS (5, as published), and of a branch of ShuffleNASNets.
      channels: of ENAS's published cells, whose parameters all children are matched to.
      search_channels: of the shared-weight network, by family.
      search: the search, the same for both families.
      samples: children that are ranked by shared weights after it.
      shortlist: how many of the best of those are trained shortly.
      short: that training, in the network of the search but with weights of its own.
      trained: how many children of a search, the best ones after the short training, or random
        ones are trained; the best one on validation data is the result of the arm.
      training: the training of one child.
    """

    nodes: tuple[int, int]
    channels: int
    search_channels: dict[str, int]
    search: SearchConfig
    samples: int
    shortlist: int
    short: TrainConfig
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

    def search_network(self, family: str) -> Network:
        """The network in which a family is searched."""
        config = self.families[family].search(self.budget.search_channels[family])
        return config.build(self.dataset.image_shape, CLASSES)

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
        for i, candidate in enumerate(children):
            row = {"arm": name, "seed": seed, "child": i, "search_cpu_seconds": round(searched, 1)}
            key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), 1), i)
            row |= _picked_by(candidate) | self.train(family, candidate.architecture, key)
            rows.append(row)
        return rows

    def _children(self, arm: Arm, seed: int) -> list[Candidate]:
        """What is trained."""
        family, budget = self.families[arm.family], self.budget
        if arm.source == "fixed":
            return [Candidate(np.array(family.fixed, np.int32))]
        key = jax.random.fold_in(jax.random.key(seed), 0)
        network = self.search_network(arm.family)
        if arm.source == "search":
            return self._shortlisted(network, key, self._search(network, key))
        count = budget.trained if arm.source == "random" else budget.shortlist
        uniform = [Candidate(a) for a in np.asarray(network.space.sample(key, count))]
        return uniform if arm.source == "random" else self._shortlisted(network, key, uniform)

    def _search(self, network: Network, key: jax.Array) -> list[Candidate]:
        """The best children of a search by shared weights."""
        searcher = make_searcher(network.space, SearcherConfig())
        sizes = self.dataset.sizes
        engine = Engine(
            Supernet(network), searcher, self.budget.search, sizes["train"], sizes["validation"]
        )
        state = engine.init(key)
        while int(state.step) < engine.total_steps:
            state, _ = engine.step(state, self.data)
        best = derive(engine, state, self.data, self.budget.samples)
        return [Candidate(*pair) for pair in zip(*best, strict=True)][: self.budget.shortlist]

    def _shortlisted(
        self, network: Network, key: jax.Array, candidates: list[Candidate]
    ) -> list[Candidate]:
        """The best of the candidates after a short training of each."""
        accuracies = self.short_accuracies(network, key, [c.architecture for c in candidates])
        mean, ranks = float(np.nanmean(accuracies)), np.nan_to_num(accuracies, nan=-1.0)
        best = np.argsort(-ranks, kind="stable")[: self.budget.trained]
        return [
            candidates[i]._replace(short_accuracy=accuracies[i], list_accuracy=mean) for i in best
        ]

    def short_accuracies(
        self, network: Network, key: jax.Array, architectures: Sequence[np.ndarray]
    ) -> list[float]:
        """The validation accuracies of children of one network after a short training of each.

        Weights are each child's own. All have the width of the network, so that they share its
        programs: at their own widths compiling would take longer than the training.
        """
        children = children_network(network, architectures)
        trainer = Trainer(children, self.budget.short, self.dataset.sizes["train"])
        keys = jax.random.split(jax.random.fold_in(key, 0), len(architectures))
        accuracies = []
        for i, child_key in enumerate(keys):
            trained = trainer.train(child_key, self.data, [i])
            accuracies.append(trainer.accuracy(trained, self.data.validation, self.data, [i]))
        return accuracies

    def train(self, family: Family, architecture: np.ndarray, key: jax.Array) -> dict[str, Any]:
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


def _picked_by(candidate: Candidate) -> dict[str, float | None]:
    """The accuracies that a candidate was picked by, as plain values."""
    values = candidate._asdict()
    del values["architecture"]
    return {name: None if np.isnan(x) else round(float(x), 4) for name, x in values.items()}
