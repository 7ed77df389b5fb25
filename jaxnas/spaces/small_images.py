"""Classifiers of small images: a convolution, a deep and a wide tower, and their training.

The counterpart of `jaxnas/spaces/text.py` for images of some hundred pixels, such as the digits.
Wong et al. 2018 (arXiv:1803.02780) search images in a space of larger networks; this one is ours.
"""

from __future__ import annotations

import dataclasses

from jaxnas.spaces.errors import SpaceError
from jaxnas.spaces.graph import SearchSpace
from jaxnas.spaces.parts import Part
from jaxnas.spaces.towers import FIELDS, TowerOptions, check_numbers


@dataclasses.dataclass(frozen=True, kw_only=True)
class SmallImageOptions(TowerOptions):
    """The actions of each decision of `small_images`; hashable.

    Attributes:
      kernels: heights and widths of the filters of the convolution, odd.
    """

    filters: tuple[str, ...] = ("8", "16", "32")
    kernels: tuple[str, ...] = ("3", "5")

    @property
    def _name(self) -> str:
        return "small_images"

    @property
    def decision_fields(self) -> dict[str, str]:
        """The field that holds the actions of each decision, by the decision's name."""
        return FIELDS | {"kernel": "kernels"}

    def _parts(self) -> list[Part]:
        return [self._convolution(self._decision("kernel")), *self._towers()]

    def _check_labels(self) -> None:
        super()._check_labels()
        check_numbers(self, "kernels", whole=True, least=1)
        if any(int(kernel) % 2 == 0 for kernel in self.kernels):
            raise SpaceError(f"'kernels' is {self.kernels}: give odd sizes.")


def small_images(options: SmallImageOptions | None = None) -> SearchSpace:
    """The space of classifiers of small images with their training.

    Example:
      >>> small_images(SmallImageOptions(kernels=("3",))).start
      'convolution'
    """
    return (options or SmallImageOptions()).space
