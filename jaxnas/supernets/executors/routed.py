"""The routed executor: every image of a batch has its own architecture.

Images that chose an operation are gathered, the operation runs on them alone, and its results are
scattered back, so that an image pays for what it chose. Driven from Python a step is one compiled
call per operation, in sizes that are few; inside `jit` the same steps make one program, and the
architectures may be traced (a controller's, say).

How a batch is normalised is said by `statistics`:

- `"batch"`: by the moments of the images that were routed to the operation, as in training;
- `"image"`: each image by its own moments, which makes it independent of the batch;
- moments by operation (`measure_moments`): each image by given moments, as in inference.

Source: Cheng et al. 2018, "InstaNAS" (arXiv:1811.10201), whose code computes all operations for
all images and masks the results.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import jax

from jaxnas.supernets.executors import routed_steps as steps
from jaxnas.supernets.executors.routed_backward import backward
from jaxnas.supernets.executors.routed_chunks import default_chunk, heavy_chunk
from jaxnas.supernets.executors.routed_rows import Rows, chunk_rows, rows_of
from jaxnas.supernets.executors.statistics import Statistics, moments_of, policy_of
from jaxnas.supernets.network import Key
from jaxnas.supernets.ops.operation import Operation, Params
from jaxnas.supernets.routing import Leg, Routing
from jaxnas.supernets.ways import INPUT, Step


def forward(
    routing: Routing,
    params: Params,
    images: jax.Array,
    *,
    statistics: Statistics = "batch",
    chunk: int | None = None,
) -> jax.Array:
    """The logits `[B, K]` of images `[B, H, W, C]`, image `i` through its own architecture.

    Args:
      routing: the plan of the batch.
      params: the shared parameters.
      images: float `[B, H, W, C]`.
      statistics: `"batch"`, `"image"`, or moments by operation.
      chunk: images per pass through an operation; `None` for all at once. By default
        `jaxnas.supernets.executors.routed_chunks`.

    Raises:
      ValueError: unknown statistics, chunks with `"batch"`, or moments that miss an operation.
    """
    return Run(routing, params, images, statistics, chunk).forward()


def vjp(
    routing: Routing,
    params: Params,
    images: jax.Array,
    *,
    statistics: Statistics = "batch",
    chunk: int | None = None,
):
    """Like `forward`, and a function from a cotangent `[B, K]` to the gradient of `params`.

    The function frees what it has used, so it can be called once. Moments are constants.
    """
    run = Run(routing, params, images, statistics, chunk, keep=True)
    return run.forward(), functools.partial(backward, run)


class Run:
    """One pass through the steps.

    Attributes:
      tape: what the way back needs of each step that was taken, where it is kept.
    """

    def __init__(
        self,
        routing: Routing,
        params: Params,
        images: jax.Array,
        statistics: Statistics,
        chunk: int | None,
        *,
        keep: bool = False,
        record: dict[Key, Any] | None = None,
    ):
        self.network, self.routing = routing.network, routing
        self.params, self.images, self.statistics = params, images, statistics
        self.policy = policy_of(statistics)
        self.chunk = default_chunk(self.policy) if chunk is None else chunk
        if self.chunk and self.policy == "batch":
            raise ValueError("statistics 'batch' are of all images routed: they allow no chunks.")
        self.by_default = chunk is None
        self.keep, self.record = keep, record
        self.size = len(routing.legs[0].taken)
        self._check()
        self.tape: list[tuple[Leg, int, Any]] = []

    def _check(self) -> None:
        shared = self.routing.legs[0].origins is not None
        if shared and (self.keep or not self.chunk):
            raise ValueError("architectures share images only forward, and not in one batch.")
        if not shared and self.size != len(self.images):
            raise ValueError(
                f"{self.size} architectures for {len(self.images)} images: give one per image."
            )

    def forward(self) -> jax.Array:
        """The logits `[B, K]`."""
        value = self.images
        for leg in self.routing.legs:
            value = self._leg(leg, value)
        return value

    def _leg(self, leg: Leg, value: jax.Array) -> jax.Array:
        slots: dict[int, jax.Array] = {INPUT: value}
        for position, step in enumerate(leg.ways.steps):
            rows = rows_of(leg, position, self.chunk)
            if rows is not None:
                self._step(leg, position, step, rows, slots)
            for slot in leg.ways.frees[position]:
                slots.pop(slot, None)
        return self.slot(leg, slots, leg.ways.output)

    def slot(self, leg: Leg, slots: dict[int, jax.Array], slot: int) -> jax.Array:
        """The value of a slot; zeros where nothing was added to it."""
        if slot not in slots:
            slots[slot] = self.zeros(leg, slot)
        return slots[slot]

    def zeros(self, leg: Leg, slot: int) -> jax.Array:
        """An empty slot."""
        return steps.zeros((self.size, *leg.ways.shapes[slot]), self.images.dtype)

    def _step(self, leg: Leg, position: int, step: Step, rows: Rows, slots) -> None:
        sources = [self.slot(leg, slots, slot) for slot in step.sources]
        if not step.key:
            slots[step.target] = self._move(leg, step, sources[0], rows, slots)
        elif self.chunk and self.record is None:
            target = self.slot(leg, slots, step.target)
            slots[step.target] = self._chunked(leg, step, sources, target, rows)
        else:
            self._dense(leg, position, step, sources, rows, slots)
            return
        if self.keep:
            self.tape.append((leg, position, (rows, sources)))

    def _move(self, leg: Leg, step: Step, source, rows: Rows, slots) -> jax.Array:
        if rows.rows is not None:
            (origins,) = _origins(leg, step)
            return steps.move(self.slot(leg, slots, step.target), source, rows.rows, origins)
        return source if step.alone else steps.add(self.slot(leg, slots, step.target), source)

    def _chunked(self, leg: Leg, step: Step, sources, target, rows: Rows) -> jax.Array:
        assert self.chunk
        operation, stack, row = self.locate(step)
        chunk = heavy_chunk(self.chunk, stack, self.size) if self.by_default else self.chunk
        positions, moments = chunk_rows(rows, self.size, chunk), self.moments(step.key)
        return steps.chunked(
            operation,
            self.policy,
            chunk,
            stack,
            row,
            sources,
            target,
            positions,
            rows.count,
            moments,
            _origins(leg, step),
        )

    def _dense(self, leg: Leg, position: int, step: Step, sources, rows: Rows, slots) -> None:
        operation, stack, row = self.locate(step)
        moments = self.moments(step.key)
        if self.record is not None:
            output, found = steps.dense_and_record(operation, stack, row, sources, rows.rows)
            if jax.tree.leaves(found):
                self._keep_moments(step.key, found)
        elif self.keep:
            output, pullback = steps.dense_vjp(
                operation,
                self.policy,
                self.wanted(leg, step),
                stack,
                row,
                sources,
                rows.rows,
                moments,
            )
            self.tape.append((leg, position, (rows, pullback)))
        else:
            output = steps.dense(operation, self.policy, stack, row, sources, rows.rows, moments)
        if rows.rows is not None:
            target = self.slot(leg, slots, step.target)
            slots[step.target] = steps.add_rows(target, rows.rows, output)
        elif step.alone or step.target not in slots:
            slots[step.target] = output
        else:
            slots[step.target] = steps.add(slots[step.target], output)

    def _keep_moments(self, key: Key, found: Any) -> None:
        assert self.record is not None
        if key in self.record:
            raise ValueError(
                f"an image of {self.network.name!r} applies {key!r} more than once, so its "
                "normalisation has no moments of its own."
            )
        self.record[key] = found

    def order(self) -> Iterator[tuple[Leg, int]]:
        """The steps that some image takes, in order: one for each entry of the tape."""
        for leg in self.routing.legs:
            for position in range(len(leg.ways.steps)):
                if rows_of(leg, position, self.chunk) is not None:
                    yield leg, position

    def wanted(self, leg: Leg, step: Step) -> tuple[bool, ...]:
        """Which inputs need a cotangent: all but the images."""
        first = leg is self.routing.legs[0]
        return tuple(not (first and slot == INPUT) for slot in step.sources)

    def locate(self, step: Step) -> tuple[Operation, Params, int]:
        """The operation of a step, the stack of its parameters, and its row in the stack."""
        group, row = self.network.rows[step.key]
        return self.network.operations[step.key].operation, self.params[group], row

    def moments(self, key: Key) -> Any:
        """The moments that an operation normalises by; `None` for those of its images."""
        return moments_of(self.network, key, self.statistics)


def _origins(leg: Leg, step: Step) -> tuple[Any, ...]:
    """For each source of a step whose values an image reads; `None` for its own."""
    return tuple(leg.origins if slot == INPUT else None for slot in step.sources)
