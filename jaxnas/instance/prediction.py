"""What a network with an architecture for every image says of images, and what it did for them.

Source: Cheng et al. 2018, "InstaNAS: instance-aware neural architecture search"
(arXiv:1811.10201), section 3.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax

from jaxnas.objectives import LatencyTable
from jaxnas.policies.instance import InstancePolicy
from jaxnas.supernets import Supernet, make_routing


class Prediction(NamedTuple):
    """What the network says of `B` images, and what it did for it.

    Attributes:
      logits: `[B, K]`.
      architectures: `int32 [B, T]`.
      latency: `[B]`, by the table, the controller included.
    """

    logits: jax.Array
    architectures: jax.Array
    latency: jax.Array


def predict(
    supernet: Supernet,
    policy: InstancePolicy,
    table: LatencyTable,
    weights: tuple[Any, Any, Any],
    images: jax.Array,
) -> Prediction:
    """`InstanceEngine.predict` for those who only infer.

    Args:
      supernet: the network.
      policy: chooses the architectures, greedily.
      table: what operations cost.
      weights: the shared weights, their moments, and the parameters of the policy.
      images: float `[B, H, W, C]`, standardised.
    """
    params, moments, policy_params = weights
    architectures = policy.greedy(policy_params, images)
    logits = supernet.apply_each(params, architectures, images, statistics=moments)
    routing = make_routing(supernet.network, architectures)
    return Prediction(logits, architectures, table.total(routing))
