"""The search over shared weights: its schedule, and its steps against stand-alone children."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from tiny_engine import standardised, tiny_data, tiny_engine, tiny_network

from jaxnas import policies, searchers
from jaxnas.config import Augmentation, OptimizerConfig
from jaxnas.data import DataError
from jaxnas.data.batches import batch_indices
from jaxnas.runtime import digest
from jaxnas.searchers import Searcher
from jaxnas.supernets import standalone

pytestmark = pytest.mark.usefixtures("quick_compilation")

KEY = jax.random.key(0)


def reinforce(space):
    return searchers.reinforce(policies.lstm(space, hidden=8), fast_adam(), memory=0)


@functools.cache
def fast_adam():
    return optax.adam(0.1)


def phases(engine):
    return "".join(phase[0] for phase in engine.schedule)


def test_schedule_of_epochs():
    engine = tiny_engine(train=21, policy_updates=2, epochs=3)
    assert phases(engine) == "wwwwwpp"
    assert engine.total_steps == 21


@pytest.mark.parametrize(
    ("updates", "expected"),
    [(0, "wwwww"), (1, "wwwwwp"), (2, "wwpwwwp"), (5, "wpwpwpwpwp"), (7, "pwpwppwpwpwp")],
)
def test_schedule_of_steps(updates, expected):
    engine = tiny_engine(train=20, policy_updates=updates, interleave="step")
    assert phases(engine) == expected


def minibatch(state, data, split, stream, step, size=4):
    """The minibatch that a step must see: a stream of its own key, in order of the step."""
    arrays = getattr(data, split)
    order = jax.random.fold_in(state.key, stream)
    indices = np.asarray(batch_indices(order, step, len(arrays.labels), size))
    return standardised(arrays.images[indices]), arrays.labels[indices]


def mean_loss(network, params, architectures, images, labels):
    logits = standalone.forward_all(network, params, architectures, images)
    return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits), labels[None, :, None], -1))


def test_weight_steps_are_sgd_on_the_mean_loss_of_children_alone():
    recipe = OptimizerConfig(
        learning_rate=0.1, final_learning_rate=0.02, momentum=0.9, weight_decay=0.01, clip=0.3
    )
    engine = tiny_engine(optimizer=recipe)
    network, data = engine.supernet.network, tiny_data()
    state = engine.init(KEY)
    expected = state.params
    momentum = jax.tree.map(jnp.zeros_like, expected)
    for step in range(2):
        _, architectures = engine.searcher.ask(state.searcher, 3)
        images, labels = minibatch(state, data, "train", 0, step)
        loss, gradient = jax.value_and_grad(functools.partial(mean_loss, network))(
            expected, architectures, images, labels
        )
        norm = math.sqrt(sum(float((leaf**2).sum()) for leaf in jax.tree.leaves(gradient)))
        scale = min(1.0, 0.3 / norm)
        # Six weight steps in two epochs.
        rate = 0.02 + 0.08 * (1 + math.cos(math.pi * step / 6)) / 2
        gradient = jax.tree.map(lambda g, w, s=scale: s * g + 0.01 * w, gradient, expected)
        momentum = jax.tree.map(lambda m, g: 0.9 * m + g, momentum, gradient)
        expected = jax.tree.map(
            lambda w, g, m, r=rate: w - r * (g + 0.9 * m), expected, gradient, momentum
        )
        state, metrics = engine.weight_step(state, data, step)
        np.testing.assert_allclose(metrics["loss"], loss, rtol=1e-5)
        np.testing.assert_allclose(metrics["learning_rate"], rate, rtol=1e-5)
        for got, wanted in zip(
            jax.tree.leaves(state.params), jax.tree.leaves(expected), strict=True
        ):
            np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-6)


def test_state_goes_in_and_comes_out():
    engine, data = tiny_engine(reinforce), tiny_data()
    state = engine.init(KEY)
    before = digest(state)
    assert before == digest(engine.init(KEY))
    for step in (engine.weight_step, engine.policy_step):
        first, second = step(state, data, 0)[0], step(state, data, 0)[0]
        assert digest(first) == digest(second) != before
        assert digest(state) == before


def test_a_search_is_a_function_of_its_key():
    engine, data = tiny_engine(searchers.evolution, augmentation=Augmentation(pad=1)), tiny_data()

    def run(key):
        state, seen = engine.init(key), []
        for _ in range(engine.total_steps):
            state, metrics = engine.step(state, data)
            seen.append((metrics["phase"], metrics["epoch"]))
        return digest(state), seen, int(state.step)

    first = run(KEY)
    assert first == run(KEY)
    assert first[0] != run(jax.random.key(1))[0]
    epoch = [*["weights"] * 3, *["policy"] * 2]
    assert first[1] == [(phase, number) for number in range(2) for phase in epoch]
    assert first[2] == 10


def listening(space, told):
    """A searcher that notes what it is told, and proposes the four children in order."""

    def ask(state, num, context=None):
        return state + 1, jnp.array([[0, 0], [0, 1], [1, 0], [1, 1]], jnp.int32)[:num]

    def tell(state, architectures, rewards, context=None):
        told.append((np.asarray(architectures), np.asarray(rewards)))
        return state, {}

    return Searcher(space, lambda key: jnp.int32(0), ask, tell)


def accuracies(network, params, architectures, images, labels):
    logits = np.asarray(standalone.forward_all(network, params, architectures, images))
    return (logits.argmax(-1) == np.asarray(labels)).mean(-1)


def test_policy_step_tells_accuracies_on_one_validation_minibatch():
    told = []
    engine, data = tiny_engine(lambda space: listening(space, told)), tiny_data()
    state = engine.init(KEY)
    for step in range(3):
        new, metrics = engine.policy_step(state, data, step, with_random=True)
        images, labels = minibatch(state, data, "validation", 1, step)
        architectures, rewards = told[-1]
        expected = accuracies(engine.supernet.network, state.params, architectures, images, labels)
        np.testing.assert_allclose(rewards, expected, rtol=1e-6)
        key = jax.random.fold_in(jax.random.fold_in(state.key, 1), step)
        uniform = engine.searcher.space.sample(jax.random.split(key, 3)[0], 3)
        random = accuracies(engine.supernet.network, state.params, uniform, images, labels)
        np.testing.assert_allclose(metrics["random_reward_mean"], random.mean(), rtol=1e-6)
        assert digest(new.params) == digest(state.params)
    # The random arm is evaluated, but never told.
    assert len(told) == 3


def test_random_arm_does_not_touch_the_searcher():
    engine, data = tiny_engine(reinforce), tiny_data()
    state = engine.init(KEY)
    alone, beside = (engine.policy_step(state, data, 0, with_random=flag) for flag in (False, True))
    assert digest(alone[0]) == digest(beside[0])
    assert beside[1].keys() - alone[1].keys() == {"random_reward_mean"}


def test_warm_up_trains_uniform_children_and_leaves_the_searcher_alone():
    told = []
    engine = tiny_engine(lambda space: listening(space, told), warmup_epochs=1)
    data, state = tiny_data(), engine.init(KEY)
    start = state
    for _ in range(5):
        state, metrics = engine.step(state, data)
    assert metrics == {"phase": "policy", "epoch": 0}
    assert told == []
    assert int(state.searcher) == 0
    assert digest(state.params) != digest(start.params)
    for _ in range(5):
        state, metrics = engine.step(state, data)
    assert len(told) == 2
    assert int(state.searcher) == 5
    assert "random_reward_mean" in metrics


@pytest.mark.parametrize("searcher", [reinforce, searchers.evolution, searchers.random])
def test_every_searcher_searches(searcher):
    engine, data = tiny_engine(searcher, interleave="step"), tiny_data()
    state, losses, rewards = engine.init(KEY), [], []
    for _ in range(engine.total_steps):
        state, metrics = engine.step(state, data)
        losses.append(float(metrics.get("loss", 0)))
        rewards.append(float(metrics.get("reward_mean", 0)))
    assert np.isfinite(losses).all()
    assert np.isfinite(rewards).all()
    assert int(state.searcher.record.evaluations) == 16


def test_children_that_diverged_are_the_worst_and_poison_nothing():
    engine, data = tiny_engine(reinforce, policy_children=16), tiny_data()
    state = engine.init(KEY)
    network = engine.supernet.network
    group, row = network.rows["layer_0/conv"]
    broken = list(state.params)
    broken[group] = jax.tree.map(lambda leaf: leaf.at[row].set(jnp.nan), broken[group])
    state = state._replace(params=tuple(broken))
    _, architectures = engine.searcher.ask(state.searcher, 16)
    share = float(np.mean(np.asarray(architectures)[:, 0] == 1))
    assert 0 < share < 1
    for step in range(8):
        state, metrics = engine.policy_step(state, data, step)
        if step == 0:
            np.testing.assert_allclose(metrics["finite_fraction"], share)
    assert int(state.searcher.record.best_architecture[0]) == 1
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.searcher.policy))


def test_a_supernet_that_diverged_changes_nothing():
    engine, data = tiny_engine(reinforce), tiny_data()
    state = engine.init(KEY)
    nan = jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.nan), state.params)
    state = state._replace(params=nan)
    new, metrics = engine.policy_step(state, data, 0, with_random=True)
    assert math.isnan(metrics["reward_mean"])
    assert math.isnan(metrics["random_reward_mean"])
    assert digest(new.searcher.policy) == digest(state.searcher.policy)
    new, metrics = engine.weight_step(state, data, 0)
    assert math.isnan(metrics["loss"])
    assert digest(new.optimizer) == digest(state.optimizer)


def test_dropout_noise_differs_from_step_to_step():
    engine = tiny_engine(network=tiny_network(dropout=0.5), children=1)
    data, state = tiny_data(train=4), engine.init(KEY)
    losses = {float(engine.weight_step(state, data, step)[1]["loss"]) for step in range(3)}
    assert len(losses) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 13}, "search.batch_size is 13, but the train split has 12"),
        ({"reward_batch_size": 9}, "search.reward_batch_size is 9, but the validation split has 8"),
        ({"warmup_epochs": 3}, "search.warmup_epochs is 3, but search.epochs is 2"),
    ],
)
def test_options_that_do_not_fit_the_data(options, message):
    with pytest.raises((DataError, ValueError), match=message):
        tiny_engine(**options)
