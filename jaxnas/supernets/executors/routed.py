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

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.supernets.executors import routed_steps as steps
from jaxnas.supernets.executors.statistics import Statistics, moments_of, policy_of
from jaxnas.supernets.network import Key
from jaxnas.supernets.ops.operation import Operation, Params
from jaxnas.supernets.routing import Leg, Routing
from jaxnas.supernets.ways import INPUT, Step

SIZES = 8
"""A gathered batch is filled up to a multiple of `B / SIZES`, so that programs are few."""


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
        `default_chunk`.

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
    return run.forward(), run.backward


def default_chunk(policy: str) -> int | None:
    """Images per pass through an operation: all with shared statistics, few on a CPU, else 32."""
    if policy == "batch":
        return None
    return 4 if jax.default_backend() == "cpu" else 32


class Rows(NamedTuple):
    """The images of one step.

    Attributes:
      rows: `int32 [m]` positions, unused ones `B`; `None` for all images.
      count: how many are used.
    """

    rows: Any
    count: Any


class Run:
    """One pass through the steps, and back."""

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
        self.keep, self.record = keep, record
        self.size = len(images)
        self.tape: list[tuple[Leg, int, Any]] = []

    def forward(self) -> jax.Array:
        """The logits `[B, K]`."""
        value = self.images
        for leg in self.routing.legs:
            if len(leg.taken) != self.size:
                raise ValueError(
                    f"{len(leg.taken)} architectures for {self.size} images: give one per image."
                )
            value = self._leg(leg, value)
        return value

    def _leg(self, leg: Leg, value: jax.Array) -> jax.Array:
        slots: dict[int, jax.Array] = {INPUT: value}
        for position, step in enumerate(leg.ways.steps):
            rows = self._rows(leg, position)
            if rows is not None:
                self._step(leg, position, step, rows, slots)
            for slot in leg.ways.frees[position]:
                slots.pop(slot, None)
        return self._slot(leg, slots, leg.ways.output)

    def _slot(self, leg: Leg, slots: dict[int, jax.Array], slot: int) -> jax.Array:
        """The value of a slot; zeros where nothing was added to it."""
        if slot not in slots:
            slots[slot] = self._zeros(leg, slot)
        return slots[slot]

    def _zeros(self, leg: Leg, slot: int) -> jax.Array:
        return steps.zeros((self.size, *leg.ways.shapes[slot]), self.images.dtype)

    def _step(self, leg: Leg, position: int, step: Step, rows: Rows, slots) -> None:
        sources = [self._slot(leg, slots, slot) for slot in step.sources]
        if not step.key:
            slots[step.target] = self._move(leg, step, sources[0], rows, slots)
        elif self.chunk and self.record is None:
            target = self._slot(leg, slots, step.target)
            slots[step.target] = self._chunked(step, sources, target, rows)
        else:
            self._dense(leg, position, step, sources, rows, slots)
            return
        if self.keep:
            self.tape.append((leg, position, (rows, sources)))

    def _move(self, leg: Leg, step: Step, source, rows: Rows, slots) -> jax.Array:
        if rows.rows is not None:
            return steps.move(self._slot(leg, slots, step.target), source, rows.rows)
        return source if step.alone else steps.add(self._slot(leg, slots, step.target), source)

    def _chunked(self, step: Step, sources, target, rows: Rows) -> jax.Array:
        operation, stack, row = self._locate(step)
        positions, moments = self._chunk_rows(rows), self._moments(step.key)
        return steps.chunked(
            operation,
            self.policy,
            self.chunk,
            stack,
            row,
            sources,
            target,
            positions,
            rows.count,
            moments,
        )

    def _dense(self, leg: Leg, position: int, step: Step, sources, rows: Rows, slots) -> None:
        operation, stack, row = self._locate(step)
        moments = self._moments(step.key)
        if self.record is not None:
            output, found = steps.dense_and_record(operation, stack, row, sources, rows.rows)
            if jax.tree.leaves(found):
                self._keep_moments(step.key, found)
        elif self.keep:
            output, pullback = steps.dense_vjp(
                operation,
                self.policy,
                self._wanted(leg, step),
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
            target = self._slot(leg, slots, step.target)
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
                if self._rows(leg, position) is not None:
                    yield leg, position

    def backward(self, cotangent: jax.Array) -> Params:
        """The gradient of the parameters, from the cotangent `[B, K]` of the logits."""
        self.gradients = list(jax.tree.map(jnp.zeros_like, self.params))
        value = cotangent
        for leg in reversed(self.routing.legs):
            slots = {leg.ways.output: value}
            while self.tape and self.tape[-1][0] is leg:
                _, position, kept = self.tape.pop()
                self._pull(leg, leg.ways.steps[position], kept, slots)
            if INPUT in slots:
                value = slots[INPUT]
            elif leg is not self.routing.legs[0]:
                value = self._zeros(leg, INPUT)
        return tuple(self.gradients)

    def _pull(self, leg: Leg, step: Step, kept: Any, slots: dict[int, jax.Array]) -> None:
        rows, saved = kept
        if step.target not in slots:
            return
        cotangent = slots[step.target]
        if not step.key:
            self._pull_move(leg, step, cotangent, rows, slots)
            return
        wanted = self._wanted(leg, step)
        # The inputs may be one slot twice: each share is added to the slot by itself.
        names = [slot for slot, w in zip(step.sources, wanted, strict=True) if w]
        once = len(set(names)) == len(names)
        targets = [self._slot(leg, slots, n) if once else self._zeros(leg, n) for n in names]
        shares = self._pull_operation(step, wanted, rows, saved, cotangent, targets)
        for name, share in zip(names, shares, strict=True):
            slots[name] = share if once else steps.add(self._slot(leg, slots, name), share)

    def _pull_operation(self, step: Step, wanted, rows: Rows, saved, cotangent, targets):
        operation, stack, row = self._locate(step)
        group = self.network.rows[step.key][0]
        if self.chunk:
            self.gradients[group], shares = steps.pull_chunked(
                operation,
                self.policy,
                self.chunk,
                wanted,
                stack,
                row,
                saved,
                self._chunk_rows(rows),
                rows.count,
                self.gradients[group],
                targets,
                cotangent,
                self._moments(step.key),
            )
        else:
            self.gradients[group], shares = steps.pull_dense(
                saved, cotangent, rows.rows, row, self.gradients[group], targets
            )
        return shares

    def _pull_move(self, leg: Leg, step: Step, cotangent, rows: Rows, slots) -> None:
        (source,) = step.sources
        target = self._slot(leg, slots, source)
        if rows.rows is None:
            slots[source] = steps.add(target, cotangent)
        else:
            slots[source] = steps.move(target, cotangent, rows.rows)

    def _wanted(self, leg: Leg, step: Step) -> tuple[bool, ...]:
        """Which inputs need a cotangent: all but the images."""
        first = leg is self.routing.legs[0]
        return tuple(not (first and slot == INPUT) for slot in step.sources)

    def _locate(self, step: Step) -> tuple[Operation, Params, int]:
        group, row = self.network.rows[step.key]
        return self.network.operations[step.key].operation, self.params[group], row

    def _moments(self, key: Key) -> Any:
        return moments_of(self.network, key, self.statistics)

    def _rows(self, leg: Leg, position: int) -> Rows | None:
        """The images that take a step, in a batch of one of few sizes; `None` for no image."""
        if leg.whole(position):
            return Rows(None, self.size)
        taken = leg.taken[:, position]
        if isinstance(taken, np.ndarray):
            found = np.flatnonzero(taken)
            if not len(found):
                return None
            multiple = self.size if self.chunk else -(-self.size // SIZES)
            size = -(-len(found) // multiple) * multiple
            rows: Any = np.full(min(size, self.size), self.size, np.int32)
            rows[: len(found)] = found
            return Rows(rows, len(found))
        rows = jnp.nonzero(taken, size=self.size, fill_value=self.size)[0].astype(jnp.int32)
        return Rows(rows, taken.sum())

    def _chunk_rows(self, rows: Rows) -> Any:
        """All positions, filled up to whole chunks."""
        assert self.chunk
        fill = -self.size % self.chunk
        if rows.rows is None:
            return np.minimum(np.arange(self.size + fill, dtype=np.int32), self.size)
        library = np if isinstance(rows.rows, np.ndarray) else jnp
        return library.concatenate([rows.rows, np.full(fill, self.size, np.int32)])
