import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.data import NO_AUGMENTATION, Augmentation, DataError, augment
from jaxnas.data.augment import random_crop, random_cutout, random_flip

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(0.5, 1.0, (64, 6, 5, 3)).astype(np.float32)


def windows(image, pad):
    """Every window that a crop may take, by a slow reference."""
    height, width, _ = image.shape
    padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)))
    corners = [(y, x) for y in range(2 * pad + 1) for x in range(2 * pad + 1)]
    return [padded[y : y + height, x : x + width] for y, x in corners]


def test_crops_are_windows_of_the_padded_image():
    cropped = np.asarray(random_crop(KEY, IMAGES, 2))
    chosen = []
    for image, result in zip(IMAGES, cropped, strict=True):
        matches = [i for i, w in enumerate(windows(image, 2)) if np.array_equal(w, result)]
        assert len(matches) == 1
        chosen += matches
    # Each image draws for itself: 64 draws of 25 windows hit nearly all of them.
    assert len(set(chosen)) > 15


def test_crop_corners_are_uniform():
    images = np.broadcast_to(
        np.arange(1, 10, dtype=np.float32).reshape(1, 3, 3, 1), (4000, 3, 3, 1)
    )
    centre = np.asarray(random_crop(KEY, images, 1))[:, 1, 1, 0].astype(int)
    counts = np.bincount(centre, minlength=10)[1:]
    # 4,000 draws over 9 cells: 444 expected, standard deviation 20.
    assert np.abs(counts - 444).max() < 100


def test_flips_mirror_half_of_the_images():
    flipped = np.asarray(random_flip(KEY, np.tile(IMAGES, (16, 1, 1, 1))))
    originals = np.tile(IMAGES, (16, 1, 1, 1))
    same = (flipped == originals).all((1, 2, 3))
    mirrored = (flipped == originals[:, :, ::-1]).all((1, 2, 3))
    assert (same ^ mirrored).all()
    # 1,024 draws: 512 expected, standard deviation 16.
    assert abs(int(mirrored.sum()) - 512) < 80


@pytest.mark.parametrize("size", [1, 2, 3, 20])
def test_cutouts_are_clipped_squares(size):
    cut = np.asarray(random_cutout(KEY, IMAGES, size))
    shapes = set()
    for image, result in zip(IMAGES, cut, strict=True):
        hole = (result == 0).all(-1)
        rows, columns = hole.any(1).nonzero()[0], hole.any(0).nonzero()[0]
        square = np.zeros_like(hole)
        square[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
        np.testing.assert_array_equal(hole, square)
        np.testing.assert_array_equal(result[~hole], image[~hole])
        assert 1 <= len(rows) <= min(size, 6)
        assert 1 <= len(columns) <= min(size, 5)
        shapes.add((len(rows), len(columns)))
    full = (min(size, 6), min(size, 5))
    assert full in shapes
    # A square around a pixel near the border is clipped, not moved.
    assert (len(shapes) > 1) == (size in (2, 3))


def test_everything_together_keeps_shape_and_dtype():
    augmentation = Augmentation(pad=1, flip=True, cutout=2)
    for dtype in (jnp.float32, jnp.bfloat16, jnp.uint8):
        images = jnp.asarray(IMAGES * 100, dtype)
        result = jax.jit(augment, static_argnums=0)(augmentation, KEY, images)
        assert (result.shape, result.dtype) == (images.shape, images.dtype)


def test_nothing_leaves_images_as_they_are():
    np.testing.assert_array_equal(augment(NO_AUGMENTATION, KEY, IMAGES), IMAGES)


def test_the_key_decides():
    run = functools.partial(augment, Augmentation(pad=2, cutout=2))
    np.testing.assert_array_equal(run(KEY, IMAGES), run(KEY, IMAGES))
    assert (np.asarray(run(KEY, IMAGES)) != np.asarray(run(jax.random.key(1), IMAGES))).any()


def test_a_switch_leaves_the_draws_of_the_others():
    both = augment(Augmentation(pad=2, flip=True), KEY, IMAGES)
    crop = augment(Augmentation(pad=2, flip=False), KEY, IMAGES)
    same = (np.asarray(both) == np.asarray(crop)).all((1, 2, 3))
    mirrored = (np.asarray(both) == np.asarray(crop)[:, :, ::-1]).all((1, 2, 3))
    assert (same | mirrored).all()


@pytest.mark.parametrize("field", ["pad", "cutout"])
def test_negative_pixels_are_refused(field):
    with pytest.raises(DataError, match=f"{field} is -1 pixels"):
        Augmentation(**{field: -1})
