"""The uniform policy."""

import jax
import numpy as np
import pytest
from small_spaces import all_spaces, everything

from jaxnas.policies import uniform


@pytest.mark.parametrize("space", all_spaces(), ids=lambda s: s.name)
def test_every_architecture_is_equally_likely(space):
    policy = uniform(space)
    params = policy.init(jax.random.key(0))
    log_prob = policy.log_prob(params, everything(space))
    np.testing.assert_allclose(log_prob, -np.log(space.count()), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("space", all_spaces(), ids=lambda s: s.name)
def test_mean_entropy_is_the_entropy_of_the_whole(space):
    # Chain rule: the expected sum of conditional entropies is the entropy of the distribution.
    policy = uniform(space)
    entropy = policy.entropy({}, everything(space)).mean()
    np.testing.assert_allclose(entropy, np.log(space.count()), rtol=1e-5, atol=1e-6)


def test_sample_agrees_with_log_prob():
    space = all_spaces()[3]
    policy = uniform(space)
    sample = policy.sample({}, jax.random.key(0), 10)
    np.testing.assert_array_equal(sample.log_prob, policy.log_prob({}, sample.architectures))
    probabilities = policy.evaluate({}, sample.architectures).probabilities.sum(-1)
    np.testing.assert_allclose(probabilities, np.asarray(sample.architectures) >= 0, rtol=1e-6)
