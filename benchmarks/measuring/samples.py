"""Children to measure with: uniform ones, and those of a policy that has nearly converged."""

from __future__ import annotations

import jax
import numpy as np
from scipy import optimize

from jaxnas.spaces import SearchSpace
from jaxnas.supernets import Network

SHARE = 0.25
"""The entropy of the peaked policy, as a share of the uniform one's."""


def draw(network: Network, kind: str, number: int, seed: int) -> np.ndarray:
    """Architectures `int32 [number, T]`, the same for the same arguments.

    Args:
      network: the network.
      kind: `uniform` over architectures, or `peaked`: at every decision one action has the mass
        with which the entropy is 0.25 of the uniform distribution's, the others share the rest.
        The favourite actions are those of one uniform child, so how much children share, and what
        they cost, differs from seed to seed: measure with several.
      number: how many.
      seed: of all draws.
    """
    if kind == "uniform":
        return np.asarray(network.space.sample(jax.random.key(seed), number))
    favourite = np.asarray(network.space.sample(jax.random.key(seed), 1))[0]
    random = np.random.default_rng(seed)
    return np.stack([_walk(network.space, favourite, random) for _ in range(number)])


def _walk(space: SearchSpace, favourite: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """One child of the peaked policy; the walks of `space` all pass the same decisions."""
    architecture, state = np.full(space.max_length, -1, np.int32), 0
    for step in range(space.max_length):
        choices = np.flatnonzero(space.automaton.next_state[state] != -1)
        others = choices[choices != favourite[step]]
        keep = random.random() < peak_mass(len(choices))
        action = favourite[step] if keep or not len(others) else random.choice(others)
        architecture[step] = action
        state = space.automaton.next_state[state, action]
    return architecture


def peak_mass(actions: int, share: float = SHARE) -> float:
    """The mass of one of `actions` for an entropy of `share * log(actions)`, the others equal."""
    if actions == 1:
        return 1.0

    def excess(mass: float) -> float:
        rest = 1 - mass
        entropy = -mass * np.log(mass) - rest * np.log(rest / (actions - 1))
        return entropy - share * np.log(actions)

    return float(optimize.brentq(excess, 1 / actions, 1 - 1e-12))
