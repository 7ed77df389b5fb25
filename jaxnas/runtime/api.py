"""`jaxnas.search`: a whole experiment in one call, from Python, a notebook or the command line."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxnas.export import ChildModule
from jaxnas.instance.config import InstanceConfig
from jaxnas.instance.export import InstanceModule
from jaxnas.population_config import PopulationConfig
from jaxnas.runtime import (
    compilation_cache,
    instance_run,
    outcome,
    population_run,
    supernet_run,
    tasks_run,
)
from jaxnas.runtime.configs import DEFAULT_CONFIG, config_of_run, load_config
from jaxnas.runtime.errors import ConfigError, memory_errors
from jaxnas.runtime.experiment import Experiment
from jaxnas.runtime.image_population import ImagePopulationExperiment
from jaxnas.runtime.instance_experiment import InstanceExperiment
from jaxnas.runtime.json_values import to_json
from jaxnas.runtime.kinds import AnyConfig, transferred
from jaxnas.runtime.metrics import read_metrics
from jaxnas.runtime.overrides import batch_sizes, override
from jaxnas.runtime.population_experiment import PopulationExperiment
from jaxnas.runtime.report import show
from jaxnas.runtime.run_data import (
    DIGEST,
    check_same_data,
    data_digest,
    load_data,
    with_own_data,
)
from jaxnas.runtime.run_folder import RunFolder, read_config
from jaxnas.runtime.saved import best_of_tasks, find
from jaxnas.runtime.saved_instance import SavedInstance
from jaxnas.runtime.saved_language_model import LanguageModelModule
from jaxnas.runtime.saved_population_child import PopulationChildModule
from jaxnas.runtime.saved_task_child import SavedTaskChild, TaskChildModule
from jaxnas.runtime.tasks_experiment import TasksExperiment
from jaxnas.runtime.text_population import TextPopulationExperiment
from jaxnas.tasks_config import TasksConfig
from jaxnas.text_population_config import TextPopulationConfig

AnyExperiment = Experiment | InstanceExperiment | PopulationExperiment | TasksExperiment


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in a run that can be resumed; its text is the run folder."""


@dataclasses.dataclass(frozen=True, eq=False)
class SearchResult:
    """What a finished search found; shows itself with pictures in a notebook.

    Attributes:
      run_dir: the run folder.
      values: the content of its `result.json`.
      architecture: the best child, `int32 [T]`; `None` where every image or task has its own.
      module: that child with its weights, a Flax NNX module from images to logits, of a language
        model from tokens to logits; where every image has its own, from images to logits,
        architectures and latencies. Where several tasks were searched, a mapping of each to the
        module of its best child.
    """

    run_dir: pathlib.Path
    values: dict[str, Any]
    architecture: np.ndarray | None
    module: (
        ChildModule
        | InstanceModule
        | PopulationChildModule
        | LanguageModelModule
        | Mapping[str, TaskChildModule]
    )

    @property
    def history(self) -> list[dict[str, Any]]:
        """The lines of `metrics.jsonl`."""
        return read_metrics(self.run_dir)

    @property
    def test_accuracy(self) -> float:
        """The test accuracy of the best child; the mean over tasks where there are several."""
        return self.values["test_accuracy"]

    def __repr__(self) -> str:
        return repr(show(self.run_dir))

    def _repr_html_(self) -> str:
        return show(self.run_dir)._repr_html_()


def search(
    config: str | AnyConfig | None = None,
    *,
    data: Any = None,
    seed: int | None = None,
    overrides: tuple[str, ...] | list[str] = (),
    run_dir: str | pathlib.Path | None = None,
    resume: str | pathlib.Path | None = None,
    from_run: str | pathlib.Path | None = None,
    quiet: bool | None = None,
    tensorboard: bool = False,
    command: str | None = None,
) -> SearchResult:
    """Searches, trains the best children beside random ones, and writes a run folder.

    Args:
      config: the name of a shipped configuration, the path of one, a `Config` or an
        `InstanceConfig`; `enas_digits` by default, or with `resume` that of the run.
      data: your own arrays `(images, labels)` or `((images, labels), (test images, test
        labels))`, or a `Dataset`; for several tasks a mapping of their names to a `Dataset` or
        `LabelledTexts`; what the configuration names by default.
      seed: of everything; the configuration's by default.
      overrides: `KEY=VALUE` assignments, as for `jaxnas search --set`.
      run_dir: the run folder; `runs/NAME-SEED-DATE` by default.
      resume: the folder of a run to go on with. What is given besides must be what the run was
        started with.
      from_run: the folder of a finished search of several tasks, whose controller goes over to
        these ones with a fresh embedding for each (`TasksConfig` only).
      quiet: whether to show no progress.
      tensorboard: whether to write TensorBoard events too (extra `tensorboard`).
      command: what the report names as the command; a resumed run keeps that of its start.

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
    chosen = with_own_data(_config(config, seed, overrides, resume, from_run), data)
    dataset = load_data(chosen, data)
    experiment = _experiment(chosen, dataset, is_new=resume is None)
    with _open(experiment, run_dir, resume) as folder:
        try:
            line = folder.started_by(command or _call(chosen, overrides))
            with memory_errors(batch_sizes(chosen)):
                _run(experiment, folder, quiet, tensorboard, line)
        except KeyboardInterrupt as error:
            raise Interrupted(str(folder.path)) from error
        return load_result(folder.path)


def load_result(run_dir: str | pathlib.Path) -> SearchResult:
    """Reads a finished run; raises `RunError` where it is not finished."""
    path = pathlib.Path(run_dir)
    values = outcome.read(path)
    if "tasks" in values:
        modules = {task: found.module() for task, found in best_of_tasks(path, values).items()}
        return SearchResult(path, values, None, modules)
    child = find(path)
    assert not isinstance(child, SavedTaskChild)  # A run of several tasks has none of its own.
    architecture = None if isinstance(child, SavedInstance) else child.architecture
    return SearchResult(path, values, architecture, child.module())


def _experiment(config: AnyConfig, dataset: Any, is_new: bool) -> AnyExperiment:
    if isinstance(config, TasksConfig):
        return TasksExperiment(config, dataset, is_new)
    if isinstance(config, InstanceConfig):
        return InstanceExperiment(config, dataset)
    if isinstance(config, PopulationConfig):
        return ImagePopulationExperiment(config, dataset)
    if isinstance(config, TextPopulationConfig):
        return TextPopulationExperiment(config, dataset)
    return Experiment(config, dataset)


def _config(config, seed, overrides, resume, from_run) -> AnyConfig:
    if config is None and resume is not None:
        config = config_of_run(read_config(resume))
    config = DEFAULT_CONFIG if config is None else config
    chosen = override(load_config(config) if isinstance(config, str) else config, overrides)
    chosen = chosen if seed is None else dataclasses.replace(chosen, seed=seed)
    return chosen if from_run is None else transferred(chosen, str(from_run))


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


def _call(config: AnyConfig, overrides) -> str:
    options = f", overrides={list(overrides)!r}" if overrides else ""
    return f"jaxnas.search({config.name!r}, seed={config.seed}{options})"


def _run(experiment: AnyExperiment, folder: RunFolder, quiet, tensorboard: bool, command: str):
    if isinstance(experiment, InstanceExperiment):
        instance_run.run(experiment, folder, quiet, tensorboard, command)
    elif isinstance(experiment, TasksExperiment):
        tasks_run.run(experiment, folder, quiet, tensorboard, command)
    elif isinstance(experiment, PopulationExperiment):
        population_run.run(experiment, folder, quiet, tensorboard, command)
    else:
        supernet_run.run(experiment, folder, quiet, tensorboard, command)
