"""Metrics as TensorBoard events, by tensorboardX, an extra."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

from jaxnas.runtime.errors import RunError


class TensorBoard:
    """Writes scalars to a folder that TensorBoard shows.

    Args:
      folder: made when the first scalar is written.

    Raises:
      RunError: tensorboardX is not installed.
    """

    def __init__(self, folder: pathlib.Path):
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise RunError(
                f"TensorBoard events need tensorboardX ({error}): pip install "
                "'jaxnas[tensorboard]', or do without them; metrics.jsonl is always written."
            ) from error
        self._make_writer = SummaryWriter
        self._folder = str(folder)
        self._writer: Any = None
        self._purge_step: int | None = None

    def write(self, step: int, metrics: Mapping[str, Any]) -> None:
        """Writes the numbers among the metrics; nested ones by names joined with slashes."""
        if self._writer is None:
            self._writer = self._make_writer(self._folder, purge_step=self._purge_step)
        for name, value in _scalars(metrics, ""):
            self._writer.add_scalar(name, value, step)

    def rewind(self, step: int) -> None:
        """Tells TensorBoard to forget what was written after `step`."""
        self.close()
        self._purge_step = step + 1

    def close(self) -> None:
        """Closes the event file; the next `write` opens another."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _scalars(metrics: Mapping[str, Any], prefix: str):
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            yield from _scalars(value, f"{prefix}{name}/")
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and name != "step":
            yield f"{prefix}{name}", value
