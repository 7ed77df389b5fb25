"""A network: a table of shared operations, and how a child is built of them.

The author of a network says once which operations exist (`OperationTable`) and how an architecture
applies them to values (`describe`). The plan, the executors, the counts of FLOPs and parameters,
the drawing and the exported module all follow from that description.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces import Choices, SearchSpace
from jaxnas.supernets.ops.context import Context
from jaxnas.supernets.ops.operation import Identity, Operation, Params, Shape, Zero
from jaxnas.supernets.parallel_compilation import ParallelCompilation

Value = Any
Key = str


class Build(Protocol):
    """What `describe` builds a child with; values are opaque to the network's author."""

    images: Value

    def apply(self, key: Key, *inputs: Value) -> Value:
        """Applies the shared operation `key` of the table."""
        ...

    def add(self, *inputs: Value) -> Value:
        """The sum of values of one shape."""
        ...

    def zeros(self, shape: Shape) -> Value:
        """Zeros of a shape without its batch axis."""
        ...


@dataclasses.dataclass(frozen=True)
class Shared:
    """One shared operation of a network.

    Attributes:
      operation: the operation.
      shapes: the shapes `[H, W, C]` of its inputs.
      drop_path: the share of the drop-path rate that applies to its output: 0 never, 1 fully.
    """

    operation: Operation
    shapes: tuple[Shape, ...]
    drop_path: float = 0.0

    @property
    def signature(self) -> tuple[Operation, tuple[Shape, ...]]:
        """Operations of one signature share compiled programs and one stack of parameters."""
        return self.operation, self.shapes


class OperationTable(dict[Key, Shared]):
    """The shared operations of a network by key, in the order in which they are added."""

    def add(self, key: Key, operation: Operation, *shapes: Shape, drop_path: float = 0.0) -> Shape:
        """Adds an operation for inputs of `shapes`; returns the shape of its output.

        Raises:
          ValueError: the key is taken, or `drop_path` is outside [0, 1], or not 0 for an identity
            or zeros.
        """
        if key in self:
            raise ValueError(f"the operation {key!r} is in the table already.")
        _check_drop_path(key, operation, drop_path)
        self[key] = Shared(operation, tuple(tuple(s) for s in shapes), drop_path)
        return operation.output_shape(*self[key].shapes)


def _check_drop_path(key: Key, operation: Operation, share: float) -> None:
    if not 0 <= share <= 1:
        raise ValueError(f"operation {key!r}: drop_path is {share}; give a share from 0 to 1.")
    # Plans leave these out as no work, so nothing of them could be dropped.
    if share and isinstance(operation, Identity | Zero):
        raise ValueError(
            f"operation {key!r}: drop_path is {share}; give 0, since an identity or zeros are "
            "never dropped."
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Network:
    """A shared-weight network over a search space; static, compared by identity.

    Parameters of operations with one signature are stacked: the parameters of a network are a
    tuple with one pytree per signature, whose leaves are `[rows, ...]`. That keeps the number of
    arrays small, whatever the number of operations.

    Attributes:
      name: the name of the network.
      space: the search space of its children.
      image_shape: `(H, W, C)` of an image.
      num_classes: `K`, the length of a child's output.
      operations: the shared operations by key.
      describe: `(build, choices) -> value`, the logits of the child with those choices.
      describe_auxiliary: the same for the logits of an auxiliary classifier, which shares the
        child's first part and only helps its training; `None` for none.
    """

    name: str
    space: SearchSpace
    image_shape: Shape
    num_classes: int
    operations: Mapping[Key, Shared]
    describe: Callable[[Build, Choices], Value]
    describe_auxiliary: Callable[[Build, Choices], Value] | None = None

    @functools.cached_property
    def signatures(self) -> tuple[tuple[Operation, tuple[Shape, ...]], ...]:
        """The distinct signatures of the shared operations, in order of the table."""
        return tuple(dict.fromkeys(shared.signature for shared in self.operations.values()))

    @functools.cached_property
    def rows(self) -> Mapping[Key, tuple[int, int]]:
        """For each key, its signature's index and its row in the stack of that signature."""
        index = {signature: i for i, signature in enumerate(self.signatures)}
        used = [0] * len(index)
        rows = {}
        for key, shared in self.operations.items():
            group = index[shared.signature]
            rows[key] = (group, used[group])
            used[group] += 1
        return rows

    @functools.cached_property
    def members(self) -> tuple[tuple[Key, ...], ...]:
        """The keys of each signature in order of their rows."""
        groups: list[list[Key]] = [[] for _ in self.signatures]
        for key, (group, _) in self.rows.items():
            groups[group].append(key)
        return tuple(tuple(group) for group in groups)

    def init(self, key: jax.Array) -> Params:
        """Draws the shared parameters: a tuple of stacks, float32."""
        keys = jax.random.split(key, len(self.signatures))
        counts = [len(group) for group in self.members]
        stacks = [
            (*signature, count, k)
            for signature, count, k in zip(self.signatures, counts, keys, strict=True)
        ]
        # Under another transformation a program cannot have compiler options of its own.
        if isinstance(key, jax.core.Tracer):
            return tuple(_init_stack(*stack) for stack in stacks)
        with ParallelCompilation() as compilation:
            for stack in stacks:
                compilation.add(_compiled_init_stack.lower(*stack))
        return tuple(_compiled_init_stack(*stack) for stack in stacks)

    def parameters(self, params: Params, key: Key) -> Params:
        """The parameters of one shared operation."""
        group, row = self.rows[self.check(key)]
        return jax.tree.map(lambda leaf: leaf[row], params[group])

    def check(self, key: Key) -> Key:
        """Returns `key`, or raises `KeyError` naming the nearest key of the table."""
        if key not in self.operations:
            near = difflib.get_close_matches(key, self.operations, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise KeyError(f"network {self.name!r} has no operation {key!r}{hint}.")
        return key

    @functools.cached_property
    def canonical(self) -> Mapping[Key, Key]:
        """For each key, the key under which a plan applies it.

        Operations without parameters (pooling, say) do the same thing wherever they stand, so the
        first of its kind, with the same share of drop path, stands for all of them. One that
        normalises has its own moments in each place.
        """
        first: dict[Any, Key] = {}
        canonical = {}
        for key, shared in self.operations.items():
            canonical[key] = key if _has_state(*shared.signature) else first.setdefault(shared, key)
        return canonical

    def count_parameters(self) -> int:
        """The number of parameters of all operations together."""
        trees = (_abstract_params(*shared.signature) for shared in self.operations.values())
        return sum(int(np.prod(leaf.shape)) for tree in trees for leaf in jax.tree.leaves(tree))


@functools.lru_cache(maxsize=4096)
def _abstract_params(operation: Operation, shapes: tuple[Shape, ...]) -> Params:
    return jax.eval_shape(lambda key: operation.init(key, *shapes), jax.random.key(0))


@functools.lru_cache(maxsize=4096)
def _has_state(operation: Operation, shapes: tuple[Shape, ...]) -> bool:
    """Whether the operation has parameters or moments."""

    def run(key):
        context = Context(record={})
        params = operation.init(key, *shapes)
        operation.apply(params, *(jnp.zeros((1, *s)) for s in shapes), context=context)
        return params, context.record

    return bool(jax.tree.leaves(jax.eval_shape(run, jax.random.key(0))))


def _init_stack(operation: Operation, shapes: tuple[Shape, ...], count: int, key: jax.Array):
    return jax.vmap(lambda k: operation.init(k, *shapes))(jax.random.split(key, count))


# Each program runs once, so it is compiled without optimisation, which is five times as fast.
_compiled_init_stack = jax.jit(
    _init_stack, static_argnums=(0, 1, 2), compiler_options={"xla_backend_optimization_level": 0}
)
