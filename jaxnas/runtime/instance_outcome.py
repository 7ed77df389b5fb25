"""What a finished instance-aware search says: `result.json`, and its images for the report."""

from __future__ import annotations

import io
import pathlib
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxnas.engine import Split
from jaxnas.instance.arms import best_static, independent, permuted
from jaxnas.instance.evaluation import Evaluation, evaluate
from jaxnas.instance.states import InstanceSearchState, state_of
from jaxnas.objectives.variety import corrected_mutual_information, count_unique
from jaxnas.runtime import saved_instance
from jaxnas.runtime.end_to_end import measure_end_to_end
from jaxnas.runtime.files import write_bytes, write_json
from jaxnas.runtime.instance_experiment import InstanceExperiment
from jaxnas.runtime.outcome import RESULT
from jaxnas.runtime.run_facts import run_facts, state_digest
from jaxnas.runtime.timing import Timing

INSTANCES = "instances.npz"
SHOWN = 8
"""How many of the easiest and of the hardest images are kept for the report."""


def choose_point(points: list[dict[str, Any]], target: float) -> int:
    """The point with the lowest latency that is as accurate as `target`; else the most accurate.

    Args:
      points: records with `validation_accuracy` and `validation_latency`.
      target: the validation accuracy of the baseline.

    Example:
      >>> points = [(0.9, 3.0), (0.85, 2.0), (0.8, 1.0)]
      >>> names = ("validation_accuracy", "validation_latency")
      >>> choose_point([dict(zip(names, point)) for point in points], 0.84)
      1
    """
    good = [i for i, p in enumerate(points) if p["validation_accuracy"] >= target]
    if good:
        return min(good, key=lambda i: points[i]["validation_latency"])
    return max(range(len(points)), key=lambda i: points[i]["validation_accuracy"])


def measure_points(
    experiment: InstanceExperiment, state: InstanceSearchState
) -> tuple[list[dict[str, Any]], list[Evaluation]]:
    """The fine-tuned Pareto points on validation data."""
    search, data = experiment.search, experiment.data
    engine, batch = search.engines["finetune"], search.evaluation_batch
    found = [
        evaluate(engine, state_of(point), data.validation, data, batch) for point in state.points
    ]
    records = [
        {
            "epoch": epoch,
            "validation_accuracy": each.accuracy,
            "validation_latency": float(each.latency.mean()),
            "unique_architectures": count_unique(each.architectures),
        }
        for epoch, each in zip(search.schedule.point_epochs, found, strict=True)
    ]
    return records, found


def write(
    experiment: InstanceExperiment,
    state: InstanceSearchState,
    baselines: list[dict[str, Any]],
    folder: pathlib.Path,
    command: str,
    timing: Timing,
) -> None:
    """Writes everything that the report is made of, and the network with its policy."""
    points, found = measure_points(experiment, state)
    first = next(record for record in baselines if record["width"] == 1.0)
    target = first["validation_accuracy"]
    chosen = choose_point(points, target if np.isfinite(target) else 0.0)
    point = state.points[chosen]
    assert experiment.table is not None
    target_folder = folder / saved_instance.FOLDER
    saved_instance.save(
        target_folder, experiment.config, experiment.dataset, experiment.table, point
    )
    test, arms = _arms(experiment, state, chosen, found[chosen])
    _write_instances(experiment, test, folder)
    _write_policy(experiment, test, folder)
    measured = measure_end_to_end(experiment, saved_instance.SavedInstance(target_folder))
    timing.save("report")
    write_json(
        folder / RESULT,
        {
            **_accuracy(experiment, test, points[chosen], first),
            "measured_latency": measured,
            "arms": [*arms, *map(_baseline_arm, baselines)],
            "points": [p | {"chosen": i == chosen} for i, p in enumerate(points)],
            "baselines": baselines,
            "parameters": experiment.network.count_parameters(),
            "state_digest": state_digest(state, baselines),
            **run_facts(experiment, command, timing),
        },
    )


def _accuracy(
    experiment: InstanceExperiment,
    test: Evaluation,
    point: dict[str, Any],
    baseline: dict[str, Any],
) -> dict[str, Any]:
    assert experiment.table is not None
    labels = np.asarray(experiment.dataset.test_labels)
    return {
        "name": experiment.config.name,
        "kind": "instance",
        "test_accuracy": test.accuracy,
        "validation_accuracy": point["validation_accuracy"],
        "latency": float(test.latency.mean()),
        "latency_unit": experiment.table.unit,
        "controller_latency": experiment.table.controller,
        "baseline_latency": baseline["latency"],
        "baseline_test_accuracy": baseline["test_accuracy"],
        "latency_reduction": 1 - float(test.latency.mean()) / baseline["latency"],
        "unique_architectures": count_unique(test.architectures),
        "mutual_information": corrected_mutual_information(test.architectures, labels),
    }


def _arms(
    experiment: InstanceExperiment,
    state: InstanceSearchState,
    chosen: int,
    validation: Evaluation,
) -> tuple[Evaluation, list[dict[str, Any]]]:
    """The test images under the policy, and under what it is compared with."""
    search, data, dataset = experiment.search, experiment.data, experiment.dataset
    engine, batch = search.engines["finetune"], search.evaluation_batch
    weights, key = state_of(state.points[chosen]), experiment.key("arms")
    test = Split(jnp.asarray(dataset.test_images), jnp.asarray(dataset.test_labels))
    static, _ = best_static(
        engine,
        weights,
        data.validation,
        data,
        batch,
        architectures=validation.architectures,
        most=float(validation.latency.mean()),
        key=key,
        count=experiment.config.static_candidates,
    )
    own = evaluate(engine, weights, test, data, batch)
    rows = {
        "permuted": permuted(key, own.architectures),
        "independent bits": independent(key, own.architectures),
        "static": np.broadcast_to(static, own.architectures.shape),
    }
    found = {name: evaluate(engine, weights, test, data, batch, r) for name, r in rows.items()}
    arms = [_arm("InstaNAS", own)]
    return own, arms + [_arm(name, evaluation) for name, evaluation in found.items()]


def _arm(name: str, evaluation: Evaluation) -> dict[str, Any]:
    latency = float(evaluation.latency.mean())
    return {"name": name, "test_accuracy": evaluation.accuracy, "latency": latency}


def _baseline_arm(record: dict[str, Any]) -> dict[str, Any]:
    return {name: record[name] for name in ("name", "test_accuracy", "latency")}


def _write_instances(
    experiment: InstanceExperiment, test: Evaluation, folder: pathlib.Path
) -> None:
    """The test images' architectures and latencies, and the easiest and hardest of them."""
    order = np.argsort(test.latency, kind="stable")
    shown = np.concatenate([order[:SHOWN], order[::-1][:SHOWN]])
    dataset, buffer = experiment.dataset, io.BytesIO()
    np.savez(
        buffer,
        architectures=test.architectures.astype(np.int8),
        latency=test.latency,
        correct=test.correct,
        labels=np.asarray(dataset.test_labels),
        shown=shown,
        images=np.asarray(dataset.test_images)[shown],
        class_names=np.array(dataset.class_names),
    )
    write_bytes(folder / INSTANCES, buffer.getvalue())


def _write_policy(experiment: InstanceExperiment, test: Evaluation, folder: pathlib.Path) -> None:
    """The share of images for which each module is off and on, as the policy's table."""
    decisions, shares = experiment.network.space.decisions, test.architectures.mean(0)
    buffer = io.BytesIO()
    np.savez(
        buffer,
        probabilities=np.stack([1 - shares, shares], 1),
        decisions=np.array([decision.name for decision in decisions]),
        actions=np.array([decision.actions for decision in decisions]),
    )
    write_bytes(folder / "policy.npz", buffer.getvalue())
