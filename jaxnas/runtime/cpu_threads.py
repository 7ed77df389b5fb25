"""XLA's CPU backend, told to run each program on the thread that calls it.

By default it hands every program over to a thread of its own, and parts of it to a pool with a
thread for each core. The host executor's threads have a core each already: what they hand over
waits for cores that are busy with something else; on two cores supernets' forwards took 14 to 34%
longer so (`benchmarks/throughput.py`). Large programs that have the machine to themselves are
faster with the pool.
"""

from __future__ import annotations

import os

import jax

# Read when the backend starts: the size of its pool, which no option of JAX or XLA sets.
_POOL = "NPROC"
_HAND_OVER = "JAX_CPU_ENABLE_ASYNC_DISPATCH"


def one_core_per_program() -> None:
    """Has programs on a CPU run on the threads that call them; also starts JAX's backends.

    To be called before JAX is used; afterwards it has no effect. `jaxnas` on the command line does
    it for searches with shared weights; a program that embeds jaxnas decides for itself. Sums that
    XLA would split over cores keep one order, so results depend less on the machine. What the
    environment sets stays: `NPROC`, the size of XLA's pool, and `JAX_CPU_ENABLE_ASYNC_DISPATCH`.

    Example:
      >>> one_core_per_program()  # doctest: +SKIP
    """
    if _HAND_OVER not in os.environ:
        jax.config.update("jax_cpu_enable_async_dispatch", False)
    given = os.environ.get(_POOL)
    os.environ.setdefault(_POOL, "1")
    try:
        jax.devices()
    finally:
        if given is None:
            del os.environ[_POOL]
