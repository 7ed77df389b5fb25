"""Programs that depend on each other's results, on several threads: the cores of a CPU.

One operation on one minibatch gains little from a second core, two of them side by side gain nearly
all of it. XLA executes what one thread starts one after the other, so each core has a thread, which
waits for what it has started before it takes the next. Results do not depend on who computes them.
Programs that split themselves over all cores would stand in each other's way: see `program.py`.
"""

from __future__ import annotations

import heapq
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

import jax

LEAST_FLOPS = 2e6
"""Of a mean application, below which waiting for single programs costs more than it gains."""

# What a caller may have set for its own thread alone, which others would not know.
_OPTIONS = (
    "jax_enable_x64",
    "jax_default_matmul_precision",
    "jax_default_device",
    "jax_default_prng_impl",
    "jax_disable_jit",
    "jax_debug_nans",
    "jax_debug_infs",
    "jax_log_compiles",
    "jax_numpy_dtype_promotion",
    "jax_numpy_rank_promotion",
)
_local = threading.local()


def cores() -> int:
    """How many threads have a core; 1 on a thread that is one of several already."""
    if getattr(_local, "busy", False):
        return 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run(reads: Sequence[Sequence[int]], work: Callable[[int], Any], threads: int) -> None:
    """Calls `work(i)` once for every task `i`, after its calls for all tasks that `i` reads.

    Of the tasks that can run, the first in order is taken first, so that about as few results
    are alive as in that order.

    Args:
      reads: for each task, the tasks whose results it reads; they come before it.
      work: does a task and returns its arrays; called on several threads.
      threads: how many; with 1 the tasks are called in order, and nothing is waited for.

    Raises:
      BaseException: what the first task that failed raised; no further task is started.

    Example:
      >>> done = []
      >>> run([[], [0], [0], [1, 2]], done.append, threads=2)
      >>> done[0], done[-1]
      (0, 3)
    """
    if threads == 1 or len(reads) < 2:
        for task in range(len(reads)):
            work(task)
        return
    tasks = _Tasks(reads, work, _options())
    others = [threading.Thread(target=tasks.help, daemon=True) for _ in range(threads - 1)]
    for thread in others:
        thread.start()
    tasks.help()
    for thread in others:
        thread.join()
    if tasks.error is not None:
        raise tasks.error


def _options() -> tuple[Any, ...]:
    return tuple(getattr(jax.config, name, None) for name in _OPTIONS)


class _Tasks:
    """The tasks of one run and who may take the next."""

    def __init__(self, reads: Sequence[Sequence[int]], work: Callable[[int], Any], options: Any):
        self.error: BaseException | None = None
        self._work, self._options, self._left = work, options, len(reads)
        self._missing = [len(set(read)) for read in reads]
        self._readers: list[list[int]] = [[] for _ in reads]
        for task, read in enumerate(reads):
            for source in set(read):
                self._readers[source].append(task)
        self._ready = [task for task, missing in enumerate(self._missing) if not missing]
        self._changed = threading.Condition()

    def help(self) -> None:
        """Does tasks until there are none; nothing on a thread whose options are not the caller's.

        The caller itself is always of use, so all is done whatever the others are worth.
        """
        if _options() != self._options:
            return
        before, _local.busy = getattr(_local, "busy", False), True
        try:
            while (task := self._take()) is not None:
                jax.block_until_ready(self._work(task))
                self._finish(task)
        except BaseException as error:
            self._fail(error)
        finally:
            _local.busy = before

    def _take(self) -> int | None:
        with self._changed:
            self._changed.wait_for(lambda: self._ready or not self._left or self.error is not None)
            return heapq.heappop(self._ready) if self._ready and self.error is None else None

    def _finish(self, task: int) -> None:
        with self._changed:
            self._left -= 1
            for reader in self._readers[task]:
                self._missing[reader] -= 1
                if not self._missing[reader]:
                    heapq.heappush(self._ready, reader)
            self._changed.notify_all()

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            self.error = self.error or error
            self._changed.notify_all()
