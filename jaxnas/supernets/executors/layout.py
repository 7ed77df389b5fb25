"""Where the values of a plan lie in one block of memory, from when each is written and last read.

Sizes are in elements per image, so that one layout serves every batch.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import NamedTuple


class Layout(NamedTuple):
    """Places of values in one block.

    Attributes:
      offsets: where each value begins.
      size: the length of the block.
    """

    offsets: list[int]
    size: int


def lay_out(sizes: Sequence[int], frees: Sequence[Sequence[int]]) -> Layout:
    """Places values first-fit; a value may lie where those lay that its instruction reads last.

    Args:
      sizes: of each value, in the order in which they are written.
      frees: for each value, those that nothing reads once it is computed.

    Example:
      >>> lay_out([4, 4, 4], [[], [0], [1]])
      Layout(offsets=[0, 0, 0], size=4)
    """
    free: list[tuple[int, int]] = []
    offsets: list[int] = []
    end = 0
    for size, dead in zip(sizes, frees, strict=True):
        for value in dead:
            _release(free, offsets[value], sizes[value])
        offset = _take(free, size, end)
        offsets.append(offset)
        end = max(end, offset + size)
    return Layout(offsets, end)


def _take(free: list[tuple[int, int]], size: int, end: int) -> int:
    """The first gap that is large enough, or the end of the block, with the gap before it."""
    for i, (offset, room) in enumerate(free):
        if room >= size or offset + room == end:
            free[i : i + 1] = [(offset + size, room - size)] if room > size else []
            return offset
    return end


def _release(free: list[tuple[int, int]], offset: int, size: int) -> None:
    """Adds a gap and joins it to its neighbours."""
    i = bisect.bisect(free, (offset, size))
    if i < len(free) and offset + size == free[i][0]:
        size += free.pop(i)[1]
    if i and sum(free[i - 1]) == offset:
        i -= 1
        offset, size = free[i][0], free.pop(i)[1] + size
    free.insert(i, (offset, size))


def bucket(size: int, least: int) -> int:
    """The next of 1, 2, 3, 4, 6, 8, 12, ... from `least`: like sizes then share one program."""
    size = max(size, least)
    power = 1 << (size - 1).bit_length()
    return 3 * power // 4 if 3 * power // 4 >= size and power >= 4 else power
