"""Searches that are killed and resumed end as one that never was, bit for bit."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import pytest
from tiny_search import tiny_config

import jaxnas
from jaxnas.runtime import CheckpointError, Checkpoints, RunError, read_metrics

pytestmark = pytest.mark.usefixtures("quick_compilation")

TESTS = pathlib.Path(__file__).parent.parent
SAME = ("state_digest", "test_accuracy", "random_test_accuracies", "architecture", "children")


def start(folder, moment):
    """Runs the search in a new process; returns its exit code."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)]),
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    }
    command = [sys.executable, str(TESTS / "runtime" / "search_that_dies.py"), str(folder), moment]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, -signal.SIGKILL):
        raise AssertionError(done.stderr)
    return done.returncode


def result(folder):
    """The result, without what was read from a clock."""
    values = json.loads((folder / "result.json").read_text())
    for child in values["children"]:
        del child["latency"]
    return values


def steps(folder):
    return Checkpoints(folder / "checkpoints").steps()


@pytest.mark.slow
def test_killed_searches_end_as_one_that_never_was(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start(whole, "never") == 0

    assert start(killed, "inside_a_checkpoint") == -signal.SIGKILL
    assert steps(killed) == [1, 2]
    assert start(killed, "between_checkpoints") == -signal.SIGKILL
    assert steps(killed) == [2, 3, 4]
    assert start(killed, "inside_a_child") == -signal.SIGKILL
    assert steps(killed) == [4, 5, 6]
    assert not (killed / "children").exists()
    assert start(killed, "before_the_record_of_a_child") == -signal.SIGKILL
    assert [path.name for path in (killed / "children").iterdir()] == ["best-0"]
    assert not (killed / "result.json").exists()
    assert start(killed, "never") == 0

    for name in SAME:
        assert result(killed)[name] == result(whole)[name], name
    lines, expected = read_metrics(killed), read_metrics(whole)
    for line in (*lines, *expected):
        del line["seconds"]
    assert lines == expected


@pytest.fixture
def copy(tiny_run, tmp_path):
    return shutil.copytree(tiny_run.run_dir, tmp_path / "copy")


def forget_the_children(folder):
    """The run as it was when its search had ended, and nothing else."""
    shutil.rmtree(folder / "children")
    (folder / "result.json").unlink()


@pytest.mark.slow
def test_a_run_without_its_children_trains_them_again(tiny_run, copy):
    forget_the_children(copy)
    again = jaxnas.search(resume=copy, quiet=True)
    for name in SAME:
        assert again.values[name] == tiny_run.values[name], name


def test_a_corrupt_checkpoint_is_passed_over(tiny_run, copy):
    checkpoints = Checkpoints(copy / "checkpoints")
    newest = checkpoints.steps()[-1]
    # The only one left besides is of the first step, as if time for no other had passed.
    for path in (copy / "checkpoints" / f"{newest:08d}").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.warns(UserWarning, match=r"is damaged .* passed over for the one before"):
        again = jaxnas.search(resume=copy, quiet=True)
    for name in SAME:
        assert again.values[name] == tiny_run.values[name], name
    # It has been written anew.
    assert checkpoints.steps()[-1] == newest
    once_more = jaxnas.search(resume=copy, quiet=True)
    assert once_more.values["state_digest"] == tiny_run.values["state_digest"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"overrides": ["search.children=3"]}, "search.children is 2 there and 3 here"),
        ({"seed": 1}, "seed is 0 there and 1 here"),
        ({"config": "enas_digits:smoke"}, "name is 'tiny' there and 'enas_digits' here|of another"),
    ],
)
def test_another_config(tiny_run, options, message):
    with pytest.raises(RunError, match=message):
        jaxnas.search(resume=tiny_run.run_dir, quiet=True, **options)


def test_other_data(tiny_run):
    digits = jaxnas.data.load("digits")
    arrays = digits.train_images, digits.train_labels
    with pytest.raises(RunError, match=r"another config: data\.source is 'digits' there"):
        jaxnas.search(resume=tiny_run.run_dir, data=arrays, quiet=True)


def test_a_checkpoint_of_another_config(copy):
    """As if `config.json` had been changed by hand together with the call."""
    config = tiny_config(network=jaxnas.config.ChainConfig(layers=1, channels=4))
    stored = json.loads((copy / "config.json").read_text())
    stored["network"]["channels"], stored["network"]["dropout"] = 4, 0.0
    (copy / "config.json").write_text(json.dumps(stored))
    with pytest.raises(CheckpointError, match=r"is a checkpoint of another config: leaf .*params"):
        jaxnas.search(config, resume=copy, quiet=True)


def test_two_folders_at_once(tiny_run, tmp_path):
    with pytest.raises(ValueError, match=r"goes on in that folder: leave --run-dir out"):
        jaxnas.search(resume=tiny_run.run_dir, run_dir=tmp_path / "other", quiet=True)


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(RunError, match="holds no run"):
        jaxnas.search(resume=tmp_path, quiet=True)
