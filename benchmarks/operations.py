"""Time of each operation, forward and forward + backward, beside PyTorch channels_last on CPU.

Each operation signature of a network runs as the host executor runs it: `_apply` forward, and
`_apply_vjp` then `_pull` for the gradient of its parameters and inputs. The PyTorch function has
the same weights, inputs and cotangents; values are compared first. Both run on one thread, in one
process, interleaved, with the same `MALLOC_` variables. Times are process CPU time, medians.

    taskset -c 0 python benchmarks/operations.py --json benchmarks/results/operations.json
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from measuring.allocator import keep_memory
from record import make_record, write_record
from torch_reference import torch
from torch_reference.operations import function_of
from torch_reference.weights import to_images, to_torch

from jaxnas.supernets import chain, enas_micro, nasbench201
from jaxnas.supernets import ops as operations
from jaxnas.supernets.executors import host
from jaxnas.supernets.network import Network

IMAGE = {"image_shape": (32, 32, 3), "num_classes": 10}
NETWORKS: dict[str, tuple[Callable[[], Network], int]] = {
    "chain": (lambda: chain(**IMAGE, layers=12, channels=16), 32),
    "nasbench201": (lambda: nasbench201(**IMAGE, cells=1, channels=16), 64),
    "enas_micro": (lambda: enas_micro(**IMAGE, cells=3, nodes=5, channels=20), 64),
}
SHORTEST = 0.02
"""Seconds that one timing lasts at least; short operations are called many times."""


def cases(network: Network) -> list[tuple[str, Any, tuple[int, ...], bool]]:
    """`(label, operation, input shape, whether the input needs a gradient)` of what is computed."""
    found = []
    for operation, shapes in network.signatures:
        if not isinstance(operation, operations.Identity | operations.Zero):
            keys = [k for k, s in network.operations.items() if s.signature == (operation, shapes)]
            label = f"{keys[0].split('/')[-1]} {'x'.join(map(str, shapes[0]))}"
            found.append((label, operation, shapes[0], keys[0] != "stem"))
    return found


def make_pair(operation, shape, wanted: bool, batch: int) -> dict[str, Callable[[], Any]]:
    """Functions that run the operation once: ours and PyTorch's, forward and with gradient."""
    random = np.random.default_rng(0)
    params = operation.init(jax.random.key(0), shape)
    x = random.normal(size=(batch, *shape)).astype(np.float32)
    cotangent = random.normal(size=(batch, *operation.output_shape(shape))).astype(np.float32)
    weights = jax.tree.map(lambda leaf: to_torch(np.asarray(leaf)).requires_grad_(), params)
    function, leaves = function_of(operation, weights), jax.tree.leaves(weights)
    ours, pulled = jax.device_put((x, cotangent))
    theirs, back = to_torch_values(x), to_torch_values(cotangent)
    leaf = to_torch_values(x).requires_grad_(wanted)

    def forward():
        return host._apply(operation, params, [ours], None, None)

    def gradient():
        _, residuals = host._apply_vjp(operation, (wanted,), params, [ours], None)
        return host._pull(residuals.pullback(params, [ours]), pulled)

    def torch_forward():
        with torch.no_grad():
            return function(theirs)

    def torch_gradient():
        for tensor in (leaf, *leaves):
            tensor.grad = None
        function(leaf).backward(back)
        return leaf.grad

    _compare(forward(), torch_forward())
    if wanted:
        _compare(gradient()[1][0], torch_gradient())
    return {
        "forward": forward,
        "gradient": gradient,
        "torch_forward": torch_forward,
        "torch_gradient": torch_gradient,
    }


def to_torch_values(x: np.ndarray) -> torch.Tensor:
    """Images `[B, H, W, C]` in the layout channels_last; other values as they are."""
    return to_images(x) if x.ndim == 4 else torch.from_numpy(x.copy())


def _compare(ours, theirs) -> None:
    theirs = theirs.detach().numpy()
    theirs = theirs.transpose(0, 2, 3, 1) if theirs.ndim == 4 else theirs
    error = np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)
    if error > 1e-2:  # A ReLU at a tie may fall on either side.
        raise RuntimeError(f"the PyTorch function computes something else: relative error {error}.")


def seconds(run: Callable[[], Any], times: int) -> float:
    """CPU seconds of one of so many calls."""
    start = time.process_time()
    for _ in range(times):
        jax.block_until_ready(run())
    return (time.process_time() - start) / times


def measure(runs: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Median CPU milliseconds of each function, interleaved."""
    for run in runs.values():
        jax.block_until_ready(run())
    times = {name: max(1, int(SHORTEST / seconds(run, 1))) for name, run in runs.items()}
    samples: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            samples[name].append(seconds(run, times[name]))
    return {name: 1e3 * statistics.median(values) for name, values in samples.items()}


def row(network: str, label: str, times: dict[str, float]) -> dict[str, Any]:
    """One line of the table."""
    line = {"network": network, "operation": label}
    for name in ("forward", "gradient"):
        ours, theirs = times[name], times[f"torch_{name}"]
        line |= {f"{name}_ms": round(ours, 3), f"torch_{name}_ms": round(theirs, 3)}
        line |= {f"{name}_ratio": round(theirs / ours, 2)}
    return line


def summarise(rows: list[dict[str, Any]]) -> dict[str, float]:
    """For each network the ratio of the summed times: above 1 we are faster."""
    summary = {}
    for network in dict.fromkeys(r["network"] for r in rows):
        for name in ("forward", "gradient"):
            chosen = [r for r in rows if r["network"] == network]
            total = sum(r[f"torch_{name}_ms"] for r in chosen) / sum(
                r[f"{name}_ms"] for r in chosen
            )
            summary[f"{network}_{name}"] = round(total, 3)
    return summary


def print_row(line: dict[str, Any], first: bool) -> None:
    """Prints a line of the table, under its head if it is the first."""
    widths = [13, 28] + [len(name) + 2 for name in list(line)[2:]]
    for cells in (line.keys(), line.values()) if first else (line.values(),):
        print("".join(f"{c!s:>{w}}" for c, w in zip(cells, widths, strict=True)), flush=True)


def parse() -> argparse.Namespace:
    """The command's arguments."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="batches of 8, one repeat")
    parser.add_argument("--json", help="the file for the record")
    parser.add_argument("--network", choices=list(NETWORKS), help="only this network")
    parser.add_argument("--only", default="", help="only operations whose label contains this")
    parser.add_argument("--repeats", type=int, default=5)
    return parser.parse_args()


def main() -> None:
    """Times every operation and prints and records the table."""
    keep_memory()
    arguments = parse()
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    for name in [arguments.network] if arguments.network else NETWORKS:
        make, batch = NETWORKS[name]
        for label, operation, shape, wanted in cases(make()):
            if arguments.only in label:
                runs = make_pair(operation, shape, wanted, 8 if arguments.quick else batch)
                times = measure(runs, 1 if arguments.quick else arguments.repeats)
                rows.append(row(name, label, times))
                print_row(rows[-1], len(rows) == 1)
    summary = summarise(rows)
    print(summary)
    if arguments.json:
        record = make_record("operations", rows=rows, summary=summary, seeds="0")
        write_record(arguments.json, record)


if __name__ == "__main__":
    main()
