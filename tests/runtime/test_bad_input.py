"""Bad input of a search through the command line: one clear line, before any work is done."""

import os

import numpy as np
import pytest

from jaxnas.cli import main
from jaxnas.engine import Engine


@pytest.fixture(autouse=True)
def no_work(monkeypatch):
    """No step may be done before the input is found to be bad."""

    def step(*_):
        raise AssertionError("a step was done")

    monkeypatch.setattr(Engine, "step", step)


def fails(arguments, message, capsys, code=1):
    assert main(["search", "enas_digits:smoke", "--quiet", *arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1


def arrays(count=40, size=8):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, size, size, 1), dtype=np.uint8)
    labels = np.arange(count) % 10
    return {
        "train_images": images,
        "train_labels": labels,
        "test_images": images,
        "test_labels": labels,
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_labels": None}, "has no train_labels; it holds"),
        ({"train_images": np.zeros((40, 8, 8, 2), np.uint8)}, "train_images has 2 channels"),
        ({"train_images": np.zeros((40, 64), np.uint8)}, "train_images has shape [40, 64]"),
        ({"test_images": np.zeros((40, 6, 6, 1), np.uint8)}, "give both in one size and type"),
        ({"train_labels": np.arange(39)}, "train_labels has 39 entries for 40 images"),
        ({"train_labels": np.full(40, -1)}, "train_labels has label -1: remove unlabelled"),
        ({"class_names": np.array(["a", "b"])}, "labels go up to 9, but class_names has 2 names"),
        ({"train_images": np.full((40, 8, 8, 1), np.nan, np.float32)}, "not finite"),
    ],
)
def test_npz_files(tmp_path, change, message, capsys):
    content = {k: v for k, v in (arrays() | change).items() if v is not None}
    np.savez(tmp_path / "data.npz", **content)
    run = tmp_path / "run"
    place = ["--set", f"data=npz:{tmp_path / 'data.npz'}", "--run-dir", str(run)]
    fails(place, message, capsys)
    assert not run.exists()


def test_images_that_the_network_cannot_halve(tmp_path, capsys):
    np.savez(tmp_path / "data.npz", **arrays(size=6))
    data = ["--set", f"data=npz:{tmp_path / 'data.npz'}"]
    fails(data, "which 6 x 6 cannot be: resize them to multiples of 4", capsys)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("data=digit", "data source 'digit' is unknown: use digits"),
        ("data=npz:nowhere.npz", "npz file nowhere.npz does not exist"),
        ("search.batch_size=1001", "search.batch_size is 1001, but the train split has 1000"),
        ("search.reward_batch_size=398", "but the validation split has 397 images"),
        ("train.batch_size=1001", "train.batch_size is 1001, but the train split has 1000"),
        ("search.warmup_epochs=2", "search.warmup_epochs is 2, but search.epochs is 1"),
        ("derive.retrain=9", "derive.retrain is 9, but derive.samples is 8"),
    ],
)
def test_what_does_not_fit(tmp_path, assignment, message, capsys):
    run = tmp_path / "run"
    fails(["--set", assignment, "--run-dir", str(run)], message, capsys)
    assert not run.exists()


@pytest.mark.parametrize("seed", [-1, 2**32, 99999999999999999999])
@pytest.mark.parametrize(
    "config", ["enas_digits", "instanas_digits", "mnms_digits", "nasrl_conv_digits",
               "nasrl_cell_characters"],
)  # fmt: skip
def test_seeds_that_do_not_fit(config, seed, tmp_path, capsys):
    run = tmp_path / "run"
    assert main(["search", config, "--seed", str(seed), "--run-dir", str(run)]) == 1
    message = f"config.seed is {seed}: give a whole number from 0 to 4294967295"
    assert message in capsys.readouterr().err
    assert not run.exists()


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("search.epoch=1", "did you mean 'search.epochs'?"),
        ("search.epochs=1.5", "give int"),
        ("derive.retrain=0", "derive.retrain is 0: give a whole number of 1 or more"),
    ],
)
def test_bad_overrides(assignment, message, capsys):
    fails(["--set", assignment], message, capsys, code=2)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_unwritable_run_folder(tmp_path, capsys):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    fails(["--run-dir", str(closed / "run")], "cannot be written (Permission denied)", capsys)


def test_run_folder_below_a_file(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    place = ["--run-dir", str(tmp_path / "file" / "run")]
    fails(place, "cannot be written (Not a directory): correct its permissions or give", capsys)


def test_search_spaces_that_differ(tmp_path, capsys):
    file = tmp_path / "two.py"
    file.write_text(
        "from jaxnas.config import ChainConfig, Config\n"
        "def config(variant=''):\n"
        "    return Config('two', ChainConfig(layers=2), final_network=ChainConfig(layers=1))\n"
    )
    assert main(["search", str(file), "--quiet"]) == 1
    message = "'final_network' has another search space than 'network'"
    assert message in capsys.readouterr().err
