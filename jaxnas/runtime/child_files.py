"""The two files of a trained child's folder: what it is, as JSON, and its arrays by name."""

from __future__ import annotations

import io
import json
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.runtime.files import write_bytes, write_json

CHILD, WEIGHTS = "child.json", "weights.npz"


def write(folder: pathlib.Path, description: dict[str, Any], **trees: Any) -> None:
    """Writes a child to `folder`, which is made: its description, and pytrees of arrays by name."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(jax.device_get(trees))
    plain: dict[str, Any] = {_path(path): np.asarray(leaf) for path, leaf in leaves}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **plain)
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / WEIGHTS, buffer.getvalue())
    write_json(folder / CHILD, description)


def describes(folder: pathlib.Path, key: str) -> bool:
    """Whether a folder holds a child whose description has a key."""
    try:
        return key in json.loads((folder / CHILD).read_text())
    except (OSError, ValueError, TypeError):
        return False


def read_description(folder: pathlib.Path) -> dict[str, Any]:
    """What the child of a folder is."""
    return json.loads((folder / CHILD).read_text())


def read_tree(folder: pathlib.Path, name: str, like: Any) -> Any:
    """One of the pytrees that were written, with the structure of `like`.

    Raises:
      ValueError: an array has another shape than in `like`.
      KeyError: one is missing.
    """
    paths, structure = jax.tree_util.tree_flatten_with_path({name: like})
    with open(folder / WEIGHTS, "rb") as file, np.load(file) as stored:
        found = [stored[_path(path)] for path, _ in paths]
    if [leaf.shape for leaf in found] != [leaf.shape for _, leaf in paths]:
        raise ValueError(f"the {name} have other shapes than the model")
    return jax.tree.unflatten(structure, list(map(jnp.asarray, found)))[name]


def read_array(folder: pathlib.Path, name: str) -> jax.Array:
    """One array that was written, by its name or, in a pytree, by names joined with `|`."""
    with open(folder / WEIGHTS, "rb") as file, np.load(file) as stored:
        return jnp.asarray(stored[name])


def _path(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="|")
