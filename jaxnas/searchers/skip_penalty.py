"""A penalty that keeps the density of skip connections near a target.

Source: Pham et al. 2018, ENAS (arXiv:1802.03268), section 2.3: the Kullback-Leibler divergence
between the probability of each skip connection and a prior, 0.4, is added to the loss of the
controller with weight 0.8, summed within a layer and averaged over the layers, as in the authors'
code (`general_controller.py`). The code takes it of the sigmoid of one of the two logits, whose
log-odds are half of those of the skip; here it is that of the probability itself, as in the paper.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces import Decision, SearchSpace

_LEAST = 1e-7


@functools.lru_cache(maxsize=64)
def skip_steps(space: SearchSpace) -> tuple[np.ndarray, int]:
    """The steps of a walk that decide on a skip, `bool [T]`, and the number of layers with any.

    Raises:
      ValueError: the space has no skips, or its walks differ in the decisions that they pass.
    """
    skips = np.array([_is_skip(decision) for decision in space.decisions])
    if not skips.any():
        raise ValueError(f"space {space.name!r} has no skip connections: leave 'skip_weight' 0.")
    if space.max_length != len(skips) or any(d.next is not None for d in space.decisions):
        raise ValueError(
            f"the walks of space {space.name!r} differ in their decisions: leave 'skip_weight' 0."
        )
    # The decisions of a layer stand together; the last of them makes its node.
    layers = {d.name.rpartition("/")[0] for d, s in zip(space.decisions, skips, strict=True) if s}
    return skips, len(layers)


def _is_skip(decision: Decision) -> bool:
    """Whether a decision is between nothing and one node."""
    points = decision.points_at or ()
    return len(points) == 2 and points[0] is None and points[1] is not None


def skip_penalty(space: SearchSpace, probabilities: jax.Array, target: jax.Array) -> jax.Array:
    """The divergence of skip probabilities from `target`, summed in a layer, averaged over layers.

    Args:
      space: a space such as `jaxnas.spaces.enas_macro`.
      probabilities: `[N, T, A]`, as a policy's `evaluate` gives them.
      target: `[]`, the density, in (0, 1).

    Returns:
      `[N]`, in nats.
    """
    steps, layers = skip_steps(space)
    skip = jnp.clip(probabilities[:, steps, 1], _LEAST, 1 - _LEAST)
    yes = skip * jnp.log(skip / target)
    no = (1 - skip) * jnp.log((1 - skip) / (1 - target))
    return (yes + no).sum(1) / layers
