"""One live search of four text tasks and the transfer of its controller to a fifth; no table.

`jaxnas search mnms_text` trains every child; the controller that it leaves then searches a task
that it has never seen. Beside the test accuracy of the final networks stands that of a bag of
words with logistic regression (scikit-learn), on the same splits: words, or words and pairs, and
the regularisation are chosen by validation accuracy, as the networks are; test data is read once.
MR, SST-2 and SST-5 share sentences: at most one of them may be among the tasks.

    python benchmarks/mnms_live.py --data FOLDER --work FOLDER --json mnms_live.json
"""

from __future__ import annotations

import argparse
import itertools
import pathlib
import time
from typing import Any

import jax
import numpy as np
import text_networks
from record import make_record, write_record
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

import jaxnas
from jaxnas.data import LabelledTexts, load_task

TASKS, NEW = ("subj", "mpqa", "trec", "sms_spam"), "cr"
STRENGTHS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Inverse regularisations of the logistic regression."""


def bag_of_words(texts: LabelledTexts) -> dict[str, float]:
    """The accuracies of the best of some logistic regressions by validation accuracy."""
    best: tuple[float, Any, Any] | None = None
    for pairs, strength in itertools.product((False, True), STRENGTHS):
        words = CountVectorizer(
            binary=True, ngram_range=(1, 2 if pairs else 1), token_pattern=r"\w+(?:'\w+)*|[^\w\s]"
        )
        train = words.fit_transform(texts.texts["train"])
        model = LogisticRegression(C=strength, max_iter=2000).fit(train, texts.labels["train"])
        held_out = words.transform(texts.texts["validation"])
        accuracy = float(model.score(held_out, texts.labels["validation"]))
        if best is None or accuracy > best[0]:
            best = accuracy, words, model
    assert best is not None
    test = best[1].transform(texts.texts["test"])
    return {
        "bag_of_words_validation": best[0],
        "bag_of_words_test": float(best[2].score(test, texts.labels["test"])),
    }


def search(options: argparse.Namespace, tasks: tuple[str, ...], name: str, **where: Any):
    """One run of `jaxnas search mnms_text`, resumed where its folder is there; and its seconds."""
    folder, clock = options.work / name, time.perf_counter()
    if (folder / "config.json").is_file():
        where = {"resume": folder}
    else:
        where["run_dir"] = folder
    settings = [f"data=text:{options.data}", f"data.tasks={','.join(tasks)}"]
    settings += ["data.drop_empty=true", *options.set]
    config = "mnms_text:smoke" if options.quick else "mnms_text"
    result = jaxnas.search(config, seed=options.seed, overrides=settings, **where)
    return result, time.perf_counter() - clock


def rows_of(
    result: jaxnas.SearchResult, data: str, seconds: float, phase: str
) -> list[dict[str, Any]]:
    """A row for each task of a run."""
    rows = []
    for task, of in result.values["tasks"].items():
        texts = load_task(data, task, drop_empty=True)
        accuracies = {
            "validation": of["validation_accuracy"],
            "test": of["test_accuracy"],
            "random_test": of["random_test_accuracy"],
            **bag_of_words(texts),
        }
        sizes = {f"{split}_texts": size for split, size in texts.sizes.items()}
        rows.append({"task": task, "phase": phase, **accuracies, **sizes})
    steps = [line for line in result.history if line["phase"] == "policy"]
    found = result.values["search"]
    print(f"{phase}: {found['children']} + {found['random_children']} children", end=", ")
    print(f"{seconds / 60:.1f} minutes, {len(steps)} batches")
    return rows


def first_rewards(result: jaxnas.SearchResult) -> dict[str, float]:
    """The mean validation accuracy of the first half of the trials, proposed and uniform."""
    steps = [line for line in result.history if line["phase"] == "policy"]
    half = steps[: max(1, len(steps) // 2)]
    names = ("value_mean", "random_value_mean")
    return {name: float(np.mean([line[name] for line in half])) for name in names}


def main() -> None:
    """Runs the search and the transfer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="the folder with the sets, TASK.json.gz")
    parser.add_argument("--work", required=True, type=pathlib.Path, help="a folder for the runs")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), help="searched together")
    parser.add_argument("--new", default=NEW, help="searched after the transfer")
    parser.add_argument("--set", action="append", default=[], help="as for jaxnas search")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="two tasks, the smallest networks")
    parser.add_argument("--json", help="where to write the figures")
    options = parser.parse_args()
    if options.quick:  # Nearly all of its time is compilation.
        jax.config.update("jax_disable_most_optimizations", True)
        options.tasks = options.tasks[:2]
    leaking = sorted({*options.tasks, options.new} & text_networks.LEAKING)
    if len(leaking) > 1:
        parser.error(f"{', '.join(leaking)} share sentences: give at most one of them.")
    if options.new in options.tasks:
        parser.error(f"--new {options.new} is among --tasks: give one that is not searched before.")
    clock = time.perf_counter()
    joint, seconds = search(options, tuple(options.tasks), "joint")
    moved, more = search(options, (options.new,), "transfer", from_run=joint.run_dir)
    minutes = (time.perf_counter() - clock) / 60
    rows = rows_of(joint, options.data, seconds, "joint")
    rows += rows_of(moved, options.data, more, "transfer")
    summary: dict[str, Any] = {"minutes": minutes, **first_rewards(moved)}
    for row in rows:
        print({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()})
        summary[f"test_{row['task']}"] = row["test"]
        summary[f"over_bag_of_words_{row['task']}"] = row["test"] - row["bag_of_words_test"]
    summary["mean_over_bag_of_words"] = float(
        np.mean([row["test"] - row["bag_of_words_test"] for row in rows])
    )
    print({name: round(value, 4) for name, value in summary.items()})
    if options.json:
        write_record(
            options.json, make_record("mnms_live", rows=rows, summary=summary, seeds=options.seed)
        )


if __name__ == "__main__":
    main()
