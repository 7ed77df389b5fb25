"""How a recurrent cell is trained to the end: the recipes of language modelling on Penn Treebank.

Source: Zoph & Le 2017, arXiv:1611.01578, section 4.2, compare their cell with LSTMs in the medium
and the large recipe of Zaremba et al. 2014 (arXiv:1409.2329), with variational dropout (Gal &
Ghahramani 2016, arXiv:1512.05287). They state parameters, not hidden units: ours are those at which
two layers of base 8 have as many (32M, 25M tied; 54M tied; 16.3M for characters). Zaremba et al.
state rates, decays, norms and epochs; Gal & Ghahramani's code the dropout of the large recipe. The
other shares, and the recipe for characters but for its size, are ours.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import optax

from jaxnas.children.recurrent.dropout import Dropout
from jaxnas.children.recurrent.language_model import Cell, LanguageModel
from jaxnas.children.recurrent.tree_cell import TreeCell

BASE_8 = TreeCell(8)
"""The cells that the paper searched."""


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A model, and how long and how fast it learns: SGD with the gradient's norm clipped.

    Attributes:
      model: what is trained.
      batch_size: streams of text that are read side by side.
      steps: tokens of a segment.
      epochs: passes over the text.
      learning_rate: at first.
      decay: what the learning rate is divided by for each epoch after `constant_epochs`.
      constant_epochs: epochs at the first learning rate.
      clip: the largest global norm of a gradient.
      weight_decay: the coefficient `c` of the gradient's `c w`.
    """

    model: LanguageModel
    batch_size: int = 20
    steps: int = 35
    epochs: int = 39
    learning_rate: float = 1.0
    decay: float = 1.2
    constant_epochs: int = 6
    clip: float = 5.0
    weight_decay: float = 0.0

    def schedule(self, epoch_steps: int) -> optax.Schedule:
        """The factor of the learning rate by step, for epochs of `epoch_steps` steps.

        Example:
          >>> recipe = medium(10_000)
          >>> [round(float(recipe.schedule(10)(step)), 4) for step in (0, 59, 60, 70)]
          [1.0, 1.0, 0.8333, 0.6944]
        """
        first = epoch_steps * (self.constant_epochs - 1)
        return optax.exponential_decay(
            1.0, epoch_steps, 1 / self.decay, transition_begin=first, staircase=True
        )

    def optimizer(self, epoch_steps: int) -> MakeOptimizer:
        """What `Population` makes the optimiser of a child with.

        Its hyperparameters are `{"learning_rate": [N]}`. Recipes that are equal have equal makers,
        so that a compiled program serves them all.
        """
        return MakeOptimizer(self, epoch_steps)


@dataclasses.dataclass(frozen=True)
class MakeOptimizer:
    """Makes the optimiser of a child from its learning rate, by a recipe."""

    recipe: Recipe
    epoch_steps: int

    def __call__(self, hyperparameters: Any) -> optax.GradientTransformation:
        """SGD as the recipe says."""
        factor, rate = self.recipe.schedule(self.epoch_steps), hyperparameters["learning_rate"]
        return optax.chain(
            optax.add_decayed_weights(self.recipe.weight_decay),
            optax.clip_by_global_norm(self.recipe.clip),
            optax.sgd(lambda step: rate * factor(step)),
        )


def medium(vocabulary: int, cell: Cell = BASE_8, *, tied: bool = False) -> Recipe:
    """The medium recipe: 32M parameters in base 8 at 10,000 words, or 25M tied."""
    model = LanguageModel(
        vocabulary,
        hidden=740,
        cell=cell,
        layers=2,
        tied=tied,
        dropout=Dropout(embedding=0.2, inputs=0.5, hidden=0.2, output=0.5),
        init_scale=0.05,
    )
    return Recipe(model)


def large(vocabulary: int, cell: Cell = BASE_8, *, tied: bool = True) -> Recipe:
    """The large recipe: 54M parameters in base 8 at 10,000 words, tied."""
    model = LanguageModel(
        vocabulary,
        hidden=1150,
        cell=cell,
        layers=2,
        tied=tied,
        dropout=Dropout(embedding=0.3, inputs=0.5, hidden=0.3, output=0.5),
        init_scale=0.04,
    )
    return Recipe(model, epochs=55, decay=1.15, constant_epochs=14, clip=10.0, weight_decay=1e-7)


def characters(vocabulary: int, cell: Cell = BASE_8) -> Recipe:
    """The recipe for characters: 16.3M parameters in base 8 at 50 characters."""
    model = LanguageModel(
        vocabulary,
        hidden=712,
        cell=cell,
        layers=2,
        dropout=Dropout(hidden=0.1, output=0.2),
        init_scale=0.05,
    )
    return Recipe(model, batch_size=32, steps=100, epochs=50, decay=1.2, constant_epochs=30)
