"""What a whole network takes by the clock, its controller included, beside MobileNetV2."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.export import ChildModule
from jaxnas.runtime.instance_experiment import InstanceExperiment
from jaxnas.runtime.instance_predictor import InstancePredictor
from jaxnas.runtime.module_program import ModuleProgram
from jaxnas.runtime.saved_instance import SavedInstance
from jaxnas.supernets import Network
from jaxnas.supernets.executors import host
from jaxnas.supernets.plan import make_plan

BATCHES = (1, 64)
IMAGES = 64
"""How many images are gone through in a repeat: at batch 1 one after the other."""
REPEATS = 5
SECONDS = {"grouped": "seconds", "routed": "routed_seconds", "base": "baseline_seconds"}
"""What a contender's time is called in results."""
ARCHITECTURES = 8
"""The commonest architectures of these images are compiled; others share the routed program."""


def measure_end_to_end(
    experiment: InstanceExperiment, saved: SavedInstance, repeats: int = REPEATS
) -> dict[str, Any]:
    """The seconds per image of an instance-aware network and of MobileNetV2 1.0x.

    The network is measured in two ways: grouped by architecture (`SavedInstance.predictor`), which
    is how it would be served, and as one routed program for all architectures
    (`SavedInstance.module`). They and the baseline take images as they are stored, hold weights as
    constants of their programs, and take turns over the same test images. What a program takes
    depends on what the images chose, not on the weights of the baseline, which are fresh.

    Returns:
      By batch size as text, for 1 and 64: `seconds` (grouped), `routed_seconds`,
      `baseline_seconds` (medians over repeats, per image), `reduction` (of `seconds`), `repeats`.
    """
    images = np.asarray(experiment.dataset.test_images)
    images = np.resize(images, (IMAGES, *images.shape[1:]))
    predictor = saved.predictor(compiled_architectures=ARCHITECTURES, compile_after=None)
    predictor.prepare(images, sizes=(1,))
    routed = ModuleProgram(saved.module())
    base = ModuleProgram(fresh_module(experiment.baseline(1.0), experiment.dataset))
    found = {}
    for batch in BATCHES:
        calls = contenders(predictor, routed, base, batch)
        times = time_in_turns(calls, images, batch, repeats)
        medians = {SECONDS[name]: statistics.median(times[name]) for name in SECONDS}
        reduction = 1 - medians["seconds"] / medians["baseline_seconds"]
        found[str(batch)] = {**medians, "reduction": reduction, "repeats": repeats}
    return found


def contenders(
    grouped: InstancePredictor, routed: ModuleProgram, base: ModuleProgram, batch: int
) -> dict[str, Callable[[Any], jax.Array]]:
    """Functions of a batch of images by name (`grouped`, `routed`, `base`), for a comparison.

    Each is in its quickest form for batches of that size. All return logits: to wait for the three
    arrays of a prediction takes as long as a small layer, and a baseline has one.

    Args:
      grouped: a network with its instance policy, grouped by architecture.
      routed: the same as one program for all architectures.
      base: a network of one architecture.
      batch: the number of images in a batch.
    """
    one = batch == 1
    run_routed, run_base = (each.single if one else each for each in (routed, base))
    return {
        "grouped": lambda images: grouped(images).logits,
        "routed": lambda images: run_routed(images).logits,
        "base": run_base,
    }


def fresh_module(network: Network, dataset: Any) -> ChildModule:
    """A network of one architecture with fresh weights and measured moments, as a module."""
    params = network.init(jax.random.key(0))
    plan = make_plan(network, [[0]])
    images = jax.random.normal(jax.random.key(1), (8, *network.image_shape))
    moments = host.measure_moments(plan, params, images)
    return ChildModule(network, params, moments, dataset.mean, dataset.std)


def time_in_turns(
    calls: Mapping[str, Callable[[jax.Array], Any]], images: Any, batch: int, repeats: int
) -> dict[str, list[float]]:
    """The seconds per image of calls that take turns A B A B, after a first, compiling turn."""
    batches = [jnp.asarray(images[i : i + batch]) for i in range(0, len(images) - batch + 1, batch)]
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for repeat in range(repeats + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            for each in batches:
                jax.block_until_ready(call(each))
            if repeat:
                seconds[name].append((time.perf_counter() - start) / (len(batches) * batch))
    return seconds
