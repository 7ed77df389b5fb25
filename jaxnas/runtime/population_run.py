"""A population search from its first batch to its report."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxnas.population_search import PopulationSearchState
from jaxnas.runtime.checkpoint import Checkpoints
from jaxnas.runtime.errors import RunError
from jaxnas.runtime.files import write_json
from jaxnas.runtime.machine import machine, peak_memory_mb, versions
from jaxnas.runtime.metrics import MetricsWriter
from jaxnas.runtime.outcome import RESULT, policy_file, select
from jaxnas.runtime.packing import digest
from jaxnas.runtime.population_experiment import PopulationExperiment
from jaxnas.runtime.population_final import FinalPhase, finalists
from jaxnas.runtime.progress import Progress
from jaxnas.runtime.report import drawing_of, write_report
from jaxnas.runtime.run_folder import RunFolder
from jaxnas.runtime.timing import Timing


def run(
    experiment: PopulationExperiment,
    folder: RunFolder,
    quiet: bool | None,
    tensorboard: bool,
    command: str,
) -> None:
    """Runs what is not done yet, and writes the result and the report.

    Raises:
      RunError: every child of the search diverged.
    """
    config, timing = experiment.config, Timing(folder.path)
    total = experiment.total_steps + config.final.epochs
    with (
        Progress(total, quiet) as progress,
        MetricsWriter(folder.path, tensorboard=tensorboard) as metrics,
    ):
        progress.log(f"{config.name} on {experiment.dataset.name}: run folder {folder.path}")
        state = experiment.search(Checkpoints(folder.checkpoints), metrics, progress, timing)
        children = finalists(experiment, state)
        if not any(child.kind == "best" for child in children):
            raise RunError(
                f"every child of {folder.path} diverged: lower training.learning_rate and start "
                "another run."
            )
        records = FinalPhase(experiment, folder, children).run(metrics, progress, timing)
        _write(experiment, state, records, folder, command, timing)
        timing.save("report")
        write_report(folder.path)


def _write(
    experiment: PopulationExperiment,
    state: PopulationSearchState,
    records: list[dict[str, Any]],
    folder: RunFolder,
    command: str,
    timing: Timing,
) -> None:
    """Writes everything that the report is made of."""
    best = select([record for record in records if record["kind"] == "best"])
    space = experiment.population.model.space
    write_json(folder.path / "drawing.json", drawing_of(space, best["architecture"]))
    policy_file(experiment.search_of(), state, experiment.key("policy"), space, folder.path)
    result = _result(experiment, state, records, best) | {
        "seconds": sum(timing.seconds.values()),
        "seconds_by_phase": timing.seconds,
        "command": command,
    }
    write_json(folder.path / RESULT, result)


def _result(experiment: PopulationExperiment, state, records, best) -> dict[str, Any]:
    config, dataset = experiment.config, experiment.dataset
    by_kind = {
        kind: [record["test_accuracy"] for record in records if record["kind"] == kind]
        for kind in ("best", "random")
    }
    finite = [float(a) for a in by_kind["random"] if np.isfinite(float(a))]
    weights = [np.frombuffer(bytes.fromhex(r["weights_digest"]), np.uint8) for r in records]
    own_machine = {name: value for name, value in machine().items() if name != "versions"}
    return {
        "name": config.name,
        "child": best["name"],
        "test_accuracy": best["test_accuracy"],
        "validation_accuracy": best["validation_accuracy"],
        "best_test_accuracies": by_kind["best"],
        "random_test_accuracy_mean": float(np.mean(finite)) if finite else None,
        "random_test_accuracies": by_kind["random"],
        "architecture": best["architecture"],
        "parameters": best["parameters"],
        "state_digest": digest((state, weights)),
        "config": config,
        "seed": config.seed,
        "versions": versions(),
        "machine": own_machine | {"peak_memory_mb": round(peak_memory_mb())},
        "data": {"name": dataset.name, **dataset.sizes},
        "search": {
            "children": experiment.total_steps * config.search.batch,
            "random_children": experiment.total_steps * config.search.random,
            "best_values": np.asarray(state.best.values).tolist(),
            "random_best_values": np.asarray(state.random.values).tolist(),
        },
        "children": records,
    }
