"""How long a run has worked, over all its processes."""

from __future__ import annotations

import json
import pathlib
import time

from jaxnas.runtime.files import write_json

TIMING = "timing.json"


class Timing:
    """The seconds of each phase of a run, kept in its folder so that a resumed run adds to them.

    Args:
      folder: the run folder.
    """

    def __init__(self, folder: pathlib.Path):
        self._path = folder / TIMING
        try:
            self.seconds: dict[str, float] = json.loads(self._path.read_text())
        except (OSError, ValueError):
            self.seconds = {}
        self._before = sum(self.seconds.values())
        self._start = self._mark = self._saved = time.monotonic()

    def elapsed(self) -> float:
        """The seconds since the start of the run, over all its processes."""
        return self._before + time.monotonic() - self._start

    def due(self, seconds: float) -> bool:
        """Whether so many seconds have passed since the last `save`."""
        return time.monotonic() - self._saved >= seconds

    def save(self, phase: str) -> None:
        """Counts the time since the last `save` to a phase."""
        now = time.monotonic()
        self.seconds[phase] = self.seconds.get(phase, 0.0) + now - self._mark
        self._mark = self._saved = now
        write_json(self._path, self.seconds)
