"""Trains every convolutional child of a small space of NAS-RL from scratch, and writes the table.

All 4,096 children of three layers (filters 1 or 3 high and wide, 4 or 16 of them, any skips) are
trained on 1,000 digits by one program of the population trainer, each with weights, an order of
the images and an optimiser of its own; `nasrl.py` searches in the table. With `--work FOLDER` every
chunk of children is saved when it is done, and a command that was stopped goes on from there.

    python benchmarks/make_nasrl_conv_table.py --work nasrl_conv_work
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
from nasrl_cases import digit_convs
from record import command, commit, machine

from jaxnas.engine import device_data
from jaxnas.evaluators import in_chunks


def train(positions: np.ndarray, chunk: int, skip: set[int]) -> Iterator[tuple[int, Any]]:
    """Trains children chunk by chunk, and yields the right answers `int32 [chunk, 3]` of each.

    Args:
      positions: of the children in the space.
      chunk: children in a chunk.
      skip: the numbers of chunks that are done.
    """
    dataset, model = digit_convs.digits(), digit_convs.children()
    trainer, data = digit_convs.population(dataset, model), device_data(dataset)
    scorer, test = digit_convs.on_test(dataset, trainer)
    for number, start in enumerate(range(0, len(positions), chunk)):
        if number in skip:
            continue
        part = positions[start : start + chunk]
        architectures = np.stack([model.space.unrank(int(p)) for p in part])
        arguments = digit_convs.child_keys(part), architectures, digit_convs.rates(len(part))
        ((where, state),) = in_chunks(trainer, *arguments, size=chunk)
        state = trainer.run(state, data, digit_convs.EPOCHS, digit_convs.SCORED)
        values = state.value, trainer.score(state, data), scorer.score(state, test)
        accuracies = np.stack([np.asarray(v)[where] for v in values], axis=-1)
        # A child that diverged has no right answer.
        yield number, np.rint(np.maximum(accuracies, 0) * images(dataset)).astype(np.int16)


def images(dataset: Any) -> np.ndarray:
    """How many images each column of the table counts."""
    sizes = dataset.sizes
    return np.array([sizes["validation"], sizes["validation"], sizes["test"]])


def saved(work: pathlib.Path | None, identity: str) -> dict[int, np.ndarray]:
    """The chunks that lie in a folder; none of them may be of other children or another recipe."""
    chunks = {}
    for path in sorted(work.glob("chunk_*.npz")) if work else ():
        with np.load(path) as file:
            if str(file["identity"]) != identity:
                raise SystemExit(f"{path} is of another command: give another --work folder.")
            chunks[int(path.stem.split("_")[1])] = (file["right"], float(file["cpu_seconds"]))
    return chunks


def run(positions: np.ndarray, chunk: int, work: pathlib.Path | None, identity: str):
    """The right answers of all children, and the CPU-seconds of all their chunks."""
    chunks, clock = saved(work, identity), time.process_time()
    number = -(-len(positions) // chunk)
    for i, right in train(positions, chunk, set(chunks)):
        spent, clock = time.process_time() - clock, time.process_time()
        chunks[i] = right, spent
        if work:
            work.mkdir(parents=True, exist_ok=True)
            partial = work / "partial.npz"
            np.savez(partial, right=right, cpu_seconds=spent, identity=identity)
            partial.replace(work / f"chunk_{i:04d}.npz")
        print(f"chunk {i + 1} of {number}: {spent:.1f} CPU-seconds", flush=True)
    ordered = [chunks[i] for i in range(number)]
    return np.concatenate([right for right, _ in ordered]), sum(spent for _, spent in ordered)


def main() -> None:
    """Trains, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--limit", type=int, help="train so many of the children only, evenly")
    parser.add_argument("--chunk", type=int, default=64, help="children in a program")
    parser.add_argument("--work", type=pathlib.Path, help="where finished chunks are kept")
    parser.add_argument("--out", default=str(digit_convs.TABLE), help="the .npz to write")
    arguments = parser.parse_args()
    space, dataset = digit_convs.children().space, digit_convs.digits()
    number = min(arguments.limit or space.count(), space.count())
    positions = np.linspace(0, space.count() - 1, number).astype(int)
    recipe = {
        name: getattr(digit_convs, name)
        for name in ("BATCH", "EPOCHS", "SCORED", "LEARNING_RATE", "MOMENTUM", "WEIGHT_DECAY")
    }
    identity = json.dumps([space.to_json(), recipe, number, arguments.chunk])
    head = commit()
    right, seconds = run(positions, arguments.chunk, arguments.work, identity)
    steps = number * digit_convs.EPOCHS * (dataset.sizes["train"] // digit_convs.BATCH)
    about = {
        "space": space.to_json(),
        "columns": digit_convs.COLUMNS,
        "images": images(dataset).tolist(),
        "recipe": recipe,
        "commit": head,
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "command": command(),
        "cpu_seconds": round(seconds, 1),
        "children_per_cpu_second": round(number / seconds, 2),
        "child_steps_per_cpu_second": round(steps / seconds, 1),
    }
    pathlib.Path(arguments.out).parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(arguments.out, positions=positions, right=right, about=json.dumps(about))
    print(
        f"{number} children in {seconds:.0f} CPU-seconds on {jax.devices()[0].device_kind}, "
        f"compilation included: {number / seconds:.2f} children and {steps / seconds:.0f} "
        "child-steps a second"
    )
    print(f"written: {arguments.out}")


if __name__ == "__main__":
    main()
