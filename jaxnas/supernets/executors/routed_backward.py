"""The way back of the routed executor: one sweep over the steps in reverse.

The cotangent of a slot is complete once all steps that read it are pulled back; each step that
added to the slot then gets the rows of its own images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jaxnas.supernets.executors import routed_steps as steps
from jaxnas.supernets.executors.routed_rows import Rows, chunk_rows
from jaxnas.supernets.ops.operation import Params
from jaxnas.supernets.routing import Leg
from jaxnas.supernets.ways import INPUT, Step

if TYPE_CHECKING:
    from jaxnas.supernets.executors.routed import Run

Slots = dict[int, jax.Array]


def backward(run: Run, cotangent: jax.Array) -> Params:
    """The gradient of a run's parameters, from the cotangent `[B, K]` of its logits.

    It empties the run's tape.
    """
    gradients = list(jax.tree.map(jnp.zeros_like, run.params))
    for leg in reversed(run.routing.legs):
        slots: Slots = {leg.ways.output: cotangent}
        while run.tape and run.tape[-1][0] is leg:
            _, position, kept = run.tape.pop()
            _pull(run, gradients, leg, leg.ways.steps[position], kept, slots)
        if leg is not run.routing.legs[0]:
            cotangent = run.slot(leg, slots, INPUT)
    return tuple(gradients)


def _pull(run: Run, gradients: list[Params], leg: Leg, step: Step, kept: Any, slots: Slots) -> None:
    rows, saved = kept
    if step.target not in slots:
        return
    cotangent = slots[step.target]
    if not step.key:
        _pull_move(run, leg, step, cotangent, rows, slots)
        return
    wanted = run.wanted(leg, step)
    names = [slot for slot, w in zip(step.sources, wanted, strict=True) if w]
    # The inputs may be one slot twice: then each share is added to the slot by itself.
    once = len(set(names)) == len(names)
    targets = [run.slot(leg, slots, n) if once else run.zeros(leg, n) for n in names]
    group = run.network.rows[step.key][0]
    pull = _pull_chunked if run.chunk else _pull_dense
    gradients[group], shares = pull(
        run, step, wanted, rows, saved, gradients[group], targets, cotangent
    )
    for name, share in zip(names, shares, strict=True):
        slots[name] = share if once else steps.add(run.slot(leg, slots, name), share)


def _pull_dense(run: Run, step: Step, _, rows: Rows, saved, gradient, targets, cotangent):
    row = run.network.rows[step.key][1]
    return steps.pull_dense(saved, cotangent, rows.rows, row, gradient, targets)


def _pull_chunked(run: Run, step: Step, wanted, rows: Rows, saved, gradient, targets, cotangent):
    operation, stack, row = run.locate(step)
    assert run.chunk
    return steps.pull_chunked(
        operation,
        run.policy,
        run.chunk,
        wanted,
        stack,
        row,
        saved,
        chunk_rows(rows, run.size, run.chunk),
        rows.count,
        gradient,
        targets,
        cotangent,
        run.moments(step.key),
    )


def _pull_move(run: Run, leg: Leg, step: Step, cotangent, rows: Rows, slots: Slots) -> None:
    (source,) = step.sources
    target = run.slot(leg, slots, source)
    if rows.rows is None:
        slots[source] = steps.add(target, cotangent)
    else:
        slots[source] = steps.move(target, cotangent, rows.rows)
