"""Ways to execute a plan, proved equal to stand-alone children."""

from jaxnas.supernets.executors import compiled, dense, grouped, host

__all__ = ["compiled", "dense", "grouped", "host"]
