"""What a result was computed on and with."""

from __future__ import annotations

import importlib.metadata
import os
import pathlib
import platform
import subprocess
import sys
from typing import Any

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def machine() -> dict[str, Any]:
    """Describes the machine and the versions, for reports and benchmarks.

    Returns:
      `platform`, `processor` (the model's name), `cores` (that this process may use), `device`
      (JAX's kind of device), `devices` (how many), `backend` (`cpu`, `gpu`, `tpu`) and `versions`
      (of Python, jaxnas and the packages below it).
    """
    import jax

    devices = jax.devices()
    return {
        "platform": platform.platform(),
        "processor": processor(),
        "cores": cores(),
        "device": devices[0].device_kind,
        "devices": len(devices),
        "backend": jax.default_backend(),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """The versions of Python, jaxnas and the packages that decide results."""
    from jaxnas.version import __version__

    found = {"python": platform.python_version(), "jaxnas": __version__}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def processor() -> str:
    """The name of the processor's model, as far as the system tells it."""
    name = _cpuinfo().get("model name") or _macos_processor() or platform.processor()
    return name or platform.machine()


def processor_features() -> str:
    """The instruction sets of the processor, as far as the system tells them."""
    info = _cpuinfo()
    return info.get("flags") or info.get("Features") or ""


def cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def peak_memory_mb() -> float:
    """The most memory that this process has held, in MB (10^6 bytes); NaN where it is unknown."""
    try:
        import resource
    except ImportError:  # Windows.
        return float("nan")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def _cpuinfo() -> dict[str, str]:
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _macos_processor() -> str:
    if sys.platform != "darwin":
        return ""
    command = ["sysctl", "-n", "machdep.cpu.brand_string"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
