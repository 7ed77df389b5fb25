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

MODEL = LanguageModel(vocabulary=7, hidden=3, cell=TreeCell(2))
PLAIN = make_cell("add tanh, add tanh, add tanh", inject="add tanh", inject_node=0, cell_node=0)
"""A cell all of whose parts matter."""


def close(ours, theirs, rtol=1e-9):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-12), ours, theirs)


@pytest.mark.parametrize("chunk", [10, 1000])
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


def batch(rows=2, steps=4):
    return jnp.array(np.random.default_rng(0).integers(0, 7, (rows, steps + 1)))


def make_gradient(model, *, jit=True):
    """The loss, and the gradient of the loss and the carry that follows, as one program."""

    def later(parameters, carry, architecture, tokens, key):
        loss, after = model.loss(parameters, architecture, carry, tokens, key)
        return loss + sum(state.hidden.sum() for state in after), loss

    gradient = jax.value_and_grad(later, (0, 1), has_aux=True)

    def evaluate(parameters, architecture, tokens, key):
        carry = model.initial_carry(len(tokens))
        (_, loss), found = gradient(parameters, carry, architecture, tokens, key)
        return loss, *found

    return jax.jit(evaluate) if jit else evaluate


evaluate = make_gradient(MODEL)


def first(model=MODEL):
    """The first weights of a child, the child, a batch and a key."""
    child = jnp.array(PLAIN)
    return model.init(jax.random.key(0), child), child, batch(), jax.random.key(0)


def test_models_are_child_models_whose_first_guess_is_uniform():
    assert isinstance(MODEL, ChildModel)
    nearly_zero = jax.tree.map(lambda leaf: 1e-4 * leaf, first()[0])
    loss, *_ = evaluate(nearly_zero, *first()[1:])
    assert math.isclose(float(loss), math.log(7), rel_tol=1e-4)
    sums = Likelihood(jnp.array(6 * math.log(7)), jnp.array(6.0))
    assert math.isclose(float(MODEL.value(sums)), -7, rel_tol=1e-5)


def test_a_text_in_two_segments_is_the_text_in_one():
    model = dataclasses.replace(MODEL, layers=2)
    parameters, child, tokens, _ = first(model)
    score = jax.jit(model.score)
    whole, last = score(parameters, child, model.initial_carry(2), tokens)
    left, carry = score(parameters, child, model.initial_carry(2), tokens[:, :3])
    right, carry = score(parameters, child, carry, tokens[:, 2:])
    close((left.nats + right.nats, carry), (whole.nats, last), rtol=1e-6)
    assert float(whole.tokens) == 8


def test_small_vocabularies_are_mapped_first_and_it_changes_nothing(monkeypatch):
    expected = evaluate(*first())
    monkeypatch.setattr("jaxnas.children.recurrent.language_model.ONE_HOT_ROWS", 0)
    close(make_gradient(MODEL)(*first()), expected, rtol=1e-5)


def test_no_gradient_flows_through_the_carry():
    _, of_parameters, of_carry = evaluate(*first())
    assert all(leaf.any() for leaf in jax.tree.leaves(of_parameters))
    assert not any(leaf.any() for leaf in jax.tree.leaves(of_carry))


def test_side_by_side_is_one_by_one():
    children = MODEL.space.sample(jax.random.key(3), 4)
    keys = jax.random.split(jax.random.key(0), 4)
    parameters = jax.vmap(MODEL.init)(keys, children)
    tokens = batch()
    side_by_side = jax.jit(jax.vmap(make_gradient(MODEL, jit=False), (0, 0, None, 0)))
    one_by_one = [
        evaluate(jax.tree.map(lambda leaf, i=i: leaf[i], parameters), children[i], tokens, keys[i])
        for i in range(4)
    ]
    together = jax.tree.map(lambda *leaves: jnp.stack(leaves), *one_by_one)
    close(side_by_side(parameters, children, tokens, keys), together, rtol=1e-5)


def test_dropout_is_variational_and_for_training_only():
    everything = Dropout(embedding=0.5, inputs=0.5, hidden=0.5, output=0.5)
    model = dataclasses.replace(MODEL, dropout=everything, init_scale=1.0)
    *arguments, _ = first(model)
    loss = make_gradient(model)
    losses = [float(loss(*arguments, jax.random.key(key))[0]) for key in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]
    score = [
        jax.jit(m.score)(*arguments[:2], m.initial_carry(2), batch())[0] for m in (model, MODEL)
    ]
    close(*score)


def test_the_mask_of_the_hidden_state_is_one_for_all_steps():
    masked = dataclasses.replace(MODEL, dropout=Dropout(hidden=0.5))
    parameters, child, tokens, _ = first(masked)
    gradient = make_gradient(masked)

    def read(key):
        """The units of the hidden state whose maps matter at any step of one row."""
        _, found, _ = gradient(parameters, child, tokens[:1], jax.random.key(key))
        return tuple((jnp.abs(found.layers[0].hidden).sum((1, 2)) > 0).tolist())

    seen = {read(key) for key in range(4)}
    assert len(seen) > 1
    assert any(0 < sum(units) < 3 for units in seen)


def test_tied_models_have_no_softmax_of_their_own():
    tied = dataclasses.replace(MODEL, tied=True, cell=GatedCell("gru"))
    parameters = tied.init(jax.random.key(0), jnp.array([0]))
    assert parameters.softmax is None
    _, gradient, _ = make_gradient(tied)(parameters, jnp.array([0]), *first()[2:])
    # Token 6 is never read, but it is always among what may follow.
    assert 6 not in np.asarray(batch()[:, :-1])
    assert gradient.embedding[6].any()


def test_bad_sizes_say_so():
    with pytest.raises(ValueError, match="hidden is 0: give 1 or more"):
        LanguageModel(vocabulary=7, hidden=0)
    with pytest.raises(ValueError, match=r"dropout.output is 1.0: give a share from 0 to below 1"):
        Dropout(output=1.0)
