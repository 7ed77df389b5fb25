"""The host shell: all that touches files, clocks and the terminal."""

from jaxnas.runtime import compilation_cache
from jaxnas.runtime.allocator import keep_memory
from jaxnas.runtime.checkpoint import Checkpoints
from jaxnas.runtime.cpu_threads import one_core_per_program
from jaxnas.runtime.errors import CheckpointError, RunError
from jaxnas.runtime.files import write_bytes, write_json, write_text
from jaxnas.runtime.machine import machine, peak_memory_mb
from jaxnas.runtime.metrics import MetricsWriter, read_metrics
from jaxnas.runtime.packing import digest
from jaxnas.runtime.progress import Progress
from jaxnas.runtime.run_folder import RunFolder, read_config

__all__ = [
    "CheckpointError",
    "Checkpoints",
    "MetricsWriter",
    "Progress",
    "RunError",
    "RunFolder",
    "compilation_cache",
    "digest",
    "keep_memory",
    "machine",
    "one_core_per_program",
    "peak_memory_mb",
    "read_config",
    "read_metrics",
    "write_bytes",
    "write_json",
    "write_text",
]
