"""Programs within programs: calls that XLA's CPU backend does not merge into what surrounds them.

The backend's fusion repeats a cheap producer in each loop that reads it, so the taps of a weight
gradient would each compute the normalisation's gradient anew; barriers do not prevent that. A call
that is not inlined does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jax.experimental.xla_metadata import set_xla_metadata


def outlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function of arrays, whose program is called and not inlined into its caller's.

    Example:
      >>> outlined(lambda x: x + 1)(jax.numpy.ones(()))
      Array(2., dtype=float32)
    """

    @jax.jit
    def program(*args):
        with set_xla_metadata(inlineable=None):
            return function(*args)

    def call(*args):
        with set_xla_metadata(inlineable="false"):
            return program(*args)

    return call
