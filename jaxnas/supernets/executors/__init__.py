"""Ways to execute a plan or a routing, proved equal to stand-alone children."""

from jaxnas.supernets.executors import host, routed, routed_function

__all__ = ["host", "routed", "routed_function"]
