"""A search of several tasks at once: its files, its resume, its children, and its transfer."""

import dataclasses
import gzip
import json

import jax
import numpy as np
import pytest

import jaxnas
from jaxnas.data import DataError, tasks_of
from jaxnas.runtime import RunError, tasks_evaluation, tasks_final
from jaxnas.runtime.api import Interrupted
from jaxnas.runtime.errors import ConfigError
from jaxnas.runtime.kinds import supernet_config
from jaxnas.runtime.tasks_experiment import TasksExperiment
from jaxnas.spaces.text import TextOptions
from jaxnas.tasks_config import (
    PPOConfig,
    TaskDataConfig,
    TasksConfig,
    TasksFinalConfig,
    TasksSearchConfig,
    TextTasksConfig,
    TransferConfig,
)
from jaxnas.tasks_search import TasksSearch

pytestmark = pytest.mark.usefixtures("quick_compilation")

FIXED = {
    "filters": ("2",),
    "conv_activations": ("relu",),
    "conv_dropouts": ("0",),
    "widths": ("3",),
    "activations": ("relu",),
    "dropouts": ("0",),
    "deep_rates": ("0.1", "0.5"),
    "deep_regularizations": ("0",),
    "wide": ("yes",),
    "wide_rates": ("0.5",),
    "wide_regularizations": ("0",),
    "epochs": ("1", "2"),
}
SPACE = TextOptions(
    embeddings=("scratch-2",),
    strip=("no",),
    convolution=("no",),
    ngrams=("2",),
    embedding_dropouts=("0",),
    layers=("0", "1"),
    conv_normalizations=("none",),
    normalizations=("none", "batch"),
    **FIXED,
)
WORDS = {"two": ("dull", "bright"), "three": ("cat", "dog", "bird"), "new": ("Hot", "Cold", "Warm")}


def write_set(folder, name, rows=40):
    """A set whose label is told by one word of each text."""
    words = WORDS[name]
    random = np.random.default_rng(len(name))
    labels = random.integers(0, len(words), rows)
    filling = random.integers(0, 9, (rows, 2))
    texts = [
        [f"word{a} {words[y]}, word{b}", int(y)] for y, (a, b) in zip(labels, filling, strict=True)
    ]
    splits = {"train": texts[: rows // 2], "dev": texts[20:30], "test": texts[30:]}
    content = {"name": name, "classes": list(words), **splits}
    (folder / f"{name}.json.gz").write_bytes(gzip.compress(json.dumps(content).encode()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    for name in WORDS:
        write_set(folder, name)
    return folder


@pytest.fixture(scope="module")
def config(folder):
    return TasksConfig(
        name="tiny",
        children=TextTasksConfig(space=SPACE, length=6, vocabulary=32, pairs=16),
        data=TaskDataConfig(source=f"text:{folder}", tasks=("two", "three")),
        searcher=PPOConfig(hidden=3, embedding=2, replay=4, updates=1, bank=8),
        search=TasksSearchConfig(samples=8, batch=2, random=1, batch_size=10),
        final=TasksFinalConfig(best=1, random=1),
    )


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory):
    return jaxnas.search(config, run_dir=tmp_path_factory.mktemp("runs") / "whole", quiet=True)


def test_result_and_report(whole):
    values = whole.values
    assert set(values["tasks"]) == {"two", "three"}
    assert values["search"] == {"children": 8, "random_children": 4}
    for task, of in values["tasks"].items():
        records = [r for r in values["children"] if r["task"] == task]
        assert sorted(r["kind"] for r in records) == ["best", "random"]
        assert of["child"] == f"{task}-best-0"
    accuracies = [of["test_accuracy"] for of in values["tasks"].values()]
    assert whole.test_accuracy == pytest.approx(np.mean(accuracies))
    page = (whole.run_dir / "report.html").read_text()
    assert "mean over 2 tasks" in page
    assert "three-random-0" in page
    steps = [line for line in whole.history if line["phase"] == "policy"]
    assert [sorted(line["task"] for line in steps[i : i + 2]) for i in (0, 2)] == [
        ["three", "two"]
    ] * 2


def test_a_search_that_was_stopped_twice_ends_as_one_that_never_was(
    whole, config, tmp_path, monkeypatch
):
    step, finish = TasksSearch.step, tasks_final.TasksFinal._finish

    def stop_in_the_search(self, state, data):
        if int(state.step) == 2:
            raise KeyboardInterrupt
        return step(self, state, data)

    def stop_in_the_final(self, child, trained, data):
        if child.name == "three-random-0":
            raise KeyboardInterrupt
        return finish(self, child, trained, data)

    stopped = tmp_path / "stopped"
    for target, name, stop, where in (
        (TasksSearch, "step", stop_in_the_search, {"run_dir": stopped}),
        (tasks_final.TasksFinal, "_finish", stop_in_the_final, {"resume": stopped}),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(target, name, stop)
            with pytest.raises(Interrupted):
                jaxnas.search(config, quiet=True, **where)
    resumed = jaxnas.search(resume=stopped, quiet=True)
    for name in ("state_digest", "tasks", "children"):
        assert resumed.values[name] == whole.values[name], name
    lines, expected = resumed.history, whole.history
    for line in (*lines, *expected):
        del line["seconds"]
    assert lines == expected


def test_saved_children_have_the_reported_accuracy(whole, config):
    found = tasks_evaluation.evaluate(whole.run_dir)
    expected = {task: of["test_accuracy"] for task, of in whole.values["tasks"].items()}
    assert found == pytest.approx(expected)
    folder = whole.run_dir / "children" / "three-best-0"
    child = jaxnas.load_child(folder)
    assert tasks_evaluation.evaluate(folder)["test_accuracy"] == pytest.approx(expected["three"])
    module, texts = child.module(), ["a cat, never seen", "dog"]
    tokens = module.prepare(texts)
    logits = np.asarray(module(tokens))
    assert logits.shape == (2, 3)
    np.testing.assert_array_equal(logits, np.asarray(whole.module["three"](tokens)))
    # A text's logits do not depend on the texts beside it.
    np.testing.assert_allclose(np.asarray(module(tokens[1:])), logits[1:], rtol=1e-5)
    with pytest.raises(DataError, match=r"text 1 \(from 0\) is empty"):
        module.prepare(["a text", "  "])
    with pytest.raises(RunError, match="has a child for each task: give one of"):
        jaxnas.load_child(whole.run_dir)


@pytest.mark.extra
def test_a_child_of_texts_is_exported(whole, tmp_path):
    pytest.importorskip("flatbuffers")
    from jax import export

    from jaxnas.cli import main

    folder, out = whole.run_dir / "children" / "two-best-0", tmp_path / "out"
    assert main(["export", str(folder), "--out", str(out), "--stablehlo"]) == 0
    module = jaxnas.load_child(out).module()
    tokens = module.prepare(["dull", "bright and new", "dull dog"])
    program = export.deserialize(bytearray((out / "child.stablehlo").read_bytes()))
    np.testing.assert_allclose(
        np.asarray(program.call(tokens)), np.asarray(module(tokens)), rtol=1e-5, atol=1e-6
    )


def test_a_controller_goes_over_to_another_task(whole, config, tmp_path):
    from jaxnas.runtime.run_data import load_data

    new = dataclasses.replace(config, data=dataclasses.replace(config.data, tasks=("new",)))
    moved = dataclasses.replace(new, transfer=TransferConfig(source=str(whole.run_dir)))
    experiment = TasksExperiment(moved, load_data(moved))
    state = experiment.search_of().init(experiment.key("search"))
    with np.load(whole.run_dir / "controller.npz") as stored:
        learned = {name.partition("|")[2]: stored[name] for name in stored.files}
        assert stored["tasks"].shape == (2, 2)
    paths = jax.tree_util.tree_leaves_with_path(state.searcher.learner["policy"])
    leaves = {jax.tree_util.keystr(p, simple=True, separator="|"): leaf for p, leaf in paths}
    for name, leaf in leaves.items():
        np.testing.assert_array_equal(np.asarray(leaf), learned[name])
    assert state.searcher.learner["tasks"].shape == (1, 2)

    only = ["transfer.weights=embeddings", "search.samples=2"]
    result = jaxnas.search(
        new, from_run=whole.run_dir, run_dir=tmp_path / "new", quiet=True, overrides=only
    )
    assert result.values["config"]["transfer"]["source"] == str(whole.run_dir)
    with np.load(result.run_dir / "controller.npz") as stored:
        for name in leaves:
            np.testing.assert_array_equal(stored[f"policy|{name}"], learned[name])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["searcher.embedding=3"], r"searcher\.embedding to those of that run"),
        (["children.space.epochs=1,2,3"], "is of another search space"),
    ],
)
def test_controllers_that_do_not_fit(whole, config, overrides, message, tmp_path):
    with pytest.raises(RunError, match=message):
        jaxnas.search(
            config, from_run=whole.run_dir, overrides=overrides, run_dir=tmp_path / "none"
        )
    assert not (tmp_path / "none").exists()


def test_bad_input_is_refused_before_any_work(config, folder, tmp_path):
    def refused(error, message, *overrides, **options):
        with pytest.raises(error, match=message):
            jaxnas.search(config, overrides=overrides, quiet=True, **options)

    refused(DataError, "task 'fuor' is unknown: .* holds new, three, two", "data.tasks=two,fuor")
    refused(ConfigError, "names two twice", "data.tasks=two,two")
    refused(ConfigError, "a task would have no reward", "search.samples=2")
    refused(ValueError, r"search\.batch_size is 50", "search.batch_size=50")
    refused(DataError, r"data\.train is 9, less than search\.batch_size, 10", "data.train=9")
    refused(DataError, r"final\.train is 9, less than search\.batch_size, 10", "final.train=9")
    refused(DataError, "say where they lie", "data=text")
    refused(DataError, "holds no tasks: use digits or", "data=npz:a.npz")
    refused(
        DataError,
        "are of kind 'text', but the tasks of 'digits' are images",
        "data=digits",
        "data.tasks=parity",
    )
    refused(RunError, "holds no readable controller", from_run=tmp_path)
    for damaged in (b"PK\x03\x04 and no more", b""):
        (tmp_path / "controller.npz").write_bytes(damaged)
        refused(RunError, "holds no readable controller", from_run=tmp_path)
    refused(DataError, "children.tables gives none", "children.space.embeddings=glove-2")
    with pytest.raises(ConfigError, match="has no tasks whose controller"):
        jaxnas.search("enas_digits:smoke", from_run=tmp_path)
    with pytest.raises(ConfigError, match="use jaxnas search"):
        supernet_config(config, "jaxnas bench")
    with pytest.raises(DataError, match="give the tasks as"):
        tasks_of([1, 2])
    foreign = {"classes": ["a", "b"], "train": [["x", 0], ["y", 0]], "dev": [["z", 1]]}
    (tmp_path / "odd.json").write_text(json.dumps(foreign))
    odd = (f"data=text:{tmp_path}", "data.tasks=odd")
    refused(DataError, "the splits must share one set of labels", *odd)
    foreign["train"][1] = [" ", 1]
    (tmp_path / "odd.json").write_text(json.dumps(foreign))
    refused(DataError, "1 texts are empty, the first in row 1", *odd)


def test_a_task_without_any_reward_ends_the_run_with_its_name(whole, config):
    from jaxnas.runtime.run_data import load_data

    experiment = TasksExperiment(config, load_data(config))
    state = experiment.search_of().init(experiment.key("search"))
    with pytest.raises(RunError, match="task 'two' has no reward"):
        tasks_final.finalists(experiment, state)
