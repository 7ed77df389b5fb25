"""A population search from its first batch to its report."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxnas.population_search import PopulationSearchState
from jaxnas.runtime.checkpoint import Checkpoints
from jaxnas.runtime.errors import RunError
from jaxnas.runtime.files import write_json
from jaxnas.runtime.metrics import MetricsWriter
from jaxnas.runtime.outcome import RESULT, policy_file, select
from jaxnas.runtime.population_experiment import PopulationExperiment
from jaxnas.runtime.population_final import FinalPhase, finalists
from jaxnas.runtime.progress import Progress
from jaxnas.runtime.report import drawing_of_walk, write_report
from jaxnas.runtime.run_facts import children_facts, run_facts, state_digest
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
    write_json(folder.path / "drawing.json", drawing_of_walk(best["architecture"]["walk"]))
    policy_file(experiment.search_of(), state, experiment.key("policy"), space, folder.path)
    measure = "perplexity" if "test_perplexity" in best else "accuracy"
    names = (f"test_{measure}", f"validation_{measure}", "architecture", "parameters")
    result = {
        "name": experiment.config.name,
        **children_facts(records, best, names, measure),
        "state_digest": state_digest(state, records),
        **run_facts(experiment, command, timing),
        "search": _search(experiment, state),
    }
    write_json(folder.path / RESULT, result)


def _search(experiment: PopulationExperiment, state: PopulationSearchState) -> dict[str, Any]:
    """How many children were trained, and the values of the best."""
    config = experiment.config.search
    return {
        "children": experiment.total_steps * config.batch,
        "random_children": experiment.total_steps * config.random,
        "best_values": np.asarray(state.best.values).tolist(),
        "random_best_values": np.asarray(state.random.values).tolist(),
    }
