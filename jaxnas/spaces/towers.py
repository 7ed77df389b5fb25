"""What spaces of wide and deep classifiers have in common: their towers and their training.

Source: Cheng et al. 2016, "Wide & deep learning for recommender systems" (arXiv:1606.07792);
Wong et al. 2018, "Transfer learning with neural AutoML" (arXiv:1803.02780), which searches them.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.compose import compose
from jaxnas.spaces.errors import SpaceError
from jaxnas.spaces.graph import Decision, SearchSpace
from jaxnas.spaces.parts import Part, branch, sequence

NO_YES = ("no", "yes")
ACTIVATIONS = ("relu", "relu6", "leaky_relu", "swish", "sigmoid", "tanh")
NORMALIZATIONS = ("none", "batch", "layer")
RATES = ("0.001", "0.005", "0.01", "0.05", "0.1", "0.5")
REGULARIZATIONS = ("0", "0.0001", "0.001", "0.01")
DROPOUTS = ("0", "0.05", "0.1", "0.2", "0.3", "0.4", "0.5")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TowerOptions:
    """The actions of each decision; hashable. A decision with one action is none: it is fixed.

    Attributes:
      convolution: whether there is a convolution, `no` or `yes`.
      filters: its numbers of filters.
      conv_activations: of the convolution, out of `ACTIVATIONS`.
      conv_normalizations: `none` or `batch`.
      conv_dropouts: shares of its outputs that are dropped in training.
      layers: numbers of hidden layers.
      widths: of the hidden layers.
      activations: of the hidden layers, out of `ACTIVATIONS`.
      normalizations: of the hidden layers, out of `NORMALIZATIONS`.
      dropouts: shares of the inputs of the hidden layers and of the head that are dropped.
      deep_rates: learning rates of the deep tower.
      deep_regularizations: factors of the sum of its squared weights, without the embedding.
      wide: whether there is a wide tower, `no` or `yes`.
      wide_rates: learning rates of the wide tower.
      wide_regularizations: factors of the sum of its squared weights.
      epochs: of the training.
    """

    convolution: tuple[str, ...] = NO_YES
    filters: tuple[str, ...] = ("50", "100", "200")
    conv_activations: tuple[str, ...] = ACTIVATIONS
    conv_normalizations: tuple[str, ...] = ("none", "batch")
    conv_dropouts: tuple[str, ...] = ("0", "0.2", "0.4")
    layers: tuple[str, ...] = ("0", "1", "2", "3", "5")
    widths: tuple[str, ...] = ("64", "128", "256")
    activations: tuple[str, ...] = ACTIVATIONS
    normalizations: tuple[str, ...] = NORMALIZATIONS
    dropouts: tuple[str, ...] = DROPOUTS
    deep_rates: tuple[str, ...] = RATES
    deep_regularizations: tuple[str, ...] = REGULARIZATIONS
    wide: tuple[str, ...] = NO_YES
    wide_rates: tuple[str, ...] = RATES
    wide_regularizations: tuple[str, ...] = REGULARIZATIONS
    epochs: tuple[str, ...] = ("1", "2", "5", "10", "20")

    def __post_init__(self):
        for field in dataclasses.fields(self):
            actions = tuple(getattr(self, field.name))
            object.__setattr__(self, field.name, actions)
            if not actions or not all(isinstance(action, str) for action in actions):
                raise SpaceError(f"{field.name!r} is {actions}: give labels, at least one.")
        self._check_labels()
        # What is wrong with the labels fails here.
        self.space  # noqa: B018

    @functools.cached_property
    def space(self) -> SearchSpace:
        """The graph of decisions."""
        return compose(self._name, *self._parts())

    @property
    def _name(self) -> str:
        raise NotImplementedError

    def _parts(self) -> list[Part]:
        raise NotImplementedError

    def numbers(self, field: str) -> np.ndarray:
        """The actions of a field as numbers, in their order."""
        return np.array([float(action) for action in getattr(self, field)])

    def most(self, field: str) -> int:
        """The largest action of a field, an int."""
        return int(self.numbers(field).max())

    def read(self, architecture: Any) -> dict[str, jax.Array]:
        """The action `int32 []` of every decision by its name, of one (traced) architecture `[T]`.

        It is 0 for a decision that is fixed, and -1 for one that the walk does not pass.
        """
        walk = self.space.walk(architecture)

        def action(name: str) -> jax.Array:
            if name not in self.space.vertex_index:
                return jnp.int32(0)
            here = walk.mask & (walk.vertices == self.space.vertex_index[name])
            taken = jnp.where(here, walk.actions, 0).sum(dtype=jnp.int32)
            return jnp.where(here.any(), taken, -1)

        return {name: action(name) for name in self.decision_fields}

    def number(self, choices: dict[str, jax.Array], name: str) -> jax.Array:
        """The chosen number `[]` of a decision."""
        numbers = jnp.asarray(self.numbers(self.decision_fields[name]), jnp.result_type(float))
        return numbers[jnp.maximum(choices[name], 0)]

    def is_yes(self, choices: dict[str, jax.Array], name: str) -> jax.Array:
        """Whether a decision of `no` and `yes` is `yes`, `bool []`."""
        labels = getattr(self, self.decision_fields[name])
        says_yes = jnp.asarray([label == "yes" for label in labels])
        return says_yes[choices[name]] & (choices[name] >= 0)

    @property
    def decision_fields(self) -> dict[str, str]:
        """The field that holds the actions of each decision, by the decision's name."""
        return FIELDS

    def _decision(self, name: str) -> Part:
        actions = getattr(self, self.decision_fields[name])
        return Decision(name, actions) if len(actions) > 1 else sequence()

    def _branch(self, name: str, after: Mapping[str, Part | None]) -> Part:
        """A decision and what follows each action; only what follows if there is one action."""
        actions = getattr(self, self.decision_fields[name])
        if len(actions) == 1:
            return after[actions[0]] or sequence()
        return branch(name, {action: after[action] for action in actions})

    def _convolution(self, *further: Part) -> Part:
        names = ("filters", "conv_activation", "conv_normalization", "conv_dropout")
        yes = sequence(*further, *(self._decision(name) for name in names))
        return self._branch("convolution", {"no": None, "yes": yes})

    def _towers(self) -> list[Part]:
        hidden = sequence(*map(self._decision, ("width", "activation", "normalization")))
        wide = sequence(*map(self._decision, ("wide_rate", "wide_regularization")))
        layers = {label: None if int(label) == 0 else hidden for label in self.layers}
        return [
            self._branch("layers", layers),
            *map(self._decision, ("dropout", "deep_rate", "deep_regularization")),
            self._branch("wide", {"no": None, "yes": wide}),
            self._decision("epochs"),
        ]

    def _check_labels(self) -> None:
        allowed = {
            "convolution": NO_YES,
            "wide": NO_YES,
            "conv_activations": ACTIVATIONS,
            "activations": ACTIVATIONS,
            "conv_normalizations": ("none", "batch"),
            "normalizations": NORMALIZATIONS,
        }
        for field, labels in allowed.items():
            check_among(field, getattr(self, field), labels)
        for field in ("filters", "layers", "widths", "epochs"):
            check_numbers(self, field, whole=True, least=0 if field == "layers" else 1)
        for field in ("conv_dropouts", "dropouts"):
            check_numbers(self, field, below=1)
        for field in ("deep_rates", "deep_regularizations", "wide_rates", "wide_regularizations"):
            check_numbers(self, field)


FIELDS = {
    "convolution": "convolution",
    "filters": "filters",
    "conv_activation": "conv_activations",
    "conv_normalization": "conv_normalizations",
    "conv_dropout": "conv_dropouts",
    "layers": "layers",
    "width": "widths",
    "activation": "activations",
    "normalization": "normalizations",
    "dropout": "dropouts",
    "deep_rate": "deep_rates",
    "deep_regularization": "deep_regularizations",
    "wide": "wide",
    "wide_rate": "wide_rates",
    "wide_regularization": "wide_regularizations",
    "epochs": "epochs",
}
"""The field of `TowerOptions` that holds the actions of each decision."""


def check_among(field: str, labels: tuple[str, ...], allowed: tuple[str, ...]) -> None:
    """Raises `SpaceError` for a label that is not allowed."""
    if not set(labels) <= set(allowed):
        raise SpaceError(f"{field!r} is {labels}: give some of {allowed}.")


def check_numbers(
    options: TowerOptions, field: str, whole: bool = False, least: float = 0, below: float = np.inf
) -> None:
    """Raises `SpaceError` for labels of a field that are no numbers in `[least, below)`."""
    labels = getattr(options, field)
    try:
        numbers = [int(label) if whole else float(label) for label in labels]
    except ValueError:
        numbers = [-1]
    if not all(least <= number < below for number in numbers):
        kind = "whole numbers" if whole else "numbers"
        raise SpaceError(f"{field!r} is {labels}: give {kind} in [{least}, {below}), as strings.")
