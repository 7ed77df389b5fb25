"""Children and images over the devices of a mesh that the caller made.

Children are spread over the mesh axis `child`: sorted, so that those that share much stay
together, and cut into contiguous blocks of like cost, one for each index of that axis; the devices
of an index execute the plan of their own block. Images are spread over the axis `data`: every
operation is then one program over these devices, whose batch statistics are those of the whole
batch, so that a child is the same on any mesh. Gradients are summed over both.

Several processes (`jax.distributed`) call this with the same values; each drives its own devices.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxnas.supernets.blocks import cut
from jaxnas.supernets.executors import side_by_side
from jaxnas.supernets.noise import Noise
from jaxnas.supernets.ops.operation import Params
from jaxnas.supernets.plan import Plan, make_plan

AXES = ("child", "data")


def check_mesh(mesh: Mesh) -> None:
    """Raises `ValueError` where a mesh has axes other than `child` and `data`."""
    unknown = [name for name in mesh.axis_names if name not in AXES]
    if unknown or not mesh.axis_names:
        raise ValueError(
            f"the mesh has axes {list(mesh.axis_names)}: children and images are spread over axes "
            "named 'child' and 'data'; give a mesh with one or both of them."
        )


@dataclasses.dataclass(frozen=True)
class Sharded:
    """An executor over a mesh: `forward` and `vjp` like those of the executor within.

    Attributes:
      executor: executes the plan of one block of children on its devices.
      mesh: the caller's mesh, with axes `child` and `data`, in any order, or one of them.
    """

    executor: Any
    mesh: Mesh

    @functools.cached_property
    def grid(self) -> np.ndarray:
        """The devices, `[children, data]`."""
        names = self.mesh.axis_names
        devices = np.asarray(self.mesh.devices)
        if len(names) == 1:
            return devices[:, None] if names == ("child",) else devices[None]
        return devices if tuple(names) == AXES else devices.T

    @functools.cached_property
    def whole(self) -> Mesh:
        """The caller's devices under the names that are used here."""
        return Mesh(self.grid, AXES)

    @functools.cached_property
    def rows(self) -> dict[int, Mesh]:
        """The devices of each index of `child` of which this process has some."""
        here = jax.process_index()
        return {
            i: Mesh(row, ("data",))
            for i, row in enumerate(self.grid)
            if any(device.process_index == here for device in row)
        }

    def forward(
        self, plan: Plan, params: Params, images: jax.Array, *, noise: Noise | None = None
    ) -> jax.Array:
        """The logits `[A, B, K]`, on all devices of the mesh."""
        blocks = _blocks(plan, len(self.grid), tuple(self.rows))

        def run(i: int, given: _Inputs) -> jax.Array:
            params, images, noise = given
            return self.executor.forward(blocks.plans[i], params, images, noise=noise)

        return self._gather(blocks, self._each(run, self._inputs(params, images, noise)))

    def vjp(self, plan: Plan, params: Params, images: jax.Array, *, noise: Noise | None = None):
        """Like `forward`, and a function from a cotangent `[A, B, K]` to the gradient."""
        pulls: dict[int, Any] = {}
        blocks = _blocks(plan, len(self.grid), tuple(self.rows))

        def run(i: int, given: _Inputs) -> jax.Array:
            params, images, noise = given
            output, pulls[i] = self.executor.vjp(blocks.plans[i], params, images, noise=noise)
            return output

        outputs = self._each(run, self._inputs(params, images, noise))

        def pullback(cotangent: jax.Array) -> Params:
            def pull(i: int, placed: jax.Array) -> Params:
                return pulls[i](blocks.own(i, placed))

            placed = {i: self._place(row, cotangent, None) for i, row in self.rows.items()}
            return self._sum(self._each(pull, placed))

        return self._gather(blocks, outputs), pullback

    def _each(self, work: Callable[[int, Any], Any], given: Mapping[int, Any]) -> dict[int, Any]:
        """What `work` returns for each index of `child` here and what it is given.

        XLA's CPU executes what one thread starts in order, so each CPU has a thread. Where images
        are spread too, all processes must start the programs over them in one order. What is given
        is on its devices already: JAX does not move one array to several from several threads.
        """
        here, results = list(self.rows), {}

        def run(task: int) -> Any:
            i = here[task]
            results[i] = work(i, given[i])
            return results[i]

        platforms = {device.platform for device in self.grid.flat}
        alone = platforms == {"cpu"} and self.grid.shape[1] == 1
        side_by_side.run([()] * len(here), run, len(here) if alone else 1)
        return {i: results[i] for i in here}

    def _inputs(self, params: Params, images: jax.Array, noise: Noise | None) -> dict[int, _Inputs]:
        """What the executor reads, on the devices of each row."""
        placed = {}
        for i, row in self.rows.items():
            on_row = self._place(row, images, "data")
            placed[i] = _Inputs(self._on(row, params), on_row, self._on(row, noise))
        return placed

    def _on(self, row: Mesh, tree: Any) -> Any:
        return jax.tree.map(lambda leaf: self._place(row, leaf, None), tree)

    def _place(self, row: Mesh, leaf: Any, axis: str | None) -> jax.Array:
        """An array on the devices of one row: spread over its first axis, or on each."""
        sharding = NamedSharding(row, PartitionSpec() if axis is None else PartitionSpec(axis))
        if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:
            shards = {shard.device: shard.data for shard in leaf.addressable_shards}
            local = next(iter(shards.values()))
            if not leaf.sharding.is_fully_replicated:
                raise ValueError(
                    "with several processes, give parameters and images that every process has "
                    "whole: as NumPy arrays, on a local device, or replicated over the mesh."
                )
            leaf = local
        if jax.process_count() == 1:
            return jax.device_put(leaf, sharding)
        return _from_local(leaf, sharding)

    def _gather(self, blocks: _Blocks, outputs: dict[int, jax.Array]) -> jax.Array:
        """The logits of all children in the order in which they were asked for."""
        longest = max(len(p) for p in blocks.positions)
        padded = {i: _pad(output, longest) for i, output in outputs.items()}
        stacked = self._stack(padded)
        pairs = zip(blocks.positions, blocks.sizes, strict=True)
        order = np.argsort(np.concatenate([p[:n] for p, n in pairs]))
        starts = [i * longest + np.arange(n) for i, n in enumerate(blocks.sizes)]
        return _everywhere(self.whole, _pick)(stacked, np.concatenate(starts)[order])

    def _sum(self, gradients: dict[int, Params]) -> Params:
        stack = lambda *leaves: self._stack(dict(zip(gradients, leaves, strict=True)))  # noqa: E731
        stacked = jax.tree.map(stack, *gradients.values())
        return _everywhere(self.whole, _total)(stacked)

    def _stack(self, parts: dict[int, jax.Array]) -> jax.Array:
        """One array `[children, ...]` over the mesh, of one part for each index of `child`."""
        shards = []
        for i, row in self.rows.items():
            part = jax.device_put(parts[i], NamedSharding(row, PartitionSpec()))
            shards += [shard.data[None] for shard in part.addressable_shards]
        shape = (len(self.grid), *shards[0].shape[1:])
        sharding = NamedSharding(self.whole, PartitionSpec("child"))
        return jax.make_array_from_single_device_arrays(shape, sharding, shards)


class _Inputs(NamedTuple):
    params: Params
    images: jax.Array
    noise: Noise | None


@dataclasses.dataclass(frozen=True)
class _Blocks:
    positions: list[np.ndarray]
    sizes: list[int]
    plans: dict[int, Plan]

    def own(self, i: int, cotangent: jax.Array) -> jax.Array:
        """The cotangents of one block; those of a child that only fills up are zero."""
        mine = cotangent[self.positions[i]]
        return mine if self.sizes[i] else jnp.zeros_like(mine)


@functools.lru_cache(maxsize=32)
def _blocks(plan: Plan, count: int, here: tuple[int, ...]) -> _Blocks:
    """Contiguous blocks of the sorted children, and the plans of those that run here."""
    parts = list(cut(plan, count))
    parts += [np.array([], int)] * (count - len(parts))
    # An index without a child of its own repeats one, without effect.
    positions = [part if len(part) else parts[0][-1:] for part in parts]
    plans = {i: make_plan(plan.network, plan.architectures[positions[i]]) for i in here}
    return _Blocks(positions, [len(part) for part in parts], plans)


def _from_local(leaf: Any, sharding: NamedSharding) -> jax.Array:
    """A global array of which every process has all values; keys go as their data."""
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        data = _from_local(jax.random.key_data(leaf), sharding)
        return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))
    host = np.asarray(leaf)
    return jax.make_array_from_callback(host.shape, sharding, lambda index: host[index])


def _pad(logits: jax.Array, length: int) -> jax.Array:
    return jnp.pad(logits, ((0, length - len(logits)), (0, 0), (0, 0)))


@functools.lru_cache(maxsize=16)
def _everywhere(mesh: Mesh, function: Callable[..., Any]) -> Callable[..., Any]:
    """A compiled function whose results are on every device of a mesh."""
    return jax.jit(function, out_shardings=NamedSharding(mesh, PartitionSpec()))


def _pick(stacked: jax.Array, order) -> jax.Array:
    return stacked.reshape(-1, *stacked.shape[2:])[order]


def _total(stacked: Params) -> Params:
    return jax.tree.map(lambda leaf: leaf.sum(0), stacked)
