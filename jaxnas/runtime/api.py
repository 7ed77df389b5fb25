"""`jaxnas.search`: a whole experiment in one call, from Python, a notebook or the command line."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import jax
import numpy as np

from jaxnas.config import Config
from jaxnas.data import Dataset
from jaxnas.export import ChildModule
from jaxnas.population_config import PopulationConfig
from jaxnas.runtime import compilation_cache, outcome, population_run
from jaxnas.runtime.checkpoint import Checkpoints
from jaxnas.runtime.children import ChildrenPhase, tasks
from jaxnas.runtime.configs import config_of_run, load_config
from jaxnas.runtime.errors import ConfigError
from jaxnas.runtime.experiment import Experiment
from jaxnas.runtime.json_values import to_json
from jaxnas.runtime.metrics import MetricsWriter, read_metrics
from jaxnas.runtime.overrides import override
from jaxnas.runtime.population_experiment import PopulationExperiment
from jaxnas.runtime.progress import Progress
from jaxnas.runtime.report import show, write_report
from jaxnas.runtime.run_data import (
    DIGEST,
    check_same_data,
    data_digest,
    load_dataset,
    with_own_data,
)
from jaxnas.runtime.run_folder import RunFolder, read_config
from jaxnas.runtime.saved_child import find
from jaxnas.runtime.saved_population_child import PopulationChildModule
from jaxnas.runtime.timing import Timing

AnyExperiment = Experiment | PopulationExperiment


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in a run that can be resumed; its text is the run folder."""


@dataclasses.dataclass(frozen=True, eq=False)
class SearchResult:
    """What a finished search found; shows itself with pictures in a notebook.

    Attributes:
      run_dir: the run folder.
      values: the content of its `result.json`.
      architecture: the best child, `int32 [T]`.
      module: that child with its weights, a Flax NNX module from images to logits.
    """

    run_dir: pathlib.Path
    values: dict[str, Any]
    architecture: np.ndarray
    module: ChildModule | PopulationChildModule

    @property
    def history(self) -> list[dict[str, Any]]:
        """The lines of `metrics.jsonl`."""
        return read_metrics(self.run_dir)

    @property
    def test_accuracy(self) -> float:
        """The test accuracy of the best child."""
        return self.values["test_accuracy"]

    def __repr__(self) -> str:
        return repr(show(self.run_dir))

    def _repr_html_(self) -> str:
        return show(self.run_dir)._repr_html_()


def search(
    config: str | Config | PopulationConfig | None = None,
    *,
    data: Any = None,
    seed: int | None = None,
    overrides: tuple[str, ...] | list[str] = (),
    run_dir: str | pathlib.Path | None = None,
    resume: str | pathlib.Path | None = None,
    quiet: bool | None = None,
    tensorboard: bool = False,
    command: str | None = None,
) -> SearchResult:
    """Searches, trains the best children beside random ones, and writes a run folder.

    Args:
      config: the name of a shipped configuration, the path of one, or a `Config`; `enas_digits` by
        default, or with `resume` that of the run.
      data: your own arrays `(images, labels)` or `((images, labels), (test images, test
        labels))`, or a `Dataset`; what the configuration names by default.
      seed: of everything; the configuration's by default.
      overrides: `KEY=VALUE` assignments, as for `jaxnas search --set`.
      run_dir: the run folder; `runs/NAME-SEED-DATE` by default.
      resume: the folder of a run to go on with. What is given besides must be what the run was
        started with.
      quiet: whether to show no progress.
      tensorboard: whether to write TensorBoard events too (extra `tensorboard`).
      command: what the report names as the command.

    Returns:
      The result; `result.module(images)` gives logits.

    Raises:
      ConfigError: an unknown configuration or override.
      DataError: data that cannot be read or used.
      RunError: a run folder that cannot be used.
      Interrupted: Ctrl-C; the run is saved, and `resume` goes on with it.

    Example:
      >>> result = search("enas_digits", seed=0)  # doctest: +SKIP
      >>> result.test_accuracy  # doctest: +SKIP
    """
    compilation_cache.enable()
    chosen = with_own_data(_config(config, seed, overrides, resume), data)
    dataset = load_dataset(chosen, data)
    experiment = _experiment(chosen, dataset)
    with _open(experiment, run_dir, resume) as folder:
        try:
            _run(experiment, folder, quiet, tensorboard, command or _call(chosen, overrides))
        except KeyboardInterrupt as error:
            raise Interrupted(str(folder.path)) from error
        return load_result(folder.path)


def load_result(run_dir: str | pathlib.Path) -> SearchResult:
    """Reads a finished run; raises `RunError` where it is not finished."""
    path = pathlib.Path(run_dir)
    values = outcome.read(path)
    child = find(path)
    return SearchResult(path, values, child.architecture, child.module())


def _experiment(config: Config | PopulationConfig, dataset: Dataset) -> AnyExperiment:
    if isinstance(config, PopulationConfig):
        return PopulationExperiment(config, dataset)
    return Experiment(config, dataset)


def _config(config, seed, overrides, resume) -> Config | PopulationConfig:
    if config is None and resume is not None:
        config = config_of_run(read_config(resume))
    config = "enas_digits" if config is None else config
    chosen = override(load_config(config) if isinstance(config, str) else config, overrides)
    return chosen if seed is None else dataclasses.replace(chosen, seed=seed)


def _open(experiment: AnyExperiment, run_dir, resume) -> RunFolder:
    config, dataset = experiment.config, experiment.dataset
    stored = dataclasses.asdict(config) | {DIGEST: data_digest(dataset)}
    if resume is None:
        return RunFolder.create(run_dir, name=config.name, seed=config.seed, config=stored)
    if run_dir is not None and pathlib.Path(run_dir) != pathlib.Path(resume):
        raise ConfigError(f"--resume {resume} goes on in that folder: leave --run-dir out.")
    # Data first: where only they differ, two digests would be all that the message says.
    if read_config(resume) | {DIGEST: ""} == to_json(stored | {DIGEST: ""}):
        check_same_data(resume, dataset)
    return RunFolder.resume(resume, config=stored)


def _call(config: Config | PopulationConfig, overrides) -> str:
    options = f", overrides={list(overrides)!r}" if overrides else ""
    return f"jaxnas.search({config.name!r}, seed={config.seed}{options})"


def _run(
    experiment: AnyExperiment, folder: RunFolder, quiet, tensorboard: bool, command: str
) -> None:
    if isinstance(experiment, PopulationExperiment):
        population_run.run(experiment, folder, quiet, tensorboard, command)
        return
    config = experiment.config
    checkpoints, timing = Checkpoints(folder.checkpoints), Timing(folder.path)
    count = config.derive.retrain + config.derive.random
    total = experiment.engine.total_steps + count * config.train.epochs
    with (
        Progress(total, quiet) as progress,
        MetricsWriter(folder.path, tensorboard=tensorboard) as metrics,
    ):
        progress.log(f"{config.name} on {experiment.dataset.name}: run folder {folder.path}")
        state = experiment.search(checkpoints, metrics, progress, timing)
        best, random = experiment.candidates(state)
        timing.save("derive")
        children = ChildrenPhase(experiment, tasks(best, random), folder.path, state.params)
        records = children.run(metrics, progress, timing)
        jax.block_until_ready(state)
        outcome.write(experiment, state, records, folder.path, command, timing)
        timing.save("report")
        write_report(folder.path)
