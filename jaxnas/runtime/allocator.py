"""The C library's allocator, told to keep what has been freed.

By default glibc gives large arrays back to the system when they are freed and asks for them anew,
page by page, which costs XLA's CPU backend more time than many an operation; what threads allocate
lies apart and is given back even sooner. On other devices and systems there is nothing to do.
"""

from __future__ import annotations

import ctypes
import os
import sys

# The options of mallopt(3): their numbers and values, by the name of the variable that sets them.
_OPTIONS = {
    "MALLOC_TRIM_THRESHOLD_": (-1, -1),
    "MALLOC_TOP_PAD_": (-2, 2**28),
    "MALLOC_MMAP_THRESHOLD_": (-3, 2**25),
    "MALLOC_ARENA_MAX": (-8, 1),
}


def keep_memory() -> bool:
    """Has this process keep the memory that it frees, to be used again; its size never shrinks.

    To be called before there are other threads. Options that the environment sets stay as they are.
    `jaxnas` on the command line does it; a program that embeds jaxnas decides for itself.

    Returns:
      Whether there was an allocator that could be told: that of glibc, on Linux.

    Example:
      >>> keep_memory() in (True, False)
      True
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        return False
    wanted = [option for name, option in _OPTIONS.items() if name not in os.environ]
    told = [mallopt(number, value) for number, value in wanted]
    return all(told)
