"""Perplexity and its reward, by hand."""

import math

import jax.numpy as jnp
import numpy as np

from jaxnas.objectives import perplexity, perplexity_reward


def test_perplexity_is_that_of_a_uniform_guess():
    np.testing.assert_allclose(perplexity(5 * math.log(50), 5), 50, rtol=1e-6)


def test_the_reward_is_80_over_the_square_and_0_for_what_diverged():
    rewards = perplexity_reward(jnp.array([4.0, 40.0, jnp.inf, jnp.nan]))
    np.testing.assert_allclose(rewards, [5.0, 0.05, 0, 0], rtol=1e-6)
