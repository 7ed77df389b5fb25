"""A trained child on disk."""

import json
import shutil

import numpy as np
import pytest

import jaxnas
from jaxnas.runtime import RunError
from jaxnas.runtime.saved import find

pytestmark = pytest.mark.usefixtures("quick_compilation")


@pytest.fixture
def images():
    return jaxnas.data.load("digits").test_images[:16]


@pytest.fixture
def folder(tiny_run, tmp_path):
    return shutil.copytree(tiny_run.run_dir / "children" / "best-0", tmp_path / "child")


def test_the_child_of_a_run_gives_identical_logits(tiny_run, folder, images):
    logits = np.asarray(tiny_run.module(images))
    for place in (tiny_run.run_dir, folder, str(folder)):
        np.testing.assert_array_equal(find(place).module()(images), logits)
    other = find(tiny_run.run_dir / "children" / "random-0")
    assert not np.array_equal(other.module()(images), logits)


def test_what_is_known_of_it(tiny_run, folder):
    child = jaxnas.load_child(folder)
    np.testing.assert_array_equal(child.architecture, tiny_run.architecture)
    assert child.description["image_shape"] == [8, 8, 1]
    assert child.description["class_names"] == [str(i) for i in range(10)]
    assert child.trained.diverged is False
    assert child.config == jaxnas.runtime.overrides.network_config(child.description["network"])


def cut(folder):
    file = folder / "weights.npz"
    file.write_bytes(file.read_bytes()[:-30])


def flip(folder):
    file = folder / "weights.npz"
    content = bytearray(file.read_bytes())
    content[len(content) // 4] ^= 255
    file.write_bytes(content)


def forget_one(folder):
    with np.load(folder / "weights.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    arrays.pop(next(name for name in arrays if name.startswith("weights|stem")))
    np.savez(folder / "weights.npz", **arrays)


def reshape_one(folder):
    with np.load(folder / "weights.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    name = next(name for name in arrays if name.startswith("weights|stem"))
    arrays[name] = arrays[name][..., :1]
    np.savez(folder / "weights.npz", **arrays)


def describe(**changes):
    def damage(folder):
        file = folder / "child.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        cut,
        flip,
        forget_one,
        reshape_one,
        lambda folder: (folder / "weights.npz").unlink(),
        lambda folder: (folder / "weights.npz").write_bytes(b""),
        lambda folder: (folder / "child.json").write_text("{"),
        lambda folder: (folder / "child.json").write_text("[]"),
        lambda folder: (folder / "child.json").write_text("{}"),
        describe(network={"kind": "resnet"}),
        describe(network=3),
        describe(architecture={"space": "other", "version": 1, "walk": []}),
        describe(num_classes=1),
    ],
)
def test_damaged_folders(folder, damage):
    damage(folder)
    with pytest.raises(RunError, match=r"holds no readable child \(.*: give the folder"):
        find(folder)


def test_folders_without_a_child(tmp_path):
    with pytest.raises(RunError, match=r"holds no finished run: finish it with .*--resume"):
        find(tmp_path)
    with pytest.raises(RunError, match=r"there is no folder .*typo: give that of a run"):
        find(tmp_path / "typo")
    (tmp_path / "result.json").write_text("[]")
    with pytest.raises(RunError, match="holds no finished run"):
        find(tmp_path)
    (tmp_path / "result.json").write_text(json.dumps({"child": "best-7"}))
    with pytest.raises(RunError, match=r"best-7 holds no readable child"):
        find(tmp_path)
