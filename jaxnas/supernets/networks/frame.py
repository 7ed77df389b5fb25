"""What all image networks have in common: checks of sizes, and where the image is halved."""

from __future__ import annotations

import numbers
from typing import Any

from jaxnas.supernets.ops.operation import Shape


def check_options(name: str, image_shape: Shape, dropout: float = 0.0, **sizes: Any) -> None:
    """Raises `ValueError` that names the option with which no network can be built.

    Args:
      name: the network, for the message.
      image_shape: `(H, W, C)`.
      dropout: the rate before the classifier.
      **sizes: options that are whole numbers of at least 1, by name.
    """
    _check_image_shape(name, image_shape)
    if not 0 <= dropout < 1:
        raise ValueError(f"network {name!r}: dropout is {dropout}; give a rate from 0 on, below 1.")
    for field, size in sizes.items():
        if not isinstance(size, numbers.Integral) or size < 1:
            raise ValueError(
                f"network {name!r}: {field} is {size!r}; give a whole number of 1 or more."
            )


def _check_image_shape(name: str, image_shape: Shape) -> None:
    if len(image_shape) != 3:
        raise ValueError(f"network {name!r}: image_shape is (H, W, C), not {tuple(image_shape)}.")


def check_image(name: str, image_shape: Shape, num_classes: int, halvings: int) -> None:
    """Raises `ValueError` where a network cannot be built for such images.

    Args:
      name: the network, for the message.
      image_shape: `(H, W, C)`.
      num_classes: at least 2.
      halvings: how often the network halves the image.
    """
    _check_image_shape(name, image_shape)
    height, width, _ = image_shape
    factor = 2**halvings
    if height % factor or width % factor or not height or not width:
        raise ValueError(
            f"network {name!r} halves its images {halvings} times, which {height} x {width} "
            f"cannot be: resize them to multiples of {factor}, or build a network with fewer "
            "reductions."
        )
    if num_classes < 2:
        raise ValueError(f"network {name!r}: num_classes is {num_classes}; at least 2 are needed.")


def halved(shape: Shape, channels: int) -> Shape:
    """The shape of an image of half the size with `channels` channels."""
    return (shape[0] // 2, shape[1] // 2, channels)


def thirds(layers: int) -> tuple[int, ...]:
    """The layers at which a chain of `layers` is halved: after one and after two thirds."""
    return tuple(sorted({layers // 3, 2 * layers // 3} - {0})) if layers > 1 else ()
