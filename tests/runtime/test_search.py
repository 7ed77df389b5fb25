"""A whole search: what it returns, and what it leaves in its run folder."""

import math
import shutil

import numpy as np
import pytest
from tiny_search import tiny_config

import jaxnas
from jaxnas.config import DataConfig
from jaxnas.runtime import RunError

pytestmark = pytest.mark.usefixtures("quick_compilation")

KEYS = {
    "test_accuracy",
    "random_test_accuracy_mean",
    "random_test_accuracies",
    "architecture",
    "parameters",
    "flops",
    "seconds",
    "state_digest",
    "config",
    "seed",
}
STEPS, EPOCHS = 6, 2


@pytest.fixture
def copy(tiny_run, tmp_path):
    return shutil.copytree(tiny_run.run_dir, tmp_path / "copy")


def test_result_has_every_figure(tiny_run):
    values = tiny_run.values
    assert values.keys() >= KEYS
    assert 0 <= values["test_accuracy"] <= 1
    assert values["random_test_accuracy_mean"] == np.mean(values["random_test_accuracies"])
    assert len(values["random_test_accuracies"]) == 1
    assert len(values["state_digest"]) == 64
    assert values["seed"] == 0
    assert values["config"]["search"]["batch_size"] == 32
    assert values["command"] == "jaxnas.search('tiny', seed=0)"
    assert values["versions"].keys() >= {"jax", "flax", "jaxnas"}
    assert values["seconds"] == pytest.approx(sum(values["seconds_by_phase"].values()))
    assert [child["name"] for child in values["children"]] == ["best-0", "random-0"]


def test_run_folder_holds_the_report(tiny_run):
    names = {path.name for path in tiny_run.run_dir.iterdir()}
    assert names >= {"result.json", "config.json", "metrics.jsonl", "report.html", "policy.npz"}
    assert {"architecture.png", "curves.png", "policy.png", "accuracy.png"} <= names
    page = (tiny_run.run_dir / "report.html").read_text()
    assert tiny_run.values["state_digest"] in page
    assert "jaxnas.search" in page


def test_architecture_decodes_to_the_best_child(tiny_run):
    network = tiny_config().network.build((8, 8, 1), 10)
    decoded = network.space.decode(tiny_run.values["architecture"])
    np.testing.assert_array_equal(decoded, tiny_run.architecture)
    own = jaxnas.supernets.child_network(network, decoded)
    assert tiny_run.values["parameters"] == own.count_parameters()
    assert tiny_run.values["flops"] == jaxnas.supernets.count_flops(network, decoded)


def test_module_has_the_test_accuracy_of_the_result(tiny_run):
    dataset = jaxnas.data.load("digits").take(128, 64, 50)
    logits = np.asarray(tiny_run.module(dataset.test_images))
    assert logits.shape == (50, 10)
    assert (logits.argmax(-1) == dataset.test_labels).mean() == tiny_run.test_accuracy


def test_history_has_a_line_for_every_step_and_epoch(tiny_run):
    lines = tiny_run.history
    assert [line["step"] for line in lines] == list(range(STEPS + 2 * EPOCHS))
    phases = [line["phase"] for line in lines]
    assert phases == ["weights"] * 4 + ["policy"] * 2 + ["train"] * 4
    assert all(math.isfinite(line["loss"]) for line in lines if line["phase"] != "policy")
    assert "random_reward_mean" in lines[5]
    assert "random_reward_mean" not in lines[4]
    assert [line["child"] for line in lines[6:]] == ["best-0"] * 2 + ["random-0"] * 2
    assert (np.diff([line["seconds"] for line in lines]) >= 0).all()


def test_it_shows_itself(tiny_run):
    assert f"{tiny_run.test_accuracy:.4f}" in repr(tiny_run)
    page = tiny_run._repr_html_()
    assert "<table>" in page
    assert page.count("data:image/png;base64,") >= 4


def test_resuming_a_finished_run_returns_the_same(tiny_run, copy, capsys):
    again = jaxnas.search(resume=copy, quiet=True)
    assert capsys.readouterr() == ("", "")
    assert again.values["command"] == "jaxnas.search('tiny', seed=0)"
    same = ("state_digest", "test_accuracy", "architecture", "random_test_accuracies", "children")
    for name in same:
        assert again.values[name] == tiny_run.values[name], name
    assert again.values["seconds"] >= tiny_run.values["seconds"]
    assert [line["step"] for line in again.history] == [line["step"] for line in tiny_run.history]


def test_the_same_call_with_resume_goes_on(tiny_run, copy):
    again = jaxnas.search(tiny_config(), seed=0, resume=copy, quiet=True)
    assert again.values["state_digest"] == tiny_run.values["state_digest"]


def test_second_start_in_the_same_folder(tiny_run):
    with pytest.raises(RunError, match=r"already holds a run: continue it with --resume"):
        jaxnas.search(tiny_config(), run_dir=tiny_run.run_dir, quiet=True)


def test_a_users_own_arrays(tmp_path):
    digits = jaxnas.data.load("digits")
    images, labels = digits.train_images[:200] / np.float32(255), digits.train_labels[:200]
    config = tiny_config(data=DataConfig(train=64, validation=32, test=32, validation_fraction=0.4))
    # All of the search is warm-up, and nothing random is trained: the report copes.
    changes = ["train.epochs=1", "search.warmup_epochs=1", "derive.random=0"]
    config = jaxnas.runtime.overrides.override(config, changes)
    result = jaxnas.search(config, data=(images, labels), run_dir=tmp_path / "own", quiet=True)
    assert result.values["data"] == {"name": "arrays", "train": 64, "validation": 32, "test": 32}
    assert result.values["config"]["data"]["source"] == "arrays"
    assert result.values["random_test_accuracy_mean"] is None
    assert result.values["random_test_accuracies"] == []
    assert result.module(images[:3]).shape == (3, 10)
    with pytest.raises(jaxnas.data.DataError, match="arrays of its caller"):
        jaxnas.search(resume=result.run_dir, quiet=True)
    again = jaxnas.search(resume=result.run_dir, data=(images, labels), quiet=True)
    assert again.values["state_digest"] == result.values["state_digest"]
    with pytest.raises(RunError, match="a run on other data"):
        jaxnas.search(resume=result.run_dir, data=(images[::-1], labels[::-1]), quiet=True)


def test_progress_goes_to_standard_error(copy, capsys):
    jaxnas.search(resume=copy)
    out, err = capsys.readouterr()
    assert out == ""
    assert "tiny on digits: run folder" in err
