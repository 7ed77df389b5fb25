"""What benchmarks of speed measure with: clocks, ratios, peaks, samples, processes."""

from measuring.machine import bandwidth, matmul_peak, peak_memory_mb
from measuring.processes import run_worker
from measuring.samples import draw
from measuring.timing import Times, cpu_seconds, interleave, mean_ratio, ratio, ratio_of_processes

__all__ = [
    "Times",
    "bandwidth",
    "cpu_seconds",
    "draw",
    "interleave",
    "matmul_peak",
    "mean_ratio",
    "peak_memory_mb",
    "ratio",
    "ratio_of_processes",
    "run_worker",
]
