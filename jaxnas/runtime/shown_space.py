"""Which space `jaxnas show space` shows, and what a run's policy thinks of its actions."""

from __future__ import annotations

import json
import pathlib

import numpy as np

from jaxnas.population_config import PopulationConfig
from jaxnas.runtime.configs import config_names, config_of_run, load_config
from jaxnas.runtime.errors import ConfigError, RunError
from jaxnas.runtime.kinds import AnyConfig
from jaxnas.runtime.report.reading import read_run
from jaxnas.runtime.run_folder import read_config
from jaxnas.spaces import SearchSpace, SpaceError
from jaxnas.spaces.ready import READY
from jaxnas.tasks_config import TasksConfig
from jaxnas.text_population_config import TextPopulationConfig


def find_space(name: str | None, run: str | None = None) -> SearchSpace:
    """The space of a name: a ready space, a JSON file of one, or a config; else that of a run.

    Raises:
      ConfigError: there is none of this name, or neither a name nor a run is given.
      SpaceError: a JSON file that holds no space.
      RunError: a folder that holds no run.
    """
    if name is None and run is None:
        raise ConfigError(
            f"show space: name a ready space ({', '.join(READY)}), a config, such as enas_digits, "
            "or the JSON file of a space."
        )
    if name is None:
        return _space_of(config_of_run(read_config(str(run))))
    if name in READY:
        return READY[name]()
    if name.endswith(".json"):
        return _read_space(pathlib.Path(name))
    try:
        return _space_of(load_config(name))
    except ConfigError as error:
        if name.partition(":")[0] in config_names() or name.endswith(".py"):
            raise
        raise ConfigError(f"{error} Ready spaces are {', '.join(READY)}.") from error


def policy_of_run(run: str, space: SearchSpace) -> dict[str, list[float]]:
    """For each decision the probability of each action under the final policy of a run.

    Raises:
      RunError: the folder holds no run or no policy yet, or its policy is of another space.
    """
    read_config(run)
    table = read_run(run).policy
    if table is None:
        raise RunError(f"{run} holds no policy.npz: finish it with jaxnas search --resume {run}.")
    if table.decisions != tuple(d.name for d in space.decisions) or table.actions != tuple(
        d.actions for d in space.decisions
    ):
        raise RunError(f"the policy of {run} is not one over space {space.name!r}.")
    return {
        decision.name: row[: len(decision.actions)].tolist()
        for decision, row in zip(space.decisions, table.probabilities, strict=True)
        if np.isfinite(row[: len(decision.actions)]).all()
    }


def _space_of(config: AnyConfig) -> SearchSpace:
    if isinstance(config, TasksConfig):
        return config.children.space.space
    if isinstance(config, TextPopulationConfig):
        return config.children.build(2).space
    if isinstance(config, PopulationConfig):
        return config.children.build((32, 32, 3), 10).space
    return config.network.build((32, 32, 3), 10).space


def _read_space(path: pathlib.Path) -> SearchSpace:
    try:
        return SearchSpace.from_json(json.loads(path.read_text("utf-8")))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    except (json.JSONDecodeError, UnicodeDecodeError, SpaceError) as error:
        raise SpaceError(f"{path} holds no space: {error}") from error
