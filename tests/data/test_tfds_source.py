import sys
import types

import numpy as np
import pytest

from jaxnas.data import DataError, load

extra = pytest.mark.extra


@pytest.fixture
def tfds():
    pytest.importorskip("array_record")
    return pytest.importorskip("tensorflow_datasets")


def prepare(tfds, folder, name, splits, *, image=None, label=None, keys=("image", "label")):
    """Prepares a tiny set: image `i` of a split is constant, its label is `i % 3`."""

    class Tiny(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.2.0")

        def _info(self):
            features = {
                "image": image or tfds.features.Tensor(shape=(5, 4, 3), dtype=np.uint8),
                "label": label or tfds.features.ClassLabel(names=["cat", "dog", "owl"]),
            }
            return tfds.core.DatasetInfo(
                builder=self,
                features=tfds.features.FeaturesDict(features),
                supervised_keys=keys,
            )

        def _split_generators(self, _):
            return {split: self._generate_examples(size) for split, size in splits.items()}

        def _generate_examples(self, size):
            for index in range(size):
                shape = (5, 4 if image is None else 3 + index, 3)
                yield index, {"image": np.full(shape, index, np.uint8), "label": index % 3}

    Tiny.name = name
    builder = Tiny(data_dir=folder, file_format="array_record")
    builder.download_and_prepare()
    return builder


@extra
def test_prepared_data_is_read_without_tensorflow(tfds, tmp_path, monkeypatch):
    prepare(tfds, tmp_path, "tiny_tensors", {"train": 30, "test": 7})
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    data = load("tfds:tiny_tensors", validation=5)
    assert data.name == "tiny_tensors/1.2.0"
    assert data.class_names == ("cat", "dog", "owl")
    assert data.sizes == {"train": 25, "validation": 5, "test": 7}
    assert data.image_shape == (5, 4, 3)
    # TFDS shuffles what it prepares.
    pixels = data.test_images[:, 0, 0, 0]
    np.testing.assert_array_equal(np.sort(pixels), np.arange(7))
    np.testing.assert_array_equal(pixels % 3, data.test_labels)
    np.testing.assert_array_equal(data.train_images[:, 4, 3, 2] % 3, data.train_labels)
    assert load("tfds:tiny_tensors:1.2.0", limit=6).sizes["test"] == 6


@extra
def test_splits_that_are_not_there_are_made(tfds, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    prepare(tfds, tmp_path, "only_train", {"train": 30})
    assert load("tfds:only_train").sizes == {"train": 21, "validation": 3, "test": 6}
    prepare(tfds, tmp_path, "with_validation", {"train": 30, "validation": 9})
    assert load("tfds:with_validation").sizes == {"train": 27, "validation": 3, "test": 9}


@extra
@pytest.mark.parametrize(("name", "shape"), [("mnist", (28, 28, 1)), ("cifar10", (32, 32, 3))])
def test_real_feature_specs(tfds, name, shape):
    with tfds.testing.mock_data(num_examples=20):
        data = load(f"tfds:{name}")
    assert data.image_shape == shape
    assert data.num_classes == 10
    assert data.sizes == {"train": 18, "validation": 2, "test": 20}


@extra
def test_images_of_several_sizes_are_refused(tfds, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    image = tfds.features.Tensor(shape=(5, None, 3), dtype=np.uint8)
    prepare(tfds, tmp_path, "ragged", {"train": 4, "test": 3}, image=image)
    with pytest.raises(DataError, match="images of 4 sizes"):
        load("tfds:ragged")


@extra
def test_labels_that_are_not_classes_are_refused(tfds, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    label = tfds.features.Scalar(dtype=np.float32)
    prepare(tfds, tmp_path, "regression", {"train": 9, "test": 3}, label=label)
    with pytest.raises(DataError, match="regression: train_labels are float64: give ints"):
        load("tfds:regression")


@extra
def test_sets_that_cannot_be_read_say_what_to_do(tfds, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    with pytest.raises(DataError, match=r"TFDS does not know 'no_such_set'.*TFDS_DATA_DIR"):
        load("tfds:no_such_set")
    with pytest.raises(DataError, match=r"not prepared.*tfds build mnist --file_format=array_rec"):
        load("tfds:mnist")
    prepare(tfds, tmp_path, "reversed_pair", {"train": 4}, keys=("label", "picture"))
    with pytest.raises(DataError, match=r"has the features .*one image and one label"):
        load("tfds:reversed_pair")
    with pytest.raises(DataError, match=r"TFDS cannot open 'mnist:9\.9\.9'"):
        load("tfds:mnist:9.9.9")


def test_the_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "array_record", types.ModuleType("array_record"))
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(DataError, match=r"pip install 'jaxnas\[tfds\]'"):
        load("tfds:mnist")
