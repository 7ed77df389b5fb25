"""A trained child on disk: a folder that is enough to rebuild it without the run.

`child.json` holds the architecture, the network's configuration, the shape of images and their
statistics; `weights.npz` holds the weights and moments by the name of the operation.
"""

from __future__ import annotations

import contextlib
import io
import json
import pathlib
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.config import NetworkConfig
from jaxnas.export import ChildModule
from jaxnas.runtime.errors import RunError, unfinished
from jaxnas.runtime.files import write_bytes, write_json
from jaxnas.runtime.overrides import network_config
from jaxnas.supernets import Network, child_network
from jaxnas.supernets.ops.normalization import moments_from
from jaxnas.training import TrainedChild

if TYPE_CHECKING:
    from jaxnas.runtime.experiment import Experiment

CHILD, WEIGHTS = "child.json", "weights.npz"
CHILDREN = "children"

DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What a file that is missing, cut off, edited or overwritten shows up as."""


@contextlib.contextmanager
def readable(folder: pathlib.Path) -> Iterator[None]:
    """Raises `RunError` for what a damaged folder shows up as."""
    try:
        yield
    except DAMAGE as error:
        raise RunError(
            f"{folder} holds no readable child ({type(error).__name__}: {error}): give the "
            "folder of a finished run, or restore its files."
        ) from error


def save(
    folder: pathlib.Path, experiment: Experiment, architecture: np.ndarray, trained: TrainedChild
) -> None:
    """Writes a trained child to `folder`, which is made."""
    config, dataset = experiment.config, experiment.dataset
    network = config.final_network or config.network
    child = child_network(experiment.final_network, architecture)
    params, moments = jax.device_get((trained.params, trained.moments))
    arrays = {f"moments|{name}": leaf for name, leaf in flatten(moments)}
    for key in child.operations:
        leaves = flatten(child.parameters(params, key))
        arrays |= {f"weights|{key}|{name}": leaf for name, leaf in leaves}
    buffer = io.BytesIO()
    plain: dict[str, Any] = {name: np.asarray(leaf) for name, leaf in arrays.items()}
    np.savez(buffer, **plain)
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / WEIGHTS, buffer.getvalue())
    write_json(
        folder / CHILD,
        {
            "architecture": experiment.network.space.encode(architecture),
            "network": network,
            "image_shape": list(dataset.image_shape),
            "num_classes": dataset.num_classes,
            "class_names": list(dataset.class_names),
            "mean": dataset.mean.tolist(),
            "std": dataset.std.tolist(),
            "diverged": trained.diverged,
        },
    )


class SavedChild:
    """A child read from its folder.

    Args:
      folder: as `save` wrote it.

    Attributes:
      folder: where it was read.
      description: the content of `child.json`.
      config: the configuration of its network.
      network: the child's own network.
      trained: its weights and moments.

    Raises:
      RunError: the folder holds no child, or a damaged one.
    """

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        with readable(folder):
            self._read()

    def _read(self) -> None:
        self.description: dict[str, Any] = json.loads((self.folder / CHILD).read_text())
        # Opened here, because NumPy leaves a file open that it fails to read.
        with open(self.folder / WEIGHTS, "rb") as file, np.load(file) as stored:
            arrays = {name: stored[name] for name in stored.files}
        self.config: NetworkConfig = network_config(self.description["network"])
        shape = tuple(self.description["image_shape"])
        whole = self.config.build(shape, self.description["num_classes"])
        self.architecture = whole.space.decode(self.description["architecture"])
        self.network: Network = child_network(whole, self.architecture)
        self.trained = _rebuild(self.network, arrays, bool(self.description["diverged"]))

    def module(self) -> ChildModule:
        """The child as a Flax NNX module."""
        mean, std = (np.float32(self.description[name]) for name in ("mean", "std"))
        return ChildModule(self.network, self.trained.params, self.trained.moments, mean, std)


def outcome_child(run_dir: pathlib.Path) -> str:
    """The name of the best child of a finished run."""
    try:
        return json.loads((run_dir / "result.json").read_text())["child"]
    except DAMAGE as error:
        raise unfinished(run_dir) from error


def flatten(tree: Any) -> list[tuple[str, Any]]:
    """The leaves of a pytree by their paths, with `|` between the parts."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return [("|".join(_name(part) for part in path), leaf) for path, leaf in leaves]


def _name(part: Any) -> str:
    return str(getattr(part, "key", getattr(part, "name", getattr(part, "idx", part))))


def _rebuild(child: Network, arrays: Mapping[str, np.ndarray], diverged: bool) -> TrainedChild:
    expected = jax.eval_shape(child.init, jax.random.key(0))
    params = tuple(
        _stack(keys, stack, arrays) for keys, stack in zip(child.members, expected, strict=True)
    )
    moments: dict[str, Any] = {}
    for name, array in arrays.items():
        if name.startswith("moments|"):
            insert(moments, name.split("|")[1:], jnp.asarray(array))
    return TrainedChild(params, moments_from(moments), diverged)


def _stack(keys: tuple[str, ...], expected: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """The parameters of one signature, one row per key."""
    leaves = []
    for name, leaf in flatten(expected):
        rows = np.stack([arrays[f"weights|{key}|{name}"] for key in keys])
        if rows.shape != leaf.shape:
            raise ValueError(f"{keys[0]!r} has weights of shape {list(rows.shape[1:])}")
        leaves.append(jnp.asarray(rows))
    return jax.tree.unflatten(jax.tree.structure(expected), leaves)


def insert(tree: dict[str, Any], path: list[str], leaf: Any) -> None:
    """Puts a leaf into nested dicts at a path."""
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
    tree[path[-1]] = leaf
