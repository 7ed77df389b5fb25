"""One child as a network of its own: only the operations that its output needs.

It has no choices left, but is otherwise a network like any other: the same executors, counts,
training and export apply to it.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np

from jaxnas.spaces import Decision, SearchSpace
from jaxnas.supernets.expressions import ADD, APPLY, IMAGES, Expression
from jaxnas.supernets.network import Network
from jaxnas.supernets.ops.operation import Params
from jaxnas.supernets.plan import make_plan

SPACE = SearchSpace("child", (Decision("child", ("this",)),))
ARCHITECTURE = np.zeros((1, 1), np.int32)
"""The only architecture `[1, T]` of a child's own network."""


def child_network(network: Network, architecture: Any) -> Network:
    """The network of one architecture `int [T]`.

    Raises:
      SpaceError: the architecture does not belong to the network's space.
    """
    plan = make_plan(network, [architecture])
    used = plan.unique
    return dataclasses.replace(
        network,
        name=f"{network.name}/child",
        space=SPACE,
        operations={key: s for key, s in network.operations.items() if key in used},
        describe=lambda build, _: _replay(plan.instructions, int(plan.outputs[0]), build),
    )


def _replay(instructions: tuple[Expression, ...], output: int, build):
    values: list[Any] = []
    for kind, key, inputs, shape in instructions:
        given = [values[i] for i in inputs]
        if kind == APPLY:
            values.append(build.apply(key, *given))
        elif kind == ADD:
            values.append(build.add(*given))
        else:
            values.append(build.images if kind == IMAGES else build.zeros(shape))
    return values[output]


def inherit(network: Network, params: Params, child: Network) -> Params:
    """The parameters that the operations of `child` have in the shared `params` of `network`."""
    stacks = []
    for group in child.members:
        stack = params[network.rows[group[0]][0]]
        rows = np.array([network.rows[key][1] for key in group])
        stacks.append(jax.tree.map(lambda leaf, rows=rows: leaf[rows], stack))
    return tuple(stacks)


def count_parameters(network: Network, architecture: Any) -> int:
    """The number of parameters that one child `[T]` computes with."""
    return child_network(network, architecture).count_parameters()


def count_flops(network: Network, architecture: Any) -> int:
    """The floating-point operations of one child `[T]` for one image (a MAC counts as two)."""
    return make_plan(network, [architecture]).work["live"].flops
