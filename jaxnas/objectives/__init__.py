"""What a child is worth: losses and rewards."""

from jaxnas.objectives.classification import accuracy, cross_entropy

__all__ = ["accuracy", "cross_entropy"]
