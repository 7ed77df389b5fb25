"""Files that are either as they were or as they should be, never half-written."""

from __future__ import annotations

import json
import os
import pathlib
import tempfile
from typing import Any

from jaxnas.runtime.errors import disk_errors
from jaxnas.runtime.json_values import to_json


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes a file atomically: to a temporary file beside it, synced, then moved over it.

    Raises:
      RunError: the disk is full or the folder cannot be written; an older file stays as it was.
    """
    path = pathlib.Path(path)
    with disk_errors(path.parent):
        handle, temporary = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}.", suffix=".tmp"
        )
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            # mkstemp makes files that only the owner reads; a run folder is for reading.
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
        except BaseException:
            pathlib.Path(temporary).unlink(missing_ok=True)
            raise


def write_text(path: str | os.PathLike[str], content: str) -> None:
    """Writes a text file atomically, in UTF-8. Raises as `write_bytes` does."""
    write_bytes(path, content.encode())


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes a JSON file atomically; see `to_json` for the values it takes.

    Raises:
      RunError: as `write_bytes`.
      TypeError: a value that has no form in JSON.
    """
    write_text(path, json.dumps(to_json(value), indent=2, allow_nan=False) + "\n")


def _umask() -> int:
    current = os.umask(0o022)
    os.umask(current)
    return current
