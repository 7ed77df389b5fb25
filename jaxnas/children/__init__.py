"""Models of children that are trained from scratch: one program for all children of a space."""

from jaxnas.children.nasrl_conv import NasRLConv, nasrl_conv
from jaxnas.children.recurrent import GatedCell, LanguageModel, TreeCell

__all__ = ["GatedCell", "LanguageModel", "NasRLConv", "TreeCell", "nasrl_conv"]
