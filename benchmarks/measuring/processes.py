"""Processes of their own for measurements: their threads, cores and allocator are set."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from measuring.allocator import SETTINGS

FOLDER = pathlib.Path(__file__).resolve().parents[1]


def run_worker(
    module: str, task: dict[str, Any], threads: int, allocator: Mapping[str, str] = SETTINGS
) -> Any:
    """Runs `python -m module TASK RESULT` and returns what it wrote.

    Args:
      module: a module below `benchmarks/`.
      task: what it is to do; written to the file `TASK` as JSON.
      threads: how many cores and threads it has.
      allocator: settings of the C library's allocator.

    Raises:
      SystemExit: the worker failed; its own output says why.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = [pathlib.Path(folder, name) for name in ("task.json", "result.json")]
        files[0].write_text(json.dumps(task | {"threads": threads}))
        command = [sys.executable, "-m", module, *map(str, files)]
        with _pinned(threads):
            done = subprocess.run(command, env=environment(threads, allocator))
        if done.returncode:
            raise SystemExit(f"{module} {task} ended with {done.returncode}; nothing is recorded.")
        return json.loads(files[1].read_text())


def environment(threads: int, allocator: Mapping[str, str] = SETTINGS) -> dict[str, str]:
    """The environment of a worker; allocator settings that are set already stay."""
    paths = [str(FOLDER), str(FOLDER.parent), os.environ.get("PYTHONPATH", "")]
    path = os.pathsep.join(filter(None, paths))
    given = {"PYTHONPATH": path, "OMP_NUM_THREADS": str(threads), "JAXNAS_CACHE": "off"}
    return dict(allocator) | dict(os.environ) | given


@contextlib.contextmanager
def _pinned(threads: int) -> Iterator[None]:
    """Gives this thread, and what it starts meanwhile, the last cores that it may use.

    A worker could not pin itself between fork and start: JAX's threads forbid code there.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[-threads:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
