"""Many different children, each trained from weights of its own, in one program.

One compiled program serves every architecture of a space. How the children lie in it depends on
the device. A CPU core is full with one child: there they run one after the other, with real
branches, and each pays for its own architecture only. On a GPU or TPU one child leaves most of the
chip empty: there they run side by side, under `vmap`.

Source: Zoph & Le 2017, "Neural architecture search with reinforcement learning"
(arXiv:1611.01578), which trained 800 children at once on as many GPUs.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from jaxnas.evaluators.child_model import Batches, ChildModel, Data, Layout
from jaxnas.evaluators.child_training import (
    ChildState,
    ChildTraining,
    Hyperparameters,
    MakeOptimizer,
)
from jaxnas.spaces.walks import check_actions

AXIS = "child"
"""The axis of a mesh that children are spread over."""

PopulationState = ChildState
"""A `ChildState` with a leading axis `[N]` on every array: what is saved and resumed."""


@dataclasses.dataclass(frozen=True)
class Population:
    """Trains populations of children; static, so that closures and `jit` may hold it.

    A child is trained the same whatever children are beside it, on any mesh: its weights, the
    order of its data and its noise come from its own key. A child whose loss or gradient is not
    finite is frozen with the weights from before that step, and its value is minus infinity.

    Attributes:
      model: the children.
      batches: what they learn from.
      make_optimizer: the Optax optimiser of a child, made from its own hyperparameters, which are
        traced scalars. Hand in the same function again to use the compiled program again.
      layout: `one_by_one` or `side_by_side`; by default the first on a CPU, else the second.
      mesh: the caller's mesh with an axis `child`, over which the children are spread.

    Raises:
      ValueError: a mesh without the axis `child`, or an unknown layout.

    Example:
      >>> population = Population(  # doctest: +SKIP
      ...     nasrl_conv_children((8, 8, 1), 10),
      ...     ImageBatches(1000, 397, batch_size=50),
      ...     lambda h: optax.sgd(h["learning_rate"], 0.9, nesterov=True),
      ... )
      >>> keys = jax.random.split(jax.random.key(0), 100)  # doctest: +SKIP
      >>> state = population.init(keys, architectures, {"learning_rate": rates})  # doctest: +SKIP
      >>> state = population.run(state, data, epochs=5)  # doctest: +SKIP
      >>> state.value  # the validation accuracies  # doctest: +SKIP
    """

    model: ChildModel
    batches: Batches
    make_optimizer: MakeOptimizer
    layout: Layout | None = None
    mesh: Mesh | None = None

    def __post_init__(self):
        if self.layout not in (None, "one_by_one", "side_by_side"):
            raise ValueError(
                f"'layout' is {self.layout!r}: give 'one_by_one', 'side_by_side' or None."
            )
        if self.mesh is not None and AXIS not in self.mesh.axis_names:
            raise ValueError(
                f"the mesh has axes {list(self.mesh.axis_names)}: a population is spread over an "
                f"axis named {AXIS!r}; give a mesh with one."
            )

    @functools.cached_property
    def training(self) -> ChildTraining:
        """The training of one child, in the form of the layout."""
        model = self.model.for_layout("one_by_one" if self.one_by_one else "side_by_side")
        return ChildTraining(model, self.batches, self.make_optimizer, self.one_by_one)

    @functools.cached_property
    def one_by_one(self) -> bool:
        """Whether the children run one after the other."""
        if self.layout is not None:
            return self.layout == "one_by_one"
        devices = jax.devices() if self.mesh is None else self.mesh.devices.flat
        return next(iter(devices)).platform == "cpu"

    @property
    def shards(self) -> int:
        """Over how many devices the children are spread."""
        return 1 if self.mesh is None else self.mesh.shape[AXIS]

    def init(
        self, keys: jax.Array, architectures: Any, hyperparameters: Hyperparameters
    ) -> PopulationState:
        """The population before its training.

        Args:
          keys: `[N]` PRNG keys, one for each child.
          architectures: `int32 [N, T]`.
          hyperparameters: a pytree of arrays `[N]`, such as `{"learning_rate": rates}`.

        Raises:
          ValueError: numbers of children that differ, or that the mesh cannot divide; architectures
            of another width, or, outside of `jit`, with actions that the space does not have.
        """
        architectures = jnp.asarray(architectures, jnp.int32)
        hyperparameters = jax.tree.map(jnp.asarray, hyperparameters)
        self._check(keys, architectures, hyperparameters)
        return _init(self, keys, architectures, hyperparameters)

    def run(
        self, state: PopulationState, data: Data, epochs: int, scored: int = 1
    ) -> PopulationState:
        """Trains all active children on for some epochs.

        Two runs of 5 epochs are one of 10: a state that was saved and restored goes on as one that
        was not. Other numbers of epochs need no other program; other numbers of children do.

        Args:
          state: the population; left as it is.
          data: all data, as the batches want it.
          epochs: 0 or more.
          scored: after how many of the last epochs each child is scored, 0 to `epochs`; its value
            is the best. With 0 the values stay: give it where there are no epochs.

        Raises:
          ValueError: `scored` is not in that range.
        """
        if not 0 <= scored <= epochs:
            raise ValueError(f"'scored' is {scored} for {epochs} epochs: give 0 to {epochs}.")
        return _run(self, state, data, jnp.int32(epochs), jnp.int32(scored))

    def lower_run(self, state: PopulationState, data: Data) -> jax.stages.Lowered:
        """The program of `run`, lowered for arrays or shapes of these: its cost can be read."""
        number = jax.ShapeDtypeStruct((), jnp.int32)
        return _run.lower(self, state, data, number, number)

    def score(self, state: PopulationState, data: Data) -> jax.Array:
        """The value `[N]` of every child as it is, on what `data` holds for validation."""
        return _score(self, state, data)

    def spread(self, function: Any) -> Any:
        """A function of one child and of data, for all children, in this layout, on this mesh."""

        def over_children(children: Any, *rest: Any) -> Any:
            if self.one_by_one:
                return jax.lax.map(lambda child: function(child, *rest), children)
            return jax.vmap(lambda child: function(child, *rest))(children)

        if self.mesh is None:
            return over_children

        def over_mesh(children: Any, *rest: Any) -> Any:
            specs = (P(AXIS), *(P() for _ in rest))
            shards = jax.shard_map(
                over_children,
                mesh=self.mesh,
                in_specs=specs,
                out_specs=P(AXIS),
                check_vma=False,  # No child reads another one's numbers.
            )
            return shards(children, *rest)

        return over_mesh

    def _check(self, keys: jax.Array, architectures: jax.Array, hyperparameters: Any) -> None:
        number, length = len(keys), self.model.space.max_length
        if number < 1:
            raise ValueError("there are no children: give at least one key.")
        check_numbers(number, architectures, hyperparameters)
        if architectures.shape != (number, length):
            raise ValueError(
                f"the architectures have shape {list(architectures.shape)}: give [{number}, "
                f"{length}], as space {self.model.space.name!r} has them."
            )
        check_actions(self.model.space, architectures)
        if number % self.shards:
            raise ValueError(
                f"{number} children cannot be spread evenly over {self.shards} devices: give a "
                f"multiple of {self.shards}."
            )


def check_numbers(number: int, architectures: Any, hyperparameters: Any) -> None:
    """Raises `ValueError` naming an array that does not hold one of each for `number` children."""
    given = {"architectures": architectures, "hyperparameters": hyperparameters}
    for path, leaf in jax.tree_util.tree_leaves_with_path(given):
        if jnp.shape(leaf)[:1] != (number,):
            name = jax.tree_util.keystr(path, simple=True, separator=".")
            raise ValueError(
                f"there are {number} keys, but {name!r} has shape {list(jnp.shape(leaf))}: give "
                "one of each for every child."
            )


@functools.partial(jax.jit, static_argnums=0)
def _init(population: Population, keys, architectures, hyperparameters) -> PopulationState:
    init = population.spread(lambda child: population.training.init(*child))
    return init((keys, architectures, hyperparameters))


@functools.partial(jax.jit, static_argnums=0)
def _run(population: Population, state, data, epochs, scored) -> PopulationState:
    return population.spread(population.training.run)(state, data, epochs, scored)


@functools.partial(jax.jit, static_argnums=0)
def _score(population: Population, state, data) -> jax.Array:
    return population.spread(population.training.score)(state, data)
