"""One setting of the C library's allocator for everything that a benchmark compares.

These are what `jaxnas` sets for itself on the command line (`jaxnas/runtime/allocator.py`). By
default glibc gives large arrays back to the system after each call and asks for them anew,
which costs PyTorch and XLA alike more than many an operation.
"""

from __future__ import annotations

import os
import sys

SETTINGS = {
    "MALLOC_MMAP_THRESHOLD_": "33554432",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_TOP_PAD_": "268435456",
    "MALLOC_ARENA_MAX": "1",
}


def keep_memory() -> None:
    """Starts the script again with the settings, unless it has them: they are read at the start."""
    if any(os.environ.get(name) != value for name, value in SETTINGS.items()):
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | SETTINGS)
