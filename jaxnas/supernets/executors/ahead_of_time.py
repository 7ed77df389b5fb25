"""Compiling the programs that a plan needs anew, side by side, before the plan is executed.

A sweep over a plan on shapes instead of arrays tells which programs it calls. They are traced one
after the other and compiled on as many threads as there are cores: XLA holds no lock of Python's.
Nothing is executed, so results do not depend on it; a program that cannot be traced or compiled
raises its error where it is called, not here.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Iterator
from typing import Any, Protocol

import jax

from jaxnas.supernets.executors.program import Program
from jaxnas.supernets.expressions import APPLY, IMAGES
from jaxnas.supernets.network import Network
from jaxnas.supernets.parallel_compilation import ParallelCompilation
from jaxnas.supernets.plan import Plan


class Run(Protocol):
    """Calls programs: how a plan is executed."""

    @property
    def threads(self) -> int:
        """On how many threads a sweep is to call programs."""

    def __call__(self, program: Program, *args: Any) -> Any:
        """Calls a program."""


# What has been compiled for a network, for as long as there is that network.
_compiled: weakref.WeakKeyDictionary[Network, set[Hashable]] = weakref.WeakKeyDictionary()


def compile_ahead_of_time(
    plan: Plan, images: jax.Array, variant: Hashable, sweep: Callable[[Run], Any], alone: bool
) -> None:
    """Compiles the programs of a plan unless all its operations have been seen before.

    Args:
      plan: what is about to be executed.
      images: `[B, H, W, C]`; nothing is done under a transformation or on several devices.
      variant: what else decides the programs.
      sweep: executes the plan, calling each program by way of its argument, as
        `run(program, *args)`.
      alone: whether each program is to keep to one core.
    """
    if isinstance(images, jax.core.Tracer) or len(_devices(images)) > 1:
        return
    known = _compiled.setdefault(plan.network, set())
    signatures = {(variant, alone, images.shape, images.dtype, *s) for s in _signatures(plan)}
    if signatures <= known:
        return
    with ParallelCompilation() as compilation:
        try:
            sweep(_Shapes(compilation, alone))
        except Exception:
            # The same sweep on arrays raises it again, with the values at hand.
            return
    known |= signatures


def _devices(images: Any) -> set[Any]:
    return images.devices() if isinstance(images, jax.Array) else set()


def _signatures(plan: Plan) -> Iterator[tuple[Hashable, ...]]:
    """What decides the program of each application: its signature, noise, and wanted inputs."""
    network = plan.network
    for instruction in plan.instructions:
        if instruction.kind == APPLY:
            from_images = tuple(plan.instructions[i].kind == IMAGES for i in instruction.inputs)
            drops = bool(network.operations[instruction.key].drop_path)
            yield network.rows[instruction.key][0], drops, from_images


class _Shapes:
    """Runs programs on shapes: has each compiled and returns the shapes of its results."""

    threads = 1

    def __init__(self, compilation: ParallelCompilation, alone: bool):
        self._compilation, self._alone = compilation, alone
        self._results: dict[Hashable, Any] = {}

    def __call__(self, program: Program, *args: Any) -> Any:
        compiled = program.on_one_core if self._alone else program.on_all_cores
        leaves, structure = jax.tree.flatten(args)
        key = program, structure, tuple(_abstract(leaf) for leaf in leaves)
        if key not in self._results:
            self._compilation.add(compiled.lower(*args))
            shapes = compiled.eval_shape(*args)
            self._results[key] = _placed(shapes, leaves)
        return self._results[key]


def _abstract(leaf: Any) -> Any:
    """What of an argument decides the program: not the value of a row or of a rate."""
    if hasattr(leaf, "shape"):
        weak = getattr(leaf, "weak_type", False)
        return tuple(leaf.shape), leaf.dtype, weak, _placement(leaf)
    return type(leaf) if type(leaf) in (int, float) else leaf


def _placed(shapes: Any, leaves: list[Any]) -> Any:
    """Shapes of results that are committed to a device if any argument is, as JAX has it."""
    sharding = next((s for s in map(_placement, leaves) if s is not None), None)
    if sharding is None:
        return shapes
    place = lambda s: jax.ShapeDtypeStruct(s.shape, s.dtype, sharding=sharding)  # noqa: E731
    return jax.tree.map(place, shapes)


def _placement(leaf: Any) -> Any:
    """The sharding of an array that is committed to a device."""
    return leaf.sharding if getattr(leaf, "committed", True) and hasattr(leaf, "sharding") else None
