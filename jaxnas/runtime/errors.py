"""The errors of the host shell, and how failures of the disk become one of them."""

from __future__ import annotations

import contextlib
import errno
import pathlib
from collections.abc import Iterator, Sequence

import jax


class RunError(RuntimeError):
    """A run that cannot start, go on, or be written."""


class ConfigError(ValueError):
    """A configuration that is unknown, malformed or impossible."""


class CheckpointError(RunError):
    """A checkpoint that does not belong to the state it is restored into."""


# What the operating system and the libraries below us say when no byte is left.
FULL = ("no space left", "disk quota exceeded", "resource_exhausted: error writing")


@contextlib.contextmanager
def disk_errors(path: pathlib.Path) -> Iterator[None]:
    """Turns failures to write below `path` into a `RunError` that names the remedy."""
    try:
        yield
    except OSError as error:
        raise RunError(_explain(path, error)) from error
    except ValueError as error:
        # TensorStore, below Orbax, reports a full disk as a ValueError.
        if not _is_full(error):
            raise
        raise RunError(_explain(path, error)) from error


@contextlib.contextmanager
def memory_errors(sizes: Sequence[str], *, resumable: bool = True) -> Iterator[None]:
    """Turns a device without memory left into a `RunError` that names the fields to lower.

    Args:
      sizes: the fields; none where nothing can be set.
      resumable: whether `--resume` goes on with what was done.
    """
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if "out of memory" not in str(error).lower():
            raise
        reason = str(error).splitlines()[0].removeprefix("RESOURCE_EXHAUSTED: ")
        fields = " or ".join(sizes)
        remedy = f"start again with a smaller {fields} or smaller networks, or " if sizes else ""
        remedy += (
            "go on with --resume on a device with more. What was saved before is intact."
            if resumable
            else "use a device with more."
        )
        raise RunError(
            f"the device has too little memory ({reason.rstrip('.')}): {remedy}"
        ) from error


def unfinished(run_dir: pathlib.Path) -> RunError:
    """The error of a folder without a result: it is not there, or its run is not finished."""
    if not run_dir.is_dir():
        return RunError(f"there is no folder {run_dir}: give that of a run or of a child.")
    return RunError(
        f"{run_dir} holds no finished run: finish it with jaxnas search --resume {run_dir}."
    )


def _is_full(error: Exception) -> bool:
    full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
    return full or any(phrase in str(error).lower() for phrase in FULL)


def _explain(path: pathlib.Path, error: Exception) -> str:
    if _is_full(error):
        return (
            f"the disk of {path} is full: free some space and go on with --resume where a run was "
            "stopped, or give another folder. What was saved before is intact."
        )
    reason = getattr(error, "strerror", None) or str(error)
    return f"{path} cannot be written ({reason}): correct its permissions or give another folder."
