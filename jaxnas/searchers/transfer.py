"""Going over to new tasks with a policy that was learned on others.

Source: Wong et al. 2018, "Transfer learning with neural AutoML" (arXiv:1803.02780): the weights of
the controller are kept, and each new task gets an embedding of its own.
"""

from __future__ import annotations

from typing import Any

import jax
import optax

from jaxnas.searchers.base import Searcher
from jaxnas.searchers.ppo_state import PPOState


def transfer_optimizer(
    rate: float, old_rate: float = 0.0, make: Any = optax.adam
) -> optax.GradientTransformation:
    """An optimiser for a policy that was learned on other tasks.

    Args:
      rate: the learning rate of the embeddings of tasks.
      old_rate: that of all other weights; 0 leaves them as they are.
      make: makes an optimiser from a rate.

    Example:
      >>> searcher = ppo(space, 1, transfer_optimizer(0.005, 0.001))
      >>> state = transfer(searcher, state.learner, jax.random.key(1))
    """
    old = make(old_rate) if old_rate else optax.set_to_zero()
    return optax.partition({"new": make(rate), "old": old}, {"tasks": "new", "policy": "old"})


def transfer(searcher: Searcher, params: Any, key: jax.Array) -> PPOState:
    """The first state of a search that goes out from learned parameters.

    Args:
      searcher: made by `ppo` for the new tasks.
      params: of its policy, from `jaxnas.policies.new_task` on those of another search.
      key: of the new search.

    Raises:
      ValueError: parameters of another space, number of tasks or size.
    """
    state = searcher.init(key)
    ours = jax.tree.map(lambda x: (x.shape, x.dtype), state.learner)
    theirs = jax.tree.map(lambda x: (x.shape, x.dtype), params)
    if ours != theirs:
        raise ValueError(
            f"the parameters do not fit the policy of space {searcher.space.name!r}: it has "
            f"{_shapes(state.learner)}, they are {_shapes(params)}; use those of the same space "
            "and sizes, with one embedding for each new task (new_task)."
        )
    return state._replace(actor=params, learner=params)


def _shapes(params: Any) -> str:
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return ", ".join(f"{jax.tree_util.keystr(path)} {list(x.shape)}" for path, x in leaves)
