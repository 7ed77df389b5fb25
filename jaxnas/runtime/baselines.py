"""MobileNetV2 at several widths, trained for comparison with an instance-aware search."""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib
from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.engine import Split
from jaxnas.runtime.files import write_json
from jaxnas.runtime.instance_experiment import InstanceExperiment
from jaxnas.runtime.json_values import from_json
from jaxnas.runtime.metrics import MetricsWriter
from jaxnas.runtime.packing import digest
from jaxnas.runtime.progress import Progress
from jaxnas.runtime.timing import Timing
from jaxnas.training import TrainedChild, Trainer

FOLDER = "baselines"


@dataclasses.dataclass(frozen=True, eq=False)
class BaselinePhase:
    """The training of the baselines of an experiment; a finished one is not trained again.

    Attributes:
      experiment: the experiment, with its latency table.
      folder: the run folder.
    """

    experiment: InstanceExperiment
    folder: pathlib.Path

    def run(
        self, metrics: MetricsWriter, progress: Progress, timing: Timing
    ) -> list[dict[str, Any]]:
        """Trains each width, and returns the records of all of them."""
        config = self.experiment.config
        progress.phase("train", config.train.epochs * len(config.widths))
        # Lines of a network that was half trained when its process died are written anew.
        done = sum(self._path(width).is_file() for width in config.widths)
        first = self.experiment.search.total_steps
        metrics.rewind(first + done * config.train.epochs - 1)
        records = []
        for number, width in enumerate(config.widths):
            path = self._path(width)
            if path.is_file():
                progress.advance(steps=config.train.epochs)
            else:
                start = first + number * config.train.epochs
                report = functools.partial(_report, metrics, progress, timing, start, width)
                write_json(path, self._train(number, width, report))
                timing.save("train")
            records.append(from_json(json.loads(path.read_text())))
        return records

    def _path(self, width: float) -> pathlib.Path:
        (self.folder / FOLDER).mkdir(exist_ok=True)
        return self.folder / FOLDER / f"width-{width:g}.json"

    def _train(self, number: int, width: float, report: Any) -> dict[str, Any]:
        experiment = self.experiment
        network, dataset = experiment.baseline(width), experiment.dataset
        trainer = Trainer(network, experiment.config.train, dataset.sizes["train"])
        key = jax.random.fold_in(experiment.key("baselines"), number)
        trained: TrainedChild = trainer.train(key, experiment.data, [0], report=report)
        test = Split(jnp.asarray(dataset.test_images), jnp.asarray(dataset.test_labels))
        accuracy = functools.partial(
            trainer.accuracy, trained, data=experiment.data, architecture=[0]
        )
        return {
            "name": f"mobilenet_v2 {width:g}x",
            "width": width,
            "validation_accuracy": accuracy(experiment.data.validation),
            "test_accuracy": accuracy(test),
            "latency": experiment.baseline_latency(self.folder)[width],
            "parameters": network.count_parameters(),
            "diverged": trained.diverged,
            "weights_digest": digest(trained.params),
        }


def _report(
    metrics: MetricsWriter,
    progress: Progress,
    timing: Timing,
    start: int,
    width: float,
    summary: dict[str, Any],
) -> None:
    name = f"mobilenet_v2 {width:g}x"
    line = {"phase": "train", "child": name, **summary, "seconds": timing.elapsed()}
    metrics.write(start + summary["epoch"], line)
    progress.advance({"child": name, "loss": summary["loss"]})
