"""A network with its instance policy as one Flax NNX module, and as StableHLO.

Images go in as they are stored; logits, architectures and latencies come out, in one program.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxnas.data.batches import check_shape, normalize
from jaxnas.export import Variables, serialize
from jaxnas.instance.prediction import Prediction, predict
from jaxnas.objectives import LatencyTable
from jaxnas.policies.instance import InstancePolicy
from jaxnas.supernets import Network, Supernet
from jaxnas.supernets.ops.operation import Shape

if TYPE_CHECKING:
    from jaxnas.instance.states import Point


class InstanceModule(nnx.Module):
    """A network that chooses its architecture for each image.

    Args:
      network: the meta-graph.
      policy: chooses.
      table: what operations cost.
      point: the shared weights, their moments, the policy's parameters.
      mean: `[C]`, the training images' mean in [0, 1] scale.
      std: `[C]`, their standard deviation.

    Example:
      >>> logits, architectures, latency = module(images)  # doctest: +SKIP
    """

    def __init__(
        self,
        network: Network,
        policy: InstancePolicy,
        table: LatencyTable,
        point: Point,
        mean: Any,
        std: Any,
    ):
        self.network, self.policy, self.table = network, policy, table
        self.weights = Variables(point.params, nnx.Param)
        self.moments = Variables(point.moments, nnx.BatchStat)
        self.controller = Variables(point.policy, nnx.Param)
        self.mean, self.std = nnx.BatchStat(jnp.asarray(mean)), nnx.BatchStat(jnp.asarray(std))

    def __call__(self, images: jax.Array) -> Prediction:
        """Logits `[B, K]`, architectures `int32 [B, T]` and latencies `[B]` of images.

        Args:
          images: `[B, H, W, C]` as they are stored, `uint8` or floats in [0, 1].

        Raises:
          ValueError: images of another shape.
        """
        check_shape(images, self.network.image_shape, "this network")
        weights = self.weights.tree(), self.moments.tree(), self.controller.tree()
        standard = normalize(images, self.mean[...], self.std[...])
        return predict(Supernet(self.network), self.policy, self.table, weights, standard)


def stablehlo(module: InstanceModule, image_shape: Shape, batch: int = 1) -> bytes:
    """The module as serialised StableHLO for one batch size, on the platform of this process.

    How images are routed depends on both. Load it with
    `jax.export.deserialize(data).call(images)`, images float32 in [0, 1].

    Args:
      module: the network with its policy.
      image_shape: `(H, W, C)`.
      batch: images per call.

    Raises:
      ImportError: the extra `export` is not installed.
    """
    return serialize(module, batch, image_shape)
