"""How long a fixed child takes on this device: the whole program that is exported, and called."""

from __future__ import annotations

import json
import pathlib
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax
from flax import nnx

from jaxnas.export import ChildModule
from jaxnas.runtime import saved_child
from jaxnas.runtime.errors import ConfigError
from jaxnas.runtime.files import write_json
from jaxnas.supernets.ops.operation import Shape

BATCHES = (1, 64)
MIN_REPEATS = 5
LATENCIES = "latencies.json"


def measure_children(
    modules: Mapping[str, ChildModule],
    image_shape: Shape,
    *,
    batches: Sequence[int] = BATCHES,
    repeats: int = 30,
) -> dict[str, dict[int, list[float]]]:
    """The seconds of calls of children, each compiled as one program in its form for inference.

    Children are warm (each has run twice before) and take turns, so that what disturbs one call
    disturbs those of the others too.

    Args:
      modules: the children by name, all for images of one shape.
      image_shape: `(H, W, C)`.
      batches: the numbers of images per call.
      repeats: timed calls of each child and batch, at least 5.

    Returns:
      For each child and batch the seconds of its calls, in order: equal positions of two children
      are neighbours in time.

    Raises:
      ConfigError: fewer repeats.

    Example:
      >>> measure_children({"mine": module}, (32, 32, 3))  # doctest: +SKIP
    """
    if repeats < MIN_REPEATS:
        raise ConfigError(f"repeats is {repeats}: give at least {MIN_REPEATS}.")
    seconds: dict[str, dict[int, list[float]]] = {name: {} for name in modules}
    for batch in batches:
        images = jax.random.uniform(jax.random.key(batch), (batch, *image_shape))
        programs = {name: _warm(module, images) for name, module in modules.items()}
        for name in programs:
            seconds[name][batch] = []
        for _ in range(repeats):
            for name, program in programs.items():
                start = time.perf_counter()
                jax.block_until_ready(program(images))
                seconds[name][batch].append(time.perf_counter() - start)
    return seconds


def _warm(module: ChildModule, images: jax.Array):
    """A child's program for images of one shape, compiled and run twice."""
    graph, state = nnx.split(module)
    # Weights are constants of the program, as in the exported one.
    program = jax.jit(lambda images: nnx.merge(graph, state)(images)).lower(images).compile()
    for _ in range(2):
        jax.block_until_ready(program(images))
    return program


def summarise(seconds: Mapping[int, Sequence[float]]) -> dict[str, dict[str, float]]:
    """The median and the interquartile range of the seconds of each batch, as plain values.

    Example:
      >>> summarise({64: [1.0, 2.0, 3.0]})
      {'batch_64': {'median': 2.0, 'spread': 2.0}}
    """
    found = {}
    for batch, values in seconds.items():
        low, median, high = statistics.quantiles(values, n=4)
        found[f"batch_{batch}"] = {"median": median, "spread": high - low}
    return found


def add_latencies(
    records: list[dict[str, Any]], folder: pathlib.Path, image_shape: Shape, repeats: int
) -> None:
    """Adds `latency`, as `summarise` gives it, to the records of the trained children of a run.

    It is measured once, and read from `latencies.json` in the folder when the run is resumed.

    Args:
      records: of the children that are saved in `folder`, by name.
      folder: the run folder.
      image_shape: `(H, W, C)`.
      repeats: timed calls of each child and batch; 0 for none.
    """
    if not repeats:
        return
    path, saved = folder / LATENCIES, folder / saved_child.CHILDREN
    if not path.is_file():
        modules = {r["name"]: saved_child.SavedChild(saved / r["name"]).module() for r in records}
        seconds = measure_children(modules, image_shape, repeats=repeats)
        write_json(path, {name: summarise(values) for name, values in seconds.items()})
    found = json.loads(path.read_text())
    for record in records:
        record["latency"] = found[record["name"]]
