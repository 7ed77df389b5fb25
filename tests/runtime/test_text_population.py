"""A search for recurrent cells on text: its result, its resume, its child, and bad input."""

import json
import shutil

import jax.numpy as jnp
import numpy as np
import pytest

import jaxnas
from jaxnas.children.recurrent import TreeCell
from jaxnas.cli import main
from jaxnas.data import DataError, load_text
from jaxnas.data.text import text_from_tokens
from jaxnas.population_search import PopulationSearch
from jaxnas.runtime import population_experiment
from jaxnas.runtime.api import Interrupted
from jaxnas.runtime.text_population import TextPopulationExperiment
from jaxnas.searcher_config import SearcherConfig
from jaxnas.text_population_config import (
    RecurrentConfig,
    TextDataConfig,
    TextFinalConfig,
    TextPopulationConfig,
    TextSearchConfig,
    TextTrainingConfig,
)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_compilation")]


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "book.txt"
    path.write_text("the cat sat on the mat.\n" * 200)
    return TextPopulationConfig(
        name="tiny_text",
        data=TextDataConfig(source=f"text:{path}"),
        children=RecurrentConfig(base=1, hidden=3, layers=1),
        searcher=SearcherConfig(hidden=4),
        search=TextSearchConfig(samples=4, batch=2, random=1),
        training=TextTrainingConfig(
            epochs=1, epoch_steps=2, score_steps=1, batch_size=2, steps=5, optimizer="adam"
        ),
        final=TextFinalConfig(best=1, random=1, epochs=2, baselines=("gru",)),
    )


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory):
    return jaxnas.search(config, run_dir=tmp_path_factory.mktemp("runs") / "whole", quiet=True)


def test_the_result_holds_perplexities_of_cells_and_of_baselines(whole):
    values = json.loads((whole.run_dir / "result.json").read_text())
    kinds = [child["kind"] for child in values["children"]]
    assert kinds == ["best", "random", "baseline"]
    assert values["test_perplexity"] == values["children"][0]["test_perplexity"] > 1
    first = values["children"][0]
    assert first["reward"] == pytest.approx(80 / first["validation_perplexity"] ** 2, rel=1e-5)
    searched, baseline = (values["children"][i]["parameters"] for i in (0, 2))
    assert abs(searched - baseline) < 0.2 * searched
    report = (whole.run_dir / "report.html").read_text()
    assert "test perplexity, searched" in report
    assert "At equal parameters: gru" in report
    assert "shared weights" not in report


def test_a_search_that_was_stopped_ends_as_one_that_never_was(config, whole, tmp_path, monkeypatch):
    step = PopulationSearch.step

    def stop(self, state, data):
        if int(state.step) == 1:
            raise KeyboardInterrupt
        return step(self, state, data)

    with monkeypatch.context() as patch:
        patch.setattr(PopulationSearch, "step", stop)
        with pytest.raises(Interrupted):
            jaxnas.search(config, quiet=True, run_dir=tmp_path / "stopped")
    resumed = jaxnas.search(resume=tmp_path / "stopped", quiet=True)
    for name in ("state_digest", "test_perplexity", "best_test_perplexities"):
        assert resumed.values[name] == whole.values[name], name


def test_resuming_a_run_whose_parts_are_done_keeps_their_lines(whole, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(whole.run_dir, copy)
    lines = whole.history
    assert "baseline-gru" in [line.get("child") for line in lines]
    assert jaxnas.search(resume=copy, quiet=True).history == lines


def test_the_saved_child_has_the_reported_perplexity(config, whole):
    text = load_text(config.data.source, level="character")
    rows = text.test[: len(text.test) // 2 * 2].reshape(2, -1)
    steps = (rows.shape[1] - 1) // 5 * 5
    logits = np.asarray(whole.module(jnp.asarray(rows[:, :steps])), float)
    logits -= np.log(np.exp(logits).sum(-1, keepdims=True))
    right = np.take_along_axis(logits, rows[:, 1 : steps + 1, None], axis=-1)
    assert np.exp(-right.mean()) == pytest.approx(whole.values["test_perplexity"], rel=1e-4)
    child = jaxnas.load_child(whole.run_dir)
    assert child.model.cell == TreeCell(1)


def test_bad_input_is_refused_before_any_work(config, tmp_path, monkeypatch):
    (tmp_path / "empty.txt").write_text("")
    for source, message in (("none.txt", "is not there"), ("empty.txt", "is empty: give a text")):
        with pytest.raises(DataError, match=message):
            jaxnas.search(config, overrides=[f"data=text:{tmp_path / source}"], quiet=True)
    with pytest.raises(DataError, match="epoch_steps is 100000, but the text has"):
        jaxnas.search(config, overrides=["training.epoch_steps=100000"], quiet=True)
    words = np.array(["a", "b"])
    for split in ("validation", "test"):
        sizes = {"train": 200, "validation": 50, "test": 50, split: 11}
        tokens = {name: words[np.arange(size) % 2] for name, size in sizes.items()}
        short = text_from_tokens(tokens, name="short", level="character")
        with pytest.raises(DataError, match=f"but the {split} split has 11 tokens: give less"):
            TextPopulationExperiment(config, short)
    with pytest.raises(ValueError, match=r"one child of 'children' needs .* GB .* smaller"):
        jaxnas.search(config, overrides=["children.hidden=300000"], quiet=True)
    monkeypatch.setattr(population_experiment, "device_memory", lambda: 5000)
    with pytest.raises(ValueError, match=r"search\.chunk is 3 children .* give 1 or less"):
        jaxnas.search(config, quiet=True)
    with pytest.raises(ValueError, match=r"final\.baselines has \['rnn'\]"):
        TextFinalConfig(baselines=("rnn",))
    with pytest.raises(ValueError, match="leaves of a tree are a power of two"):
        RecurrentConfig(base=3)


def test_the_command_line_evaluates_and_exports_a_language_model(whole, tmp_path, capsys):
    assert main(["evaluate", str(whole.run_dir)]) == 0
    assert "test_perplexity" in capsys.readouterr().out
    assert main(["export", str(whole.run_dir), "--out", str(tmp_path / "out")]) == 0
    assert jaxnas.load_child(tmp_path / "out").description["level"] == "character"


def test_a_text_is_evaluated_with_the_vocabulary_of_its_child(config, tmp_path, capsys):
    run, few = tmp_path / "run", ["data.vocabulary=6", "final.random=0"]
    jaxnas.search(config, overrides=few, run_dir=run, quiet=True)
    assert main(["evaluate", str(run), "--data", config.data.source]) == 0
    assert "test_perplexity" in capsys.readouterr().out
