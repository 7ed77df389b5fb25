"""Values of a configuration from text and from JSON, checked against its dataclasses."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from jaxnas.config import Config, NetworkConfig
from jaxnas.runtime.errors import ConfigError

SHORT = {"data": "data.source", "epochs": "search.epochs"}
"""Keys that stand for a longer one on the command line."""


def override(config: Config, assignments: Iterable[str]) -> Config:
    """Applies `KEY=VALUE` assignments to a configuration.

    Args:
      config: the configuration.
      assignments: such as `search.epochs=3`, `data=npz:FILE` or `train.optimizer.clip=0`.

    Raises:
      ConfigError: no `=`, an unknown key (the message names the nearest), or a value of the wrong
        type (the message names the type).

    Example:
      >>> override(load_config("enas_digits"), ["search.epochs=3"]).search.epochs  # doctest: +SKIP
      3
    """
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise ConfigError(f"--set {assignment}: write KEY=VALUE.")
        config = _replace(config, SHORT.get(key, key).split("."), text, key)
    return config


def _replace(node: Any, path: list[str], text: str, key: str) -> Any:
    name, rest = path[0], path[1:]
    hints = _fields(type(node))
    if name not in hints:
        raise ConfigError(f"--set {key}: there is no key {key!r}{_nearest(key, node)}.")
    if rest:
        value = getattr(node, name)
        if not dataclasses.is_dataclass(value):
            raise ConfigError(f"--set {key}: {name!r} has no parts; set {name!r} itself.")
        return _with(node, name, _replace(value, rest, text, key))
    if dataclasses.is_dataclass(getattr(node, name)):
        parts = ", ".join(f"{key}.{part}" for part in _fields(type(getattr(node, name))))
        raise ConfigError(f"--set {key}: set one of its parts: {parts}.")
    return _with(node, name, _parse(text, hints[name], key))


def _with(node: Any, name: str, value: Any) -> Any:
    try:
        return dataclasses.replace(node, **{name: value})
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _nearest(key: str, node: Any) -> str:
    leaf = key.rpartition(".")[2]
    near = difflib.get_close_matches(leaf, _fields(type(node)), 1)
    if near:
        return f" (did you mean {key[: len(key) - len(leaf)] + near[0]!r}?)"
    return f"; there are {', '.join(_fields(type(node)))}"


def _fields(kind: type) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _parse(text: str, hint: Any, key: str) -> Any:
    options = _options(hint)
    if type(None) in options and text.lower() == "none":
        return None
    for option in options:
        try:
            return _parse_one(text, option)
        except (TypeError, ValueError):
            continue
    raise ConfigError(f"--set {key}={text}: {key!r} is {_name(hint)}.")


def _parse_one(text: str, option: Any) -> Any:
    if typing.get_origin(option) is typing.Literal:
        if text not in typing.get_args(option):
            raise ValueError(text)
        return text
    if option is bool:
        return {"true": True, "false": False, "1": True, "0": False}[text.lower()]
    if option in (int, float, str):
        return option(text)
    raise TypeError(option)


def _options(hint: Any) -> tuple[Any, ...]:
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return typing.get_args(hint) if union else (hint,)


def _name(hint: Any) -> str:
    names = []
    for option in _options(hint):
        if typing.get_origin(option) is typing.Literal:
            names.append("one of " + ", ".join(typing.get_args(option)))
        else:
            names.append({type(None): "none"}.get(option, getattr(option, "__name__", str(option))))
    return " or ".join(names)


def from_values(values: Mapping[str, Any], kind: type = Config, where: str = "config") -> Any:
    """The dataclass that plain JSON values describe; the inverse of `dataclasses.asdict`.

    Raises:
      ConfigError: unknown or missing keys.
    """
    hints = _fields(kind)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise ConfigError(f"{where} has unknown keys {unknown}: it is of another jaxnas version.")
    made = {name: _value(value, hints[name], f"{where}.{name}") for name, value in values.items()}
    try:
        return kind(**made)
    except TypeError as error:
        raise ConfigError(f"{where}: {error}") from error


def _value(value: Any, hint: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        return value
    classes = [option for option in _options(hint) if dataclasses.is_dataclass(option)]
    tag = value.get("kind")
    for option in classes:
        if tag is None or _fields(option).get("kind") == typing.Literal[tag]:
            return from_values(value, option, where)
    raise ConfigError(f"{where} is of the unknown kind {tag!r}.")


def network_config(values: Mapping[str, Any]) -> NetworkConfig:
    """The configuration of a network that plain JSON values describe."""
    return _value(values, NetworkConfig, "network")
