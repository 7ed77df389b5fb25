"""What architectures are worth: functions from architectures `[N, T]` to rewards `[N]`."""

from jaxnas.evaluators.shared import shared
from jaxnas.evaluators.tabular import tabular
from jaxnas.spaces import rank

__all__ = ["rank", "shared", "tabular"]
