"""The version of jaxnas."""

__version__ = "0.1.0"
