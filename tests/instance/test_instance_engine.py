"""The three stages of InstaNAS on a problem whose best policies are known."""

import dataclasses
import types

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from tiny_instance import two_blocks

from jaxnas.instance.engine import InstanceEngine
from jaxnas.objectives import LatencyTable, WindowSchedule, flops_table
from jaxnas.policies import instance
from jaxnas.policies.controllers import large_kernels
from jaxnas.policies.instance import InstancePolicy
from jaxnas.spaces import mobilenet as mobilenet_space
from jaxnas.supernets import Supernet, mobilenet

pytestmark = pytest.mark.usefixtures("quick_compilation")

SHAPE, BATCH = (4, 4, 1), 16


@pytest.fixture(scope="module")
def engine(quick_compilation):
    network = two_blocks(SHAPE, head=16)
    # A module costs 1: no module costs nothing, all of them 4.
    costs = dict.fromkeys(network.operations, 1.0)
    table = LatencyTable(network.name, "seconds", costs, controller=0.5)
    policy = InstancePolicy(network.space, SHAPE, large_kernels(4, (4,), 3))
    return InstanceEngine(
        Supernet(network),
        policy,
        table,
        WindowSchedule(lower=-2.0, start=10.0, end=2.0),
        optax.sgd(0.2, momentum=0.9),
        optax.adam(0.02),
        entropy=0.0,
    )


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, BATCH)
    noise = random.normal(size=(BATCH, *SHAPE))
    images = noise + np.where(labels, 1.0, -1.0)[:, None, None, None]
    return jnp.asarray(images, jnp.float32), jnp.asarray(labels)


@pytest.fixture(scope="module")
def trained(engine, data):
    state = engine.init(jax.random.key(0), data[0])
    losses = []
    for _ in range(25):
        state, metrics = engine.pretrain_step(state, *data, 0.7)
        losses.append(metrics["loss"])
    return engine.recalibrate(state, [data[0]] * 3), losses


def test_pretraining_lowers_the_loss(trained):
    _, losses = trained
    assert np.mean(losses[-3:]) < 0.6 * np.mean(losses[:2])


@pytest.mark.slow
@pytest.mark.parametrize(("progress", "best"), [(0.0, 4), (1.0, 0)])
def test_the_policy_finds_the_latency_that_is_rewarded(engine, data, trained, progress, best):
    state, _ = trained
    untouched = state.params
    for _ in range(40):
        state, metrics = engine.policy_step(state, *data, progress)
    # The middle of the window: all four modules at the start of the search, none at its end.
    prediction = engine.predict(state, data[0])
    modules = np.asarray(prediction.architectures).sum(1)
    assert (modules == best).mean() > 0.8
    np.testing.assert_allclose(metrics["greedy_reward"], 30 * metrics["accuracy"], rtol=0.1)
    # Stem, classifier and controller are counted into the latency of an image.
    np.testing.assert_allclose(prediction.latency, modules + 2.5)
    assert state.params is untouched


def test_weight_steps_train_weights_only(engine, data, trained):
    state, _ = trained
    for step in (engine.weight_step, engine.finetune_step):
        new, metrics = step(state, *data)
        assert np.isfinite(metrics["loss"])
        assert new.policy is state.policy
        changed = jax.tree.map(lambda a, b: bool((a != b).any()), new.params, state.params)
        assert any(jax.tree.leaves(changed))


def test_weights_see_the_sampled_policies_in_another_order(engine, data, trained, monkeypatch):
    state, _ = trained
    seen = []
    monkeypatch.setattr(
        InstanceEngine, "_train", lambda self, state, x, y, a: (seen.append(a), (state, {}))[1]
    )
    engine.weight_step(state, *data)
    _, draw, _ = jax.random.split(state.key, 3)
    drawn = engine.policy.sample(state.policy, data[0], draw, engine.shaping).architectures
    assert sorted(map(tuple, seen[0].tolist())) == sorted(map(tuple, drawn.tolist()))
    assert not np.array_equal(seen[0], drawn)


def test_fine_tuning_permutes_as_many_architectures_as_it_is_told(
    engine, data, trained, monkeypatch
):
    state, images = trained[0], jnp.concatenate([data[0]] * 8)
    greedy = np.random.default_rng(0).integers(0, 2, (len(images), 4)).astype(np.int32)
    seen = []
    monkeypatch.setattr(
        InstanceEngine, "_train", lambda self, state, x, y, a: (seen.append(a), (state, {}))[1]
    )
    module = "jaxnas.instance.engine.draw"
    monkeypatch.setattr(module, lambda *_: types.SimpleNamespace(greedy=jnp.asarray(greedy)))
    for share in (0.0, 0.25, 1.0):
        state, _ = engine.finetune_step(state, images, data[1], share)
    np.testing.assert_array_equal(seen[0], greedy)
    assert sorted(map(tuple, seen[2].tolist())) == sorted(map(tuple, greedy.tolist()))
    quarter, all_moved = ((np.asarray(a) != greedy).any(1).mean() for a in seen[1:])
    assert 0.12 < quarter / all_moved < 0.4


def test_prediction_is_one_program_and_independent_of_the_batch(engine, data, trained):
    state, _ = trained
    together = jax.jit(engine.predict)(state, data[0][:4])
    for i in range(2):
        alone = engine.predict(state, data[0][i : i + 1])
        np.testing.assert_array_equal(alone.architectures[0], together.architectures[i])
        np.testing.assert_allclose(alone.logits[0], together.logits[i], rtol=1e-3, atol=1e-4)


def test_prediction_is_exportable(engine, data, trained):
    state, _ = trained
    exported = jax.export.export(jax.jit(lambda x: engine.predict(state, x)))(data[0][:4])
    ours, expected = exported.call(data[0][:4]), engine.predict(state, data[0][:4])
    np.testing.assert_allclose(ours.logits, expected.logits, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(ours.architectures, expected.architectures)


def test_steps_are_functions_of_the_state(engine, data, trained):
    state, _ = trained
    (one, first), (two, second) = (engine.policy_step(state, *data, 0.5) for _ in range(2))
    assert first == second
    for a, b in zip(jax.tree.leaves(one.policy), jax.tree.leaves(two.policy), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shaping": 0.5}, r"engine\.shaping is 0\.5: give a number above 0\.5 to 1"),
        ({"entropy": -1.0}, r"engine\.entropy is -1\.0: give a number from 0"),
        ({"exponent": 0.0}, r"engine\.exponent is 0\.0: give a number above 0"),
        ({"exponent": np.inf}, r"engine\.exponent is inf"),
        ({"right": np.nan}, r"engine\.right is nan"),
        ({"samples": 0}, r"engine\.samples is 0"),
    ],
)
def test_options_out_of_range_are_named(engine, changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(engine, **changes)


def test_parts_that_do_not_fit_are_named(engine):
    with pytest.raises(ValueError, match="the policy is over space 'mobilenet' and images"):
        dataclasses.replace(engine, policy=instance(mobilenet_space(), (32, 32, 3)))
    other = mobilenet(image_shape=(32, 32, 3), num_classes=10)
    with pytest.raises(ValueError, match="latency table is of network"):
        dataclasses.replace(engine, table=flops_table(other))
