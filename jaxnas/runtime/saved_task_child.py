"""A trained child of one of several tasks on disk, and as a Flax module."""

from __future__ import annotations

import functools
import itertools
import pathlib
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxnas.children import SmallImageChildren, TextChildren
from jaxnas.data import DataError, HashVocabulary, number_tokens, tokenize
from jaxnas.data.batches import check_shape, normalize
from jaxnas.export import Variables
from jaxnas.runtime import child_files
from jaxnas.runtime.overrides import from_values
from jaxnas.tasks_config import SmallImageTasksConfig, TextTasksConfig

_KINDS = {"text": TextTasksConfig, "small_images": SmallImageTasksConfig}


class TaskChildModule(nnx.Module):
    """A child of one task as a Flax module.

    Args:
      model: all children of its space.
      architecture: `int32 [T]`.
      parameters: its weights.
      reference: training rows by whose statistics its batch normalisation normalises.
      description: of its inputs and classes, as `child.json` has it.
    """

    def __init__(self, model, architecture, parameters, reference, description):
        self.model = model
        self.architecture = tuple(int(action) for action in architecture)
        self.weights = Variables(parameters, nnx.Param)
        self.reference = nnx.BatchStat(jnp.asarray(reference))
        self.class_names = tuple(description["class_names"])

    def logits(self, rows: jax.Array) -> jax.Array:
        """The logits `[B, K]` of the task's own `K` classes."""
        architecture = np.array(self.architecture, np.int32)
        weights, reference = self.weights.tree(), self.reference[...]
        found = _logits(self.model, reference, weights, architecture, rows)
        return found[:, : len(self.class_names)]


class TextChildModule(TaskChildModule):
    """A child that reads texts.

    Example:
      >>> logits = module(module.prepare(["a text", "another"]))  # doctest: +SKIP
    """

    def __init__(self, model, architecture, parameters, reference, description):
        super().__init__(model, architecture, parameters, reference, description)
        self.length = int(description["input_shape"][0])

    def prepare(self, texts: Sequence[str]) -> np.ndarray:
        """Token numbers `int32 [B, L]` of texts; tokens that were never seen are hashed as well.

        Raises:
          DataError: a text without any character.
        """
        empty = [i for i, text in enumerate(texts) if not text.strip()]
        if empty:
            raise DataError(f"text {empty[0]} (from 0) is empty: leave it out.")
        options = self.model.options
        choices = options.read(jnp.array(self.architecture, jnp.int32))
        position = int(self.model.preprocessing(choices))
        lower, strip = list(itertools.product(options.lowercase, options.strip))[position]
        tokens = [tokenize(t, lowercase=lower == "yes", strip=strip == "yes") for t in texts]
        return number_tokens(tokens, HashVocabulary(self.model.vocabulary_size), self.length)

    def __call__(self, tokens: jax.Array) -> jax.Array:
        """The logits `[B, K]` of token numbers `int32 [B, L]`, as `prepare` gives them."""
        return self.logits(jnp.asarray(tokens))


class ImageChildModule(TaskChildModule):
    """A child that reads small images.

    Example:
      >>> logits = module(images)  # doctest: +SKIP
    """

    def __init__(self, model, architecture, parameters, reference, description):
        super().__init__(model, architecture, parameters, reference, description)
        mean, std = (np.float32(description[name]) for name in ("mean", "std"))
        self.mean, self.std = nnx.BatchStat(jnp.asarray(mean)), nnx.BatchStat(jnp.asarray(std))

    def prepare(self, images: np.ndarray) -> np.ndarray:
        """The images: they are read as they are stored."""
        return np.asarray(images)

    def __call__(self, images: jax.Array) -> jax.Array:
        """The logits `[B, K]` of images `[B, H, W, C]`, `uint8` or floats in [0, 1].

        Raises:
          ValueError: images of another shape.
        """
        check_shape(images, self.model.image_shape, "this child")
        return self.logits(normalize(jnp.asarray(images), self.mean[...], self.std[...]))


@functools.partial(jax.jit, static_argnums=0)
def _logits(model: Any, reference, weights, architecture, rows) -> jax.Array:
    return model.logits_by(reference, weights, architecture, rows)


def make_module(model: Any, *arguments: Any) -> TextChildModule | ImageChildModule:
    """The module of a child; takes what `TaskChildModule` takes."""
    kind = TextChildModule if isinstance(model, TextChildren) else ImageChildModule
    return kind(model, *arguments)


def accuracy(module: Any, rows: Any, labels: np.ndarray, batch: int = 256) -> float:
    """The share of right answers; not a number where a logit is not finite.

    Args:
      module: of the child.
      rows: what it reads, as its `prepare` gives it, `[N, ...]`.
      labels: `int [N]`.
      batch: rows of a forward pass; the last one is filled up.
    """
    count, hits = len(labels), 0.0
    for start in range(0, count, batch):
        positions = np.minimum(np.arange(start, start + batch), count - 1)
        used = min(batch, count - start)
        logits = np.asarray(module(jnp.asarray(rows[positions])))[:used]
        right = (logits.argmax(-1) == labels[positions[:used]]).sum()
        hits += float(right) if np.isfinite(logits).all() else float("nan")
    return hits / count


def save(folder: pathlib.Path, description: dict[str, Any], parameters, reference) -> None:
    """Writes a trained child to `folder`, which is made."""
    child_files.write(folder, description, weights=parameters, reference=reference)


class SavedTaskChild:
    """A child read from its folder, as `jaxnas.runtime.saved_child.SavedChild`."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.description = description = child_files.read_description(folder)
        kind = _KINDS[description["children"]["kind"]]
        children = from_values(description["children"], kind, "children")
        self.model = _model(children, description)
        self.architecture = self.model.space.decode(description["architecture"])
        like = jax.eval_shape(self.model.init, jax.random.key(0), self.architecture)
        self.parameters = child_files.read_tree(folder, "weights", like)
        self.reference = child_files.read_array(folder, "reference")

    @property
    def input(self) -> jax.ShapeDtypeStruct:
        """One row of what the module reads."""
        shape = tuple(self.description["input_shape"])
        return jax.ShapeDtypeStruct(shape, jnp.dtype(self.description["input_dtype"]))

    def module(self) -> TextChildModule | ImageChildModule:
        """The child as a Flax NNX module."""
        weights = self.parameters, self.reference
        return make_module(self.model, self.architecture, *weights, self.description)


def _model(
    children: TextTasksConfig | SmallImageTasksConfig, description: dict[str, Any]
) -> TextChildren | SmallImageChildren:
    classes = description["all_classes"]
    if isinstance(children, TextTasksConfig):
        return TextChildren(children.space, classes, children.vocabulary, children.pairs)
    height, width, channels = description["input_shape"]
    return SmallImageChildren(children.space, (height, width, channels), classes)


def is_task_child(folder: pathlib.Path) -> bool:
    """Whether a folder holds a child of one of several tasks."""
    return child_files.describes(folder, "task")
