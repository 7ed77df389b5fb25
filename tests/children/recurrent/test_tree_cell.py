"""Tree cells against a slow reference, against the paper's example, and against known cells."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference_tree_cell as reference

from jaxnas.children.recurrent import GatedCell, State, TreeCell
from jaxnas.spaces.recurrent import GRU, LSTM, NASCELL, RHN, make_cell

pytestmark = pytest.mark.usefixtures("quick_compilation", "float64")

STEPS, BATCH, HIDDEN = 2, 2, 3


def draw(base, seed=0, steps=STEPS, hidden=HIDDEN):
    """Weights, maps of inputs, a state and a mask."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(hidden, base, hidden))
    inputs = rng.normal(size=(steps, BATCH, base, hidden))
    state = State(*rng.normal(size=(2, BATCH, hidden)))
    mask = rng.integers(0, 2, (BATCH, hidden)) * 2.0
    return weights, inputs, state, mask


@pytest.fixture(scope="module")
def loss_and_gradient():
    """One program for all cells of a form: a loss of all outputs, with its gradient."""
    compiled = {}

    def evaluate(cell, architecture, weights, inputs, state, mask):
        def loss(weights, inputs, state, architecture, mask):
            hiddens, last = cell.run(weights, architecture, inputs, state, mask)
            return weigh(hiddens, last.cell), (hiddens, last.cell)

        if cell not in compiled:
            compiled[cell] = jax.jit(jax.grad(loss, (0, 1, 2), has_aux=True))
        return compiled[cell](weights, inputs, state, jnp.array(architecture), mask)

    return evaluate


def weigh(hiddens, cell):
    """A number in which every output counts differently."""
    return (jnp.sin(jnp.arange(hiddens.size)) * hiddens.ravel()).sum() + (cell**2).sum()


@pytest.mark.parametrize("extended", [False, True])
def test_values_and_gradients_are_those_of_the_reference(loss_and_gradient, extended):
    cell = TreeCell(4, extended)
    weights, inputs, state, mask = draw(4)
    space = cell.space
    for architecture in np.asarray(space.sample(jax.random.key(1), 3)):

        def plain(weights, inputs, state, architecture=architecture):
            hiddens, last = reference.run(
                space, architecture, weights, inputs, *state, mask=mask, np=jnp
            )
            return weigh(hiddens, last)

        gradient, (hiddens, last) = loss_and_gradient(
            cell, architecture, weights, inputs, state, mask
        )
        expected = reference.run(space, architecture, weights, inputs, *state, mask=mask)
        with jax.disable_jit():
            expected_gradient = jax.grad(plain, (0, 1, 2))(
                *map(jnp.asarray, (weights, inputs)), state
            )
        np.testing.assert_allclose(hiddens, expected[0], rtol=1e-9)
        np.testing.assert_allclose(last, expected[1], rtol=1e-9)
        jax.tree.map(
            lambda ours, theirs: np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-12),
            gradient,
            expected_gradient,
        )


def test_the_papers_example_by_hand():
    # Base 2, section 3.4: a_0 = tanh(W_1 x + W_2 h), a_1 = relu((W_3 x) * (W_4 h)),
    # a_0' = relu(a_0 + c), h' = sigmoid(a_0' * a_1), c' = (W_3 x) * (W_4 h).
    example = make_cell(
        "add tanh, elem_mult relu, elem_mult sigmoid",
        inject="add relu",
        inject_node=0,
        cell_node=1,
    )
    x, h, c = 2.0, 0.5, 0.25
    w_1, w_2, w_3, w_4 = 0.3, 0.8, 1.5, 0.6
    a_0 = math.tanh(0.6 + 0.4)
    a_1 = 3.0 * 0.3
    new_h = 1 / (1 + math.exp(-(a_0 + 0.25) * a_1))
    hiddens, last = TreeCell(2).run(
        jnp.array([[[w_2], [w_4]]]),
        jnp.array(example),
        jnp.array([[[[w_1 * x], [w_3 * x]]]]),
        State(jnp.array([[h]]), jnp.array([[c]])),
    )
    np.testing.assert_allclose(hiddens, [[[new_h]]], rtol=1e-12)
    np.testing.assert_allclose(last.hidden, [[new_h]], rtol=1e-12)
    np.testing.assert_allclose(last.cell, [[0.9]], rtol=1e-12)
    assert round(new_h, 4) == 0.7131


def run(base, architecture, weights, inputs, state):
    """`h` and `c` after the last step."""
    run = jax.jit(TreeCell(base).run)
    hiddens, last = run(weights, jnp.array(architecture), inputs, State(*state))
    return np.asarray(hiddens[-1]), np.asarray(last.cell)


def sigmoid(value):
    return 1 / (1 + np.exp(-value))


def test_the_published_cell_is_nascell():
    weights, inputs, (h, c), _ = draw(8, steps=1)
    x = np.moveaxis(inputs[0], 1, 0)
    z = np.einsum("bh,hkj->kbj", h, weights)
    first = np.tanh(sigmoid(x[0] + z[0]) * np.maximum(x[1] + z[1], 0))
    second = np.tanh(sigmoid(x[2] + z[2]) + np.maximum(x[3] * z[3], 0))
    third = np.tanh(np.tanh(x[4] + z[4]) * sigmoid(x[5] + z[5]))
    fourth = sigmoid(np.tanh(x[6] + z[6]) + sigmoid(x[7] + z[7]))
    new_c = np.tanh(first + c) * second
    new_h = np.tanh(new_c * np.tanh(third + fourth))
    got = run(8, NASCELL, weights, inputs, (h, c))
    np.testing.assert_allclose(got, (new_h, new_c), rtol=1e-9)


def gated(kind, weights, inputs, state):
    hiddens, last = GatedCell(kind).run(weights, jnp.array([0]), inputs, State(*state))
    return np.asarray(hiddens[-1]), np.asarray(last.cell)


def test_an_lstm_is_a_tree_of_base_8():
    weights, inputs, state, _ = draw(8)

    def gates(a, axis):
        parts = np.moveaxis(a, axis, 0)
        forget, leave = parts[0] + parts[1], parts[4:].sum(0)
        return np.stack([parts[2], forget, parts[3], leave], axis)

    expected = gated("lstm", gates(weights, 1), gates(inputs, 2), state)
    np.testing.assert_allclose(run(8, LSTM, weights, inputs, state), expected, rtol=1e-9)


def test_a_recurrent_highway_layer_is_a_tree_of_base_4():
    weights, inputs, (h, _), _ = draw(4)
    new_h = h
    for now in inputs:
        x, z = np.moveaxis(now, 1, 0), np.einsum("bh,hkj->kbj", new_h, weights)
        carry, transform = sigmoid(sum(x[:2]) + sum(z[:2])), sigmoid(x[2] + z[2])
        new_h = new_h * carry + np.tanh(x[3] + z[3]) * transform
    got = run(4, RHN, weights, inputs, (h, h))
    np.testing.assert_allclose(got, (new_h, new_h), rtol=1e-9)


def test_a_gru_is_a_tree_of_base_16_at_tied_weights():
    weights, inputs, (h, _), _ = draw(3)

    def leaves(a, axis):
        reset, update, candidate = np.moveaxis(a, axis, 0)
        zeros = 0 * reset
        rest = [zeros] * 3
        own = [candidate, zeros] if axis == 2 else [zeros, zeros]
        gated_map = zeros if axis == 2 else candidate
        both = [update, *rest, *rest, zeros, *own, reset, gated_map, -update, *rest]
        return np.stack(both, axis)

    expected = gated("gru", weights, inputs, (h, 0 * h))[0]
    got = run(16, GRU, leaves(weights, 1), leaves(inputs, 2), (h, h))
    np.testing.assert_allclose(got, (expected, expected), rtol=1e-9)


def test_gated_cells_have_two_kinds():
    with pytest.raises(ValueError, match=r"kind is 'rnn': give one of \['gru', 'lstm'\]"):
        GatedCell("rnn")
