"""The instance-aware policy: independent bits given an image."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnas.policies import bits, instance
from jaxnas.spaces import chain, mobilenet
from jaxnas.supernets import Supernet
from jaxnas.supernets import mobilenet as mobilenet_network

pytestmark = pytest.mark.usefixtures("quick_compilation")

SPACE = mobilenet(2, ("inverted_residual_3x3_3", "basic_block"))
SHAPE = (8, 8, 1)


@pytest.fixture(scope="module", params=["small_resnet", "large_kernels"])
def case(request, quick_compilation):
    policy = instance(SPACE, SHAPE, request.param)
    params = jax.jit(policy.init)(jax.random.key(0))
    images = jnp.asarray(np.random.default_rng(0).normal(size=(3, *SHAPE)), jnp.float32)
    return policy, params, images


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.floats(-8, 8), min_size=3, max_size=3),
    st.sampled_from([1.0, 0.8, 0.6]),
)
def test_bits_are_a_distribution(logits, shaping):
    logits = np.array(logits, np.float32)
    p = 1 / (1 + np.exp(-logits.astype(float)))
    p = shaping * p + (1 - shaping) * (1 - p)
    every = np.array(list(itertools.product((0, 1), repeat=3)))
    ours = np.exp(bits.log_prob(logits[None], every, shaping))
    np.testing.assert_allclose(ours, np.where(every, p, 1 - p).prod(1), rtol=2e-4)
    np.testing.assert_allclose(ours.sum(), 1, rtol=1e-4)
    entropy = -(p * np.log(p) + (1 - p) * np.log(1 - p)).sum()
    np.testing.assert_allclose(bits.entropy(logits, shaping), entropy, rtol=2e-4, atol=1e-5)


def test_shaping_keeps_every_bit_open_and_samples_follow_it():
    logits = jnp.broadcast_to(jnp.array([-100.0, 0.0, 100.0]), (20000, 3))
    drawn = np.asarray(bits.sample(jax.random.key(0), logits, 0.8))
    np.testing.assert_allclose(drawn.mean(0), [0.2, 0.5, 0.8], atol=0.015)
    gradient = jax.grad(lambda x: bits.log_prob(x, jnp.array([1, 1, 0])).sum())(logits[0])
    assert np.isfinite(gradient).all()


def test_an_image_decides_alone(case):
    policy, params, images = case
    together = policy.probabilities(params, images)
    assert together.shape == (3, 4)
    for i in range(3):
        alone = policy.probabilities(params, images[i : i + 1])
        np.testing.assert_allclose(alone[0], together[i], rtol=1e-4, atol=1e-6)
    assert not np.allclose(together[0], together[1])
    np.testing.assert_array_equal(policy.greedy(params, images), together >= 0.5)


def test_samples_say_their_own_probability(case):
    policy, params, images = case
    sample = policy.sample(params, images, jax.random.key(3))
    SPACE.validate(np.asarray(sample.architectures))
    log_prob = policy.log_prob(params, images, sample.architectures)
    np.testing.assert_allclose(sample.log_prob, log_prob, rtol=1e-6)
    np.testing.assert_allclose(sample.entropy, policy.entropy(params, images), rtol=1e-6)


def test_the_policy_gradient_turns_bits_on_where_that_pays(case):
    policy, params, images = case

    @jax.jit
    def step(params, key):
        def loss(params):
            sample = policy.sample(params, images, key)
            reward = jax.lax.stop_gradient(sample.architectures.sum(-1) - 2.0)
            return -(sample.log_prob * reward).mean()

        gradient = jax.grad(loss)(params)
        return jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient)

    before = policy.probabilities(params, images).mean()
    for i in range(20):
        params = step(params, jax.random.key(i))
    assert policy.probabilities(params, images).mean() > before + 0.1


def test_the_controller_is_counted():
    published = instance(mobilenet(), (32, 32, 3))
    # By hand: stem, then two convolutions in each of three stages, then the linear map.
    stages = 2 * 9 * (32**2 * 16 * 16) + 9 * 16**2 * (16 * 32 + 32 * 32)
    stages += 9 * 8**2 * (32 * 64 + 64 * 64)
    assert published.flops == 2 * (9 * 32**2 * 3 * 16 + stages + 64 * 85)


def test_the_policy_and_the_network_are_one_program(case):
    policy, params, images = case
    network = mobilenet_network(
        image_shape=SHAPE,
        num_classes=3,
        stages=((2, 1, 1), (4, 1, 2)),
        stem=2,
        head=4,
        modules=("inverted_residual_3x3_3", "basic_block"),
    )
    supernet = Supernet(network)
    weights = supernet.init(jax.random.key(0))

    @jax.jit
    def predict(params, weights, images):
        architectures = policy.greedy(params, images)
        logits = supernet.apply_each(weights, architectures, images, statistics="image")
        return logits, architectures

    logits, architectures = predict(params, weights, images)
    expected = supernet.apply_each(weights, architectures, images, statistics="image")
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


def test_what_does_not_fit_is_named(case):
    policy, params, _ = case
    with pytest.raises(ValueError, match="'chain' is not one of bits"):
        instance(chain(2), SHAPE)
    for shaping in (0.5, 1.1):
        with pytest.raises(ValueError, match=f"'shaping' is {shaping}; it must be in"):
            bits.log_probs(jnp.zeros(2), shaping)
    assert instance(SPACE, list(SHAPE)) is instance(SPACE, SHAPE)
    with pytest.raises(ValueError, match="controller 'lstm' is not one of"):
        instance(SPACE, SHAPE, "lstm")
    with pytest.raises(ValueError, match=r"images have shape \[1, 4, 4, 1\]"):
        policy.logits(params, jnp.zeros((1, 4, 4, 1)))
