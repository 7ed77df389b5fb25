"""The page of results: rows of one kind share a table, and figures stand beside their aims."""

import importlib

import pytest

FORWARD = {"case": "forward", "batch": 32, "ratio": {"value": 2.0, "low": 1.5, "high": 2.5}}
ARM = {"arm": "static", "accuracy": 0.5, "megaflops": 3.0}


@pytest.fixture
def make_readme():
    return importlib.import_module("make_readme")


def test_rows_of_one_kind_share_a_table_in_the_order_of_their_first(make_readme):
    clock = {"case": "end_to_end", "batch": 1, "network": "a", "reduction": 0.4, "seconds": 1}
    longer = {**ARM, "accuracies": [0.5]}
    found = make_readme.kinds([ARM, FORWARD, clock, longer, FORWARD])
    assert found == [[ARM, longer], [FORWARD, FORWARD], [clock]]


def test_a_table_has_no_column_of_another_kind(make_readme):
    lines = make_readme.tables([ARM, FORWARD])
    assert lines == [
        *("| arm | accuracy | megaflops |", "|---|---|---|", "| static | 0.5 | 3 |", ""),
        *("| case | batch | ratio |", "|---|---|---|", "| forward | 32 | 2 [1.5, 2.5] |", ""),
    ]


def test_figures_stand_beside_their_aims(make_readme):
    summary = {"gain": 0.25, "minutes": 4}
    assert make_readme.summary_table(summary, {"gain": "> 0"})[2:] == [
        "| gain | 0.25 | > 0 |",
        "| minutes | 4 |  |",
    ]
    assert make_readme.summary_table(summary, {})[2:] == ["| gain | 0.25 |", "| minutes | 4 |"]


@pytest.mark.parametrize(
    ("value", "aim", "met"),
    [
        (None, "> 0", "not measured"),
        (4.0, ">= 4", "yes"),
        (0.3, "<= 0.2", "no"),
        ({"value": 2, "low": 1, "high": 3}, "> 0", "yes"),
        ({"value": 2, "low": -1, "high": 3}, "> 0", "in the mean"),
        ({"value": 2, "low": 1, "high": 3}, ">= 2.5", "no, within the interval"),
        ({"value": 2, "low": 1, "high": 3}, ">= 4", "no"),
    ],
)
def test_an_aim_is_met_by_a_value_and_its_interval(make_readme, value, aim, met):
    assert make_readme.met(value, aim) == met


def test_an_aim_needs_a_speed_at_equal_arithmetic(make_readme):
    row = {"case": "forward", "threads": 2, "saved_by_plan": 2.0, "cores_busy": 0.9}
    row["ratio_same_plan"] = {"value": 0.8, "low": 0.7, "high": 0.9}
    others = [row | {"threads": 1}, row | {"case": "no aim"}, {"case": "forward"}]
    lines = make_readme.needed_speeds([row, *others], {"forward": ">= 3"})
    assert lines[2:] == ["| forward | 3 | 2 | 1.5 | 0.8 [0.7, 0.9] | 0.9 |", ""]
    assert make_readme.needed_speeds(others, {"forward": ">= 3"}) == []


def test_lists_are_shown_as_short_as_numbers(make_readme):
    assert make_readme.cell([1.23456789, 2, "a"]) == "[1.235, 2, a]"
