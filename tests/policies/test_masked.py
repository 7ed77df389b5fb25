"""Policies whose dead decisions do not count, and what a policy over a graph shares."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_spaces import loop_space

from jaxnas.policies import lstm, masked
from jaxnas.spaces import unroll

pytestmark = pytest.mark.usefixtures("quick_compilation")


@pytest.fixture(scope="module")
def static():
    unrolled = unroll(loop_space(2))
    policy = lstm(unrolled.space, hidden=8, init_scale=1.0)
    return unrolled, policy, masked(policy, unrolled.live), policy.init(jax.random.key(0))


def test_dead_decisions_are_left_out(static):
    unrolled, policy, part, params = static
    every = unrolled.space.all_architectures()
    whole, live = policy.evaluate(params, every), np.asarray(unrolled.live(every))
    seen = part.evaluate(params, every)
    taken = np.take_along_axis(np.asarray(whole.probabilities), every[..., None], -1)[..., 0]
    np.testing.assert_allclose(seen.log_prob, (np.log(taken) * live).sum(-1), rtol=1e-5)
    p = np.asarray(whole.probabilities)
    entropies = -(p * np.log(np.where(p > 0, p, 1))).sum(-1)
    np.testing.assert_allclose(seen.entropy, (entropies * live).sum(-1), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(seen.probabilities, p * live[..., None])


def test_nothing_dead_is_the_policy_itself(static):
    unrolled, policy, _, params = static
    part = masked(policy, jnp.ones_like)
    every = unrolled.space.all_architectures()
    for one, other in zip(
        part.evaluate(params, every), policy.evaluate(params, every), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_samples_are_those_of_the_policy_and_gradients_are_finite(static):
    _, policy, part, params = static
    sample = part.sample(params, jax.random.key(1), 6)
    plain = policy.sample(params, jax.random.key(1), 6)
    np.testing.assert_array_equal(sample.architectures, plain.architectures)
    np.testing.assert_allclose(
        sample.log_prob, part.log_prob(params, sample.architectures), rtol=1e-6
    )
    gradient = jax.grad(lambda p: part.log_prob(p, sample.architectures).sum())(params)
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradient))


def test_rounds_of_a_loop_share_their_heads_and_the_state_tells_them_apart():
    space = loop_space(3)
    graph, unrolled = lstm(space, hidden=8, init_scale=1.0), unroll(space)
    params = graph.init(jax.random.key(0))
    assert params["head_kernel"].shape == (2, 8, 2)
    assert lstm(unrolled.space, hidden=8).init(jax.random.key(0))["head_kernel"].shape[0] == 6
    shared = lstm(unrolled.space, hidden=8, share_heads=True).init(jax.random.key(0))
    assert shared["head_kernel"].shape == (2, 8, 2)
    layers = np.asarray(graph.evaluate(params, [[0, 1, 0, 1, 0, 0]]).probabilities)[0, ::2]
    assert len(np.unique(layers[:, 0])) == 3
