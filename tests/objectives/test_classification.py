"""Losses and rewards of classifiers, by hand."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.objectives import accuracy, cross_entropy

# Probabilities 3/4 and 1/4, then 1/2 and 1/2.
LOGITS = jnp.log(jnp.array([[3.0, 1.0], [1.0, 1.0]]))


def test_cross_entropy_by_hand():
    expected = (math.log(4 / 3) + math.log(2)) / 2
    np.testing.assert_allclose(cross_entropy(LOGITS, jnp.array([0, 1])), expected, rtol=1e-6)


def test_label_smoothing_moves_mass_to_all_classes():
    first = 0.9 * math.log(4 / 3) + 0.1 * math.log(4)
    loss = cross_entropy(LOGITS, jnp.array([0, 1]), smoothing=0.2)
    np.testing.assert_allclose(loss, (first + math.log(2)) / 2, rtol=1e-6)


def test_children_share_labels_and_count_alike():
    logits = jnp.stack([LOGITS, LOGITS[::-1]])
    labels = jnp.array([0, 1])
    each = [cross_entropy(child, labels) for child in logits]
    np.testing.assert_allclose(cross_entropy(logits, labels), np.mean(each), rtol=1e-6)


def test_accuracy_of_each_child():
    logits = jnp.array([[[2.0, 1.0], [0.0, 1.0]], [[1.0, 2.0], [0.0, 1.0]]])
    np.testing.assert_array_equal(accuracy(logits, jnp.array([0, 1])), [1.0, 0.5])


def test_one_logit_that_is_not_finite_leaves_a_child_without_accuracy():
    logits = jnp.array(
        [[[2.0, 1.0], [0.0, jnp.inf]], [[2.0, jnp.nan], [0.0, 1.0]], [[2.0, 1.0]] * 2]
    )
    result = jax.jit(accuracy)(logits, jnp.array([0, 0]))
    np.testing.assert_array_equal(result, [np.nan, np.nan, 1.0])
