"""A network with its instance policy on disk: a folder that is enough to rebuild them.

`instance.json` holds the configurations of both, the latency table, the shape of images and their
statistics; `weights.npz` holds the shared weights, the moments and the policy's parameters.
"""

from __future__ import annotations

import io
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.instance.config import ControllerConfig, InstanceConfig
from jaxnas.instance.export import InstanceModule
from jaxnas.instance.states import Point
from jaxnas.network_configs import MobileNetConfig
from jaxnas.objectives import LatencyTable
from jaxnas.policies.controllers import make_controller
from jaxnas.policies.instance import InstancePolicy
from jaxnas.runtime.errors import RunError
from jaxnas.runtime.files import write_bytes, write_json
from jaxnas.runtime.instance_predictor import InstancePredictor
from jaxnas.runtime.overrides import from_values
from jaxnas.runtime.saved_child import DAMAGE, flatten, insert
from jaxnas.supernets import Network
from jaxnas.supernets.ops.normalization import moments_from

INSTANCE, WEIGHTS = "instance.json", "weights.npz"
FOLDER = "instance"


def make_policy(network: Network, config: ControllerConfig) -> InstancePolicy:
    """The policy that a configuration names, for the space and images of a network."""
    kernel = config.kernel if config.name == "large_kernels" else None
    count = len(network.space.decisions)
    controller = make_controller(config.name, count, config.channels, kernel)
    return InstancePolicy(network.space, tuple(network.image_shape), controller)


def save(
    folder: pathlib.Path, config: InstanceConfig, dataset: Any, table: LatencyTable, point: Point
) -> None:
    """Writes a point of a search to `folder`, which is made.

    Args:
      folder: where.
      config: of the run.
      dataset: whose shape of images, classes and statistics are kept.
      table: what operations cost.
      point: the weights.
    """
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {
        name: np.asarray(leaf) for name, leaf in flatten(jax.device_get(point._asdict()))
    }
    np.savez(buffer, **arrays)
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / WEIGHTS, buffer.getvalue())
    description = {
        "network": config.network,
        "controller": config.controller,
        "table": table.to_json(),
        "image_shape": list(dataset.image_shape),
        "num_classes": dataset.num_classes,
        "class_names": list(dataset.class_names),
        "mean": dataset.mean.tolist(),
        "std": dataset.std.tolist(),
    }
    write_json(folder / INSTANCE, description)


class SavedInstance:
    """A network with its policy, read from a folder.

    Args:
      folder: as `save` wrote it.

    Attributes:
      folder: where it was read.
      description: the content of `instance.json`.
      network: the meta-graph.
      policy: chooses an architecture for each image.
      table: what operations cost.
      point: the weights.

    Raises:
      RunError: the folder holds none, or a damaged one.
    """

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        try:
            self._read()
        except DAMAGE as error:
            raise RunError(
                f"{folder} holds no readable network ({type(error).__name__}: {error}): give the "
                "folder of a finished run, or restore its files."
            ) from error

    def _read(self) -> None:
        self.description: dict[str, Any] = json.loads((self.folder / INSTANCE).read_text())
        # Opened here, because NumPy leaves a file open that it fails to read.
        with open(self.folder / WEIGHTS, "rb") as file, np.load(file) as stored:
            arrays = {name: stored[name] for name in stored.files}
        config = from_values(self.description["network"], MobileNetConfig, "network")
        shape = tuple(self.description["image_shape"])
        self.network: Network = config.build(shape, self.description["num_classes"])
        controller = from_values(self.description["controller"], ControllerConfig, "controller")
        self.policy = make_policy(self.network, controller)
        self.table = LatencyTable.from_json(self.description["table"])
        self.table.check(self.network)
        key = jax.random.key(0)
        self.point = Point(
            _rebuild("params", jax.eval_shape(self.network.init, key), arrays),
            _moments(arrays),
            _rebuild("policy", jax.eval_shape(self.policy.init, key), arrays),
        )

    def module(self) -> InstanceModule:
        """Both as one Flax NNX module: one program, to be compiled or exported."""
        mean, std = (np.float32(self.description[name]) for name in ("mean", "std"))
        return InstanceModule(self.network, self.policy, self.table, self.point, mean, std)

    def predictor(
        self, *, compiled_architectures: int = 32, compile_after: int | None = 64
    ) -> InstancePredictor:
        """Both as a function of images that runs each architecture's own program: for serving.

        Args:
          compiled_architectures: see `InstancePredictor`.
          compile_after: see `InstancePredictor`.
        """
        return InstancePredictor(
            self.module(),
            compiled_architectures=compiled_architectures,
            compile_after=compile_after,
        )


def _rebuild(part: str, expected: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    leaves = []
    for name, leaf in flatten(expected):
        array = arrays[f"{part}|{name}"]
        if array.shape != leaf.shape:
            raise ValueError(f"{part}|{name} has shape {list(array.shape)}")
        leaves.append(jnp.asarray(array))
    return jax.tree.unflatten(jax.tree.structure(expected), leaves)


def _moments(arrays: Mapping[str, np.ndarray]) -> Any:
    tree: dict[str, Any] = {}
    for name, array in arrays.items():
        part, *path = name.split("|")
        if part == "moments":
            insert(tree, path, jnp.asarray(array))
    return moments_from(tree)
