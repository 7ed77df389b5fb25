"""Simulated rewards: random landscapes on which searchers are tuned before they see real tables."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnas.spaces import Decision, SearchSpace, chain, enas_macro


class Landscape(NamedTuple):
    """The numbers behind a simulated reward; `S` states, `A` actions, `Q` pairs of steps.

    Attributes:
      main: `[S, A]`, what each action adds.
      steps: `int32 [Q, 2]`, the pairs of steps that interact.
      pairs: `[Q, A, A]`, what each pair of actions adds there.
      hash: `[T]`, makes the part of the reward that belongs to one architecture alone.
      centre: `[]`, the mean of the sum over uniform architectures.
      scale: `[]`, its standard deviation.
    """

    main: jax.Array
    steps: jax.Array
    pairs: jax.Array
    hash: jax.Array
    centre: jax.Array
    scale: jax.Array


INTERACTION = 0.6
"""The standard deviation of all interactions together; that of the actions is 1."""
IDIOSYNCRASY = 0.25
"""The standard deviation of what belongs to one architecture alone."""

OFFSET = 0.5
"""The logit of the reward of an average architecture."""


def spaces() -> dict[str, SearchSpace]:
    """The spaces that searchers are tuned on."""
    layer = Decision("layer", ("a", "b", "c", "d", "e"), max_visits=8)
    more = Decision("more", ("again", "stop"), next=("layer", "end"), max_visits=8)
    return {
        "6x5": chain(6),
        "12x5": chain(12),
        "macro": enas_macro(5, ("a", "b", "c", "d")),
        "loop": SearchSpace("loop", (layer, more)),
    }


def make_landscape(space: SearchSpace, key: jax.Array) -> Landscape:
    """Draws a landscape. Actions differ in weight between decisions, as they do in networks.

    Args:
      space: the search space.
      key: a PRNG key; it is consumed.
    """
    keys = jax.random.split(key, 8)
    states, actions = space.automaton.next_state.shape
    length = space.max_length
    shared = jax.random.normal(keys[0], (len(space.decisions), actions))[space.automaton.vertex]
    own = jax.random.normal(keys[1], (states, actions))
    weight = jnp.exp(0.7 * jax.random.normal(keys[2], (states, 1)))
    num_pairs = 2 * length
    first = jax.random.randint(keys[3], (num_pairs,), 0, length)
    second = (first + jax.random.randint(keys[4], (num_pairs,), 1, length)) % length
    landscape = Landscape(
        main=weight * (shared + own) / (2 * length) ** 0.5,
        steps=jnp.stack([first, second], axis=-1),
        pairs=INTERACTION
        * jax.random.normal(keys[5], (num_pairs, actions, actions))
        / num_pairs**0.5,
        hash=jax.random.uniform(keys[6], (length,), minval=1.0, maxval=100.0),
        centre=jnp.float32(0),
        scale=jnp.float32(1),
    )
    sums = _sum(space, space.sample(keys[7], 2000), landscape)
    return landscape._replace(centre=sums.mean(), scale=sums.std())


def reward(space: SearchSpace, architectures: jax.Array, landscape: Landscape) -> jax.Array:
    """The reward `[N]` of architectures `[N, T]`: like an accuracy, flat at the top.

    Uniform architectures have a mean near 0.6; few are very bad, the best come near 1.
    """
    score = (_sum(space, architectures, landscape) - landscape.centre) / landscape.scale
    return jax.nn.sigmoid(score + OFFSET)


def _sum(space: SearchSpace, architectures: jax.Array, landscape: Landscape) -> jax.Array:
    walk = space.walk(architectures)
    main = jnp.where(walk.mask, landscape.main[walk.states, walk.actions], 0.0).sum(-1)
    first, second = landscape.steps.T
    index = jnp.arange(len(first))
    added = landscape.pairs[index, walk.actions[:, first], walk.actions[:, second]]
    together = jnp.where(walk.mask[:, first] & walk.mask[:, second], added, 0.0).sum(-1)
    # A fixed pseudo-random number for each architecture, of standard deviation 1.
    number = jnp.sin((architectures + 1) @ landscape.hash) * 43758.547
    own = (number - jnp.floor(number) - 0.5) * 12**0.5
    return main + together + IDIOSYNCRASY * own
