"""From a trained supernet to final children: sample many, rank them by shared weights.

Source: Pham et al. 2018, ENAS (arXiv:1802.03268), section 2.2, "deriving architectures". The
paper ranks on one validation minibatch; here every full batch of the validation split is used.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.data.batches import normalize
from jaxnas.engine import DeviceData, Engine, SearchState
from jaxnas.evaluators.shared import shared


class Candidates(NamedTuple):
    """Architectures and their shared-weight validation accuracy, best first.

    Attributes:
      architectures: `int32 [A, T]`.
      accuracies: `float32 [A]`; NaN, for a child whose logits are not finite, comes last.
    """

    architectures: np.ndarray
    accuracies: np.ndarray


def derive(engine: Engine, state: SearchState, data: DeviceData, num: int) -> Candidates:
    """Samples `num` architectures from the searcher, and ranks them and the best one seen.

    Args:
      engine: the search.
      state: its state; left as it is.
      data: the data; the validation split is used.
      num: how many to sample.
    """
    _, sampled = engine.searcher.ask(state.searcher, num)
    record = state.searcher.record
    # Evolution proposes mutations only: its best member is a candidate through the record.
    seen = np.asarray(record.best_architecture)[None][: int(np.isfinite(record.best_reward))]
    candidates = np.concatenate([np.asarray(sampled), seen])
    return rank(engine, state, data, np.unique(candidates, axis=0))


def rank(
    engine: Engine, state: SearchState, data: DeviceData, architectures: np.ndarray
) -> Candidates:
    """Ranks architectures `[N, T]` by their rewards with shared weights on validation data.

    Children are normalised by the statistics of batches of `search.reward_batch_size` images, as
    in the search; what does not fill a batch at the end of the split is left out.
    """
    evaluate = shared(
        engine.supernet,
        state.params,
        _standardised(data),
        data.validation.labels,
        batch_size=engine.config.reward_batch_size,
    )
    accuracies = np.asarray(evaluate(architectures))
    rewards = np.asarray(engine.rewards(accuracies, architectures))
    order = np.argsort(-np.nan_to_num(rewards, nan=-1.0), kind="stable")
    return Candidates(architectures[order], accuracies[order])


@jax.jit
def _standardised(data: DeviceData) -> jax.Array:
    return normalize(data.validation.images, data.mean, data.std)


def random_children(engine: Engine, key: jax.Array, num: int) -> np.ndarray:
    """`num` uniformly sampled architectures `int32 [num, T]`: the baseline of a search."""
    return np.asarray(engine.searcher.space.sample(key, num))


def policy_table(engine: Engine, state: SearchState, key: jax.Array, num: int = 1024):
    """How often the searcher takes each action at each decision, over sampled walks.

    Returns:
      `float [D, A]`: for each decision the shares of its actions among the visits of `num`
      sampled walks; NaN where a decision has fewer actions or was never visited.
    """
    space = engine.searcher.space
    searcher = state.searcher._replace(key=key)
    _, sampled = engine.searcher.ask(searcher, num)
    walk = space.walk(jnp.asarray(sampled))
    table = np.zeros((len(space.decisions), space.max_actions))
    mask = np.asarray(walk.mask)
    np.add.at(table, (np.asarray(walk.vertices)[mask], np.asarray(walk.actions)[mask]), 1)
    widths = np.array([len(decision.actions) for decision in space.decisions])
    visits = table.sum(1, keepdims=True)
    shares = np.divide(table, visits, out=np.full_like(table, np.nan), where=visits > 0)
    return np.where(np.arange(table.shape[1]) < widths[:, None], shares, np.nan)
