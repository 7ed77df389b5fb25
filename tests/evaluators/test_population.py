"""A child in a population is trained as it is alone, whatever goes on beside it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import Mesh
from tiny_children import STEPS, TinyBatches, TinyChildren, tiny_data

from jaxnas.evaluators import Population, Rung, children_within, in_chunks, successive_halving
from jaxnas.runtime.checkpoint import Checkpoints

pytestmark = pytest.mark.usefixtures("exact")

MODEL, BATCHES = TinyChildren(), TinyBatches()
ARCHITECTURES = np.array([[0, 0], [0, 1], [2, 0], [1, 0]])
RATES = np.array([0.1, 0.02, 0.05, 0.07])
DIVERGES = 2


def make_optimizer(numbers):
    return optax.sgd(numbers["rate"], momentum=0.9)


def population(**options):
    return Population(MODEL, BATCHES, make_optimizer, **options)


def keys():
    return jax.random.split(jax.random.key(7), len(RATES))


def first(trainer):
    return trainer.init(keys(), ARCHITECTURES, {"rate": jnp.asarray(RATES)})


@pytest.fixture(scope="module")
def trained():
    trainer = population()
    return trainer.run(first(trainer), tiny_data(), 3, scored=2)


gradient_of = jax.jit(jax.grad(MODEL.loss, has_aux=True))
training_batch = jax.jit(BATCHES.training_batch)
score = jax.jit(lambda *arguments: MODEL.value(MODEL.score(*arguments)[0]))


def alone(number, epochs, scored):
    """One child in Python loops: its weights and the values of its last epochs."""
    key, architecture, data = keys()[number], jnp.asarray(ARCHITECTURES[number]), tiny_data()
    parameters = MODEL.init(jax.random.fold_in(key, 0), architecture)
    momentum, values = jax.tree.map(jnp.zeros_like, parameters), []
    for epoch in range(epochs):
        order = BATCHES.start_epoch(data, jax.random.fold_in(key, 1), epoch)
        carry = MODEL.initial_carry(BATCHES.batch_size)
        for step in range(STEPS):
            count = epoch * STEPS + step
            noise = jax.random.fold_in(jax.random.fold_in(key, 2), count)
            batch_key, loss_key = jax.random.split(noise)
            batch = training_batch(data, order, batch_key, step)
            gradient, carry = gradient_of(parameters, architecture, carry, batch, loss_key)
            momentum = jax.tree.map(lambda m, g: 0.9 * m + g, momentum, gradient)
            parameters = jax.tree.map(lambda p, m: p - RATES[number] * m, parameters, momentum)
        values.append(float(score(parameters, architecture, None, data)))
    return parameters, max(values[-scored:])


def same(ours, expected, rtol=1e-11):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol, 1e-13), ours, expected)


def child(state, number):
    return jax.tree.map(lambda leaf: leaf[number], state)


def numbers(state):
    return state._replace(key=jax.random.key_data(state.key))


@pytest.mark.parametrize("number", [0, 3])
def test_equals_the_child_alone(trained, number):
    parameters, best = alone(number, epochs=3, scored=2)
    ours = child(trained, number)
    same(ours.parameters, parameters)
    same(ours.value, best)
    assert ours.active
    assert ours.epoch == 3


def test_a_child_that_diverges_is_frozen_and_worst(trained):
    ours = child(trained, DIVERGES)
    assert ours.diverged
    assert not ours.active
    assert ours.value == -jnp.inf
    assert ours.epoch == 1
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(ours.parameters))
    np.testing.assert_array_equal(np.isfinite(trained.value), np.arange(4) != DIVERGES)


def test_side_by_side_gives_the_same(trained):
    trainer = population(layout="side_by_side")
    state = trainer.run(first(trainer), tiny_data(), 3, scored=2)
    same(numbers(state), numbers(trained))


def test_spread_over_two_devices_gives_the_same(trained):
    trainer = population(mesh=Mesh(np.array(jax.devices()[:2]), ("child",)))
    state = trainer.run(first(trainer), tiny_data(), 3, scored=2)
    assert len(state.value.sharding.device_set) == 2
    same(numbers(state), numbers(trained))


def test_a_saved_and_restored_population_goes_on_to_the_same_bits(trained, tmp_path):
    trainer = population()
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, trainer.run(first(trainer), tiny_data(), 1, scored=0))
    _, state = checkpoints.restore(like=jax.eval_shape(lambda: first(trainer)))
    state = trainer.run(state, tiny_data(), 2, scored=2)
    jax.tree.map(np.testing.assert_array_equal, numbers(state), numbers(trained))


def test_halving_stops_the_worst_and_goes_on_with_the_best():
    results = {}
    for layout in ("one_by_one", "side_by_side"):
        trainer = population(layout=layout)
        state = successive_halving(trainer, first(trainer), tiny_data(), [Rung(1, 2), Rung(2, 1)])
        results[layout] = state
    same(*(numbers(state) for state in results.values()))
    early = [alone(i, epochs=1, scored=1)[1] for i in (0, 1, 3)]
    kept = np.array([0, 1, 3])[np.argsort(early)[1:]]
    np.testing.assert_array_equal(np.flatnonzero(state.epoch == 3), np.sort(kept))
    late = [alone(i, epochs=3, scored=1)[1] for i in kept]
    same(state.value[kept], np.array(late))
    np.testing.assert_array_equal(np.flatnonzero(state.active), kept[np.argmax(late)])


@pytest.mark.parametrize(
    ("rungs", "scored", "message"),
    [
        ([Rung(1, 5)], 1, "a rung keeps 5 of 4 children"),
        ([Rung(1, 2), Rung(1, 3)], 1, "a rung keeps 3 of 2 children"),
        ([Rung(1, 2), Rung(1, 0)], 1, "a rung keeps 0 of 2 children"),
        ([Rung(1, 2), Rung(0, 1)], 1, "a rung trains for 0 epochs"),
        ([Rung(1, 2)], 0, "'scored' is 0 epochs of each rung"),
    ],
)
def test_bad_rungs_are_named_before_anything_is_trained(rungs, scored, message):
    trainer = population()
    with pytest.raises(ValueError, match=message):
        successive_halving(trainer, first(trainer), None, rungs, scored)


def test_chunks_give_the_same_and_fill_up_with_children_that_do_nothing(trained):
    trainer, order = population(), [0, 1, 2, 3, 1, 0]
    values, many = np.zeros(6), (keys()[jnp.array(order)], ARCHITECTURES[order])
    for where, chunk in in_chunks(trainer, *many, {"rate": RATES[order]}, 4):
        chunk = trainer.run(chunk, tiny_data(), 3, scored=2)
        values[where] = chunk.value[: where.stop - where.start]
    np.testing.assert_array_equal(chunk.epoch, [3, 3, 0, 0])
    np.testing.assert_array_equal(values, trained.value[jnp.array(order)])


def test_a_memory_budget_says_how_many_children_fit():
    trainer = population(layout="side_by_side")
    arguments = tiny_data(), ARCHITECTURES[0], {"rate": 0.1}
    few, many = (children_within(trainer, budget, *arguments) for budget in (50_000, 100_000))
    assert 1 < few < many <= 2 * few + 1
    with pytest.raises(ValueError, match="one child of 'chain' needs"):
        children_within(trainer, 300, *arguments)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="'layout' is 'both'"):
        population(layout="both")
    with pytest.raises(ValueError, match=r"the mesh has axes \['data'\]"):
        population(mesh=Mesh(np.array(jax.devices()[:1]), ("data",)))
    trainer = population(mesh=Mesh(np.array(jax.devices()[:2]), ("child",)))
    with pytest.raises(ValueError, match="3 children cannot be spread evenly over 2 devices"):
        trainer.init(keys()[:3], ARCHITECTURES[:3], {"rate": jnp.ones(3)})
    with pytest.raises(ValueError, match="give one of each for every child"):
        trainer.init(keys(), ARCHITECTURES, {"rate": jnp.ones(3)})
    with pytest.raises(ValueError, match=r"4 keys, but 'hyperparameters.rate' has shape \[\]"):
        trainer.init(keys(), ARCHITECTURES, {"rate": 0.1})
    with pytest.raises(ValueError, match=r"4 keys, but 'architectures' has shape \[3, 2\]"):
        next(in_chunks(trainer, keys(), ARCHITECTURES[:3], {"rate": RATES}, 2))
    with pytest.raises(ValueError, match=r"have shape \[4, 1\]: give \[4, 2\]"):
        trainer.init(keys(), ARCHITECTURES[:, :1], {"rate": RATES})
    with pytest.raises(ValueError, match="action 3 at step 1"):
        trainer.init(keys(), ARCHITECTURES + np.array([0, 3]), {"rate": RATES})
    with pytest.raises(ValueError, match="'scored' is 3 for 2 epochs"):
        population().run(None, None, 2, scored=3)
