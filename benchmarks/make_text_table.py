"""Trains every network of `text_networks.py` on eight text tasks, for the table of `mnms.py`.

576 networks on each task, each from weights of its own, by the population trainer: one compiled
program for all networks and all tasks. A network is trained on 2,000 texts of the task's training
split, cut to 32 tokens, for its own number of epochs; the counts of right answers are those of the
whole validation and test splits. Texts without any character are left out. A run that was stopped
goes on where it was: finished parts lie in the folder of `--work`.

With `--conflicting` the tasks are four sets with 50 and with 2,000 training texts each. Few texts
are repeated, so that the number of updates is that of many: the length of a training is counted in
samples, as in the paper. Training texts that no task trains on join the validation split, since the
best of so many networks is chosen by it.

    python benchmarks/make_text_table.py --data FOLDER --work FOLDER
    python benchmarks/make_text_table.py --data FOLDER --work FOLDER --conflicting
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import text_networks
from record import command, commit, machine

from jaxnas.children import TextChildren, towers
from jaxnas.data import HashVocabulary, LabelledTexts, load_task
from jaxnas.evaluators import (
    LabelledTextBatches,
    LabelledTextData,
    Population,
    in_chunks,
    run_lengths,
    text_data,
)

CHUNK = 48


def populations(sizes: dict[str, int]) -> dict[str, Population]:
    """What trains and validates, and what scores the test split, by the rows of each split."""
    model = TextChildren(
        text_networks.OPTIONS,
        text_networks.CLASSES,
        text_networks.VOCABULARY,
        text_networks.PAIRS,
    )
    return {
        split: Population(
            model,
            LabelledTextBatches(
                text_networks.TRAIN, size, text_networks.BATCH, text_networks.SCORE_BATCH
            ),
            towers.optimizer,
            layout="one_by_one",
        )
        for split, size in sizes.items()
    }


def load_data(
    folder: str, task: str, sizes: dict[str, int]
) -> tuple[dict[str, LabelledTextData], tuple[int, int]]:
    """The arrays of a task for validation and for the test, and how many texts each has."""
    texts = load_texts(folder, task, sizes["validation"])
    data = {
        split: text_data(
            texts,
            text_networks.OPTIONS,
            HashVocabulary(text_networks.VOCABULARY),
            length=text_networks.LENGTH,
            score=split,
            num_classes=text_networks.CLASSES,
            score_size=size,
        )
        for split, size in sizes.items()
    }
    return data, (texts.sizes["validation"], texts.sizes["test"])


def load_texts(folder: str, task: str, validation: int) -> LabelledTexts:
    """The texts of a task `NAME`, or of a conflicting one, `NAME:TEXTS`.

    The latter have spare training texts in their validation split, `validation` texts at most.
    """
    name, _, number = task.partition(":")
    texts = load_task(folder, name, drop_empty=True)
    if not number:  # The same texts whatever their order in the file.
        return texts.take(train=text_networks.TRAIN, seed=0)
    order = np.random.default_rng(0).permutation(texts.sizes["train"])
    used, spare = order[: int(number)], order[text_networks.TRAIN :]
    train, more = (_picked(texts, of) for of in (np.resize(used, text_networks.TRAIN), spare))
    scored = (texts.texts["validation"] + more[0])[:validation]
    labels = np.concatenate([texts.labels["validation"], more[1]])[:validation]
    return dataclasses.replace(
        texts,
        texts=texts.texts | {"train": train[0], "validation": scored},
        labels=texts.labels | {"train": train[1], "validation": labels},
    )


def _picked(texts: LabelledTexts, rows: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    return tuple(texts.texts["train"][i] for i in rows), texts.labels["train"][rows]


def train(
    of: dict[str, Population],
    data: dict[str, LabelledTextData],
    keys: jax.Array,
    architectures: np.ndarray,
) -> np.ndarray:
    """Accuracies `[N, 2]` in validation and test; 0 for networks that diverged."""
    numbers = towers.hyperparameters(text_networks.OPTIONS, architectures)
    epochs = np.asarray(numbers.pop("epochs"))
    ((_, state),) = in_chunks(of["validation"], keys, architectures, numbers, CHUNK)
    filled = np.ones(CHUNK)
    filled[: len(epochs)] = epochs
    state = run_lengths(of["validation"], state, data["validation"], filled)
    values = np.stack([state.value, of["test"].score(state, data["test"])], -1)
    return np.where(np.isfinite(values), values, 0.0)[: len(epochs)]


def parts(number: int) -> Iterator[slice]:
    """Where the chunks stand among all networks."""
    for start in range(0, number, CHUNK):
        yield slice(start, min(start + CHUNK, number))


def make_table(
    folder: str,
    tasks: tuple[str, ...],
    sizes: dict[str, int],
    positions: np.ndarray,
    work: pathlib.Path,
) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Right answers `int32 [T, N, 2]`, the sizes `[T, 2]` and the CPU-seconds of every chunk."""
    architectures = text_networks.space().all_architectures()[positions]
    of, right, counts, seconds = populations(sizes), [], [], []
    for i, task in enumerate(tasks):
        data, size = load_data(folder, task, sizes)
        keys = jax.random.split(jax.random.key(i), text_networks.space().count())[positions]
        for where in parts(len(positions)):
            path = _part(work, task, positions[where])
            if not path.is_file():
                clock = time.process_time()
                accuracies = train(of, data, keys[where], architectures[where])
                save(path, accuracies=accuracies, seconds=time.process_time() - clock)
                print(f"{path.stem}: {time.process_time() - clock:.1f} CPU-seconds", flush=True)
            with np.load(path) as file:
                right.append(np.rint(file["accuracies"] * size).astype(np.int32))
                seconds.append(float(file["seconds"]))
        counts.append(size)
    shape = (len(tasks), len(positions), 2)
    return np.concatenate(right).reshape(shape), np.array(counts), seconds


def _part(work: pathlib.Path, task: str, positions: np.ndarray) -> pathlib.Path:
    return work / f"{task.replace(':', '_')}_{positions[0]}_{positions[-1]}.npz"


def save(path: pathlib.Path, **arrays: Any) -> None:
    """Writes a file whole or not at all."""
    part = path.with_suffix(".part.npz")
    np.savez(part, **arrays)
    part.rename(path)


def main() -> None:
    """Trains, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="the folder with the sets, TASK.json.gz")
    parser.add_argument("--work", required=True, help="a folder for finished parts")
    parser.add_argument("--limit", type=int, help="train so many of the networks only, evenly")
    parser.add_argument("--tasks", nargs="+", help="NAME or, with few texts, NAME:TEXTS")
    parser.add_argument("--conflicting", action="store_true", help="tasks that conflict")
    parser.add_argument("--out", help="the .npz to write")
    arguments = parser.parse_args()
    if arguments.conflicting:
        tasks, out = text_networks.CONFLICTING, text_networks.CONFLICTING_TABLE
        sizes = text_networks.CONFLICTING_SIZES
    else:
        tasks, out, sizes = text_networks.TASKS, text_networks.TABLE, text_networks.SCORE_SIZES
    tasks, out = tuple(arguments.tasks or tasks), pathlib.Path(arguments.out or out)
    count = text_networks.space().count()
    positions = np.linspace(0, count - 1, arguments.limit or count).astype(int)
    work = pathlib.Path(arguments.work)
    work.mkdir(parents=True, exist_ok=True)
    head = commit()
    right, counts, seconds = make_table(arguments.data, tasks, sizes, positions, work)
    about = {
        "space": text_networks.space().to_json(),
        "tasks": tasks,
        "train": text_networks.TRAIN,
        "length": text_networks.LENGTH,
        "commit": head,
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "command": command(),
        "cpu_seconds": round(sum(seconds), 1),
        "trainings_per_cpu_second": round(right[..., 0].size / sum(seconds), 3),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        out,
        positions=positions,
        right=right.astype(np.int16),
        sizes=counts,
        about=json.dumps(about),
    )
    print(
        f"{right[..., 0].size} trainings in {about['cpu_seconds']} CPU-seconds, "
        f"{about['trainings_per_cpu_second']} a second"
    )
    print(f"written: {out}")


if __name__ == "__main__":
    main()
