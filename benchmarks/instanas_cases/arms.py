"""The arms: MobileNetV2 at several widths, InstaNAS, and what it is compared with.

Source: Cheng et al. 2018, "InstaNAS" (arXiv:1811.10201), table 1, for the widths.
"""

from __future__ import annotations

import pathlib
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.engine import Split
from jaxnas.instance.arms import best_static, independent, permuted
from jaxnas.instance.evaluation import evaluate
from jaxnas.instance.states import InstanceSearchState, Point, state_of
from jaxnas.objectives.variety import corrected_mutual_information, count_unique
from jaxnas.runtime import saved_instance
from jaxnas.runtime.instance_experiment import InstanceExperiment
from jaxnas.runtime.instance_outcome import choose_point, measure_points
from jaxnas.training import Trainer

SHUFFLES = 5
"""How often permuted and independent architectures are drawn; accuracies are their means."""


def run_width(experiment: InstanceExperiment, width: float) -> dict[str, Any]:
    """Trains MobileNetV2 at a width for as many epochs as all stages together."""
    start = time.process_time()
    network, dataset, data = experiment.baseline(width), experiment.dataset, experiment.data
    trainer = Trainer(network, experiment.config.train, dataset.sizes["train"])
    trained = trainer.train(experiment.key("baselines"), data, [0])
    return {
        "arm": f"MobileNetV2 {width:g}x",
        "accuracy": trainer.accuracy(trained, _test(experiment), data, [0]),
        "validation_accuracy": trainer.accuracy(trained, data.validation, data, [0]),
        "latency": experiment.cost_of_width(width),
        "cpu_seconds": time.process_time() - start,
    }


def _test(experiment: InstanceExperiment) -> Split:
    dataset = experiment.dataset
    return Split(jnp.asarray(dataset.test_images), jnp.asarray(dataset.test_labels))


def run_instanas(
    experiment: InstanceExperiment, target: float, folder: pathlib.Path, verbose: bool
) -> dict[str, Any]:
    """Searches, and evaluates the chosen point beside its controls on test images.

    Args:
      experiment: the experiment.
      target: the validation accuracy of MobileNetV2 1.0x.
      folder: where the network with its policy is kept for the timings.
      verbose: whether to print what each point and epoch measures.
    """
    start = time.process_time()
    state, before = _search(experiment, verbose)
    points, found = measure_points(experiment, state)
    chosen = choose_point(points, target)
    validation, point = found[chosen], state.points[chosen]
    assert experiment.table is not None
    saved_instance.save(folder, experiment.config, experiment.dataset, experiment.table, point)
    searched = time.process_time() - start
    rows = _controls(experiment, state, point)
    static = _static(experiment, state, before[chosen], validation)
    return {
        "points": points,
        "chosen": chosen,
        "arms": {**rows, "static": static},
        "search_cpu_seconds": searched,
        "cpu_seconds": time.process_time() - start,
    }


def _search(
    experiment: InstanceExperiment, verbose: bool
) -> tuple[InstanceSearchState, tuple[Point, ...]]:
    """The final state, and the points as they were before they were fine-tuned."""
    search, data = experiment.search, experiment.data
    state = search.init(experiment.key("search"))
    before, searched = state.points, search.total_steps - search.schedule.stage_steps["finetune"]
    sums: dict[str, list[float]] = {}
    for step in range(search.total_steps):
        if step == searched:
            before = state.points
        place = search.schedule.place(step)
        state, metrics = search.step(state, data)
        for name, value in metrics.items():
            if isinstance(value, float):
                sums.setdefault(f"{place.phase} {name}", []).append(value)
        if verbose and (place.last or search.schedule.place(step + 1).epoch != place.epoch):
            text = "  ".join(f"{name} {np.mean(values):.4g}" for name, values in sums.items())
            print(f"{place.phase} {place.epoch}: {text}", flush=True)
            sums = {}
    return state, before


def _controls(
    experiment: InstanceExperiment, state: InstanceSearchState, point: Point
) -> dict[str, dict[str, Any]]:
    """InstaNAS on test images, and the same architectures permuted and with independent bits."""
    search, data, test = experiment.search, experiment.data, _test(experiment)
    engine, batch, weights = search.engines["finetune"], search.evaluation_batch, state_of(point)
    own = evaluate(engine, weights, test, data, batch)
    labels = np.asarray(experiment.dataset.test_labels)
    rows = {
        "InstaNAS": {
            "accuracy": own.accuracy,
            "latency": float(own.latency.mean()),
            "latency_spread": float(own.latency.std()),
            "latency_of_correct": float(own.latency[own.correct].mean()),
            "unique_architectures": count_unique(own.architectures),
            "mutual_information": corrected_mutual_information(own.architectures, labels),
        }
    }
    for number, (name, shuffle) in enumerate(
        (("permuted", permuted), ("independent", independent))
    ):
        key = jax.random.fold_in(experiment.key("arms"), number)
        found = [
            evaluate(engine, weights, test, data, batch, shuffle(k, own.architectures))
            for k in jax.random.split(key, SHUFFLES)
        ]
        rows[name] = {
            "accuracy": float(np.mean([each.accuracy for each in found])),
            "latency": float(np.mean([each.latency.mean() for each in found])),
        }
    return rows


def _static(
    experiment: InstanceExperiment, state: InstanceSearchState, before: Point, validation: Any
) -> dict[str, Any]:
    """The best architecture for all images at InstaNAS's latency, fine-tuned as long as it was."""
    search, data, test = experiment.search, experiment.data, _test(experiment)
    engine, batch = search.engines["finetune"], search.evaluation_batch
    architecture, _ = best_static(
        engine,
        state_of(before),
        data.validation,
        data,
        batch,
        architectures=validation.architectures,
        most=float(validation.latency.mean()),
        key=experiment.key("arms"),
        count=experiment.config.static_candidates,
    )
    tuned = state_of(search.finetune_static(state, before, data, architecture))
    rows = np.broadcast_to(architecture, (len(test.labels), len(architecture)))
    found = evaluate(engine, tuned, test, data, batch, rows)
    return {
        "accuracy": found.accuracy,
        "latency": float(found.latency.mean()),
        "architecture": architecture.tolist(),
    }
