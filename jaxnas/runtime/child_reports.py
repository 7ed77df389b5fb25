"""What children report while they are trained side by side."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from jaxnas.runtime.metrics import MetricsWriter
from jaxnas.runtime.progress import Progress
from jaxnas.runtime.timing import Timing

Line = Sequence[Any]
"""A step, and the metrics that belong to it."""


class StoppedError(Exception):
    """The training of another child has ended with an error."""


class ChildReports:
    """Shows progress at once, and writes lines child after child, in the order of the children.

    The first child that is not done has its lines written as they come; others wait for it, so
    that a run writes the same lines however many cores it has. Safe to call from several threads.

    Args:
      metrics: where lines are written.
      progress: where epochs are counted.
      timing: counts the seconds.
      children: how many there are.
    """

    def __init__(self, metrics: MetricsWriter, progress: Progress, timing: Timing, children: int):
        self._metrics, self._progress, self._timing = metrics, progress, timing
        self._lines: list[list[Line]] = [[] for _ in range(children)]
        self._done: set[int] = set()
        self._first, self._stopped = 0, False
        self._lock = threading.Lock()

    def epoch(self, child: int, step: int, line: Mapping[str, Any], shown: Mapping[str, Any]):
        """Takes the line of an epoch; `shown` is what progress shows beside it.

        Raises:
          StoppedError: `stop` was called.
        """
        with self._lock:
            if self._stopped:
                raise StoppedError
            timed = {**line, "seconds": self._timing.elapsed()}
            self._lines[child].append((step, timed))
            if child == self._first:
                self._metrics.write(step, timed)
            self._progress.advance(shown)

    def again(self, child: int, lines: Sequence[Line]) -> None:
        """Takes the lines of a child that was done before, as `lines` gave them."""
        with self._lock:
            self._lines[child] = list(lines)
            if child == self._first:
                self._write()
            self._progress.advance(steps=len(lines))
        self.done(child)

    def lines(self, child: int) -> list[Line]:
        """The lines of a child."""
        return self._lines[child]

    def done(self, child: int) -> None:
        """Counts a child as done; lines that waited for it are written."""
        with self._lock:
            self._timing.save("train")
            self._done.add(child)
            while self._first in self._done:
                self._first += 1
                if self._first < len(self._lines):
                    self._write()

    def stop(self) -> None:
        """Has the other children stop at the end of their epoch."""
        with self._lock:
            self._stopped = True

    def _write(self) -> None:
        for step, line in self._lines[self._first]:
            self._metrics.write(step, line)
