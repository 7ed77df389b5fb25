"""The run of an instance-aware search in its folder: table, stages, baselines, result, report."""

from __future__ import annotations

import jax

from jaxnas.runtime import instance_outcome
from jaxnas.runtime.baselines import BaselinePhase
from jaxnas.runtime.checkpoint import Checkpoints
from jaxnas.runtime.instance_experiment import InstanceExperiment
from jaxnas.runtime.metrics import MetricsWriter
from jaxnas.runtime.progress import Progress
from jaxnas.runtime.report import write_report
from jaxnas.runtime.run_folder import RunFolder
from jaxnas.runtime.search_phase import run_search
from jaxnas.runtime.timing import Timing


def run(
    experiment: InstanceExperiment,
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
    # Its window is checked with the table, before any work but the measuring.
    experiment = experiment.with_table(folder.path)
    config, search = experiment.config, experiment.search
    checkpoints, timing = Checkpoints(folder.checkpoints), Timing(folder.path)
    experiment.baseline_latency(folder.path)
    timing.save("latency")
    total = search.total_steps + len(config.widths) * config.train.epochs
    with (
        Progress(total, quiet) as progress,
        MetricsWriter(folder.path, tensorboard=tensorboard) as metrics,
    ):
        progress.log(f"{config.name} on {experiment.dataset.name}: run folder {folder.path}")
        key, data = experiment.key("search"), experiment.data
        state = run_search(search, key, data, checkpoints, metrics, progress, timing)
        baselines = BaselinePhase(experiment, folder.path).run(metrics, progress, timing)
        jax.block_until_ready(state)
        instance_outcome.write(experiment, state, baselines, folder.path, command, timing)
        timing.save("report")
        write_report(folder.path)
