"""Compiled programs kept between processes, so that a second start takes seconds."""

from __future__ import annotations

import hashlib
import logging
import os
import pathlib
import platform

from jaxnas.runtime.machine import processor, processor_features

VARIABLE = "JAXNAS_CACHE"
OFF = ("0", "false", "no", "off")
MINIMUM_SECONDS = 0.0
"""Of compiling, below which a program is not kept: a supernet has some hundred short ones."""

logger = logging.getLogger(__name__)


def enable(directory: str | os.PathLike[str] | None = None) -> pathlib.Path | None:
    """Turns JAX's persistent compilation cache on, apart for each type of processor.

    A program that was compiled for one processor may crash on another, so a home directory that
    machines share holds one folder per type. The cache runs what it holds: keep its folder as
    private as your code. Called before the first compilation; never raises.

    Args:
      directory: the folder of the cache; by default the value of the environment variable
        `JAXNAS_CACHE`, or `jaxnas` in the user's cache folder (`XDG_CACHE_HOME`, `~/.cache`).

    Returns:
      The folder that is used; None if `JAXNAS_CACHE=off`, or if no folder can be made. A cache
      that the user has set by JAX's own means stays as it is, unless `directory` is given.
    """
    try:
        return _enable(directory)
    except Exception as error:  # Without a cache everything works, only slower.
        logger.warning("no compilation cache: %s", error)
        return None


def _enable(directory: str | os.PathLike[str] | None) -> pathlib.Path | None:
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    if os.environ.get(VARIABLE, "").lower() in OFF:
        return None
    current = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    if directory is None and current:
        return pathlib.Path(current)
    folder = _root(directory) / _processor_type()
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{folder} cannot be written")
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", MINIMUM_SECONDS)
    # JAX looks for its cache once, at the first compilation, which may have been before this.
    compilation_cache.reset_cache()
    return folder


def _root(directory: str | os.PathLike[str] | None) -> pathlib.Path:
    if directory is not None:
        return pathlib.Path(directory).expanduser().absolute()
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return pathlib.Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return pathlib.Path(base).expanduser().absolute() / "jaxnas"


def _processor_type() -> str:
    described = "\n".join(
        (platform.system(), platform.machine(), processor(), processor_features())
    )
    return f"{platform.machine()}-{hashlib.sha256(described.encode()).hexdigest()[:12]}"
