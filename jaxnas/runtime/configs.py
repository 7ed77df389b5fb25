"""Configurations by name: files in `configs/`, a user's own files, and stored runs."""

from __future__ import annotations

import difflib
import importlib.util
import pathlib
from typing import Any

import jaxnas
from jaxnas.config import Config
from jaxnas.population_config import PopulationConfig, is_population
from jaxnas.runtime.errors import ConfigError
from jaxnas.runtime.overrides import from_values
from jaxnas.runtime.run_data import DIGEST

SMOKE = "smoke"


def config_folder() -> pathlib.Path:
    """Where the shipped configurations lie: inside the wheel, or beside the package in a checkout.

    Raises:
      ConfigError: neither folder is there.
    """
    package = pathlib.Path(jaxnas.__file__).parent
    for folder in (package / "configs", package.parent / "configs"):
        if folder.is_dir():
            return folder
    raise ConfigError("the shipped configs are missing: reinstall jaxnas, or give a config file.")


def config_names() -> list[str]:
    """The names of the shipped configurations."""
    return sorted(p.stem for p in config_folder().glob("*.py") if not p.stem.startswith("_"))


def load_config(name: str) -> Config | PopulationConfig:
    """Loads a configuration.

    Args:
      name: `NAME` of a shipped configuration, or `PATH.py` of a file with a function
        `config(variant: str) -> Config`; `:smoke` after either asks for its smallest variant.

    Raises:
      ConfigError: no such configuration (the message names the nearest), or a file that does not
        return one.

    Example:
      >>> load_config("enas_digits:smoke").name
      'enas_digits'
    """
    base, _, variant = name.partition(":")
    if variant not in ("", SMOKE):
        raise ConfigError(f"config {name!r}: the variant {variant!r} is unknown; there is 'smoke'.")
    path = pathlib.Path(base) if base.endswith(".py") else config_folder() / f"{base}.py"
    if not path.is_file():
        names = config_names()
        near = difflib.get_close_matches(base, names, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(f"there is no config {base!r}: {hint}There are {', '.join(names)}.")
    try:
        config = _function(path)(variant)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"{path}: config({variant!r}) failed: {error}") from error
    if not isinstance(config, Config | PopulationConfig):
        raise ConfigError(f"{path}: config() returned {type(config).__name__}, not a Config.")
    return config


def _function(path: pathlib.Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"jaxnas_config_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ConfigError(f"{path} cannot be loaded: {error}") from error
    if not callable(getattr(module, "config", None)):
        raise ConfigError(f"{path} has no function config(variant: str) -> Config.")
    return module.config


def config_of_run(stored: dict[str, Any]) -> Config | PopulationConfig:
    """The configuration that a run folder's `config.json` holds."""
    values = {k: v for k, v in stored.items() if k != DIGEST}
    return from_values(values, PopulationConfig if is_population(values) else Config)


def supernet_config(config: Config | PopulationConfig, command: str) -> Config:
    """The configuration, for what only searches over shared weights can do.

    Raises:
      ConfigError: its children are trained from scratch.
    """
    if isinstance(config, PopulationConfig):
        raise ConfigError(
            f"{command}: the children of {config.name!r} are trained from scratch, in a "
            "population, and have no shared weights: use jaxnas search."
        )
    return config
