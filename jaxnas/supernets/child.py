"""Chosen children as a network of their own: only the operations that their outputs need.

It is a network like any other: the same executors, counts, training and export apply to it.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces import Decision, SearchSpace
from jaxnas.supernets.expressions import ADD, APPLY, IMAGES, Expression
from jaxnas.supernets.network import Network
from jaxnas.supernets.ops.operation import Params
from jaxnas.supernets.plan import make_plan

ARCHITECTURE = np.zeros((1, 1), np.int32)
"""The only architecture `[1, T]` of a child's own network."""


def children_network(network: Network, architectures: Any, *, auxiliary: bool = False) -> Network:
    """The network of some architectures `int [N, T]`, whose only choice is which of them.

    With `auxiliary` it has `2 N` children: child `N + i` gives the logits of the auxiliary
    classifier of child `i`.

    Children that are trained one after the other in one such network share its programs, and no
    child touches the operations of another unless both use them.

    Raises:
      SpaceError: an architecture does not belong to the network's space.
      ValueError: `auxiliary`, but the network has no auxiliary classifier.
    """
    forms = [network, _auxiliary(network)] if auxiliary else [network]
    plans = [make_plan(form, [child]) for form in forms for child in np.asarray(architectures)]
    used = set().union(*(plan.unique for plan in plans))
    actions = tuple(str(i) for i in range(len(plans)))

    def describe(build, choices):
        plan = plans[choices["child"]]
        return _replay(plan.instructions, int(plan.outputs[0]), build)

    return dataclasses.replace(
        network,
        name=f"{network.name}/children",
        space=SearchSpace("children", (Decision("child", actions),)),
        operations={key: s for key, s in network.operations.items() if key in used},
        describe=describe,
        describe_auxiliary=None,
    )


def _auxiliary(network: Network) -> Network:
    """The network whose children's logits are those of their auxiliary classifiers."""
    if network.describe_auxiliary is None:
        raise ValueError(
            f"network {network.name!r} has no auxiliary classifier: set train.auxiliary_weight to "
            "0, or train the final form of enas_micro."
        )
    return dataclasses.replace(network, describe=network.describe_auxiliary)


def child_network(network: Network, architecture: Any) -> Network:
    """The network of one architecture `int [T]`; raises `SpaceError` if it does not belong."""
    return children_network(network, [architecture])


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
        # On the host: a program for every child's set of rows would cost more than the copy.
        take = lambda leaf, rows=rows: jnp.asarray(np.asarray(leaf)[rows])  # noqa: E731
        stacks.append(jax.tree.map(take, stack))
    return tuple(stacks)


def count_parameters(network: Network, architecture: Any) -> int:
    """The number of parameters that one child `[T]` computes with."""
    return child_network(network, architecture).count_parameters()


def count_flops(network: Network, architecture: Any) -> int:
    """The floating-point operations of one child `[T]` for one image (a MAC counts as two)."""
    return make_plan(network, [architecture]).work["live"].flops
