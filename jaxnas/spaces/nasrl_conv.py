"""NAS-RL: convolutional layers whose every size is chosen, with skips from any earlier layer.

Source: Zoph & Le 2017, "Neural architecture search with reinforcement learning"
(arXiv:1611.01578), sections 3.1, 3.3 and 4.1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from jaxnas.spaces.errors import SpaceError
from jaxnas.spaces.graph import Decision, SearchSpace

SIZES = (1, 3, 5, 7)
FILTERS = (24, 36, 48, 64)
STRIDES = (1, 2, 3)
IMAGE = "image"
"""The node that a layer without chosen inputs reads."""


def nasrl_conv(
    layers: int = 6,
    *,
    heights: Sequence[int] = SIZES,
    widths: Sequence[int] = SIZES,
    filters: Sequence[int] = FILTERS,
    strides: Sequence[int] | None = None,
    skips: bool = True,
) -> SearchSpace:
    """The space of `layers` convolutions: filter height and width, number of filters, skips.

    A layer reads the layers that its skip bits choose, the one before it among them, concatenated;
    a layer that chooses none reads the image. The skip bits point at layers, whose anchors score
    them (the paper's set-selection attention); the last decision of a layer is its anchor.

    Args:
      layers: `L`, the number of layers.
      heights: of the filters, odd.
      widths: of the filters, odd.
      filters: numbers of filters.
      strides: of the convolutions, chosen for height and for width; all 1 by default, as in the
        paper's first and third search.
      skips: whether there are skip bits; a layer then reads the one before it.

    Returns:
      A space of `(heights * widths * filters)^L 2^(L (L - 1) / 2)` architectures.

    Raises:
      SpaceError: no layer, or sizes that are not odd (of filters), positive and different.

    Example:
      >>> f"{nasrl_conv(15).count():.3e}"  # the depth of the paper's first network
      '5.022e+58'
    """
    for name, values, odd in (
        ("heights", heights, True),
        ("widths", widths, True),
        ("filters", filters, False),
        ("strides", (1,) if strides is None else strides, False),
    ):
        _check(name, values, odd)
    if layers < 1:
        raise SpaceError(f"nasrl_conv: 'layers' is {layers}; it must be >= 1.")
    sizes = {"height": heights, "width": widths}
    if strides is not None:
        sizes |= {"stride_height": strides, "stride_width": strides}
    sizes |= {"filters": filters}
    decisions: list[Decision] = []
    for i in range(layers):
        decisions += _layer(i, sizes, skips)
    return SearchSpace("nasrl_conv", tuple(decisions))


def depth_after(samples: int, *, start: int = 6, every: int = 1600, step: int = 2) -> int:
    """How many layers children have after so many sampled ones: the paper's depth schedule.

    The controller starts with shallow networks, and gets `step` more layers every `every` samples.

    Args:
      samples: how many architectures have been sampled.
      start: the layers at first.
      every: samples between two steps.
      step: layers added at each.

    Example:
      >>> [depth_after(n) for n in (0, 1599, 1600, 12_800)]
      [6, 6, 8, 22]
    """
    return start + step * (samples // every)


def _layer(i: int, sizes: dict[str, Sequence[int]], skips: bool) -> list[Decision]:
    """The decisions of a layer; the last one makes its node."""
    node = f"layer_{i}"
    sources = [f"layer_{j}" for j in range(i)] if skips else []
    result = [
        Decision(f"{node}/{name}", tuple(str(v) for v in values), group=name)
        for name, values in sizes.items()
    ]
    result += [
        Decision(f"{node}/skip_{source}", ("no", "yes"), points_at=(None, source), group="skip")
        for source in sources
    ]
    return [*result[:-1], dataclasses.replace(result[-1], node=node)]


def _check(name: str, values: Sequence[int], odd: bool) -> None:
    values = tuple(values)
    if not values or len(set(values)) < len(values) or any(v < 1 for v in values):
        raise SpaceError(f"nasrl_conv: {name!r} is {values}: give different numbers from 1 on.")
    if odd and any(v % 2 == 0 for v in values):
        raise SpaceError(f"nasrl_conv: {name!r} is {values}: filters have odd sizes.")
