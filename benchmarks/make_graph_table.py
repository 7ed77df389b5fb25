"""Trains every network of `digit_networks.py` and writes the table that `graph_space.py` reads.

4,080 networks with 5 seeds each are 20,400 trainings in one program: `lax.map` over the networks,
one branch for each depth, `vmap` over the seeds. They are trained on 1,000 digits; the counts of
right answers are of the 397 for validation and of the 400 for testing.

    python benchmarks/make_graph_table.py
"""

from __future__ import annotations

import argparse
import json
import pathlib
import time

import digit_networks
import jax
import numpy as np
from record import command, commit, machine

from jaxnas.data import load


def make_table(architectures: np.ndarray, seeds: int) -> np.ndarray:
    """Right answers `int32 [N, seeds, 2]` in validation and test."""
    data = digit_networks.flat(load("digits"))
    keys = jax.vmap(jax.random.key)(np.arange(seeds))

    @jax.jit
    def train(children):
        return jax.lax.map(lambda c: digit_networks.correct_answers(c, keys, data), children)

    return np.asarray(train(digit_networks.read_children(architectures)))


def main() -> None:
    """Trains, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--limit", type=int, help="train so many of the networks only, evenly")
    parser.add_argument("--out", default=str(digit_networks.TABLE), help="the .npz to write")
    arguments = parser.parse_args()
    space = digit_networks.space()
    number = arguments.limit or space.count()
    positions = np.linspace(0, space.count() - 1, number).astype(int)
    clock, cpu, head = time.perf_counter(), time.process_time(), commit()
    right = make_table(space.all_architectures()[positions], arguments.seeds)
    about = {
        "space": space.to_json(),
        "seeds": list(range(arguments.seeds)),
        "commit": head,
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "command": command(),
        "seconds": round(time.perf_counter() - clock, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
    }
    pathlib.Path(arguments.out).parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        arguments.out, positions=positions, right=right.astype(np.int16), about=json.dumps(about)
    )
    print(f"{right[..., 0].size} trainings in {about['cpu_seconds']} CPU-seconds")
    print(f"written: {arguments.out}")


if __name__ == "__main__":
    main()
