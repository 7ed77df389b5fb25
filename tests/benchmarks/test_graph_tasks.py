"""The rewards and the children behind the study of graph spaces, by hand."""

import importlib
import json
import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

BENCHMARKS = pathlib.Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def benchmarks():
    sys.path.insert(0, str(BENCHMARKS))
    yield
    sys.path.remove(str(BENCHMARKS))


def walk(layers):
    """Layers of the iterative space, as an architecture."""
    steps = [step for layer in layers for step in (layer, 1)]
    steps[-1] = 0
    return steps + [-1] * (16 - len(steps))


@pytest.mark.parametrize(
    ("layers", "ordered", "expected"),
    [
        ([0, 1, 2, 3], True, 1.0),
        ([0, 1, 2, 4], True, 3 / 4),
        ([0, 1], True, 2 / 4),
        ([0, 1, 2, 3, 3, 3], True, 4 / 6),
        ([3, 2, 1, 0], True, 0.0),
        ([3, 2, 1, 0], False, 1.0),
        ([3, 3, 3, 3], False, 1 / 4),
        ([5] * 8, False, 0.0),
    ],
)
def test_iterative_rewards(layers, ordered, expected):
    tasks = importlib.import_module("graph_tasks")
    # What lies past the hidden length does not count.
    target = jnp.array([0, 1, 2, 3, 3, 3, 3, 3])
    task = tasks.IterativeTask(jnp.asarray(ordered), jnp.int32(4), target)
    architectures = tasks.iterative_space().validate([walk(layers)])
    reward = tasks.iterative_reward(jnp.asarray(architectures), task)
    np.testing.assert_allclose(reward, [expected], rtol=1e-6)


def test_branching_rewards():
    tasks = importlib.import_module("graph_tasks")
    target = jnp.arange(16).reshape(4, 4) % 6
    task = tasks.BranchingTask(jnp.int32(2), target)
    architectures = [[2, *target[2]], [2, 5, *target[2, 1:]], [1, *target[1]], [1, 0, 0, 1, 3]]
    architectures = tasks.branching_space().validate(np.array(architectures))
    rewards = tasks.branching_reward(jnp.asarray(architectures), task)
    np.testing.assert_allclose(rewards, [1, 7 / 8, 0.6, 0.6 * 0.5], rtol=1e-6)


def test_hidden_designs_are_of_their_kind():
    tasks = importlib.import_module("graph_tasks")
    motif = tasks.iterative_task("motif", jax.random.key(0))
    assert len(set(motif.target.tolist())) == 1
    assert 4 <= motif.length <= 8
    assert not tasks.iterative_task("pattern", jax.random.key(0)).ordered


def test_padded_children_have_the_logits_of_their_own_network():
    networks = importlib.import_module("digit_networks")
    space = networks.space()
    encoded = [["width", "16"], ["activation", "tanh"], ["more_layers", "again"], ["width", "64"]]
    encoded += [["activation", "relu"], ["more_layers", "stop"], ["optimizer", "momentum"]]
    encoded += [["momentum_rate", "0.1"]]
    form = {"space": "digit_networks", "version": 1, "walk": encoded}
    children = networks.read_children(space.decode(form)[None])
    child = jax.tree.map(lambda x: x[0], children)
    assert (int(child.depth), child.width.tolist()) == (2, [16, 64, 0, 0])
    assert (int(child.optimizer), float(child.rate)) == (1, pytest.approx(0.1))
    params = networks._init(2, child, jax.random.key(0))
    x = jax.random.uniform(jax.random.key(1), (5, 64))
    first, second, last = [np.asarray(w) for w, _ in params]
    by_hand = np.maximum(np.tanh(x @ first[:, :16]) @ second[:16], 0) @ last
    np.testing.assert_allclose(networks._logits(params, 2, child, x), by_hand, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("optimizer", [0, 1, 2])
def test_optimisers_are_those_of_optax(optimizer):
    networks = importlib.import_module("digit_networks")
    child = networks.Child(1, np.zeros(4), np.zeros(4), jnp.int32(optimizer), jnp.float32(0.1))
    known = [optax.sgd(0.1), optax.sgd(0.1, momentum=0.9), optax.adam(0.1)][optimizer]
    ours = theirs = jnp.array([1.0, -2.0])
    first = second = jnp.zeros(2)
    state = known.init(theirs)
    for count in (1, 2, 3):
        ours, first, second = networks._update(child, count, ours, first, second, 2 * ours)
        updates, state = known.update(2 * theirs, state)
        theirs = optax.apply_updates(theirs, updates)
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_the_committed_table_is_of_the_space():
    networks = importlib.import_module("digit_networks")
    with np.load(networks.TABLE) as file:
        about, right, positions = json.loads(str(file["about"])), file["right"], file["positions"]
    assert about["space"] == networks.space().to_json()
    np.testing.assert_array_equal(positions, np.arange(networks.space().count()))
    assert right.shape == (4080, len(about["seeds"]), 2)
    assert (right >= 0).all()
    assert (right <= [397, 400]).all()
    assert networks.TABLE.stat().st_size < 1_000_000
