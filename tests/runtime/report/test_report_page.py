"""The report as a page, on the terminal and in a notebook."""

import io
import json
from html.parser import HTMLParser

import pytest
import report_run_folder as made
from rich.console import Console

from jaxnas import spaces
from jaxnas.runtime.report import (
    draw_figures,
    print_summary,
    read_run,
    report_page,
    show,
    write_report,
)
from jaxnas.runtime.report.findings import caveats, comparison, headline

VOID = {"meta", "br", "hr", "img", "link", "input"}
PICTURES = ["architecture", "accuracy", "curves", "policy", "ranking", "training"]


class Checker(HTMLParser):
    """Checks that every element is closed, and gathers ids, references and texts."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.ids, self.references, self.text = [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        attributes = dict(attrs)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.references += [attributes[k] for k in ("href", "src", "xlink:href") if k in attributes]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def parsed(page):
    checker = Checker()
    checker.feed(page)
    checker.close()
    assert checker.open == []
    return checker


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return made.write_run(tmp_path_factory.mktemp("runs") / "run", spaces.nasbench201())


@pytest.fixture(scope="module")
def page(folder):
    write_report(folder)
    return (folder / "report.html").read_text("utf-8")


def test_write_report_writes_pictures_and_page(folder):
    paths = write_report(folder)
    assert [path.name for path in paths] == [*(f"{p}.png" for p in PICTURES), "report.html"]
    assert all(path.stat().st_size > 2000 for path in paths)
    assert not list(folder.glob(".*"))


def test_page_is_well_formed_and_has_every_picture(page):
    checker = parsed(page)
    assert checker.tags.count("svg") == len(PICTURES)
    assert len(set(checker.ids)) == len(checker.ids)


def test_page_needs_nothing_from_outside(page):
    checker = parsed(page)
    assert "http:" not in page
    assert "https:" not in page
    assert "@import" not in page
    assert all(r.startswith("#") and r[1:] in checker.ids for r in checker.references)
    assert not {"script", "link", "iframe", "img"} & set(checker.tags)


def test_page_says_what_a_reader_needs(page, folder):
    text = " ".join(parsed(page).text)
    result = read_run(folder).result
    for expected in (
        f"{result['test_accuracy']:.4f}",
        f"{result['random_test_accuracy_mean']:.4f}",
        "mean of 5 children",
        result["command"],
        result["state_digest"],
        "jaxnas export",
        "jaxnas evaluate",
        "search.steps",
        "versions: jax",
        "machine: cores",
        "random-4",
        "just as the policy's are: those of shared weights",
    ):
        assert expected in text


def test_user_text_is_escaped(tmp_path):
    evil = "<script>alert('x')</script>&"
    made.write_run(tmp_path, spaces.chain(3, ("conv", evil)), name=evil)
    run = read_run(tmp_path)
    figures, problems = draw_figures(run)
    page = report_page(run, figures, [*problems, evil])
    checker = parsed(page)
    assert "script" not in checker.tags
    assert "<script" not in page
    assert "<script" not in show(tmp_path)._repr_html_()
    assert evil in checker.text


def test_labels_in_any_script_and_with_dollar_signs(tmp_path):
    made.write_run(tmp_path, spaces.chain(3, ("\u5377\u79ef", "$a$", "$b")), name="\u641c\u7d22")
    assert len(write_report(tmp_path)) == len(PICTURES) + 1
    assert "\u5377\u79ef" in (tmp_path / "report.html").read_text("utf-8")


def test_values_that_are_not_finite(tmp_path):
    lines = [
        {"step": step, "phase": "policy", "reward_mean": float("nan"), "entropy": float("inf")}
        for step in range(3)
    ]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    made.write_json(tmp_path / "result.json", {"test_accuracy": float("nan"), "seconds": 1.0})
    assert [path.name for path in write_report(tmp_path)] == ["report.html"]
    page = (tmp_path / "report.html").read_text("utf-8")
    # The random children are named only where the curves have them.
    assert "just as the policy's are" not in page
    assert "jaxnas, finished" in page  # A child that diverged is a result too.
    (tmp_path / "result.json").unlink()
    write_report(tmp_path)
    assert "not finished; last record: step 2" in (tmp_path / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    "kept", [(), ("config.json",), ("metrics.jsonl",), ("result.json",), ("policy.npz",)]
)
def test_an_unfinished_run_has_a_report_too(tmp_path, kept):
    made.write_run(tmp_path, spaces.chain(3))
    for path in tmp_path.iterdir():
        if path.name not in kept:
            path.unlink()
    assert write_report(tmp_path)[-1].name == "report.html"
    page = (tmp_path / "report.html").read_text("utf-8")
    parsed(page)
    assert ("not finished" in page) == (kept != ("result.json",))
    print_summary(tmp_path, Console(file=io.StringIO()))
    assert isinstance(show(tmp_path)._repr_html_(), str)


def test_a_result_of_nothing_but_nulls(tmp_path):
    made.write_run(tmp_path, spaces.chain(3))
    keys = read_run(tmp_path).result
    made.write_json(tmp_path / "result.json", dict.fromkeys(keys))
    write_report(tmp_path)
    parsed((tmp_path / "report.html").read_text("utf-8"))
    print_summary(tmp_path, Console(file=io.StringIO()))


def test_comparison_counts_the_children_that_are_worse(tmp_path):
    result = {"test_accuracy": 0.9, "random_test_accuracies": [0.8, 0.85, 0.95]}
    made.write_json(tmp_path / "result.json", result)
    sentence = comparison(read_run(tmp_path))
    assert "3.33 percentage points above" in sentence
    assert "2 of 3" in sentence


def test_comparison_says_so_when_search_lost(tmp_path):
    result = {"test_accuracy": 0.7, "random_test_accuracies": [0.8, 0.9]}
    made.write_json(tmp_path / "result.json", result)
    assert "15.00 percentage points below" in comparison(read_run(tmp_path))


def test_headline_leaves_out_what_is_not_there(tmp_path):
    made.write_json(tmp_path / "result.json", {"parameters": 1_500_000})
    assert headline(read_run(tmp_path)) == [("1.5 million", "parameters", "")]


def test_headline_says_by_what_the_child_was_chosen(tmp_path):
    children = [{"kind": "best", "test_accuracy": 0.9} for _ in range(2)]
    result = {"test_accuracy": 0.9, "children": children}
    for more, by in ({}, "validation accuracy"), ({"reward": 0.4}, "reward on validation data"):
        children[0] |= more
        made.write_json(tmp_path / "result.json", result)
        run = read_run(tmp_path)
        assert headline(run)[0].remark == f"the child with the highest {by}; test data read once"
        assert f"the one with the highest {by} among" in " ".join(caveats(run))


def test_intervals_stay_inside_0_and_1(tmp_path):
    made.write_json(tmp_path / "result.json", {"random_test_accuracies": [0.0, 0.1, 0.9]})
    assert headline(read_run(tmp_path))[0].remark.endswith("95% interval 0.0000 to 1.0000")


def test_random_children_of_different_tasks_have_no_mean(tmp_path):
    result = {"random_test_accuracies": [0.5, 0.9], "tasks": {"a": {}, "b": {}}}
    made.write_json(tmp_path / "result.json", result)
    assert headline(read_run(tmp_path)) == []


def test_caveats_name_seed_and_random_arm(folder):
    text = " ".join(caveats(read_run(folder)))
    assert "seed 0" in text
    assert "drawn uniformly" in text


def test_summary_on_a_narrow_terminal(folder):
    output = io.StringIO()
    print_summary(folder, Console(file=output, width=80))
    assert "test accuracy, searched" in output.getvalue()
    assert "random-4" in output.getvalue()
    assert max(map(len, output.getvalue().splitlines())) <= 80


def test_notebook_shows_pictures_inline(folder):
    shown = show(folder)
    assert "test accuracy, searched" in repr(shown)
    assert shown._repr_html_().count("data:image/png;base64,") == len(PICTURES)
