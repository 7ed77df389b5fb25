"""A trained child as a plain Flax NNX module, and as StableHLO.

The module holds the child's weights and moments as ordinary NNX variables and maps images as they
are stored to logits, so that any Flax user can call, train on, or save it without jaxnas' engine.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxnas.data.batches import normalize
from jaxnas.supernets import Network, standalone
from jaxnas.supernets.child import ARCHITECTURE
from jaxnas.supernets.ops.normalization import moments_from
from jaxnas.supernets.ops.operation import Shape

PLATFORMS = ("cpu", "cuda", "tpu")


class Variables(nnx.Module):
    """A nested dictionary of arrays as attributes that hold NNX variables."""

    def __init__(self, tree: Any, kind: type[nnx.Variable]):
        if hasattr(tree, "_asdict"):
            tree = tree._asdict()
        self.names = tuple(tree)
        for name, value in tree.items():
            leaf = isinstance(value, (jax.Array, np.ndarray))
            attribute = kind(jnp.asarray(value)) if leaf else Variables(value, kind)
            setattr(self, _attribute(name), attribute)

    def tree(self) -> dict[str, Any]:
        """The nested dictionary of arrays."""
        values = {name: getattr(self, _attribute(name)) for name in self.names}
        return {n: v.tree() if isinstance(v, Variables) else v[...] for n, v in values.items()}


def _attribute(name: str) -> str:
    """An attribute name for an operation's key or a position: `cell_0/2/1` to `_cell_0__2__1`."""
    return "_" + name.replace("/", "__")


class ChildModule(nnx.Module):
    """A child as a Flax module.

    Args:
      child: the child's own network.
      params: its parameters.
      moments: the moments of its batch normalisations.
      mean: `[C]`, the training images' mean in [0, 1] scale.
      std: `[C]`, their standard deviation.

    Example:
      >>> logits = module(images)  # doctest: +SKIP
    """

    def __init__(self, child: Network, params: Any, moments: Any, mean: Any, std: Any):
        self.child = child
        weights = {key: child.parameters(params, key) for key in child.operations}
        weights = {key: value for key, value in weights.items() if jax.tree.leaves(value)}
        moments = {key: value for key, value in moments.items() if jax.tree.leaves(value)}
        self.weights = Variables(weights, nnx.Param)
        self.moments = Variables(_plain(moments), nnx.BatchStat)
        self.mean, self.std = nnx.BatchStat(jnp.asarray(mean)), nnx.BatchStat(jnp.asarray(std))

    def __call__(self, images: jax.Array, *, use_batch_statistics: bool = False) -> jax.Array:
        """Logits `[B, K]` of images `[B, H, W, C]`, `uint8` or floats in [0, 1].

        Args:
          images: as they are stored.
          use_batch_statistics: normalise by the batch, as in training, not by measured moments.
        """
        weights = self.weights.tree()
        build = standalone.Standalone(
            self.child,
            lambda key: weights.get(key, {}),
            normalize(images, self.mean[...], self.std[...]),
            moments=None if use_batch_statistics else moments_from(self.moments.tree()),
        )
        return self.child.describe(build, self.child.space.choices(ARCHITECTURE[0]))


def _plain(tree: Any) -> Any:
    """Moments as nested dictionaries."""
    if hasattr(tree, "_asdict"):
        return tree._asdict()
    return {name: _plain(value) for name, value in tree.items()}


def stablehlo(module: ChildModule, image_shape: Shape) -> bytes:
    """The child as serialised StableHLO for any batch size, on CPU, CUDA and TPU.

    Load it with `jax.export.deserialize(data).call(images)`, images float32 in [0, 1].

    Args:
      module: the child.
      image_shape: `(H, W, C)`.

    Raises:
      ImportError: the extra `export` is not installed.
    """
    try:
        import flatbuffers  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "exporting StableHLO needs flatbuffers: pip install 'jaxnas[export]'."
        ) from error
    from jax import export

    graph, state = nnx.split(module)
    (batch,) = export.symbolic_shape("batch")
    images = jax.ShapeDtypeStruct((batch, *image_shape), jnp.float32)
    function = jax.jit(lambda x: nnx.merge(graph, state)(x))
    return export.export(function, platforms=PLATFORMS)(images).serialize()
