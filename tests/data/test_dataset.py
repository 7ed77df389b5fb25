import dataclasses

import numpy as np
import pytest

from jaxnas.data import DataError, from_arrays, from_data
from jaxnas.data.statistics import channel_statistics


def arrays(count=50, shape=(6, 4, 3), classes=5, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, *shape), dtype=np.uint8)
    return images, np.arange(count) % classes


def rows(images):
    return {image.tobytes() for image in images}


def test_splits_are_disjoint_and_cover_everything():
    images, labels = arrays()
    data = from_arrays(images, labels, validation=0.2, test=0.1)
    assert data.sizes == {"train": 35, "validation": 10, "test": 5}
    parts = [rows(data.train_images), rows(data.validation_images), rows(data.test_images)]
    assert sum(map(len, parts)) == 50
    assert set.union(*parts) == rows(images)


def test_labels_stay_with_their_images():
    images = np.arange(60, dtype=np.uint8)[:, None, None] * np.ones((1, 3, 3), np.uint8)
    data = from_arrays(images, np.arange(60) % 7)
    for split in ("train", "validation", "test"):
        pixels = getattr(data, f"{split}_images")[:, 0, 0, 0]
        np.testing.assert_array_equal(pixels % 7, getattr(data, f"{split}_labels"))
    assert data.image_shape == (3, 3, 1)
    assert data.num_classes == 7
    assert data.class_names == ("0", "1", "2", "3", "4", "5", "6")
    assert data.train_labels.dtype == np.int32


def test_the_split_depends_on_the_seed_alone():
    images, labels = arrays()
    first, again, other = (from_arrays(images, labels, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.train_images, again.train_images)
    assert rows(first.validation_images) != rows(other.validation_images)


def test_statistics_match_numpy_for_bytes_and_floats():
    images, _ = arrays()
    scaled = images.astype(np.float64) / 255
    for given in (images, scaled.astype(np.float32)):
        mean, std = channel_statistics(given)
        np.testing.assert_allclose(mean, scaled.mean((0, 1, 2)), rtol=1e-6)
        np.testing.assert_allclose(std, scaled.std((0, 1, 2)), rtol=1e-6)
        assert mean.dtype == std.dtype == np.float32


def test_statistics_are_of_train_alone_and_never_zero():
    images = np.full((10, 2, 2, 1), 51, np.uint8)
    data = from_arrays(
        images, np.arange(10) % 2, np.full((4, 2, 2, 1), 255, np.uint8), [0, 1, 0, 1]
    )
    assert data.mean.tolist() == [np.float32(0.2)]
    assert data.std.tolist() == [1.0]


def test_take_limits_each_split_and_renews_the_statistics():
    data = from_arrays(*arrays())
    small = data.take(train=7, test=1000, seed=1)
    assert small.sizes == {"train": 7, "validation": 5, "test": 10}
    assert rows(small.train_images) < rows(data.train_images)
    np.testing.assert_allclose(small.mean, (small.train_images / 255).mean((0, 1, 2)), rtol=1e-6)
    with pytest.raises(DataError, match="validation is limited to 0 images"):
        data.take(validation=0)


def test_a_limit_counts_train_and_validation_together():
    images, labels = arrays()
    data = from_arrays(images, labels, *arrays(30, seed=1), limit=20, validation=0.25)
    assert data.sizes == {"train": 15, "validation": 5, "test": 20}


def test_datasets_are_frozen():
    data = from_arrays(*arrays())
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.name = "other"


def test_from_data_takes_pairs_and_pairs_of_pairs():
    train, test = arrays(), arrays(20, seed=1)
    assert from_data(train).sizes["test"] == 10
    data = from_data((train, test), validation=5)
    assert data.sizes == {"train": 45, "validation": 5, "test": 20}
    np.testing.assert_array_equal(data.test_images, test[0])
    assert from_data(data) is data
    with pytest.raises(DataError, match="neither a Dataset"):
        from_data(train[0])


IMAGES, LABELS = arrays()
FLOATS = (IMAGES / 255).astype(np.float32)


def with_value(value):
    images = FLOATS.copy()
    images[3, 1, 1, 1] = value
    return images


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": IMAGES[0, 0]}, r"images has shape \[4, 3\]: give at least one image"),
        ({"images": IMAGES[:0]}, "images has shape .* give at least one image"),
        ({"images": np.zeros((50, 6, 4, 2), np.uint8)}, "2 channels .* jaxnas takes 1 or 3"),
        ({"images": np.moveaxis(IMAGES, -1, 1)}, r"np.moveaxis\(images, 1, -1\)"),
        ({"images": IMAGES.astype(np.int64)}, r"images are int64: .* images.astype\(np.uint8\)"),
        ({"images": IMAGES > 3}, "images are bool"),
        ({"images": FLOATS * 255}, r"floats from .* not in \[0, 1\]: scale them"),
        ({"images": FLOATS - 0.5}, r"not in \[0, 1\]"),
        ({"images": with_value(np.nan)}, "not finite"),
        ({"images": with_value(np.inf)}, "not finite"),
        ({"images": [[[1]], [[1, 2]]]}, "images is ragged"),
        ({"images": None}, "images is missing"),
        ({"labels": None}, "labels is missing"),
        ({"labels": LABELS[:49]}, "labels has 49 entries for 50 images"),
        ({"labels": LABELS[:, None]}, r"labels.ravel\(\)"),
        ({"labels": np.eye(5, dtype=int)[LABELS]}, r"labels.argmax\(-1\)"),
        ({"labels": LABELS.astype(np.float32)}, "labels are float32: give ints"),
        ({"labels": LABELS - 1}, "labels has label -1"),
        ({"labels": LABELS * 0}, "labels are all 0"),
        ({"class_names": ["a", "b", "c", "d"]}, "labels go up to 4, but class_names has 4 names"),
        ({"class_names": ["a"]}, "at least 2 classes"),
        ({"test_images": IMAGES}, "test_labels is missing"),
        ({"test_labels": LABELS}, "test_images is missing"),
        ({"test_images": IMAGES[:, :3], "test_labels": LABELS}, "one size and type"),
        ({"test_images": FLOATS, "test_labels": LABELS}, "one size and type"),
        ({"validation": 0.0}, "validation=0.0 splits 0 of 40 images off"),
        ({"validation": 1.0}, "validation=1.0 splits 50 of 40"),
        ({"validation": 40}, "a number from 1 to 39"),
        ({"test": True}, "test=True"),
        ({"test": -3}, "test=-3"),
        ({"limit": 0}, "images is limited to 0 images"),
    ],
)
def test_bad_arrays_are_named(changes, message):
    arguments = {"images": IMAGES, "labels": LABELS, **changes}
    with pytest.raises(DataError, match=message):
        from_arrays(**arguments)
