"""What PPO proposes: nothing twice for a task, and first what the policy thinks best."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.policies import lstm, with_tasks
from jaxnas.searchers import ppo, proposals
from jaxnas.searchers.replay_bank import new_bank, store
from jaxnas.spaces import chain

pytestmark = pytest.mark.usefixtures("quick_compilation")

SPACE = chain(3, ("a", "b"))
ALL = SPACE.all_architectures()
POLICY = with_tasks(lstm(SPACE, hidden=3, context_size=2, init_scale=1.0), 2, scale=1.0)


def policy_params(factor):
    """Parameters whose heads are so many times as sure."""
    params = POLICY.init(jax.random.key(3))
    inner = params["policy"]
    return params | {"policy": inner | {"head_kernel": factor * inner["head_kernel"]}}


@pytest.mark.slow
@pytest.mark.parametrize("factor", [1.0, 1000.0])
def test_nothing_is_proposed_twice_for_a_task_until_the_space_is_exhausted(factor):
    searcher, tasks = ppo(POLICY, 2, candidates=2, bank=40), jnp.array([0, 1, 0])
    state = searcher.init(jax.random.key(0))._replace(actor=policy_params(factor))
    evaluated = {0: [], 1: []}
    for step in range(5):
        state, architectures = searcher.ask(state, 3, tasks)
        SPACE.validate(architectures)
        rewards = np.arange(3) + step
        if step == 4:
            # Task 0 has had all 8 architectures: whatever it gets now is a repeat.
            assert architectures.tolist()[0] in evaluated[0]
        for task, row in zip(tasks.tolist(), architectures.tolist(), strict=True):
            evaluated[task].append(row)
        state, _ = searcher.tell(state, architectures, rewards, tasks)
        state = state._replace(actor=policy_params(factor))
    for task, rows in evaluated.items():
        first = rows[:8]
        assert len({tuple(row) for row in first}) == len(first), task


def test_a_single_proposal_is_a_draw_from_the_policy():
    params, bank = policy_params(2.0), new_bank(SPACE, 2, 4)
    tasks, keys = jnp.array([1]), jax.random.split(jax.random.key(5), 3000)

    @jax.jit
    @jax.vmap
    def one(key):
        greedy = jnp.array([False])
        return proposals.propose(POLICY, params, bank, key, tasks, 2, greedy)[0]

    positions = (np.asarray(one(keys)) @ [4, 2, 1]).astype(int)
    counts = np.bincount(positions, minlength=8)
    expected = np.exp(POLICY.log_prob(params, ALL, np.ones(8, int)))
    # Within five standard deviations.
    deviation = np.sqrt(3000 * expected * (1 - expected))
    assert (np.abs(counts - 3000 * expected) <= 5 * deviation + 1).all()


def test_greedy_rows_get_the_most_probable_ones_that_are_new():
    params, tasks = policy_params(1.0), jnp.array([0, 0, 1, 0])
    log_probs = [np.asarray(POLICY.log_prob(params, ALL, np.full(8, task))) for task in (0, 1)]
    orders = [np.argsort(-of) for of in log_probs]
    known = orders[0][:2]  # The best two of task 0, and of task 1 as well as it happens.
    bank = new_bank(SPACE, 2, 4)
    bank = store(bank, jnp.array([0, 0]), ALL[known], [0.1, 0.2], np.zeros((2, 3)))
    # So many candidates that each architecture is among them.
    found = proposals.propose(
        POLICY, params, bank, jax.random.key(1), tasks, 100, jnp.ones(4, bool)
    )
    expected = [orders[0][2], orders[0][3], orders[1][0], orders[0][4]]
    np.testing.assert_array_equal(found, ALL[expected])


@pytest.mark.slow
@pytest.mark.parametrize(("greedy", "stored"), [(2, 0), (2, 1), (1, 1)])
def test_the_rows_of_a_batch_count_as_trials_of_their_task(greedy, stored):
    searcher, tasks = ppo(POLICY, 2, candidates=4, bank=8, greedy=greedy), jnp.array([0, 1, 0, 0])
    state = searcher.init(jax.random.key(0))._replace(actor=policy_params(3.0))
    if stored:
        bank = store(state.bank, jnp.array([0]), ALL[:1], [0.1], np.zeros((1, 3)))
        state = state._replace(bank=bank)
    is_greedy = jnp.array([stored, 0, stored + 1, stored + 2]) < greedy
    key = jax.random.split(state.key)[1]
    expected = proposals.propose(POLICY, state.actor, state.bank, key, tasks, 4, is_greedy)
    np.testing.assert_array_equal(searcher.ask(state, 4, tasks)[1], expected)


def test_a_large_space_is_searched_without_listing_it():
    space = chain(16, ("a", "b", "c"))
    policy = with_tasks(lstm(space, hidden=2, context_size=1, head_scale=0.0), 1)
    searcher = ppo(policy, 1, candidates=2)
    _, architectures = searcher.ask(searcher.init(jax.random.key(0)), 6)
    assert len(np.unique(architectures, axis=0)) == 6
    space.validate(architectures)
