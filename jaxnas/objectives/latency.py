"""The latency of a policy for each image, from a table of its operations.

The latency of a child is the sum of the entries of the operations that it runs, as in the authors'
code. Entries are seconds measured on one device (`jaxnas.runtime.latency`) or FLOPs.

Source: Cheng et al. 2018, "InstaNAS" (arXiv:1811.10201), section 3.3, and the authors' code.
"""

from __future__ import annotations

import dataclasses
import math
import numbers
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.supernets import Network, Routing, make_routing
from jaxnas.supernets.cost import operation_flops
from jaxnas.supernets.routing import MAX_WAYS

VERSION = 1


@dataclasses.dataclass(frozen=True, eq=False)
class LatencyTable:
    """What each operation of a network costs for one image.

    Attributes:
      network: the name of the network.
      unit: `seconds` or `FLOPs`.
      costs: the cost of one application, by operation.
      spread: the interquartile range of each cost over its repeats; empty where nothing varies.
      controller: the cost of the policy that chooses.
      machine: what it was measured on; empty for FLOPs.
    """

    network: str
    unit: str
    costs: Mapping[str, float]
    spread: Mapping[str, float] = dataclasses.field(default_factory=dict)
    controller: float = 0.0
    machine: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def check(self, network: Network) -> None:
        """Raises `ValueError` unless the table is one of `network`, and its costs are finite."""
        if self.network != network.name or set(self.costs) != set(network.operations):
            odd = sorted(set(self.costs) ^ set(network.operations))
            raise ValueError(
                f"the latency table is of network {self.network!r}, not of this "
                f"{network.name!r}{f': they differ in {odd[0]!r}' if odd else ''}: measure one "
                "for this network."
            )
        for key, cost in {**self.costs, "controller": self.controller}.items():
            if not isinstance(cost, numbers.Real) or not 0 <= cost < math.inf:
                raise ValueError(f"the latency table holds {cost!r} for {key!r}: measure it again.")

    def searched(self, routing: Routing) -> jax.Array:
        """The cost `[B]` of the operations that an image runs and another might not.

        Raises:
          ValueError: not all ways through the network are known, so nor is what they share.
        """
        if not all(leg.complete for leg in routing.legs):
            raise ValueError(
                f"what all architectures of network {routing.network.name!r} share is not known: "
                f"describe it with `InSegments` of at most {MAX_WAYS} ways each."
            )
        return routing.cost(self.costs) - self._shared(routing)

    def total(self, routing: Routing) -> jax.Array:
        """The cost `[B]` of everything that an image runs, the controller included."""
        return routing.cost(self.costs) + self.controller

    def _shared(self, routing: Routing) -> float:
        """The cost of the operations that every image runs, the stem's and the head's."""
        return sum(
            self.costs[step.key]
            for leg in routing.legs
            for position, step in enumerate(leg.ways.steps)
            if step.key and leg.whole(position)
        )

    def to_json(self) -> dict[str, Any]:
        """The table as plain values."""
        return {"version": VERSION, **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> LatencyTable:
        """The table of `to_json`; raises `ValueError` for other values."""
        if not isinstance(values, Mapping):
            raise ValueError(f"this is no latency table but a {type(values).__name__}.")
        fields = {field.name for field in dataclasses.fields(cls)}
        if values.get("version") != VERSION or set(values) != fields | {"version"}:
            raise ValueError(
                f"this is no latency table of version {VERSION}: it holds {sorted(values)}."
            )
        for name in ("costs", "spread", "machine"):
            if not isinstance(values[name], Mapping):
                raise ValueError(f"the latency table's {name} is no object: measure it again.")
        return cls(**{name: values[name] for name in fields})


def flops_table(network: Network, controller: int = 0) -> LatencyTable:
    """The table that needs no device: FLOPs, a multiply-accumulate counting as two.

    Mind that FLOPs are no seconds: a dense 3 x 3 convolution costs most FLOPs but little time on
    many devices, so with InstaNAS's default module the window of `WindowSchedule` is empty.

    Args:
      network: the network.
      controller: the FLOPs of the controller, as `InstancePolicy.flops` has them.
    """
    costs = {
        key: float(operation_flops(*shared.signature)) for key, shared in network.operations.items()
    }
    return LatencyTable(network.name, "FLOPs", costs, controller=float(controller))


def latency_reward(
    latency: jax.Array, lower: jax.Array | float, upper: jax.Array | float, exponent: float = 1.0
) -> jax.Array:
    """A parabola that is 1 in the middle of a window and 0 at its ends and outside.

    Args:
      latency: `[B]`.
      lower: the lower end of the window.
      upper: its upper end, more than `lower`.
      exponent: the power to which the parabola is raised.
    """
    height = (upper - lower) ** 2 / 4
    return jnp.maximum(0.0, (upper - latency) * (latency - lower) / height) ** exponent


def instance_reward(
    logits: jax.Array,
    labels: jax.Array,
    reward: jax.Array,
    *,
    right: float = 30.0,
    wrong: float = 0.0,
) -> jax.Array:
    """The reward of each image: `right * reward` where it is classified correctly, else `wrong`.

    Args:
      logits: `[B, K]`; an image with a logit that is not finite is wrong.
      labels: `int [B]`.
      reward: `[B]`, as `latency_reward` gives it.
      right: the published setting is 30.
      wrong: the published setting is 0.
    """
    correct = (logits.argmax(-1) == labels) & jnp.isfinite(logits).all(-1)
    return jnp.where(correct, right * reward, wrong)


def bounds(table: LatencyTable, network: Network, baseline: str) -> dict[str, float]:
    """The searched cost of three policies, by name.

    Args:
      table: the costs.
      network: a network over a space of bits.
      baseline: the module whose bits make the baseline (`inverted_residual_3x3_6` in InstaNAS).

    Returns:
      `nothing` (no module chosen: only defaults), `baseline` (this module in each block) and
      `everything`.

    Raises:
      ValueError: the space has no such module, or the table is of another network.
    """
    table.check(network)
    names = [decision.name for decision in network.space.decisions]
    chosen = [int(name.rsplit("/", 1)[-1] == baseline) for name in names]
    if not any(chosen):
        raise ValueError(f"space {network.space.name!r} has no module {baseline!r}.")
    rows = [[0] * len(names), chosen, [1] * len(names)]
    costs = table.searched(make_routing(network, rows)).tolist()
    return dict(zip(("nothing", "baseline", "everything"), costs, strict=True))
