"""Reading a run folder, its statistics, and its pictures."""

import json

import numpy as np
import pytest
import report_run_folder as made
from hypothesis import given
from hypothesis import strategies as st

from jaxnas import spaces
from jaxnas.runtime.report import draw_figures, read_run
from jaxnas.runtime.report.formats import duration, flattened, quantity
from jaxnas.runtime.report.policy_map import blocks
from jaxnas.runtime.report.reading import PolicyTable
from jaxnas.runtime.report.statistics import mean_interval, smoothed

PICTURES = ["architecture", "accuracy", "curves", "policy", "ranking", "training"]


def test_a_finished_run_has_every_picture(tmp_path):
    figures, problems = draw_figures(read_run(made.write_run(tmp_path, spaces.enas_micro())))
    assert list(figures) == PICTURES
    assert problems == []


@pytest.mark.parametrize("missing", ["result.json", "metrics.jsonl", "policy.npz", "drawing.json"])
def test_what_is_missing_costs_only_its_own_pictures(tmp_path, missing):
    made.write_run(tmp_path, spaces.chain(4))
    (tmp_path / missing).unlink()
    figures, problems = draw_figures(read_run(tmp_path))
    lost = {
        "result.json": {"accuracy", "ranking"},
        "metrics.jsonl": {"curves", "training"},
        "policy.npz": {"policy"},
        "drawing.json": set(),
    }
    assert set(PICTURES) - set(figures) == lost[missing]
    assert problems == []


def test_trained_networks_are_named_by_kind_and_baselines_by_themselves(tmp_path):
    names = ("mobilenet_v2 0.5x", "mobilenet_v2 1x", "sst-random-0", "sst-best-0", "trec-best-0")
    epochs = [(name, epoch) for name in names for epoch in (0, 1)]
    lines = [{"phase": "train", "child": n, "epoch": e, "step": e, "loss": 1.0} for n, e in epochs]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    [axes] = draw_figures(read_run(tmp_path))[0]["training"].axes
    shown = {text.get_text() for text in axes.get_legend().get_texts()}
    assert shown == {"mobilenet_v2 0.5x", "mobilenet_v2 1x", "random children", "searched children"}
    colours = [line.get_color() for line in axes.get_lines()]
    assert (len(colours), len(set(colours))) == (5, 4)


def test_each_task_has_a_row_of_its_own(tmp_path):
    tasks = {
        "sst": {"test_accuracy": 0.8, "random_test_accuracy": 0.7},
        "trec": {"test_accuracy": 0.5, "random_test_accuracy": None},
        "empty": {},
    }
    made.write_json(tmp_path / "result.json", {"tasks": tasks})
    [axes] = draw_figures(read_run(tmp_path))[0]["accuracy"].axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["sst", "trec"]
    found = {line.get_label(): line.get_xdata() for line in axes.get_lines()}
    np.testing.assert_array_equal(found["searched"], [0.8, 0.5])
    np.testing.assert_array_equal(found["random"], [0.7, np.nan])


def test_an_empty_folder_has_no_pictures(tmp_path):
    run = read_run(tmp_path)
    assert draw_figures(run) == ({}, [])
    assert (run.name, run.problems) == (tmp_path.name, ())


def test_odd_data_costs_one_picture_and_is_named(tmp_path):
    made.write_run(tmp_path, spaces.chain(4))
    made.write_json(tmp_path / "drawing.json", {"panels": [{"nodes": [], "edges": []}]})
    figures, problems = draw_figures(read_run(tmp_path))
    assert set(PICTURES) - set(figures) == {"architecture"}
    assert "architecture" in problems[0]


def test_no_such_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="no run folder"):
        read_run(tmp_path / "nothing")


def test_a_half_written_line_is_left_out_without_a_word(tmp_path):
    good = json.dumps({"step": 1, "phase": "weights", "loss": 2.0})
    (tmp_path / "metrics.jsonl").write_text(good + '\n{"step": 2, "pha')
    run = read_run(tmp_path)
    assert [record["step"] for record in run.metrics] == [1]
    assert run.problems == ()


def test_a_repeated_step_counts_once_with_its_last_values(tmp_path):
    lines = [{"step": s, "phase": "weights", "loss": v} for s, v in ((1, 5.0), (2, 4.0), (1, 3.0))]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert [record["loss"] for record in read_run(tmp_path).phase("weights")] == [3.0, 4.0]


def test_broken_files_are_named(tmp_path):
    (tmp_path / "result.json").write_text('{"name": ')
    (tmp_path / "policy.npz").write_bytes(b"no archive")
    (tmp_path / "config.json").write_text("[1]")
    problems = " ".join(read_run(tmp_path).problems)
    for name in ("result.json", "policy.npz", "config.json"):
        assert name in problems


def test_policy_arrays_that_do_not_fit_are_named(tmp_path):
    np.savez(
        tmp_path / "policy.npz", probabilities=np.ones((2, 2)), decisions=["a"], actions=[["x"]]
    )
    run = read_run(tmp_path)
    assert run.policy is None
    assert "do not fit" in run.problems[0]


def test_student_interval():
    # t(0.975, 2 degrees of freedom) = 4.302653; standard deviation 1, three values.
    interval = mean_interval([1.0, 2.0, 3.0, float("nan")])
    assert interval.mean == 2.0
    assert interval.n == 3
    np.testing.assert_allclose(interval.high - 2.0, 4.302653 / np.sqrt(3), rtol=1e-6)


def test_interval_of_one_value_has_no_width():
    assert np.isnan(mean_interval([0.5]).low)
    assert np.isnan(mean_interval([]).mean)


@given(st.floats(-5, 5), st.integers(1, 30), st.integers(1, 9))
def test_the_moving_average_of_a_constant_is_the_constant(value, number, span):
    np.testing.assert_allclose(smoothed([value] * number, span), value, atol=1e-9)


def test_the_moving_average_passes_over_what_is_not_finite():
    np.testing.assert_allclose(smoothed([np.nan, 1.0, np.inf, 3.0], 3), [np.nan, 1.0, 1.0, 7 / 3])


def test_policy_tables_group_decisions_by_actions():
    actions = (("0", "1"), ("a", "b", "c"), ("0", "1", "2"))
    table = PolicyTable(np.zeros((3, 3)), ("in_2", "op", "in_3"), actions)
    assert [(block.rows, block.actions) for block in blocks(table)] == [
        ((0, 2), ("0", "1", "2")),
        ((1,), ("a", "b", "c")),
    ]


def test_policy_tables_of_many_decisions_are_split():
    space = spaces.enas_macro()
    arrays = made.policy(space, np.random.default_rng(0))
    actions = tuple(d.actions for d in space.decisions)
    names = tuple(d.name for d in space.decisions)
    sizes = [len(b.rows) for b in blocks(PolicyTable(arrays["probabilities"], names, actions))]
    assert sizes == [12, 22, 22, 22]


def test_numbers_for_people():
    assert (quantity(9_800_000), quantity(950), quantity(None)) == ("9.8 million", "950", "\u2013")
    assert quantity(9_800_000, short=True) == "9.8 M"
    assert (duration(42.13), duration(187), duration(7500)) == ("42.1 s", "3 min 7 s", "2 h 5 min")
    assert flattened({"a": {"b": 1, "c": {}}}) == [("a.b", "1"), ("a.c", "{}")]
