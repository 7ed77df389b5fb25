"""Trains every network of `text_networks.py` on eight text tasks, for the table of `mnms.py`.

576 networks on each task, each from weights of its own, by the population trainer: one compiled
program for all networks and all tasks. A network is trained on 2,000 texts of the task's training
split, cut to 32 tokens, for its own number of epochs; the counts of right answers are those of the
whole validation and test splits. Texts without any character are left out. A run that was stopped
goes on where it was: finished parts lie in the folder of `--work`.

    python benchmarks/make_text_table.py --data FOLDER --work FOLDER
"""

from __future__ import annotations

import argparse
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
from jaxnas.data import HashVocabulary, load_task
from jaxnas.evaluators import (
    LabelledTextBatches,
    LabelledTextData,
    Population,
    in_chunks,
    run_lengths,
    text_data,
)

CHUNK = 48


def populations() -> dict[str, Population]:
    """What trains and validates, and what scores the test split."""
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
        for split, size in text_networks.SCORE_SIZES.items()
    }


def load_data(folder: str, task: str) -> tuple[dict[str, LabelledTextData], tuple[int, int]]:
    """The arrays of a task for validation and for the test, and how many texts each has."""
    texts = load_task(folder, task, drop_empty=True)
    # The same texts whatever their order in the file.
    texts = texts.take(train=text_networks.TRAIN, seed=0)
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
        for split, size in text_networks.SCORE_SIZES.items()
    }
    return data, (texts.sizes["validation"], texts.sizes["test"])


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
    folder: str, tasks: tuple[str, ...], positions: np.ndarray, work: pathlib.Path
) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Right answers `int32 [T, N, 2]`, the sizes `[T, 2]` and the CPU-seconds of every chunk."""
    architectures = text_networks.space().all_architectures()[positions]
    of, right, sizes, seconds = populations(), [], [], []
    for i, task in enumerate(tasks):
        data, size = load_data(folder, task)
        keys = jax.random.split(jax.random.key(i), text_networks.space().count())[positions]
        for where in parts(len(positions)):
            path = work / f"{task}_{positions[where.start]}_{positions[where.stop - 1]}.npz"
            if not path.is_file():
                clock = time.process_time()
                accuracies = train(of, data, keys[where], architectures[where])
                save(path, accuracies=accuracies, seconds=time.process_time() - clock)
                print(f"{path.stem}: {time.process_time() - clock:.1f} CPU-seconds", flush=True)
            with np.load(path) as file:
                right.append(np.rint(file["accuracies"] * size).astype(np.int32))
                seconds.append(float(file["seconds"]))
        sizes.append(size)
    shape = (len(tasks), len(positions), 2)
    return np.concatenate(right).reshape(shape), np.array(sizes), seconds


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
    parser.add_argument("--tasks", nargs="+", default=text_networks.TASKS)
    parser.add_argument("--out", default=str(text_networks.TABLE), help="the .npz to write")
    arguments = parser.parse_args()
    count = text_networks.space().count()
    positions = np.linspace(0, count - 1, arguments.limit or count).astype(int)
    work = pathlib.Path(arguments.work)
    work.mkdir(parents=True, exist_ok=True)
    head, tasks = commit(), tuple(arguments.tasks)
    right, sizes, seconds = make_table(arguments.data, tasks, positions, work)
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
    pathlib.Path(arguments.out).parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        arguments.out,
        positions=positions,
        right=right.astype(np.int16),
        sizes=sizes,
        about=json.dumps(about),
    )
    print(
        f"{right[..., 0].size} trainings in {about['cpu_seconds']} CPU-seconds, "
        f"{about['trainings_per_cpu_second']} a second"
    )
    print(f"written: {arguments.out}")


if __name__ == "__main__":
    main()
