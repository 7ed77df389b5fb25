"""The run of a search over shared weights in its folder: search, children, result, report."""

from __future__ import annotations

import dataclasses

import jax

from jaxnas.runtime import outcome
from jaxnas.runtime.checkpoint import Checkpoints
from jaxnas.runtime.child_latency import add_latencies
from jaxnas.runtime.children import ChildrenPhase, tasks
from jaxnas.runtime.experiment import Experiment
from jaxnas.runtime.latency import load_latency, measure_latency, save_latency
from jaxnas.runtime.metrics import MetricsWriter
from jaxnas.runtime.progress import Progress
from jaxnas.runtime.report import write_report
from jaxnas.runtime.run_folder import RunFolder
from jaxnas.runtime.timing import Timing

LATENCY_TABLE = "latency.json"


def run(
    experiment: Experiment,
    folder: RunFolder,
    quiet: bool | None,
    tensorboard: bool,
    command: str,
) -> None:
    """Runs an experiment from where it was left to its end.

    Args:
      experiment: the experiment.
      folder: its run folder.
      quiet: whether to show no progress.
      tensorboard: whether to write TensorBoard events too.
      command: what the report names as the command.
    """
    config = experiment.config
    checkpoints, timing = Checkpoints(folder.checkpoints), Timing(folder.path)
    count = config.derive.retrain + config.derive.random
    total = experiment.engine.total_steps + count * config.train.epochs
    with (
        Progress(total, quiet) as progress,
        MetricsWriter(folder.path, tensorboard=tensorboard) as metrics,
    ):
        progress.log(f"{config.name} on {experiment.dataset.name}: run folder {folder.path}")
        experiment = with_costs(experiment, folder)
        state = experiment.search(checkpoints, metrics, progress, timing)
        best, random = experiment.candidates(state)
        timing.save("derive")
        children = ChildrenPhase(experiment, tasks(best, random), folder.path, state.params)
        records = children.run(metrics, progress, timing)
        jax.block_until_ready(state)
        shape, repeats = experiment.dataset.image_shape, config.derive.latency_repeats
        add_latencies(records, folder.path, shape, repeats)
        timing.save("latency")
        outcome.write(experiment, state, records, folder.path, command, timing)
        timing.save("report")
        write_report(folder.path)


def with_costs(experiment: Experiment, folder: RunFolder) -> Experiment:
    """With the table of the run's folder, measured now if there is none, where it is needed."""
    if experiment.config.search.cost.unit != "seconds":
        return experiment
    path = folder.path / LATENCY_TABLE
    if not path.exists():
        save_latency(path, measure_latency(experiment.network))
    return dataclasses.replace(experiment, table=load_latency(path, experiment.network))
