import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.data import (
    DataError,
    batch_indices,
    batches_per_epoch,
    epoch_permutation,
    gather,
    load,
    normalize,
    slice_batch,
)

KEY = jax.random.key(7)


def test_an_epoch_visits_each_image_once():
    permutation = np.asarray(epoch_permutation(KEY, 2, 13))
    np.testing.assert_array_equal(np.sort(permutation), np.arange(13))
    assert permutation.dtype == np.int32


def test_epochs_and_keys_have_orders_of_their_own():
    orders = [(KEY, 0), (KEY, 1), (jax.random.key(8), 0)]
    assert len({np.asarray(epoch_permutation(*order, 50)).tobytes() for order in orders}) == 3


def test_batches_walk_through_the_epochs():
    size, batch_size = 13, 4
    steps = [np.asarray(batch_indices(KEY, step, size, batch_size)) for step in range(6)]
    for epoch in (0, 1):
        permutation = np.asarray(epoch_permutation(KEY, epoch, size))
        visited = np.concatenate(steps[3 * epoch : 3 * epoch + 3])
        np.testing.assert_array_equal(visited, permutation[:12])


def test_the_step_may_be_traced():
    traced = jax.jit(lambda step: batch_indices(KEY, step, 20, 5))
    scanned = jax.lax.map(lambda step: batch_indices(KEY, step, 20, 5), jnp.arange(9))
    for step in range(9):
        plain = batch_indices(KEY, step, 20, 5)
        np.testing.assert_array_equal(traced(step), plain)
        np.testing.assert_array_equal(scanned[step], plain)
        permutation = epoch_permutation(KEY, step // 4, 20)
        np.testing.assert_array_equal(slice_batch(permutation, step, 5), plain)


def test_one_batch_may_be_everything():
    assert batches_per_epoch(8, 8) == 1
    np.testing.assert_array_equal(np.sort(batch_indices(KEY, 3, 8, 8)), np.arange(8))


@pytest.mark.parametrize("batch_size", [0, -1, 9])
def test_bad_batch_sizes(batch_size):
    with pytest.raises(DataError, match=f"batch_size is {batch_size} for 8 images"):
        batch_indices(KEY, 0, 8, batch_size)


def test_gather_and_normalize_give_standardised_images():
    data = load("digits")
    images, labels = jnp.asarray(data.train_images), jnp.asarray(data.train_labels)
    everything = jnp.arange(len(labels))[::-1]
    batch, targets = gather(images, labels, everything)
    np.testing.assert_array_equal(targets, data.train_labels[::-1])
    normal = jax.jit(normalize)(batch, data.mean, data.std)
    assert normal.dtype == jnp.float32
    assert float(normal.mean()) == pytest.approx(0.0, abs=1e-5)
    assert float(normal.std()) == pytest.approx(1.0, abs=1e-5)


def test_normalize_treats_bytes_and_floats_alike():
    images = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3) * 20
    mean, std = np.float32([0.1, 0.2, 0.3]), np.float32([0.5, 1.0, 2.0])
    expected = (images / 255 - mean) / std
    np.testing.assert_allclose(normalize(jnp.asarray(images), mean, std), expected, rtol=1e-5)
    floats = jnp.asarray(images / 255, jnp.float32)
    np.testing.assert_allclose(normalize(floats, mean, std), expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.int32, np.uint16, np.bool_])
def test_normalize_refuses_images_of_unknown_scale(dtype):
    images = jnp.ones((1, 2, 2, 3), dtype)
    with pytest.raises(ValueError, match=f"images are {images.dtype}: give uint8 in 0..255"):
        jax.jit(normalize)(images, jnp.zeros(3), jnp.ones(3))
