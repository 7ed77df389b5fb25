"""How fast a run goes and how long it will still take."""

from __future__ import annotations

import collections
from collections.abc import Callable

WINDOW_SECONDS = 60.0


class Rate:
    """Counts steps and tells their rate over about the last minute.

    The time before the first report is left out: a first step compiles, and a resumed run reports
    the steps of its past at once; neither says anything about the steps that follow.

    Args:
      total: the number of steps.
      clock: tells the seconds.
    """

    def __init__(self, total: int, clock: Callable[[], float]):
        self.total = total
        self.done = 0
        self._clock = clock
        self._reports: collections.deque[tuple[float, int]] = collections.deque()

    def advance(self, steps: int) -> None:
        """Counts steps as done now."""
        self.done += steps
        now = self._clock()
        self._reports.append((now, self.done))
        while len(self._reports) > 2 and self._reports[1][0] < now - WINDOW_SECONDS:
            self._reports.popleft()

    @property
    def per_second(self) -> float | None:
        """Steps per second; None before two reports have come."""
        if len(self._reports) < 2:
            return None
        (start, before), (end, after) = self._reports[0], self._reports[-1]
        return (after - before) / (end - start) if end > start else None

    @property
    def seconds_left(self) -> float | None:
        """The seconds that the rest will take at this rate; None if that is unknown."""
        rate = self.per_second
        return max(self.total - self.done, 0) / rate if rate else None

    @property
    def text(self) -> str:
        """The rate for people: steps per second or per minute."""
        rate = self.per_second
        if rate is None:
            return ""
        return f"{rate:.1f} steps/s" if rate >= 1 else f"{60 * rate:.1f} steps/min"


def duration(seconds: float) -> str:
    """A duration for people: `42 s`, `3 min 20 s`, `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
