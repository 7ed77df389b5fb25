"""What `result.json` says of a run, whatever was searched for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from jaxnas.runtime.machine import machine, peak_memory_mb, versions
from jaxnas.runtime.packing import digest
from jaxnas.runtime.timing import Timing


def run_facts(experiment: Any, command: str, timing: Timing) -> dict[str, Any]:
    """How the run was started, on what, and how long it took.

    Args:
      experiment: with its `config` and `dataset`.
      command: that started it.
      timing: the seconds of its phases.
    """
    config, dataset = experiment.config, experiment.dataset
    own_machine = {name: value for name, value in machine().items() if name != "versions"}
    return {
        "seconds": sum(timing.seconds.values()),
        "seconds_by_phase": timing.seconds,
        "config": config,
        "seed": config.seed,
        "command": command,
        "versions": versions(),
        "machine": own_machine | {"peak_memory_mb": round(peak_memory_mb())},
        "data": {"name": dataset.name, **dataset.sizes},
    }


def children_facts(
    records: list[dict[str, Any]],
    best: dict[str, Any],
    names: Iterable[str],
    measure: str = "accuracy",
) -> dict[str, Any]:
    """What the trained children come to: the best one, and what those of each kind are worth.

    Args:
      records: of all trained children, of kind `best`, `random` or `baseline`.
      best: the record of the best one.
      names: what of that record stands at the top.
      measure: `accuracy` or `perplexity`.
    """
    many = measure.removesuffix("y") + "ies"
    by_kind = {
        kind: [record[f"test_{measure}"] for record in records if record["kind"] == kind]
        for kind in ("best", "random")
    }
    finite = [float(a) for a in by_kind["random"] if np.isfinite(float(a))]
    return {
        "child": best["name"],
        **{name: best.get(name) for name in names},
        f"best_test_{many}": by_kind["best"],
        f"random_test_{measure}_mean": float(np.mean(finite)) if finite else None,
        f"random_test_{many}": by_kind["random"],
        "children": records,
    }


def state_digest(state: Any, records: list[dict[str, Any]]) -> str:
    """One digest of the search's final state and the weights of all trained networks."""
    weights = [np.frombuffer(bytes.fromhex(r["weights_digest"]), np.uint8) for r in records]
    return digest((state, weights))
