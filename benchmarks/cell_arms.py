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
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from cell_budget import ARMS, Arm, Budget, Candidate
from cell_networks import CLASSES, Family, families

from jaxnas.config import SearcherConfig
from jaxnas.data import Dataset
from jaxnas.derive import derive
from jaxnas.engine import DeviceData, Engine, Split, device_data
from jaxnas.runtime.experiment import make_searcher
from jaxnas.runtime.files import write_json
from jaxnas.runtime.json_values import from_json
from jaxnas.supernets import Network, Supernet, child_network, children_network, count_flops
from jaxnas.training import Trainer


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
            row |= candidate.picked_by() | self.train(family, candidate.architecture, key)
            rows.append(row)
        return rows

    def _children(self, arm: Arm, seed: int) -> list[Candidate]:
        """What is trained."""
        family, budget = self.families[arm.family], self.budget
        if arm.source == "fixed":
            return [Candidate(np.array(family.fixed, np.int32))]
        key = jax.random.fold_in(jax.random.key(seed), 0)
        network = self.search_network(arm.family)
        searched, beside = [], budget.shortlist[1]
        if arm.source == "search":
            searched = self._search(network, key)
        elif arm.source == "shortlist":
            beside = sum(budget.shortlist)
        count = budget.trained if arm.source == "random" else beside
        uniform = [Candidate(a) for a in np.asarray(network.space.sample(key, count))]
        if arm.source == "random":
            return uniform
        return self._shortlisted(network, key, searched, uniform)

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
        return [Candidate(*pair) for pair in zip(*best, strict=True)][: self.budget.shortlist[0]]

    def _shortlisted(
        self,
        network: Network,
        key: jax.Array,
        searched: list[Candidate],
        uniform: list[Candidate],
    ) -> list[Candidate]:
        """The best of the candidates after a short training of each."""
        candidates, count = searched + uniform, len(searched)
        found = self.short_accuracies(network, key, [c.architecture for c in candidates])
        # One that diverged counts as 0.
        accuracies = np.nan_to_num(found)
        means = [float(x.mean()) if len(x) else math.nan for x in np.split(accuracies, [count])]
        best = np.argsort(-accuracies, kind="stable")[: self.budget.trained]
        return [Candidate(*candidates[i][:2], found[i], *means) for i in best]

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
