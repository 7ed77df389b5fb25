"""An experiment in which every image gets its own architecture: its parts, and its run.

Source: Cheng et al. 2018, "InstaNAS" (arXiv:1811.10201).
"""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib

import jax

from jaxnas.config_checks import check_batch
from jaxnas.data import Dataset
from jaxnas.engine import DeviceData, device_data
from jaxnas.instance.config import InstanceConfig
from jaxnas.instance.search import InstanceSearch
from jaxnas.objectives import LatencyTable, WindowSchedule, flops_table, published_window
from jaxnas.policies.instance import InstancePolicy
from jaxnas.runtime.files import write_json
from jaxnas.runtime.latency import load_latency, measure_latency, save_latency
from jaxnas.runtime.saved_instance import make_policy
from jaxnas.supernets import Network, Supernet

TABLE, BASELINES = "latency.json", "baseline_latency.json"


@dataclasses.dataclass(frozen=True, eq=False)
class InstanceExperiment:
    """The parts of an experiment, built and checked before any work is done.

    Attributes:
      config: its configuration.
      dataset: its data.
      table: what operations cost; by default what the configuration names, and none yet where
        that is to be measured.

    Raises:
      ValueError: data, network, latency window or options that do not fit each other.
    """

    config: InstanceConfig
    dataset: Dataset
    table: LatencyTable | None = None

    def __post_init__(self):
        sizes = self.dataset.sizes
        check_batch("train.batch_size", self.config.train.batch_size, "train", sizes["train"])
        for width in self.config.widths:
            self.baseline(width)
        source = self.config.latency.table
        if self.table is None and source != "measured":
            flops = source == "FLOPs"
            table = flops_table(self.network, self.policy.flops) if flops else None
            object.__setattr__(self, "table", table or load_latency(source, self.network))
        if self.table is not None:
            self.search  # noqa: B018  build now: what does not fit fails before any work

    @functools.cached_property
    def network(self) -> Network:
        """The meta-graph."""
        return self.config.network.build(self.dataset.image_shape, self.dataset.num_classes)

    @functools.cached_property
    def policy(self) -> InstancePolicy:
        """The policy over its space."""
        return make_policy(self.network, self.config.controller)

    @functools.cached_property
    def window(self) -> WindowSchedule:
        """The latencies that are rewarded."""
        assert self.table is not None
        options = self.config.latency
        return published_window(
            self.table,
            self.network,
            baseline=options.baseline,
            start=options.start,
            end=options.end,
            lower=options.lower,
        )

    @functools.cached_property
    def search(self) -> InstanceSearch:
        """The three stages."""
        assert self.table is not None
        sizes = self.dataset.sizes
        return InstanceSearch(
            Supernet(self.network),
            self.policy,
            self.table,
            self.window,
            self.config,
            sizes["train"],
            sizes["validation"],
        )

    @functools.lru_cache(maxsize=8)  # noqa: B019  one network per width, so that programs are shared
    def baseline(self, width: float) -> Network:
        """MobileNetV2 at a width."""
        shape, classes = self.dataset.image_shape, self.dataset.num_classes
        return self.config.network.build_baseline(shape, classes, width)

    @functools.cached_property
    def data(self) -> DeviceData:
        """The train and validation splits on the device."""
        return device_data(self.dataset)

    def key(self, stream: str) -> jax.Array:
        """The PRNG key of one part of the experiment."""
        number = ("search", "baselines", "arms").index(stream)
        return jax.random.fold_in(jax.random.key(self.config.seed), number)

    def with_table(self, folder: pathlib.Path) -> InstanceExperiment:
        """The experiment with its latency table, which is kept in the run folder.

        What is measured is measured once: a resumed run goes on with the table that it began with.

        Raises:
          ConfigError: a table of another network or device.
        """
        kept = folder / TABLE
        if kept.is_file():
            table = load_latency(kept, self.network)
        else:
            table = self.table or measure_latency(self.network, self.policy)
        if not kept.is_file():
            save_latency(kept, table)
        return dataclasses.replace(self, table=table)

    def baseline_latency(self, folder: pathlib.Path) -> dict[float, float]:
        """What MobileNetV2 costs at each width, by a table of the same kind; kept too."""
        assert self.table is not None
        path = folder / BASELINES
        if not path.is_file():
            costs = {str(width): self.cost_of_width(width) for width in self.config.widths}
            write_json(path, costs)
        return {float(width): cost for width, cost in json.loads(path.read_text()).items()}

    def cost_of_width(self, width: float) -> float:
        """What MobileNetV2 at a width costs an image, by a table of the same kind."""
        assert self.table is not None
        network = self.baseline(width)
        table = flops_table(network) if self.table.unit == "FLOPs" else measure_latency(network)
        # Every image runs all of its operations, each once.
        return float(sum(table.costs.values()))
