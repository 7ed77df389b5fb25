"""A search whose children are all trained from scratch: its files, its resume, its child."""

import json

import numpy as np
import pytest

import jaxnas
from jaxnas.config import DataConfig, SearcherConfig
from jaxnas.population_config import (
    ChildTrainingConfig,
    FinalConfig,
    NasRLConvConfig,
    PopulationConfig,
    PopulationSearchConfig,
)
from jaxnas.population_search import Kept, PopulationSearch, add
from jaxnas.runtime import Checkpoints, RunError
from jaxnas.runtime.api import Interrupted
from jaxnas.runtime.errors import ConfigError
from jaxnas.runtime.kinds import supernet_config

pytestmark = pytest.mark.usefixtures("quick_compilation")

CONFIG = PopulationConfig(
    name="tiny",
    data=DataConfig(train=40, validation=20, test=20),
    children=NasRLConvConfig(layers=2, heights=(1,), widths=(1,), filters=(2, 3), most_classes=1),
    searcher=SearcherConfig(hidden=4, layers=2, accumulate=2),
    search=PopulationSearchConfig(samples=6, batch=2, random=1),
    training=ChildTrainingConfig(epochs=1, scored=1, batch_size=20),
    final=FinalConfig(best=2, random=1, epochs=2),
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return jaxnas.search(CONFIG, run_dir=tmp_path_factory.mktemp("runs") / "whole", quiet=True)


def test_result_and_report(whole):
    values = json.loads((whole.run_dir / "result.json").read_text())
    assert values["search"]["children"] == 6
    assert values["search"]["random_children"] == 3
    kinds = [child["kind"] for child in values["children"]]
    assert kinds.count("random") == 1
    assert values["architecture"] in [child["architecture"] for child in values["children"]]
    assert (whole.run_dir / "report.html").is_file()
    steps = [line for line in whole.history if line["phase"] == "policy"]
    assert [line["step"] for line in steps] == [0, 1, 2]
    assert {"value_mean", "random_value_mean", "reward_mean"} <= set(steps[0])


def test_a_search_that_was_stopped_twice_ends_as_one_that_never_was(whole, tmp_path, monkeypatch):
    step, run = PopulationSearch.step, jaxnas.evaluators.Population.run

    def stop_in_the_search(self, state, data):
        if int(state.step) == 1:
            raise KeyboardInterrupt
        return step(self, state, data)

    def stop_in_the_final(self, state, data, epochs, scored=1):
        if scored == 0 and int(state.epoch[0]) == 1:
            raise KeyboardInterrupt
        return run(self, state, data, epochs, scored)

    folder = tmp_path / "stopped"
    for target, name, stop, where in (
        (PopulationSearch, "step", stop_in_the_search, {"run_dir": folder}),
        (jaxnas.evaluators.Population, "run", stop_in_the_final, {"resume": folder}),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(target, name, stop)
            with pytest.raises(Interrupted):
                jaxnas.search(CONFIG, quiet=True, **where)
    assert Checkpoints(folder / "checkpoints").steps()[-1] == 3
    resumed = jaxnas.search(resume=folder, quiet=True)
    for name in ("state_digest", "test_accuracy", "children"):
        assert resumed.values[name] == whole.values[name], name
    lines, expected = resumed.history, whole.history
    for line in (*lines, *expected):
        del line["seconds"]
    assert lines == expected


def test_the_child_is_a_module_that_has_the_reported_accuracy(whole):
    from jaxnas.runtime.run_data import load_dataset

    dataset = load_dataset(CONFIG)
    logits = np.asarray(whole.module(dataset.test_images))
    assert (logits.argmax(-1) == dataset.test_labels).mean() == pytest.approx(whole.test_accuracy)
    child = jaxnas.load_child(whole.run_dir)
    np.testing.assert_array_equal(np.asarray(child.module()(dataset.test_images)), logits)
    (child.folder / "weights.npz").write_bytes(b"damaged")
    with pytest.raises(RunError, match="holds no readable child"):
        jaxnas.load_child(whole.run_dir)


def test_the_best_different_children_are_kept():
    kept = Kept(np.array([[1], [-1]], np.int32), np.array([0.5, -np.inf]))
    kept = add(kept, [[2], [1], [3], [2]], [0.4, 0.7, np.nan, 0.6])
    np.testing.assert_array_equal(kept.architectures, [[1], [2]])
    np.testing.assert_allclose(kept.values, [0.7, 0.6])


def test_bad_options_are_refused_before_any_work():
    with pytest.raises(ConfigError, match="use jaxnas search"):
        supernet_config(CONFIG, "jaxnas bench")
    with pytest.raises(ValueError, match=r"training\.scored is 3"):
        ChildTrainingConfig(epochs=2, scored=3)
    with pytest.raises(ConfigError, match=r"did you mean 'search\.samples'"):
        jaxnas.search(CONFIG, overrides=["search.sample=3"], quiet=True)
    with pytest.raises(ValueError, match=r"training\.batch_size is 50"):
        jaxnas.search(CONFIG, overrides=["training.batch_size=50"], quiet=True)
