"""The bounds and biases of ENAS's controllers as options of the LSTM policy."""

import jax
import numpy as np
import pytest

from jaxnas.policies import enas_bias, lstm
from jaxnas.spaces import Decision, SearchSpace, chain, enas_micro

pytestmark = pytest.mark.usefixtures("quick_compilation")

SPACE = enas_micro(nodes=1)
ONE = np.zeros((1, SPACE.max_length), np.int32)
INPUT, OPERATION, REDUCTION = 0, 2, 6  # steps of input_1, op_1 and the reduction cell's op_1


def softmax(*logits):
    weights = np.exp(logits)
    return weights / weights.sum()


def test_each_kind_of_decision_has_its_bound():
    far = {"normal/2/op_1": (1e6, *[-1e6] * 4)}
    bounds = {"tanh_constant": 1.1, "operation_tanh_constant": 0.44}
    policy = lstm(SPACE, hidden=4, init_scale=40.0, initial_bias=far, **bounds)
    states = [policy.init(jax.random.key(seed)) for seed in range(8)]
    probabilities = np.stack([policy.evaluate(params, ONE).probabilities[0] for params in states])
    # Logits at their bounds, one up and the others down.
    highest = softmax(0.44, *[-0.44] * 4)
    np.testing.assert_allclose(probabilities[:, OPERATION], [highest] * 8, rtol=1e-5)
    inputs = probabilities[:, INPUT, :2].max()
    assert softmax(0.44, -0.44)[0] < inputs <= softmax(1.1, -1.1)[0] + 1e-6


def test_a_fresh_policy_prefers_convolutions_as_enas_does():
    options = {"tanh_constant": 1.1, "operation_tanh_constant": 0.44, "head_scale": 0.0}
    for share_heads in (False, True):
        policy = lstm(SPACE, hidden=4, share_heads=share_heads, **options, **biases(SPACE))
        params = policy.init(jax.random.key(0))
        probabilities = policy.evaluate(params, ONE).probabilities[0]
        normal = softmax(*[0.44 + 0.25] * 2, *[-0.25] * 3)
        np.testing.assert_allclose(probabilities[OPERATION], normal, rtol=1e-5)
        reduction = softmax(*[0.44] * 2, *[0.0] * 3)
        np.testing.assert_allclose(probabilities[REDUCTION], reduction, rtol=1e-5)
        np.testing.assert_allclose(probabilities[INPUT, :2], 0.5, rtol=1e-5)


def biases(space):
    return enas_bias(space)._asdict()


def test_biases_stand_where_decisions_are_passed_in_any_order():
    first = Decision("first", ("a", "b"), next=("left", "right"))
    left = Decision("left", ("x", "y"), next="end")
    space = SearchSpace("tree", (first, left, Decision("right", ("x", "y", "z"), next="end")))
    given = {"right": (0.0, 1.0, 2.0)}
    policy = lstm(space, hidden=4, head_scale=0.0, fixed_bias=given)
    params = policy.init(jax.random.key(0))
    probabilities = policy.evaluate(params, np.array([[0, 0], [1, 0]])).probabilities
    np.testing.assert_allclose(probabilities[0, 1, :2], 0.5, rtol=1e-6)
    np.testing.assert_allclose(probabilities[1, 1], softmax(0, 1, 2), rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fixed_bias": {"layer_9": (1.0, 0.0)}}, "'layer_9', which is no decision"),
        (
            {"initial_bias": {"layer_0": (1.0,)}},
            "1 biases .* 'layer_0': give one for each",
        ),
        (
            {"fixed_bias": {"layer_1": (0.0, -np.inf)}},
            r"decision 'layer_1' are \[0.0, -inf\]: give finite ones",
        ),
        ({"operation_tanh_constant": 0.5}, "'operation_tanh_constant' needs a 'tanh_constant'"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        lstm(chain(2, ("a", "b")), **options)


def test_a_space_without_convolutions_has_no_such_bias():
    with pytest.raises(ValueError, match="no decision with separable convolutions"):
        enas_bias(chain(2, ("a", "b")))
