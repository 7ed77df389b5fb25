"""SGD with Nesterov momentum and a cosine learning rate, by hand."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.config import OptimizerConfig
from jaxnas.optimizers import apply_gradient, learning_rate_schedule, make_optimizer


def cosine(step, steps, start=0.1, end=0.01):
    return end + (start - end) * (1 + math.cos(math.pi * step / steps)) / 2


def recipe(**options):
    given = {"learning_rate": 0.1, "final_learning_rate": 0.01, "weight_decay": 0.0, "clip": 0.0}
    return OptimizerConfig(**(given | options))


def test_cosine_from_start_to_end():
    schedule = learning_rate_schedule(recipe(), steps=8, epoch=4)
    expected = [cosine(step, 8) for step in range(9)]
    np.testing.assert_allclose([schedule(step) for step in range(9)], expected, rtol=1e-5)
    np.testing.assert_allclose(
        [schedule(0), schedule(4), schedule(8)], [0.1, 0.055, 0.01], rtol=1e-5
    )


def test_restarts_double_the_cycle():
    # Three steps an epoch: cycles of 6, 12 and 24 steps.
    schedule = learning_rate_schedule(recipe(restart_epochs=2), steps=30, epoch=3)
    expected = [cosine(s, 6) for s in range(6)]
    expected += [cosine(s, 12) for s in range(12)] + [cosine(s, 24) for s in range(12)]
    np.testing.assert_allclose([schedule(step) for step in range(30)], expected, rtol=1e-5)


def test_one_cycle_rises_for_three_tenths_and_ends_at_the_end():
    schedule = learning_rate_schedule(recipe(schedule="one_cycle"), steps=20, epoch=5)
    expected = [cosine(s, 6, 0.1 / 25, 0.1) for s in range(6)]
    expected += [cosine(s, 14) for s in range(15)]
    np.testing.assert_allclose([schedule(step) for step in range(21)], expected, rtol=1e-5)
    to_zero = recipe(schedule="one_cycle", final_learning_rate=0.0)
    assert learning_rate_schedule(to_zero, steps=20, epoch=5)(20) == 0


def test_one_cycle_has_no_restarts():
    with pytest.raises(ValueError, match="restart_epochs is 2, but"):
        recipe(schedule="one_cycle", restart_epochs=2)


def run(config, gradients, start=1.0, steps=4):
    optimizer = make_optimizer(config, steps, steps)
    params = {"w": jnp.array([start, 0.0])}
    state = optimizer.init(params)
    for gradient in gradients:
        params, state = apply_gradient(optimizer, params, state, {"w": jnp.array(gradient)})
    return np.asarray(params["w"]), state


def test_nesterov_momentum():
    weights, _ = run(recipe(), [[1.0, 0.0], [2.0, 0.0]])
    # Momenta 1 and 0.9 + 2; the steps go ahead by another 0.9 of them.
    expected = 1 - 0.1 * (1 + 0.9 * 1) - cosine(1, 4) * (2 + 0.9 * 2.9)
    np.testing.assert_allclose(weights, [expected, 0], rtol=1e-5)


def test_clip_before_decay():
    weights, _ = run(recipe(momentum=0.0, clip=1.0, weight_decay=0.5), [[3.0, 4.0]])
    # The norm 5 is cut to 1; the decay adds 0.5 * w to what was clipped.
    np.testing.assert_allclose(weights, [1 - 0.1 * (0.6 + 0.5), -0.1 * 0.8], rtol=1e-5)
    unclipped, _ = run(recipe(momentum=0.0), [[3.0, 4.0]])
    np.testing.assert_allclose(unclipped, [1 - 0.3, -0.4], rtol=1e-5)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_changes_nothing(bad):
    config = recipe(weight_decay=0.1, clip=1.0)
    good, before = run(config, [[1.0, 1.0]])
    same, after = run(config, [[1.0, 1.0], [bad, 0.0]])
    np.testing.assert_array_equal(good, same)
    assert str(before) == str(after)
    one_more, _ = run(config, [[1.0, 1.0], [bad, 0.0], [1.0, 1.0]])
    two, _ = run(config, [[1.0, 1.0], [1.0, 1.0]])
    np.testing.assert_array_equal(one_more, two)
