"""Ways to execute a plan or a routing, proved equal to stand-alone children."""

from jaxnas.supernets.executors import (
    compiled,
    dense,
    grouped,
    host,
    routed,
    routed_function,
    routed_sharing,
)

__all__ = ["compiled", "dense", "grouped", "host", "routed", "routed_function", "routed_sharing"]
