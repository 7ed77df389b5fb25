"""The language model and its parts, against plain forms."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.children.recurrent import Dropout, GatedCell, LanguageModel, TreeCell
from jaxnas.children.recurrent.embedding import lookup
from jaxnas.children.recurrent.language_model import Likelihood
from jaxnas.children.recurrent.softmax import negative_log_likelihood
from jaxnas.evaluators.child_model import ChildModel
from jaxnas.spaces.recurrent import make_cell

pytestmark = pytest.mark.usefixtures("quick_compilation")

MODEL = LanguageModel(vocabulary=7, hidden=3, cell=TreeCell(2), layers=2)


def close(ours, theirs, rtol=1e-9):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-12), ours, theirs)


@pytest.mark.parametrize("chunk", [1, 10, 1000])
@pytest.mark.usefixtures("float64")
def test_the_chunked_softmax_is_the_plain_one(chunk):
    rng = np.random.default_rng(0)
    hidden, weights, bias = (jnp.array(rng.normal(size=s)) for s in ((6, 3), (5, 3), (5,)))
    labels = jnp.array([0, 4, 2, 2, 1, 3])

    def plain(*arrays):
        logits = arrays[0] @ arrays[1].T + arrays[2]
        return -jax.nn.log_softmax(logits)[jnp.arange(6), labels].sum() * 0.5

    def ours(*arrays):
        return negative_log_likelihood(chunk, *arrays, labels) * 0.5

    close(ours(hidden, weights, bias), plain(hidden, weights, bias))
    close(
        jax.grad(ours, (0, 1, 2))(hidden, weights, bias),
        jax.grad(plain, (0, 1, 2))(hidden, weights, bias),
    )


@pytest.mark.parametrize("rows", [3, 300])
def test_rows_get_the_gradient_of_each_of_their_places(rows):
    table, tokens = jnp.zeros((rows, 2)), jnp.array([[2, 0], [2, 2]])
    weights = jnp.arange(8.0).reshape(2, 2, 2)
    gradient = jax.grad(lambda t: (lookup(t, tokens) * weights).sum())(table)
    np.testing.assert_array_equal(gradient[:3], [[2, 3], [0, 0], [0 + 4 + 6, 1 + 5 + 7]])
    assert not gradient[3:].any()


def batch(rows=2, steps=4, seed=0):
    return jnp.array(np.random.default_rng(seed).integers(0, 7, (rows, steps + 1)))


def architectures(number):
    return MODEL.space.sample(jax.random.key(3), number)


def test_models_are_child_models_whose_first_guess_is_uniform():
    assert isinstance(MODEL, ChildModel)
    tiny = dataclasses.replace(MODEL, init_scale=1e-4)
    child = architectures(1)[0]
    parameters = tiny.init(jax.random.key(0), child)
    loss, _ = tiny.loss(parameters, child, tiny.initial_carry(2), batch(), jax.random.key(0))
    assert math.isclose(float(loss), math.log(7), rel_tol=1e-4)
    sums = Likelihood(jnp.array(6 * math.log(7)), jnp.array(6.0))
    assert math.isclose(float(MODEL.value(sums)), -7, rel_tol=1e-5)


def test_a_text_in_two_segments_is_the_text_in_one():
    child = architectures(1)[0]
    parameters = MODEL.init(jax.random.key(0), child)
    whole, last = MODEL.score(parameters, child, MODEL.initial_carry(2), batch())
    first, carry = MODEL.score(parameters, child, MODEL.initial_carry(2), batch()[:, :3])
    second, carry = MODEL.score(parameters, child, carry, batch()[:, 2:])
    close((first.nats + second.nats, carry), (whole.nats, last), rtol=1e-6)
    assert float(whole.tokens) == 8


def test_small_vocabularies_are_mapped_first_and_it_changes_nothing(monkeypatch):
    child = architectures(1)[0]
    parameters = MODEL.init(jax.random.key(0), child)
    arguments = (parameters, child, MODEL.initial_carry(2), batch(), jax.random.key(0))

    def gradient():
        return jax.grad(lambda p, *rest: MODEL.loss(p, *rest)[0])(*arguments)

    first = gradient()
    monkeypatch.setattr("jaxnas.children.recurrent.language_model.ONE_HOT_ROWS", 0)
    close(first, gradient(), rtol=1e-5)


def test_side_by_side_is_one_by_one():
    children = architectures(3)
    keys = jax.random.split(jax.random.key(0), 3)

    def train(key, child):
        parameters = MODEL.init(key, child)
        carry = MODEL.initial_carry(2)
        return jax.grad(lambda p: MODEL.loss(p, child, carry, batch(), key)[0])(parameters)

    side_by_side = jax.jit(jax.vmap(train))(keys, children)
    one_by_one = jax.jit(lambda *a: jax.lax.map(lambda pair: train(*pair), a))(keys, children)
    close(side_by_side, one_by_one, rtol=1e-5)


def test_no_gradient_flows_through_the_carry():
    child = architectures(1)[0]
    parameters = MODEL.init(jax.random.key(0), child)

    def later(carry):
        loss, after = MODEL.loss(parameters, child, carry, batch(), jax.random.key(0))
        return loss + sum(state.hidden.sum() for state in after)

    gradient = jax.grad(later)(MODEL.initial_carry(2))
    assert not any(leaf.any() for leaf in jax.tree.leaves(gradient))


def test_dropout_is_variational_and_for_training_only():
    everything = Dropout(embedding=0.5, inputs=0.5, hidden=0.5, output=0.5)
    model = dataclasses.replace(MODEL, dropout=everything)
    child = architectures(1)[0]
    parameters = model.init(jax.random.key(0), child)
    carry = model.initial_carry(2)
    losses = [
        float(model.loss(parameters, child, carry, batch(), jax.random.key(k))[0])
        for k in (0, 0, 1)
    ]
    assert losses[0] == losses[1] != losses[2]
    close(
        model.score(parameters, child, carry, batch()),
        MODEL.score(parameters, child, carry, batch()),
    )


def test_the_mask_of_the_hidden_state_is_one_for_all_steps():
    plain = make_cell("add tanh, add tanh, add tanh", inject="add tanh", inject_node=0, cell_node=0)
    masked = dataclasses.replace(MODEL, layers=1, dropout=Dropout(hidden=0.5))
    parameters = masked.init(jax.random.key(0), jnp.array(plain))
    carry = masked.initial_carry(1)

    def read(key):
        """The units of the hidden state whose maps matter at any step of one row."""
        arguments = (jnp.array(plain), carry, batch(rows=1), jax.random.key(key))
        gradient = jax.grad(lambda p: masked.loss(p, *arguments)[0])(parameters)
        return tuple((jnp.abs(gradient.layers[0].hidden).sum((1, 2)) > 0).tolist())

    seen = {read(key) for key in range(4)}
    assert len(seen) > 1
    assert any(0 < sum(units) < 3 for units in seen)


def test_tied_models_have_no_softmax_of_their_own():
    tied = dataclasses.replace(MODEL, tied=True, cell=GatedCell("gru"))
    parameters = tied.init(jax.random.key(0), jnp.array([0]))
    assert parameters.softmax is None
    gradient = jax.grad(
        lambda p: tied.loss(p, jnp.array([0]), tied.initial_carry(2), batch(), jax.random.key(0))[0]
    )(parameters)
    # Token 6 is never read, but it is always among what may follow.
    assert 6 not in np.asarray(batch()[:, :-1])
    assert gradient.embedding[6].any()


def test_bad_sizes_say_so():
    with pytest.raises(ValueError, match="hidden is 0: give 1 or more"):
        LanguageModel(vocabulary=7, hidden=0)
    with pytest.raises(ValueError, match=r"dropout.output is 1.0: give a share from 0 to below 1"):
        Dropout(output=1.0)
