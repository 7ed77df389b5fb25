"""Compiling programs side by side: XLA holds no lock of Python's while it compiles."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from jax.stages import Lowered


class ParallelCompilation:
    """Compiles lowered programs on as many threads as there are cores; leaving waits for all.

    The jitted functions that they were lowered from find them compiled. Errors are left to them.

    Example:
      >>> import jax
      >>> with ParallelCompilation() as compilation:
      ...     compilation.add(jax.jit(lambda x: x + 1).lower(1.0))
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="compile")

    def add(self, lowered: Lowered) -> None:
        """Has a program compiled as soon as a thread is free."""
        self._pool.submit(lowered.compile)

    def __enter__(self) -> ParallelCompilation:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown(wait=True)
