"""Ways to execute a plan, proved equal to stand-alone children."""

from jaxnas.supernets.executors import host

__all__ = ["host"]
