"""A trained language model on disk: a folder that is enough to rebuild it."""

from __future__ import annotations

import math
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxnas.children.recurrent import Dropout, GatedCell, LanguageModel, TreeCell
from jaxnas.data import DataError, Text, text_batches
from jaxnas.export import Variables
from jaxnas.runtime import child_files

CELLS = {"TreeCell": TreeCell, "GatedCell": GatedCell}


class LanguageModelModule(nnx.Module):
    """A trained language model as a Flax module.

    Args:
      model: all children of its space.
      architecture: `int32 [T]`.
      parameters: its weights.

    Example:
      >>> logits = module(tokens)  # doctest: +SKIP
    """

    def __init__(self, model: LanguageModel, architecture: Any, parameters: Any):
        self.model = model
        self.architecture = tuple(int(action) for action in architecture)
        self.weights = Variables(parameters, nnx.Param)

    def __call__(self, tokens: jax.Array) -> jax.Array:
        """The logits `[B, T, V]` of what follows each token `int [B, T]` of texts from their start.

        A token is its position in the vocabulary of `child.json`.
        """
        architecture = jnp.array(self.architecture, jnp.int32)
        carry = self.model.initial_carry(len(tokens))
        return self.model.logits(self.weights.tree(), architecture, carry, tokens)[0]


def save(
    folder: pathlib.Path, text: Text, model: LanguageModel, architecture: np.ndarray, trained: Any
) -> None:
    """Writes a trained language model to `folder`, which is made."""
    child_files.write(
        folder,
        {
            "architecture": model.space.encode(architecture),
            "language_model": {
                "hidden": model.hidden,
                "layers": model.layers,
                "tied": model.tied,
                "dropout": model.dropout,
                "init_scale": model.init_scale,
            },
            "cell": {"form": type(model.cell).__name__, "options": model.cell},
            "text": text.name,
            "level": text.level,
            "vocabulary": list(text.vocabulary),
            "diverged": bool(trained.diverged),
        },
        weights=trained.parameters,
    )


class SavedLanguageModel:
    """A language model read from its folder, as `jaxnas.runtime.saved_child.SavedChild`.

    Attributes:
      folder: where it was read.
      description: the content of `child.json`.
      model: all children of its space.
      architecture: `int32 [T]`.
      parameters: its weights.
    """

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.description = description = child_files.read_description(folder)
        cell = CELLS[description["cell"]["form"]](**description["cell"]["options"])
        options = dict(description["language_model"])
        options["dropout"] = Dropout(**options["dropout"])
        self.model = LanguageModel(len(description["vocabulary"]), cell=cell, **options)
        self.architecture = self.model.space.decode(description["architecture"])
        like = jax.eval_shape(self.model.init, jax.random.key(0), self.architecture)
        self.parameters = child_files.read_tree(folder, "weights", like)

    def module(self) -> LanguageModelModule:
        """The child as a Flax NNX module."""
        return LanguageModelModule(self.model, self.architecture, self.parameters)


def evaluate(child: SavedLanguageModel, text: Text) -> dict[str, Any]:
    """The perplexity of a saved language model on the test split of a text.

    Raises:
      DataError: the tokens of the text are others than the child's.
    """
    if list(text.vocabulary) != child.description["vocabulary"]:
        raise DataError(f"{text.name} has other tokens than the child: give its own text.")
    batches, data = text_batches(text, batch_size=2, score_split="test")
    architecture, model = jnp.asarray(child.architecture), child.model

    @jax.jit
    def score(carry: Any, step: jax.Array) -> Any:
        batch = batches.score_batch(data, step)
        return model.score(child.parameters, architecture, carry, batch)

    carry, nats, tokens = model.initial_carry(batches.score_batch_size), 0.0, 0.0
    for step in range(batches.score_steps):
        sums, carry = score(carry, jnp.int32(step))
        nats, tokens = nats + float(sums.nats), tokens + float(sums.tokens)
    return {"test_perplexity": math.exp(nats / tokens), "tokens": int(tokens)}


def is_language_model(folder: pathlib.Path) -> bool:
    """Whether a folder holds a language model."""
    return child_files.describes(folder, "language_model")
