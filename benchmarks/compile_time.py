"""How long the first gradient of a supernet takes to compile, with an empty and a filled cache.

Each figure is a process of its own that compiles every operation of the sampled children, forward
and backward, as the host executor does, and takes one gradient. `cold` starts with an empty
persistent cache in a temporary folder, `warm` with the one that `cold` left. Seconds are those of
the first gradient less those of a second one, by the clock and of the processor.

    python benchmarks/compile_time.py --json benchmarks/results/compile_time.json
"""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import Any

import jax
import jax.numpy as jnp
from record import make_record, write_record

from jaxnas.objectives.classification import cross_entropy
from jaxnas.runtime import compilation_cache, one_core_per_program
from jaxnas.supernets import Supernet, chain, enas_micro, nasbench201

IMAGE = {"image_shape": (32, 32, 3), "num_classes": 10}
NETWORKS = {
    "chain": (lambda: chain(**IMAGE, layers=12, channels=16), 32),
    "nasbench201": (lambda: nasbench201(**IMAGE, cells=1, channels=16), 64),
    "enas_micro": (lambda: enas_micro(**IMAGE, cells=3, nodes=5, channels=20), 64),
}
CHILDREN = 16


def measure(name: str, cache: str) -> dict[str, float]:
    """Seconds that the first gradient takes longer than the second, in this process."""
    one_core_per_program()
    compilation_cache.enable(cache)
    make, batch = NETWORKS[name]
    supernet = Supernet(make())
    params = supernet.init(jax.random.key(0))
    architectures = supernet.network.space.sample(jax.random.key(1), CHILDREN)
    images = jax.random.normal(jax.random.key(2), (batch, *IMAGE["image_shape"]))
    labels = jnp.zeros((batch,), jnp.int32)
    gradient = supernet.value_and_grad(lambda logits, labels: (cross_entropy(logits, labels), ()))
    plan = supernet.plan(architectures)
    times = []
    for _ in range(2):
        start = time.perf_counter(), time.process_time()
        jax.block_until_ready(gradient(params, plan, images, labels))
        times.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    (first, first_cpu), (second, second_cpu) = times
    return {"seconds": first - second, "cpu_seconds": first_cpu - second_cpu}


def in_new_process(name: str, cache: str) -> dict[str, float]:
    """`measure` in a process of its own, whose caches in memory are empty."""
    command = [sys.executable, __file__, "--measure", name, "--cache", cache]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def compare(name: str) -> dict[str, Any]:
    """One line of the table: a network cold and warm."""
    line: dict[str, Any] = {"network": name}
    with tempfile.TemporaryDirectory() as folder:
        for state in ("cold", "warm"):
            times = in_new_process(name, str(pathlib.Path(folder) / "cache"))
            line |= {f"{state}_{key}": round(value, 2) for key, value in times.items()}
    return line


def parse() -> argparse.Namespace:
    """The command's arguments."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="NAS-Bench-201 alone")
    parser.add_argument("--json", help="the file for the record")
    parser.add_argument("--network", choices=list(NETWORKS), help="only this network")
    parser.add_argument("--measure", choices=list(NETWORKS), help=argparse.SUPPRESS)
    parser.add_argument("--cache", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measures each network and prints and records the table."""
    arguments = parse()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, arguments.cache)))
        return
    chosen = "nasbench201" if arguments.quick else arguments.network
    rows = []
    for name in [chosen] if chosen else NETWORKS:
        rows.append(compare(name))
        print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    summary = {}
    for row in rows:
        summary[f"{row['network']}_cold"] = row["cold_seconds"]
        summary[f"{row['network']}_warm"] = row["warm_seconds"]
        share = row["warm_seconds"] / row["cold_seconds"]
        summary[f"{row['network']}_warm_over_cold"] = round(share, 3)
    if arguments.json:
        record = make_record("compile_time", rows=rows, summary=summary, seeds="1")
        write_record(arguments.json, record)


if __name__ == "__main__":
    main()
