"""Recurrent children: cells whose architecture is data, and language models made of them."""

from jaxnas.children.recurrent.dropout import NO_DROPOUT, Dropout
from jaxnas.children.recurrent.gated_cells import GatedCell
from jaxnas.children.recurrent.language_model import LanguageModel
from jaxnas.children.recurrent.tree_cell import State, TreeCell

__all__ = [
    "Dropout",
    "GatedCell",
    "LanguageModel",
    "NO_DROPOUT",
    "State",
    "TreeCell",
]
