"""What keeps policies of images apart: samples, information, a controller that knows classes."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnas.instance.config import ControllerConfig
from jaxnas.instance.controller_start import class_code, classify, standardize
from jaxnas.instance.policy_update import ask, draw, information, leave_one_out, update
from jaxnas.policies.controllers import large_kernels
from jaxnas.policies.instance import InstancePolicy
from jaxnas.spaces import mobilenet

pytestmark = pytest.mark.usefixtures("quick_compilation")

SHAPE, BITS = (4, 4, 1), 4


@pytest.fixture(scope="module")
def policy():
    space = mobilenet(2, ("inverted_residual_3x3_3", "basic_block"))
    return InstancePolicy(space, SHAPE, large_kernels(BITS, (6,), 3))


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 24)
    # A vertical edge or a horizontal one: normalisation takes the brightness away.
    edge = np.where(np.arange(4) < 2, 1.0, -1.0)
    bars = np.stack([np.tile(edge, (4, 1)), np.tile(edge[:, None], (1, 4))])
    images = bars[labels][..., None] + 0.3 * random.normal(size=(24, *SHAPE))
    return jnp.asarray(images, jnp.float32), jnp.asarray(labels)


def test_rewards_are_compared_with_those_of_the_other_samples():
    rewards = np.random.default_rng(0).normal(size=(3, 5))
    expected = [rewards[k] - np.delete(rewards, k, 0).mean(0) for k in range(3)]
    np.testing.assert_allclose(leave_one_out(jnp.asarray(rewards)), expected, rtol=1e-5, atol=1e-6)


def test_information_is_the_entropy_of_all_images_less_that_of_one():
    logits = np.random.default_rng(0).normal(size=(6, 3))
    p = 1 / (1 + np.exp(-logits))

    def entropy(p):
        return -(p * np.log(p) + (1 - p) * np.log(1 - p))

    expected = (entropy(p.mean(0)) - entropy(p).mean(0)).sum()
    np.testing.assert_allclose(information(jnp.asarray(logits)), expected, rtol=1e-4)
    np.testing.assert_allclose(information(jnp.ones((6, 3))), 0, atol=1e-6)
    # Bits that are sure, and of all images alike, say nothing; the gradient is finite there too.
    sure = jnp.array([[90.0], [90.0]])
    np.testing.assert_allclose(information(sure), 0, atol=2e-5)
    assert np.isfinite(jax.grad(information)(sure)).all()


def test_samples_of_an_image_are_independent_and_the_first_is_the_only_one(policy, data):
    params, key = policy.init(jax.random.key(0)), jax.random.key(1)
    one = draw(policy, params, data[0], key, 1, 0.8)
    three = draw(policy, params, data[0], key, 3, 0.8)
    np.testing.assert_array_equal(one.samples[0], three.samples[0])
    assert not np.array_equal(three.samples[0], three.samples[1])
    assert not np.array_equal(three.samples[1], three.samples[2])
    np.testing.assert_array_equal(one.greedy, policy.greedy(params, data[0]))


def test_the_bonus_drives_policies_apart_where_rewards_say_nothing(policy, data):
    optimizer = optax.adam(0.05)
    params = policy.init(jax.random.key(0))
    state, drawn = (params, optimizer.init(params)), []
    for i in range(40):
        found, asked = ask(policy, state[0], data[0], jax.random.key(i), 2, 0.8)
        drawn.append(found)
        given = asked, found.samples, jnp.zeros((2, len(data[0])))
        state = update(optimizer, state, *given, (0.0, 1.0, 9.0, 0.8))
    assert drawn[-1].information > max(1.0, 4 * drawn[0].information)
    assert len(np.unique(drawn[-1].greedy, axis=0)) > 1


def test_information_that_is_enough_pays_no_more(policy, data):
    params = policy.init(jax.random.key(0))
    drawn, asked = ask(policy, params, data[0], jax.random.key(1), 1, 0.8)
    descent, known = optax.sgd(1.0), float(information(policy.logits(params, data[0])))

    def moved(enough):
        state = params, descent.init(params)
        given = asked, drawn.samples, jnp.zeros((1, len(data[0])))
        after, _ = update(descent, state, *given, (0.0, 1.0, enough, 0.8))
        moves = jax.tree.map(lambda a, b: np.abs(a - b).max(), after, params)
        return max(jax.tree.leaves(moves))

    assert moved(known / 2) == 0
    assert moved(known * 2) > 0


def test_a_controller_learns_classes_and_starts_with_every_bit_open(policy, data):
    optimizer = optax.adam(0.03)
    params = policy.init(jax.random.key(0))
    state = params, optimizer.init(params)
    for _ in range(60):
        *state, accuracy = classify(policy, optimizer, tuple(state), *data, 2)
    assert float(accuracy) > 0.9
    logits = np.asarray(policy.logits(standardize(policy, state[0], data[0]), data[0]))
    np.testing.assert_allclose(logits.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(logits.std(0), 1, rtol=1e-3)
    # Bits say which class it is: most of their variance lies between the classes.
    between = [logits[np.asarray(data[1]) == k].mean(0) for k in (0, 1)]
    assert np.abs(between[0] - between[1]).max() > 1.5
    assert class_code(BITS, 2).shape == (BITS, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"samples": 0}, r"controller\.samples is 0"),
        ({"baseline": "mean"}, r"controller\.baseline is 'mean'"),
        ({"baseline": "others"}, r"controller\.samples is 1: an image then has no other"),
        ({"information": -1.0}, r"controller\.information is -1"),
        ({"enough": float("nan")}, r"controller\.enough is nan"),
        ({"start": "zero"}, r"controller\.start is 'zero'"),
        ({"learning_rate": 0.0}, r"controller\.learning_rate is 0"),
        ({"shaping": 0.5}, r"controller\.shaping is 0\.5"),
    ],
)
def test_options_out_of_range_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        ControllerConfig(**changes)
