"""The batches of a search whose children are trained from scratch, each written down when done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jaxnas.runtime.checkpoint import Checkpoints
from jaxnas.runtime.metrics import MetricsWriter
from jaxnas.runtime.progress import Progress
from jaxnas.runtime.timing import Timing


def run_batches(
    step_of: Callable[[Any], tuple[Any, dict[str, Any]]],
    state: Any,
    total: int,
    shown: Sequence[str],
    *,
    checkpoints: Checkpoints,
    metrics: MetricsWriter,
    progress: Progress,
    timing: Timing,
) -> Any:
    """The state after the last batch.

    Args:
      step_of: `state -> state, values to be written by name`.
      state: after some batches; its `step` says how many.
      total: batches in all.
      shown: the values that the progress shows.
      checkpoints: of the run; so are the following.
      metrics: gets a line for each batch.
      progress: on the terminal.
      timing: of the phases.
    """
    step = int(state.step)
    if step < total:
        metrics.rewind(step - 1)
    progress.phase("search", total)
    progress.advance(steps=step)
    while step < total:
        state, values = step_of(state)
        # The line first: if this ends here, the resumed run drops it and writes it anew.
        metrics.write(step, {"phase": "policy", **values, "seconds": timing.elapsed()})
        checkpoints.save(step + 1, state)
        timing.save("search")
        progress.advance({name: values[name] for name in shown if name in values})
        step += 1
    return state
