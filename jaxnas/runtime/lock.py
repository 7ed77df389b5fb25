"""A lock that one process at a time holds, and that dies with it."""

from __future__ import annotations

import os
import pathlib
import socket
from types import ModuleType

from jaxnas.runtime.errors import RunError

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows has none; there the lock always succeeds.
    fcntl = None


class FolderLock:
    """Keeps a second process from writing the same run.

    The kernel drops the lock when its process ends, however it ends: a run that was killed leaves
    nothing behind that must be cleaned up.

    Args:
      folder: an existing folder; the file `.lock` in it is locked and names its holder.

    Raises:
      RunError: another process holds the lock; the message names it.
      OSError: the folder cannot be written.
    """

    def __init__(self, folder: pathlib.Path):
        self._file = open(folder / ".lock", "a+b")  # noqa: SIM115
        try:
            self._acquire(folder)
            self._sign()
        except BaseException:
            self._file.close()
            raise

    def _acquire(self, folder: pathlib.Path) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.seek(0)
            holder = self._file.read(200).decode(errors="replace").strip() or "another process"
            raise RunError(
                f"{folder} is being written by {holder}: wait for it to end, or use another "
                "--run-dir."
            ) from error
        except OSError:
            # Some network file systems have no locks; a run there goes on without one.
            return

    def _sign(self) -> None:
        self._file.truncate(0)
        self._file.write(f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        self._file.flush()

    def release(self) -> None:
        """Gives the lock up; a second call does nothing."""
        self._file.close()
