"""The kinds of experiments that a configuration describes."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from jaxnas.config import Config
from jaxnas.instance.config import InstanceConfig
from jaxnas.population_config import PopulationConfig, is_population
from jaxnas.runtime.errors import ConfigError
from jaxnas.tasks_config import TasksConfig, is_tasks
from jaxnas.text_population_config import TextPopulationConfig, is_text_population

AnyConfig = Config | InstanceConfig | PopulationConfig | TextPopulationConfig | TasksConfig
"""Children of shared weights, an architecture for every image, children trained from scratch.

Of the last kind are classifiers of images, language models, and classifiers for several tasks.
"""

Given = TypeVar("Given", bound=AnyConfig)


def kind_of(values: dict[str, Any]) -> type[AnyConfig]:
    """The class of a configuration that was stored as plain values."""
    if is_tasks(values):
        return TasksConfig
    if is_text_population(values):
        return TextPopulationConfig
    if is_population(values):
        return PopulationConfig
    return InstanceConfig if "controller" in values else Config


def transferred(config: Given, run: str) -> Given:
    """The configuration of a search that goes out from the controller of a finished one.

    Raises:
      ConfigError: a configuration without several tasks.
    """
    if not isinstance(config, TasksConfig):
        raise ConfigError(
            f"--from {run}: config {config.name!r} has no tasks whose controller could go over: "
            "use one such as mnms_text or mnms_digits."
        )
    return dataclasses.replace(config, transfer=dataclasses.replace(config.transfer, source=run))


def supernet_config(config: AnyConfig, command: str) -> Config:
    """The configuration, for what is done with one architecture of a supernet.

    Args:
      config: of any kind.
      command: what needs it, for the message.

    Raises:
      ConfigError: every image has its own architecture in it, or children have no shared weights.
    """
    if isinstance(config, InstanceConfig):
        raise ConfigError(
            f"{command}: config {config.name!r} gives every image its own architecture: it can be "
            f"searched (jaxnas search {config.name}), but not trained or measured as one "
            "architecture."
        )
    if isinstance(config, PopulationConfig | TextPopulationConfig | TasksConfig):
        raise ConfigError(
            f"{command}: the children of {config.name!r} are trained from scratch, in a "
            "population, and have no shared weights: use jaxnas search."
        )
    return config
