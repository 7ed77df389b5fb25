"""The steps of a search in a run folder, from its last checkpoint to its end."""

from __future__ import annotations

from typing import Any, Protocol

import jax

from jaxnas.runtime.checkpoint import Checkpoints
from jaxnas.runtime.metrics import MetricsWriter
from jaxnas.runtime.progress import Progress
from jaxnas.runtime.timing import Timing

CHECKPOINT_SECONDS = 10.0
_SHOWN = ("loss", "accuracy", "reward_mean", "random_reward_mean", "entropy")


class Steps(Protocol):
    """What runs here: a sequence of steps of known length, each a function of one state."""

    @property
    def total_steps(self) -> int:
        """The number of steps."""
        ...

    def init(self, key: jax.Array) -> Any:
        """The state before the first step; its `step` counts those done."""
        ...

    def step(self, state: Any, data: Any) -> tuple[Any, dict[str, Any]]:
        """The next step, and what it measured."""
        ...


def run_search(
    engine: Steps,
    key: jax.Array,
    data: Any,
    checkpoints: Checkpoints,
    metrics: MetricsWriter,
    progress: Progress,
    timing: Timing,
) -> Any:
    """Runs a search from the last checkpoint, or from the start, to its end; returns its state."""
    state = _restore(engine, key, checkpoints, metrics)
    progress.phase("search", engine.total_steps)
    progress.advance(steps=int(state.step))
    pending: list[tuple[int, dict[str, Any]]] = []
    try:
        while int(state.step) < engine.total_steps:
            step = int(state.step)
            state, measured = engine.step(state, data)
            pending.append((step, measured | {"seconds": timing.elapsed()}))
            if len(pending) > 1 or measured["phase"] == "policy":
                _flush(pending, metrics, progress)
            if timing.due(CHECKPOINT_SECONDS):
                _flush(pending, metrics, progress)
                _save(checkpoints, timing, state)
    finally:
        # Ctrl-C too: the last whole step is not lost.
        _flush(pending, metrics, progress)
        _save(checkpoints, timing, state)
    return state


def _restore(
    engine: Steps, key: jax.Array, checkpoints: Checkpoints, metrics: MetricsWriter
) -> Any:
    found = checkpoints.restore(jax.eval_shape(engine.init, key))
    step, state = found if found is not None else (0, engine.init(key))
    if step < engine.total_steps:
        metrics.rewind(step - 1)
    return state


def _save(checkpoints: Checkpoints, timing: Timing, state: Any) -> None:
    checkpoints.save(int(state.step), state)
    timing.save("search")


def _flush(pending: list, metrics: MetricsWriter, progress: Progress) -> None:
    while pending:
        step, measured = pending[0]
        values = {
            name: float(value) if isinstance(value, jax.Array) else value
            for name, value in measured.items()
        }
        # Taken off first: Ctrl-C here must not write a line twice.
        del pending[0]
        metrics.write(step, values)
        progress.advance({name: values[name] for name in _SHOWN if name in values})
