"""A trained network by the clock, its controller included, beside MobileNetV2 1.0x.

It is measured grouped by architecture, which is how it would be served, and as one routed program
for all architectures. All take images as they are stored and hold weights as constants. With one
thread JAX runs programs on the thread that calls them.
"""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from measuring import interleave, ratio

from instanas_cases import settings
from jaxnas.runtime.end_to_end import contenders, fresh_module
from jaxnas.runtime.instance_experiment import InstanceExperiment
from jaxnas.runtime.module_program import ModuleProgram
from jaxnas.runtime.saved_instance import SavedInstance

BATCHES, IMAGES = (1, 64), 128


def run(data: str | None, folder: str, quick: bool, threads: int) -> list[dict[str, Any]]:
    """One row for each batch size and way, `grouped` and `routed`, of the network in a folder."""
    config = settings.quick() if data is None else settings.cifar()
    dataset = settings.dataset(data)
    experiment = InstanceExperiment(dataclasses.replace(config, widths=(1.0,)), dataset)
    images = np.resize(dataset.test_images, (IMAGES, *dataset.image_shape))
    saved = SavedInstance(pathlib.Path(folder))
    grouped = saved.predictor(compile_after=None)
    grouped.prepare(images, sizes=(1,))
    modules = saved.module(), fresh_module(experiment.baseline(1.0), dataset)
    programs = grouped, *map(ModuleProgram, modules)
    rows = [row for batch in BATCHES for row in _race(programs, images, batch, quick, threads)]
    return [row | {"network": saved.folder.name} for row in rows]


def _race(
    programs: tuple[Any, ...], images, batch: int, quick: bool, threads: int
) -> list[dict[str, Any]]:
    batches = [jnp.asarray(images[i : i + batch]) for i in range(0, len(images), batch)]
    turns = {name: _turn(call, batches) for name, call in contenders(*programs, batch).items()}
    for call in turns.values():
        call()
    times = interleave(turns, seconds=0.5 if quick else 10, least=5)
    clock = "cpu" if threads == 1 else "wall"
    seconds = {name: getattr(each, clock) / len(images) for name, each in times.items()}
    base = seconds.pop("base")
    return [_row(way, ours, base, batch, threads) for way, ours in seconds.items()]


def _turn(call, batches):
    def run():
        for each in batches:
            jax.block_until_ready(call(each))

    return run


def _row(way: str, ours: np.ndarray, base: np.ndarray, batch: int, threads: int) -> dict[str, Any]:
    found = ratio(ours, base)
    return {
        "case": "end_to_end",
        "inference": way,
        "batch": batch,
        "threads": threads,
        "seconds_per_image": float(np.median(ours)),
        "baseline_seconds_per_image": float(np.median(base)),
        "reduction": {
            "value": 1 - found["value"],
            "low": 1 - found["high"],
            "high": 1 - found["low"],
        },
        "repeats": len(ours),
    }
