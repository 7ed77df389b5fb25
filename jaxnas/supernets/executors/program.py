"""A compiled function in two forms: one that may use all cores, and one for a single core.

XLA's CPU backend splits loops and convolutions over its threads. Where each core runs a program of
its own already, the pieces of one wait for cores that are busy with another, and every split costs
a handover: on two cores 20% more process time than without, and a quarter of the elapsed time idle.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax

ONE_CORE = {
    "xla_cpu_multi_thread_eigen": False,
    "xla_disable_hlo_passes": "cpu-parallel-task-assigner",
}
"""Options of XLA's compiler with which a program on a CPU keeps to the thread that runs it."""


class Program:
    """A function, compiled when first called on new shapes; calling it may use all cores.

    Args:
      function: pure.
      options: those of `jax.jit`.

    Attributes:
      on_all_cores: what a call of the program calls.
      on_one_core: the same function, compiled for a program that shares a CPU with others.

    Example:
      >>> double = Program(lambda x: 2 * x)
      >>> float(double(1.5)), float(double.on_one_core(1.5))
      (3.0, 3.0)
    """

    def __init__(self, function: Callable[..., Any], **options: Any):
        functools.update_wrapper(self, function)
        self.on_all_cores = jax.jit(function, **options)
        self.on_one_core = jax.jit(function, compiler_options=ONE_CORE, **options)

    def __call__(self, *args: Any) -> Any:
        """What the function returns."""
        return self.on_all_cores(*args)
