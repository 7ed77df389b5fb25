"""Value numbering: children as expressions over one set of shared weights and images.

Two children that apply the same shared operation to the same values compute the same thing.
Expressions are hash-consed (one number per distinct expression), sums are sorted multisets, an
identity is its input, and zeros vanish wherever the arithmetic says so exactly. The terms of a sum
stand in an order that depends on the terms alone, so that a child's numbers do not depend, not even
in the last bit, on the children beside it.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from jaxnas.spaces import Choices
from jaxnas.supernets.network import Key, Network, Shared
from jaxnas.supernets.ops.operation import Identity, Shape, Zero

IMAGES, APPLY, ADD, ZEROS = "images", "apply", "add", "zeros"


class Expression(NamedTuple):
    """One value: how it is computed, from which values.

    Attributes:
      kind: `images`, `apply` (a shared operation), `add` (a sum) or `zeros`.
      key: the shared operation, for `apply`; empty otherwise.
      inputs: the numbers of the values that it reads.
      shape: its shape without the batch axis.
    """

    kind: str
    key: Key
    inputs: tuple[int, ...]
    shape: Shape


class Expressions:
    """Numbers the expressions of all children that are described with it; a `Build`."""

    def __init__(self, network: Network, input_shape: Shape | None = None):
        self.network = network
        self.expressions: list[Expression] = []
        self.applied: list[Key] = []
        self._numbers: dict[Expression, int] = {}
        self._digests: list[bytes] = []
        self._known: dict[tuple[Key, tuple[int, ...]], tuple[int, bool]] = {}
        # A part of a network is numbered by itself, its input in the place of the images.
        self.images = self._number(IMAGES, "", (), tuple(input_shape or network.image_shape))

    def apply(self, key: Key, *inputs: int) -> int:
        """The number of `key` applied to `inputs`."""
        found = self._known.get((key, inputs))
        if found is None:
            free = isinstance(self._shared(key).operation, Identity | Zero)
            found = self._known[key, inputs] = self._apply(key, inputs), free
        number, free = found
        if not free:
            self.applied.append(self.network.canonical[key])
        return number

    def _shared(self, key: Key) -> Shared:
        return self.network.operations[self.network.check(key)]

    def _apply(self, key: Key, inputs: tuple[int, ...]) -> int:
        shared = self._shared(key)
        shapes = tuple(self.expressions[i].shape for i in inputs)
        if shapes != shared.shapes:
            raise ValueError(
                f"operation {key!r} of network {self.network.name!r} is declared for inputs "
                f"{list(shared.shapes)} but is applied to {list(shapes)}."
            )
        operation = shared.operation
        if isinstance(operation, Identity):
            return inputs[0]
        zero = all(self.expressions[i].kind == ZEROS for i in inputs) and operation.preserves_zero
        shape = operation.output_shape(*shapes)
        if zero or isinstance(operation, Zero):
            return self._number(ZEROS, "", (), shape)
        return self._number(APPLY, self.network.canonical[key], inputs, shape)

    def zeros(self, shape: Shape) -> int:
        """The number of zeros."""
        return self._number(ZEROS, "", (), tuple(shape))

    def add(self, *inputs: int) -> int:
        """The number of the sum of `inputs`: zeros drop out, order does not matter."""
        if not inputs:
            raise ValueError(f"network {self.network.name!r} adds no values.")
        shapes = {self.expressions[i].shape for i in inputs}
        if len(shapes) > 1:
            raise ValueError(
                f"network {self.network.name!r} adds values of shapes {sorted(shapes)}."
            )
        terms = [i for i in inputs if self.expressions[i].kind != ZEROS]
        if len(terms) <= 1:
            return terms[0] if terms else inputs[0]
        terms.sort(key=self._digests.__getitem__)
        return self._number(ADD, "", tuple(terms), shapes.pop())

    def _number(self, kind: str, key: Key, inputs: tuple[int, ...], shape: Shape) -> int:
        expression = Expression(kind, key, inputs, shape)
        number = self._numbers.get(expression)
        if number is None:
            number = self._numbers[expression] = len(self.expressions)
            self.expressions.append(expression)
            self._digests.append(self._digest(expression))
        return number

    def _digest(self, expression: Expression) -> bytes:
        """Names a value by how it is computed, whatever its number."""
        kind, key, inputs, shape = expression
        parts = [f"{kind} {key} {shape} ".encode(), *(self._digests[i] for i in inputs)]
        return hashlib.blake2b(b"".join(parts), digest_size=16).digest()

    def child(self, choices: Choices) -> tuple[int, tuple[Key, ...]]:
        """Describes one child: the number of its logits, and the operations that it asked for.

        Identities and zeros are no work and are left out.
        """
        self.applied = []
        output = self.network.describe(self, choices)
        shape = self.expressions[output].shape
        if shape != (self.network.num_classes,):
            raise ValueError(
                f"network {self.network.name!r} describes an output of shape {shape}, not logits "
                f"({self.network.num_classes},)."
            )
        return output, tuple(self.applied)

    def reachable(self, output: int) -> list[int]:
        """The values that `output` needs, itself last, each after those that it reads."""
        order: dict[int, None] = {}
        stack = [(output, False)]
        while stack:
            number, ready = stack.pop()
            if ready:
                order.setdefault(number)
            elif number not in order:
                stack.append((number, True))
                stack.extend((i, False) for i in reversed(self.expressions[number].inputs))
        return list(order)
