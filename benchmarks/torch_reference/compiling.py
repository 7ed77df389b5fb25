"""What `torch.compile` costs, and why it does not work where it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch._inductor.config
from measuring import cpu_seconds

# What earlier runs left on disk is not read: seconds are those of a first run.
torch._inductor.config.force_disable_caches = True


class FirstCall(NamedTuple):
    """The first call of compiled functions.

    Attributes:
      seconds: CPU time, that of compilers included.
      failure: why nothing was compiled, such as that there is no C++ compiler; empty if it was.
    """

    seconds: float
    failure: str


def first_call(run: Callable[[], Any]) -> FirstCall:
    """Calls what compiles with `torch.compile` when it is called first."""
    before = cpu_seconds()
    try:
        run()
    except torch._dynamo.exc.BackendCompilerFailed as error:
        return FirstCall(0.0, str(error).strip().splitlines()[0])
    return FirstCall(cpu_seconds() - before, "")
