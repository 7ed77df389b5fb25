"""Categorical distributions over open actions."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.policies import categorical

LOGITS = jnp.log(jnp.array([[1.0, 3.0, 4.0], [1.0, 1.0, 8.0]]))
OPEN = jnp.array([[True, True, False], [False, True, False]])


def test_log_softmax_by_hand():
    log_probs = categorical.open_log_softmax(LOGITS, OPEN)
    np.testing.assert_allclose(np.exp(log_probs[0, :2]), [0.25, 0.75], rtol=1e-6)
    assert log_probs[1, 1] == 0
    np.testing.assert_array_equal(np.asarray(log_probs)[~np.asarray(OPEN)], 0)


def test_entropy_by_hand():
    entropy = categorical.entropy(categorical.open_log_softmax(LOGITS, OPEN), OPEN)
    expected = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))
    np.testing.assert_allclose(entropy, [expected, 0], rtol=1e-6)


def test_sample_inverts_the_cumulative_distribution():
    log_probs = categorical.open_log_softmax(LOGITS, OPEN)
    largest = np.nextafter(np.float32(1), np.float32(0))
    for uniform, first in ((0.0, 0), (0.2, 0), (0.3, 1), (largest, 1)):
        action = categorical.sample(log_probs, OPEN, jnp.full((2,), uniform))
        np.testing.assert_array_equal(action, [first, 1])


def test_sample_never_takes_a_closed_action():
    keys = jax.random.split(jax.random.key(0), 3)
    logits = 30 * jax.random.normal(keys[0], (10_000, 7))
    is_open = jax.random.bernoulli(keys[1], 0.5, logits.shape).at[:, 3].set(True)
    uniform = jax.random.uniform(keys[2], (10_000,)).at[:5000].set(1 - 2.0**-23)
    action = categorical.sample(categorical.open_log_softmax(logits, is_open), is_open, uniform)
    assert np.asarray(is_open)[np.arange(10_000), action].all()


def test_log_prob_of_closed_and_missing_actions():
    log_probs = categorical.open_log_softmax(LOGITS, OPEN)
    np.testing.assert_allclose(
        categorical.log_prob(log_probs, OPEN, jnp.array([1, 0])),
        [np.log(0.75), -np.inf],
        rtol=1e-6,
    )
    assert (categorical.log_prob(log_probs, OPEN, jnp.array([-1, 3])) == -jnp.inf).all()
