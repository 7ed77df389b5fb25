"""The most that a device does: its matrix products, its memory, and what a process has held."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp


def matmul_peak(dtype: str = "float32", size: int = 2048, *, wall: bool = True) -> float:
    """FLOP/s of products of `size x size` matrices by XLA: the best of 7.

    Args:
      dtype: of the matrices.
      size: rows and columns.
      wall: by elapsed time; by process time otherwise, for one thread on a shared machine.
    """
    x = jnp.ones((size, size), dtype)
    return 2 * size**3 / _best(jax.jit(lambda x: x @ x), x, wall=wall)


def bandwidth(dtype: str = "float32", megabytes: int = 256) -> float:
    """Bytes/s that one elementwise pass reads and writes: the best of 7."""
    x = jnp.ones((megabytes * 2**20 // jnp.dtype(dtype).itemsize,), dtype)
    return 2 * x.nbytes / _best(jax.jit(lambda x: x + 1), x, wall=True)


def _best(function: Callable[[jax.Array], jax.Array], x: jax.Array, *, wall: bool) -> float:
    clock = time.perf_counter if wall else time.process_time
    jax.block_until_ready(function(x))
    seconds = []
    for _ in range(7):
        start = clock()
        jax.block_until_ready(function(x))
        seconds.append(clock() - start)
    return min(seconds)


def peak_memory_mb() -> float:
    """The most memory that this process has held, in MB (10^6 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
