"""A trained child of a population on disk: a folder that is enough to rebuild it."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxnas.children import NasRLConv
from jaxnas.children.masked_layers import LayerMoments
from jaxnas.data.batches import check_shape, normalize
from jaxnas.export import Variables
from jaxnas.population_config import NasRLConvConfig
from jaxnas.runtime import child_files
from jaxnas.runtime.overrides import from_values

if TYPE_CHECKING:
    from jaxnas.runtime.image_population import ImagePopulationExperiment


class PopulationChildModule(nnx.Module):
    """A child of a population as a Flax module, normalised by its measured moments.

    Args:
      model: all children of its space.
      architecture: `int32 [T]`.
      parameters: its weights.
      moments: of its layers.
      mean: `[C]`, the training images' mean in [0, 1] scale.
      std: `[C]`, their standard deviation.

    Example:
      >>> logits = module(images)  # doctest: +SKIP
    """

    def __init__(self, model: NasRLConv, architecture, parameters, moments, mean, std):
        self.model = model
        self.architecture = tuple(int(action) for action in architecture)
        self.weights = Variables(parameters, nnx.Param)
        self.moments = Variables(moments, nnx.BatchStat)
        self.mean, self.std = nnx.BatchStat(jnp.asarray(mean)), nnx.BatchStat(jnp.asarray(std))

    def __call__(self, images: jax.Array) -> jax.Array:
        """Logits `[B, K]` of images `[B, H, W, C]`, `uint8` or floats in [0, 1].

        Raises:
          ValueError: images of another shape.
        """
        check_shape(images, self.model.settings.image_shape, "this child")
        images = normalize(images, self.mean[...], self.std[...])
        architecture = np.array(self.architecture, np.int32)
        weights, moments = self.weights.tree(), self.moments.tree()
        return self.model.logits_by(moments, weights, architecture, images)


def save(
    folder: pathlib.Path,
    experiment: ImagePopulationExperiment,
    architecture: np.ndarray,
    trained: Any,
    moments: LayerMoments,
) -> None:
    """Writes a trained child to `folder`, which is made."""
    dataset, model = experiment.dataset, experiment.population.model
    assert isinstance(model, NasRLConv)
    child_files.write(
        folder,
        {
            "architecture": model.encode(architecture),
            "children": experiment.config.children,
            "image_shape": list(dataset.image_shape),
            "num_classes": dataset.num_classes,
            "class_names": list(dataset.class_names),
            "mean": dataset.mean.tolist(),
            "std": dataset.std.tolist(),
            "diverged": bool(trained.diverged),
        },
        weights=trained.parameters,
        moments=moments._asdict(),
    )


class SavedPopulationChild:
    """A child read from its folder, as `jaxnas.runtime.saved_child.SavedChild`."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.description = description = child_files.read_description(folder)
        shape = tuple(description["image_shape"])
        self.model = from_values(description["children"], NasRLConvConfig).build(
            shape, description["num_classes"]
        )
        self.architecture = self.model.decode(description["architecture"])
        like = jax.eval_shape(self.model.init, jax.random.key(0), self.architecture)
        self.parameters = child_files.read_tree(folder, "weights", like)
        names = [f"moments|{name}" for name in LayerMoments._fields]
        self.moments = LayerMoments(*(child_files.read_array(folder, name) for name in names))

    def module(self) -> PopulationChildModule:
        """The child as a Flax NNX module."""
        mean, std = (np.float32(self.description[name]) for name in ("mean", "std"))
        weights = self.parameters, self.moments
        return PopulationChildModule(self.model, self.architecture, *weights, mean, std)


def is_population_child(folder: pathlib.Path) -> bool:
    """Whether a folder holds a child of a population."""
    return child_files.describes(folder, "children")
