"""Checkpoints of a whole state: atomic, verified, the last few kept."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import pathlib
import shutil
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from jaxnas.runtime.errors import CheckpointError, disk_errors
from jaxnas.runtime.packing import Leaf, describe, digest_of, pack, unpack

VERSION = 1


class Checkpoints:
    """The checkpoints of one run, one folder per step, written by Orbax.

    Each holds the state's bytes and a manifest with the path, type and shape of every leaf and a
    SHA-256 digest, against which it is verified when it is restored.

    Args:
      folder: where they lie; made at the first `save`.
      keep: the number of checkpoints that are kept, 1 or more.

    Raises:
      ValueError: `keep` is below 1.

    Example:
      >>> checkpoints = Checkpoints("run/checkpoints")
      >>> checkpoints.save(100, state)
      >>> step, state = checkpoints.restore(like=state)
    """

    def __init__(self, folder: str | os.PathLike[str], keep: int = 3):
        if keep < 1:
            raise ValueError(f"keep is {keep} checkpoints: keep 1 or more.")
        # Orbax wants absolute paths.
        self.folder = pathlib.Path(folder).absolute()
        self.keep = keep

    def steps(self) -> list[int]:
        """The steps of the checkpoints that are there, rising; some may prove damaged."""
        if not self.folder.is_dir():
            return []
        names = (path.name for path in self.folder.iterdir() if path.is_dir())
        return sorted(int(name) for name in names if name.isdigit())

    def save(self, step: int, state: Any) -> None:
        """Saves a state and waits until it is on the disk.

        A process that is killed meanwhile leaves the checkpoints before this one, never half a
        checkpoint. Checkpoints of later steps, from before a resume that fell back, are removed.

        Args:
          step: the step that the state belongs to, 0 or more.
          state: a tree of JAX or NumPy arrays, typed PRNG keys among them, or Python numbers.

        Raises:
          RunError: the disk is full or the folder cannot be written.
          TypeError: a leaf that is none of these.
        """
        leaves, data = pack(state)
        with disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._remove_unfinished()
            manifest = _manifest(step, leaves, data)
            # Orbax deletes what it replaces first; what is there already need not be at risk.
            if not self._holds(step, manifest):
                _write(self._path(step), manifest, data)
            self._remove_outdated(step)

    def restore(self, like: Any) -> tuple[int, Any] | None:
        """Restores the newest checkpoint that is whole.

        Args:
          like: a state, or `jax.eval_shape` of one, of the same structure. A JAX array that is
            committed to devices says where its leaf is put.

        Returns:
          The step and the state, equal bit for bit to the saved one; None if there is none.

        Raises:
          CheckpointError: the checkpoint is whole, but of another structure than `like`; the
            message names the first leaf that differs.

        Warns:
          UserWarning: for each checkpoint that is passed over because it is damaged.
        """
        for step in reversed(self.steps()):
            try:
                leaves, data = _read(self._path(step), step)
            except Exception as error:  # Damage shows in as many ways as there are layers below.
                _warn_damaged(self._path(step), error)
                continue
            _check_alike(self._path(step), leaves, describe(like))
            return step, unpack(leaves, data, like)
        return None

    def _path(self, step: int) -> pathlib.Path:
        return self.folder / f"{step:08d}"

    def _holds(self, step: int, manifest: dict[str, Any]) -> bool:
        if not self._path(step).exists():
            return False
        try:
            return _manifest(step, *_read(self._path(step), step)) == manifest
        except Exception:  # Damaged, in whatever way: to be written anew.
            return False

    def _remove_unfinished(self) -> None:
        for path in self.folder.iterdir():
            if not path.name.isdigit():
                shutil.rmtree(path, ignore_errors=True)

    def _remove_outdated(self, step: int) -> None:
        steps = self.steps()
        current = [saved for saved in steps if saved <= step][-self.keep :]
        for saved in steps:
            if saved not in current:
                shutil.rmtree(self._path(saved), ignore_errors=True)


def _write(path: pathlib.Path, manifest: dict[str, Any], data: np.ndarray) -> None:
    import orbax.checkpoint as ocp  # Takes a second to import.

    # One byte more: Orbax does not take arrays without any.
    block = np.append(data, np.uint8(0))
    arguments = ocp.args.Composite(
        state=ocp.args.StandardSave({"data": block}), manifest=ocp.args.JsonSave(manifest)
    )
    with _quiet(), ocp.Checkpointer(ocp.CompositeCheckpointHandler()) as checkpointer:
        checkpointer.save(path, args=arguments, force=True)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps Orbax from logging tracebacks of its threads: what they raise reaches the caller."""
    logger = logging.getLogger("absl")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _read(path: pathlib.Path, step: int) -> tuple[list[Leaf], np.ndarray]:
    import orbax.checkpoint as ocp

    with ocp.Checkpointer(ocp.CompositeCheckpointHandler()) as checkpointer:
        arguments = ocp.args.Composite(manifest=ocp.args.JsonRestore())
        manifest = checkpointer.restore(path, args=arguments).manifest
        if manifest.get("checksum") != _checksum(manifest) or manifest["step"] != step:
            raise ValueError("its manifest is damaged")
        target = {"data": np.zeros(manifest["bytes"] + 1, np.uint8)}
        arguments = ocp.args.Composite(state=ocp.args.StandardRestore(target))
        data = checkpointer.restore(path, args=arguments).state["data"][:-1]
    leaves = [
        Leaf(name, dtype, tuple(shape), weak) for name, dtype, shape, weak in manifest["leaves"]
    ]
    if digest_of(leaves, np.ascontiguousarray(data)) != manifest["digest"]:
        raise ValueError("its bytes do not have the digest that was stored with them")
    return leaves, data


def _manifest(step: int, leaves: list[Leaf], data: np.ndarray) -> dict[str, Any]:
    manifest = {
        "version": VERSION,
        "step": step,
        "bytes": int(data.size),
        "digest": digest_of(leaves, data),
        "leaves": [[leaf.path, leaf.dtype, list(leaf.shape), leaf.weak] for leaf in leaves],
    }
    return {**manifest, "checksum": _checksum(manifest)}


def _checksum(manifest: dict[str, Any]) -> str:
    content = {key: value for key, value in manifest.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _check_alike(path: pathlib.Path, stored: list[Leaf], wanted: list[Leaf]) -> None:
    advice = f"{path} is a checkpoint of another config:"
    for left, right in zip(stored, wanted, strict=False):
        if left.path != right.path:
            raise CheckpointError(f"{advice} it has leaf {left.path} where {right.path} is wanted.")
        if (left.dtype, left.shape) != (right.dtype, right.shape):
            raise CheckpointError(
                f"{advice} leaf {left.path} is {left.dtype} {list(left.shape)} there, but "
                f"{right.dtype} {list(right.shape)} is wanted."
            )
    if len(stored) > len(wanted):
        raise CheckpointError(f"{advice} it has leaf {stored[len(wanted)].path}, unknown here.")
    if len(stored) < len(wanted):
        raise CheckpointError(f"{advice} it has no leaf {wanted[len(stored)].path}.")


def _warn_damaged(path: pathlib.Path, error: Exception) -> None:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    warnings.warn(
        f"checkpoint {path} is damaged ({reason[:200]}): it is passed over for the one before it.",
        UserWarning,
        stacklevel=3,
    )
