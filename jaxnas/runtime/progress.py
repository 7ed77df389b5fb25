"""Progress on the terminal, in a notebook, or as plain lines in a log."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bars

from jaxnas.runtime.clock import Rate, duration

QUIET_VARIABLE = "JAXNAS_QUIET"


class Progress:
    """Shows how far a run is, at what rate, and how much time is left.

    A terminal or a notebook sees a bar that moves; a file or a pipe gets a plain line every few
    seconds; in quiet mode there is nothing. Used by `with`, so that the terminal is left clean.

    Args:
      total: the steps of all phases together; the time left takes them to be of one length.
      quiet: whether to show nothing; by default, whether `JAXNAS_QUIET` is set (and not 0).
      console: where to write; standard error by default, so that results can be piped.
      interval: the seconds between two plain lines.
      clock: tells the seconds; for tests.

    Example:
      >>> with Progress(total=150) as progress:
      ...     progress.phase("search", total=100)
      ...     for step in range(100):
      ...         progress.advance({"reward": 0.1 * step})
    """

    def __init__(
        self,
        total: int,
        quiet: bool | None = None,
        *,
        console: Console | None = None,
        interval: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ):
        if quiet is None:
            quiet = os.environ.get(QUIET_VARIABLE, "0") not in ("", "0")
        self.quiet = quiet
        self.console = console or Console(stderr=True)
        self._rate = Rate(total, clock)
        self._interval = interval
        self._clock = clock
        self._last_line = -float("inf")
        self._phase, self._phase_total, self._phase_done = "", 0, 0
        self._bars = None if quiet or not _is_live(self.console) else _make_bars(self.console)
        self._task: Any = None

    def phase(self, name: str, total: int) -> None:
        """Begins a phase of the run: `total` of its steps."""
        self._finish_phase()
        self._phase, self._phase_total, self._phase_done = name, total, 0
        if self._bars:
            self._bars.start()
            self._task = self._bars.add_task(name, total=total, status="")
        elif not self.quiet:
            self.console.print(f"{name}: {total} steps", highlight=False, soft_wrap=True)
            self._last_line = self._clock()

    def advance(self, metrics: Mapping[str, Any] | None = None, steps: int = 1) -> None:
        """Counts `steps` steps as done and shows the metrics beside them.

        Args:
          metrics: names and values; numbers are shown with four digits.
          steps: how many steps were done.
        """
        self._rate.advance(steps)
        self._phase_done += steps
        if self.quiet:
            return
        if self._bars:
            self._bars.update(self._task, advance=steps, status=self._status(metrics))
        elif self._clock() - self._last_line >= self._interval:
            self._line(metrics)

    def log(self, text: str) -> None:
        """Prints a line of its own, above the bar where there is one."""
        if not self.quiet:
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Ends the display; a second call does nothing."""
        self._finish_phase()
        if self._bars:
            self._bars.stop()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _finish_phase(self) -> None:
        if self._bars and self._task is not None:
            # A bar that has ended keeps its last metrics, without a time left.
            self._bars.stop_task(self._task)
        self._task = None

    def _line(self, metrics: Mapping[str, Any] | None) -> None:
        self._last_line = self._clock()
        count = f"{self._phase_done}/{self._phase_total}"
        text = f"{self._phase} {count}  {self._status(metrics)}"
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _status(self, metrics: Mapping[str, Any] | None) -> str:
        left = self._rate.seconds_left
        time_left = "" if left is None else f"{duration(left)} left"
        shown = [f"{name} {format_value(value)}" for name, value in (metrics or {}).items()]
        return "  ".join(part for part in (self._rate.text, time_left, *shown) if part)


def format_value(value: Any) -> str:
    """A metric as a few characters: numbers with four digits, everything else as it prints."""
    if isinstance(value, (bool, int, str)):
        return str(value)
    try:
        return f"{float(value):.4g}"
    except (TypeError, ValueError):
        return str(value)


def _is_live(console: Console) -> bool:
    if console.is_jupyter:
        # rich moves its bars in a notebook by ipywidgets.
        return importlib.util.find_spec("ipywidgets") is not None
    return console.is_terminal and not console.is_dumb_terminal


def _make_bars(console: Console) -> Bars:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[status]}", markup=False),
    )
    return Bars(*columns, console=console, auto_refresh=True, refresh_per_second=4)
