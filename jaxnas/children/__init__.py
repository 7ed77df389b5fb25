"""Models of children that are trained from scratch: one program for all children of a space."""

from jaxnas.children.nasrl_conv import NasRLConv, nasrl_conv

__all__ = ["NasRLConv", "nasrl_conv"]
