"""Trains every recurrent cell of `nasrl_cases/cell_recipe.py`; `nasrl_cells.py` reads the table.

1,536 cells of base 2 are trained from scratch by the population trainer, each with weights, an
order of segments and a seed of its own, on the characters of Penn Treebank; the table holds their
validation perplexities. With `--work` every 64 cells are kept as they are done, and a run that was
interrupted goes on.

    python benchmarks/make_nasrl_cell_table.py --data ptb:FOLDER --work DIR
"""

from __future__ import annotations

import argparse
import json
import pathlib
import time
from typing import Any

import numpy as np
from nasrl_cases import cell_recipe as recipes
from record import command, commit, machine

CHUNK = 64


class Chunks:
    """Keeps the results of chunks of children in a folder, for a run that goes on.

    Args:
      folder: where, or `None` for nowhere.
      about: what the results depend on; a folder that holds others is not used.

    Raises:
      SystemExit: the folder holds results of something else.
    """

    def __init__(self, folder: str | None, about: dict[str, Any]):
        self._folder = None if folder is None else pathlib.Path(folder)
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        note, text = self._folder / "about.json", json.dumps(about, sort_keys=True)
        if note.exists() and note.read_text() != text:
            raise SystemExit(f"{self._folder} holds results of other settings: give a new folder.")
        note.write_text(text)

    def load(self, first: int) -> dict[str, np.ndarray] | None:
        """The results of the chunk that begins at a child, if they are there."""
        if self._folder is None or not self._path(first).exists():
            return None
        with np.load(self._path(first)) as file:
            return dict(file)

    def save(self, first: int, results: dict[str, np.ndarray]) -> None:
        """Keeps the results of a chunk, all of them or none."""
        if self._folder is not None:
            unfinished = self._folder / "unfinished.npz"
            np.savez(unfinished, **results)
            unfinished.replace(self._path(first))

    def _path(self, first: int) -> pathlib.Path:
        return self._folder / f"cells_{first:05d}.npz"


def make_table(
    text: Any, recipe: recipes.Recipe, positions: np.ndarray, chunks: Chunks
) -> tuple[np.ndarray, float]:
    """Perplexities `[N]` of the cells at positions of the space, and the CPU-seconds of all.

    Cells are trained `CHUNK` at a time; the last chunk is filled up with cells again, so that one
    program serves all.
    """
    population, data = recipes.make_population(text, recipe)
    architectures = recipes.to_cells(recipes.space().all_architectures()[positions])
    found, seconds = [], 0.0
    for first in range(0, len(positions), CHUNK):
        rows = np.arange(first, first + CHUNK) % len(positions)
        done = chunks.load(first)
        if done is None:
            start = time.process_time()
            state = recipes.train(population, data, architectures[rows], recipe, positions[rows])
            values = -np.asarray(state.value, np.float64)
            done = {"perplexity": values, "seconds": np.array(time.process_time() - start)}
            chunks.save(first, done)
            print(f"{first + CHUNK} of {len(positions)}", flush=True)
        found.append(done["perplexity"])
        seconds += float(done["seconds"])
    return np.concatenate(found)[: len(positions)], seconds


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="ptb:FOLDER or text:FILE")
    parser.add_argument("--limit", type=int, help="train so many of the cells only, evenly")
    parser.add_argument("--updates", type=int, default=recipes.Recipe().updates)
    parser.add_argument("--work", help="a folder for what is done: a run goes on there")
    parser.add_argument("--out", default=str(recipes.TABLE), help="the .npz to write")
    return parser.parse_args()


def main() -> None:
    """Trains, and writes the table."""
    arguments = parse()
    space, recipe = recipes.space(), recipes.Recipe(updates=arguments.updates)
    number = arguments.limit or space.count()
    positions = np.linspace(0, space.count() - 1, number).astype(int)
    text, head = recipes.characters(arguments.data), commit()
    settings = recipe._asdict() | {"cells": number, "text": text.name, "sizes": text.sizes}
    settings["vocabulary"] = len(text.vocabulary)
    perplexity, seconds = make_table(text, recipe, positions, Chunks(arguments.work, settings))
    about = settings | {
        "space": space.to_json(),
        "commit": head,
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "command": command(),
        "cpu_seconds": round(seconds, 1),
        "cells_per_minute": round(60 * number / seconds, 1),
        "diverged": int((~np.isfinite(perplexity)).sum()),
    }
    pathlib.Path(arguments.out).parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        arguments.out, positions=positions, perplexity=perplexity, about=json.dumps(about)
    )
    print(f"{number} cells in {seconds:.0f} CPU-seconds, {about['cells_per_minute']} a minute")
    print(f"{about['diverged']} diverged; written: {arguments.out}")


if __name__ == "__main__":
    main()
