"""Models of children that are trained from scratch: one program for all children of a space."""

from jaxnas.children import towers
from jaxnas.children.nasrl_conv import NasRLConv, nasrl_conv
from jaxnas.children.recurrent import GatedCell, LanguageModel, TreeCell
from jaxnas.children.small_images import SmallImageChildren
from jaxnas.children.text import TextChildren

__all__ = [
    "GatedCell",
    "LanguageModel",
    "NasRLConv",
    "SmallImageChildren",
    "TextChildren",
    "TreeCell",
    "nasrl_conv",
    "towers",
]
