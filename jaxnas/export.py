"""A trained child as a plain Flax NNX module, and as StableHLO.

The module holds the child's weights and moments as ordinary NNX variables and maps images as they
are stored to logits, so that any Flax user can call, train on, or save it without jaxnas' engine.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxnas.data.batches import check_shape, normalize
from jaxnas.supernets import Network, standalone
from jaxnas.supernets.child import ARCHITECTURE
from jaxnas.supernets.ops.operation import Shape

PLATFORMS = ("cpu", "cuda", "tpu")


class Variables(nnx.Module):
    """A pytree of arrays as attributes that hold NNX variables, named by their paths."""

    def __init__(self, tree: Any, kind: type[nnx.Variable]):
        leaves, self.structure = jax.tree_util.tree_flatten_with_path(tree)
        self.names = tuple(_attribute(path) for path, _ in leaves)
        for name, (_, leaf) in zip(self.names, leaves, strict=True):
            setattr(self, name, kind(jnp.asarray(leaf)))

    def tree(self) -> Any:
        """The pytree of arrays."""
        leaves = [getattr(self, name)[...] for name in self.names]
        return jax.tree.unflatten(self.structure, leaves)


def _attribute(path: tuple[Any, ...]) -> str:
    """An attribute name for the path of a leaf: `cell_0__2__1__separable_3x3__weights`, say."""
    name = jax.tree_util.keystr(path, simple=True, separator="__")
    return re.sub(r"\W", "__", name if name[:1].isalpha() else f"_{name}")


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
        self.weights = Variables(weights, nnx.Param)
        self.moments = Variables(moments, nnx.BatchStat)
        self.mean, self.std = nnx.BatchStat(jnp.asarray(mean)), nnx.BatchStat(jnp.asarray(std))

    def __call__(self, images: jax.Array, *, use_batch_statistics: bool = False) -> jax.Array:
        """Logits `[B, K]` of images `[B, H, W, C]`, `uint8` or floats in [0, 1].

        Args:
          images: as they are stored.
          use_batch_statistics: normalise by the batch, as in training, not by measured moments.

        Raises:
          ValueError: images of another shape.
        """
        check_shape(images, self.child.image_shape, "this child")
        weights = self.weights.tree()
        build = standalone.Standalone(
            self.child,
            weights.__getitem__,
            normalize(images, self.mean[...], self.std[...]),
            moments=None if use_batch_statistics else self.moments.tree(),
        )
        return self.child.describe(build, self.child.space.choices(ARCHITECTURE[0]))


def stablehlo(module: nnx.Module, image_shape: Shape, dtype: Any = jnp.float32) -> bytes:
    """The child as serialised StableHLO for any batch size, on CPU, CUDA and TPU.

    Load it with `jax.export.deserialize(data).call(images)`, images float32 in [0, 1].

    Args:
      module: the child.
      image_shape: `(H, W, C)`; `(L,)` for texts.
      dtype: of the images; `int32` for the token numbers of texts.

    Raises:
      ImportError: the extra `export` is not installed.
    """
    return serialize(module, "batch", image_shape, PLATFORMS, dtype)


def serialize(
    module: nnx.Module,
    batch: int | str,
    image_shape: Shape,
    platforms: Sequence[str] | None = None,
    dtype: Any = jnp.float32,
) -> bytes:
    """A module of images as serialised StableHLO.

    Args:
      module: takes float32 `[B, H, W, C]`; a named tuple that it returns becomes a plain one, since
        a serialised program knows no named ones.
      batch: the batch size `B`, or a name for any.
      image_shape: `(H, W, C)`.
      platforms: where it will run; the platform of this process by default.
      dtype: of what it takes.

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
    size = export.symbolic_shape(batch)[0] if isinstance(batch, str) else batch
    images = jax.ShapeDtypeStruct((size, *image_shape), dtype)

    @jax.jit
    def function(x):
        found = nnx.merge(graph, state)(x)  # type: ignore[operator]
        return tuple(found) if isinstance(found, tuple) else found

    return bytes(export.export(function, platforms=platforms)(images).serialize())
