"""The metrics of a run as lines of JSON, in step with its checkpoints."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from jaxnas.runtime.errors import disk_errors
from jaxnas.runtime.files import write_bytes
from jaxnas.runtime.json_values import from_json, to_json
from jaxnas.runtime.tensorboard import TensorBoard

METRICS = "metrics.jsonl"


class MetricsWriter:
    """Appends one line of JSON per `write` to `metrics.jsonl`, at once visible to readers.

    Args:
      folder: the run folder; must exist.
      tensorboard: whether to write TensorBoard events as well, to the folder `tensorboard` in it.

    Raises:
      RunError: the file cannot be written, or TensorBoard is wanted without the extra.

    Example:
      >>> with MetricsWriter("run") as metrics:
      ...     metrics.write(1, {"reward": 0.5})
    """

    def __init__(self, folder: str | os.PathLike[str], *, tensorboard: bool = False):
        self.path = pathlib.Path(folder).absolute() / METRICS
        self._tensorboard = TensorBoard(self.path.parent / "tensorboard") if tensorboard else None
        with disk_errors(self.path):
            # A line without its end is what a killed process left: nothing may be joined to it.
            if self.path.exists() and not (self.path.read_bytes() or b"\n").endswith(b"\n"):
                write_bytes(self.path, b"".join(line for line, _ in _lines(self.path)))
            self._file = open(self.path, "ab")  # noqa: SIM115

    def write(self, step: int, metrics: Mapping[str, Any]) -> None:
        """Appends a line `{"step": step, ...}`.

        Args:
          step: the step that the metrics belong to; lines are written in its order.
          metrics: values that have a form in JSON; floats that are not finite are written as the
            strings "NaN", "Infinity" and "-Infinity", which `read_metrics` turns back.

        Raises:
          RunError: the disk is full.
          TypeError: a value that has no form in JSON.
        """
        values = to_json({"step": step, **metrics})
        with disk_errors(self.path):
            self._file.write(json.dumps(values, allow_nan=False).encode() + b"\n")
            self._file.flush()
        if self._tensorboard:
            self._tensorboard.write(step, from_json(values))

    def rewind(self, step: int) -> None:
        """Drops the lines after `step`, which a resumed run is going to write anew.

        Raises:
          RunError: the file cannot be written.
        """
        self._close_file()
        kept = [line for line, values in _lines(self.path) if values.get("step", 0) <= step]
        write_bytes(self.path, b"".join(kept))
        with disk_errors(self.path):
            self._file = open(self.path, "ab")  # noqa: SIM115
        if self._tensorboard:
            self._tensorboard.rewind(step)

    def close(self) -> None:
        """Closes the files; a second call does nothing."""
        self._close_file()
        if self._tensorboard:
            self._tensorboard.close()

    def _close_file(self) -> None:
        # What a full disk did not take, `write` has reported; closing would report it again.
        with contextlib.suppress(OSError):
            self._file.close()

    def __enter__(self) -> MetricsWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_metrics(folder: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Reads the metrics of a run, of one that is being written too.

    Returns:
      One dict per line, in order, `step` among its keys; empty if there are none yet.

    Warns:
      UserWarning: for a line, other than a half-written last one, that is not JSON.
    """
    path = pathlib.Path(folder) / METRICS
    return [from_json(values) for _, values in _lines(path)] if path.exists() else []


def _lines(path: pathlib.Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), start=1):
        if not line.endswith(b"\n"):
            return
        try:
            values = json.loads(line)
        except ValueError:
            values = None
        if isinstance(values, dict):
            yield line, values
        else:
            warnings.warn(f"{path}, line {number}, is damaged and left out.", stacklevel=4)
