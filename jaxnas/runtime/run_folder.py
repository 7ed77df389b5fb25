"""The folder of one run: its config, checkpoints, metrics and results."""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import time
from collections.abc import Mapping
from typing import Any

from jaxnas.runtime.errors import RunError, disk_errors
from jaxnas.runtime.files import write_bytes, write_json, write_text
from jaxnas.runtime.json_values import to_json
from jaxnas.runtime.lock import FolderLock

CONFIG, COMMAND = "config.json", "command.txt"


class RunFolder:
    """A folder that one process owns for one run; checked before any work is done.

    Open one with `create` or `resume`, and close it, best by `with`.

    Attributes:
      path: the folder.
      config: the config of the run as plain JSON values.
      checkpoints: the folder for `Checkpoints`.
    """

    def __init__(self, path: pathlib.Path, config: dict[str, Any], lock: FolderLock):
        self.path = path
        self.config = config
        self._lock = lock

    @classmethod
    def create(
        cls,
        directory: str | os.PathLike[str] | None = None,
        *,
        name: str,
        seed: int,
        config: Any,
    ) -> RunFolder:
        """Makes the folder of a new run and writes its `config.json`.

        Args:
          directory: the folder; `runs/NAME-SEED-DATE` by default, numbered if that is taken.
          name: of the config.
          seed: of the run.
          config: a mapping or a dataclass of values that have a form in JSON.

        Raises:
          RunError: the folder already holds a run, belongs to another process, cannot be written,
            or lies on a full disk; or the config has no form in JSON.
        """
        values = _config_values(config)
        path = pathlib.Path(directory) if directory is not None else _default(name, seed)
        lock = _claim(path)
        try:
            if (path / CONFIG).exists():
                raise RunError(
                    f"{path} already holds a run: continue it with --resume {path}, or start "
                    "another with another --run-dir."
                )
            write_json(path / CONFIG, values)
        except BaseException:
            lock.release()
            raise
        return cls(path, values, lock)

    @classmethod
    def resume(cls, directory: str | os.PathLike[str], *, config: Any = None) -> RunFolder:
        """Opens the folder of a run that is to go on.

        Args:
          directory: the folder.
          config: what the run is to go on with; must equal the stored config. None takes that.

        Raises:
          RunError: the folder holds no run or a run of another config, belongs to another process,
            cannot be written, or lies on a full disk.
        """
        path = pathlib.Path(directory)
        stored = read_config(path)
        if config is not None:
            _check_equal(path, stored, _config_values(config))
        return cls(path, stored, _claim(path))

    @property
    def checkpoints(self) -> pathlib.Path:
        """The folder for `Checkpoints`."""
        return self.path / "checkpoints"

    def started_by(self, command: str) -> str:
        """The command that started the run: at the first call `command`, which is kept."""
        path = self.path / COMMAND
        if not path.is_file():
            write_text(path, command + "\n")
        return path.read_text("utf-8").rstrip("\n")

    def close(self) -> None:
        """Lets other processes open the folder."""
        self._lock.release()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_config(directory: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads the config of a run, of one that is being written too.

    Raises:
      RunError: the folder holds no run, or its `config.json` is damaged.
    """
    path = pathlib.Path(directory)
    try:
        stored = json.loads((path / CONFIG).read_text())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RunError(
            f"{path} holds no run (no {CONFIG}): correct the path, or start one there with "
            f"--run-dir {path}."
        ) from error
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path / CONFIG} cannot be read ({error}): restore or delete it."
        ) from error
    if not isinstance(stored, dict):
        raise RunError(f"{path / CONFIG} is not a JSON object: restore or delete it.")
    return stored


def _config_values(config: Any) -> dict[str, Any]:
    try:
        values = to_json(config)
    except TypeError as error:
        raise RunError(f"the config cannot be stored: {error}") from error
    if not isinstance(values, dict):
        raise RunError(f"the config is {type(config).__name__}, not a mapping or a dataclass.")
    return values


def _default(name: str, seed: int) -> pathlib.Path:
    stem = f"{name}-{seed}-{time.strftime('%Y%m%d-%H%M%S')}"
    names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    paths = (pathlib.Path("runs") / name for name in names)
    return next(path for path in paths if not path.exists())


def _claim(path: pathlib.Path) -> FolderLock:
    """Makes the folder, locks it, and tries whether it takes data."""
    with disk_errors(path):
        path.mkdir(parents=True, exist_ok=True)
        lock = FolderLock(path)
    try:
        probe = path / ".probe"
        # As much as a small checkpoint, so that a disk that is nearly full is found now.
        write_bytes(probe, bytes(1 << 20))
        with disk_errors(path):
            probe.unlink()
    except BaseException:
        lock.release()
        raise
    return lock


def _check_equal(path: pathlib.Path, stored: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    differences = list(_differences(stored, given, ""))
    if differences:
        shown = "; ".join(differences[:8]) + (" ..." if len(differences) > 8 else "")
        raise RunError(
            f"{path} holds a checkpoint of another config: {shown}. Resume with the stored config, "
            "or start another run with another --run-dir."
        )


def _differences(stored: Any, given: Any, prefix: str):
    if isinstance(stored, Mapping) and isinstance(given, Mapping):
        for key in sorted({*stored, *given}):
            left, right = stored.get(key, "(absent)"), given.get(key, "(absent)")
            yield from _differences(left, right, f"{prefix}.{key}" if prefix else key)
    elif stored != given or type(stored) is not type(given):
        yield f"{prefix} is {stored!r} there and {given!r} here"
