"""What architectures are worth: functions from architectures `[N, T]` to rewards `[N]`."""

from jaxnas.evaluators.tabular import rank, tabular

__all__ = ["rank", "tabular"]
