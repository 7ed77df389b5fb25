"""Configurations by name: files in `configs/`, a user's own files, and stored runs."""

from __future__ import annotations

import difflib
import importlib.util
import pathlib
from typing import Any

import jaxnas
from jaxnas.runtime.errors import ConfigError
from jaxnas.runtime.json_values import from_json
from jaxnas.runtime.kinds import AnyConfig, kind_of
from jaxnas.runtime.overrides import from_values
from jaxnas.runtime.run_data import DIGEST

DEFAULT_CONFIG = "enas_digits"
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


def load_config(name: str) -> AnyConfig:
    """Loads a configuration.

    Args:
      name: `NAME` of a shipped configuration, or `PATH.py` of a file with a function
        `config(variant: str) -> Config` (or `InstanceConfig`); `:smoke` after either asks for its
        smallest variant.

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
    if not isinstance(config, AnyConfig):
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


def config_of_run(stored: dict[str, Any]) -> AnyConfig:
    """The configuration that a run folder's `config.json` holds."""
    values = from_json({k: v for k, v in stored.items() if k != DIGEST})
    return from_values(values, kind_of(values))
