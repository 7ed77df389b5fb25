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
from jaxnas.runtime.kinds import Given

SHORT = {"data": "data.source", "epochs": "search.epochs"}
"""Keys that stand for a longer one on the command line."""

SHORT_OF_POPULATIONS = {"epochs": "training.epochs"}
"""The same, where children are trained from scratch."""


def override(config: Given, assignments: Iterable[str]) -> Given:
    """Applies `KEY=VALUE` assignments to a configuration, in any order.

    Args:
      config: the configuration.
      assignments: such as `search.epochs=3`, `data=npz:FILE` or `train.optimizer.clip=0`; the
        last one of a key counts.

    Raises:
      ConfigError: no `=`, an unknown key (the message names the nearest), or a value of the wrong
        type or out of range (the message names the key and what it takes).

    Example:
      >>> override(load_config("enas_digits"), ["search.epochs=3"]).search.epochs  # doctest: +SKIP
      3
    """
    waiting = dict(map(_split, assignments))
    while waiting:
        failed: dict[str, ConfigError] = {}
        for key, text in waiting.items():
            try:
                config = _assign(config, key, text)
            except ConfigError as error:
                failed[key] = error
        # A value may be in range only with another one that is set after it.
        if len(failed) == len(waiting):
            raise next(iter(failed.values()))
        waiting = {key: waiting[key] for key in failed}
    return config


def _split(assignment: str) -> tuple[str, str]:
    key, equals, text = assignment.partition("=")
    if not equals:
        raise ConfigError(f"--set {assignment}: write KEY=VALUE.")
    return key, text


def _assign(config: Given, key: str, text: str) -> Given:
    path = SHORT.get(key, key)
    if path not in _keys(config):
        path = SHORT_OF_POPULATIONS.get(key, path)
    if path not in [*_keys(config), *_sections(config)]:
        raise ConfigError(f"--set {key}: there is no key {key!r}{_nearest(key, config)}.")
    return _replace(config, path.split("."), text, key)


def batch_sizes(config: Given) -> list[str]:
    """The keys of a configuration on which its need of memory depends.

    Example:
      >>> batch_sizes(load_config("nasrl_conv_digits"))  # doctest: +SKIP
      ['search.chunk', 'training.batch_size', 'training.score_batch_size']
    """
    return [key for key in _keys(config) if key.endswith((".chunk", "batch_size"))]


def _replace(node: Any, path: list[str], text: str, key: str) -> Any:
    name, rest = path[0], path[1:]
    value = getattr(node, name)
    if rest:
        return _with(node, name, _replace(value, rest, text, key), key)
    hint = _fields(type(node))[name]
    none = type(None) in _options(hint) and text.lower() == "none"
    if dataclasses.is_dataclass(value) and not none:
        parts = ", ".join(f"{key}.{part}" for part in _fields(type(value)))
        raise ConfigError(f"--set {key}: set one of its parts: {parts}.")
    return _with(node, name, _parse(text, hint, key), key)


def _with(node: Any, name: str, value: Any, key: str) -> Any:
    try:
        return dataclasses.replace(node, **{name: value})
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(f"--set {key}: {error}") from error


def _keys(node: Any, prefix: str = "") -> list[str]:
    """The dotted keys of all values that are not dataclasses themselves."""
    keys: list[str] = []
    for name in _fields(type(node)):
        value = getattr(node, name)
        nested = dataclasses.is_dataclass(value)
        keys += _keys(value, f"{prefix}{name}.") if nested else [f"{prefix}{name}"]
    return keys


def _sections(node: Any) -> set[str]:
    """The dotted keys of all dataclasses inside `node`."""
    parts = [key.split(".") for key in _keys(node)]
    return {".".join(part[:end]) for part in parts for end in range(1, len(part))}


def _nearest(key: str, config: Any) -> str:
    """The key that was meant: spelt alike, or of the same last name."""
    keys = [*_keys(config), *SHORT]
    leaves: dict[str, list[str]] = {}
    for known in keys:
        leaves.setdefault(known.rpartition(".")[2], []).append(known)
    if key in leaves:
        near = leaves[key]
    else:
        spelt = difflib.get_close_matches(key, keys, 1, 0.75)
        leaf = difflib.get_close_matches(key.rpartition(".")[2], leaves, 1)
        near = spelt or (leaves[leaf[0]] if leaf else difflib.get_close_matches(key, keys, 1, 0.0))
    return f" (did you mean {' or '.join(map(repr, near))}?)"


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
        except (KeyError, TypeError, ValueError):
            continue
    raise ConfigError(f"--set {key}={text}: give {_name(hint)}.")


def _parse_one(text: str, option: Any) -> Any:
    if typing.get_origin(option) is typing.Literal:
        if text not in typing.get_args(option):
            raise ValueError(text)
        return text
    if typing.get_origin(option) is tuple:
        return tuple(_parse_one(part, typing.get_args(option)[0]) for part in text.split(","))
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
        elif typing.get_origin(option) is tuple:
            names.append(f"{typing.get_args(option)[0].__name__} values with commas between them")
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
    except ConfigError:
        raise
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: {error}") from error


def _value(value: Any, hint: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        return value
    classes: list[Any] = [o for o in _options(hint) if dataclasses.is_dataclass(o)]
    tag = value.get("kind")
    for option in classes:
        if tag is None or _fields(option).get("kind") == typing.Literal[tag]:
            return from_values(value, option, where)
    raise ConfigError(f"{where} is of the unknown kind {tag!r}.")


def network_config(values: Mapping[str, Any]) -> NetworkConfig:
    """The configuration of a network that plain JSON values describe."""
    return _value(values, NetworkConfig, "network")
