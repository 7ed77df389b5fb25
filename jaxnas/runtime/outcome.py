"""What a finished run says: `result.json`, the policy's table, the drawing of its best child."""

from __future__ import annotations

import io
import json
import pathlib
from typing import Any

import numpy as np
from scipy.stats import kendalltau

from jaxnas.derive import policy_table
from jaxnas.engine import SearchState
from jaxnas.runtime.errors import unfinished
from jaxnas.runtime.experiment import Experiment
from jaxnas.runtime.files import write_bytes, write_json
from jaxnas.runtime.json_values import from_json
from jaxnas.runtime.report import drawing_of
from jaxnas.runtime.run_facts import children_facts, run_facts, state_digest
from jaxnas.runtime.timing import Timing
from jaxnas.spaces import SearchSpace

RESULT = "result.json"


def read(run_dir: pathlib.Path) -> dict[str, Any]:
    """The content of `result.json`; raises `RunError` where the run is not finished."""
    try:
        return from_json(json.loads((run_dir / RESULT).read_text()))
    except (OSError, ValueError) as error:
        raise unfinished(run_dir) from error


def write(
    experiment: Experiment,
    state: SearchState,
    records: list[dict[str, Any]],
    folder: pathlib.Path,
    command: str,
    timing: Timing,
) -> None:
    """Writes everything that the report is made of."""
    space = experiment.network.space
    best = select([record for record in records if record["kind"] == "best"])
    write_json(folder / "drawing.json", drawing_of(space, best["architecture"]))
    policy_file(experiment.engine, state, experiment.key("policy"), space, folder)
    write_json(folder / RESULT, _result(experiment, state, records, best, command, timing))


def select(records: list[dict[str, Any]]) -> dict[str, Any]:
    """The child with the highest reward on validation data, which is its accuracy by default.

    The first of equals; a diverged one comes last.
    """
    rewards = [_finite(r["reward"] if "reward" in r else r["validation_accuracy"]) for r in records]
    return records[max(range(len(records)), key=lambda i: (rewards[i], -i))]


def _finite(value: Any) -> float:
    number = float(value)
    return number if np.isfinite(number) else -1.0


def _result(experiment, state, records, best, command: str, timing: Timing) -> dict[str, Any]:
    accuracies = ("test_accuracy", "validation_accuracy")
    names = (*accuracies, "architecture", "parameters", "flops", "latency")
    return {
        "name": experiment.config.name,
        **children_facts(records, best, names),
        "state_digest": state_digest(state, records),
        **run_facts(experiment, command, timing),
        "ranking": _ranking(records),
    }


def _ranking(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Kendall's tau between shared-weight and stand-alone validation accuracy of all children."""
    pairs = [(_finite(r["shared_accuracy"]), _finite(r["validation_accuracy"])) for r in records]
    shared, alone = zip(*pairs, strict=True)
    tau = kendalltau(shared, alone).statistic if len(pairs) > 2 else float("nan")
    return {
        "kendall_tau": float(tau) if np.isfinite(tau) else None,
        "shared": list(shared),
        "standalone": list(alone),
    }


def policy_file(
    engine: Any, state: Any, key: Any, space: SearchSpace, folder: pathlib.Path
) -> None:
    """Writes `policy.npz`: how often the searcher takes each action."""
    decisions = space.decisions
    table = policy_table(engine, state, key)
    labels = [[*d.actions, *[""] * (table.shape[1] - len(d.actions))] for d in decisions]
    buffer = io.BytesIO()
    names = np.array([d.name for d in decisions])
    np.savez(buffer, probabilities=table, decisions=names, actions=np.array(labels))
    write_bytes(folder / "policy.npz", buffer.getvalue())
