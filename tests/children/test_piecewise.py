"""Convolutions in pieces are convolutions, with their gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxnas.children import piecewise

pytestmark = pytest.mark.usefixtures("exact")


def by_jax(kernel, x, height, width):
    """The same by XLA's convolution."""
    kernel = kernel.reshape(len(kernel), height, width, len(x))
    numbers = ("CHWN", "OHWI", "CHWN")
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=numbers)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 5)])
@pytest.mark.parametrize(
    ("limit", "pieces"),
    [
        (2**21, 1),  # all at once
        (8 * 15 * 2 * 4 * 32 * 2, 3),  # two rows of all 32 images
        (8 * 15 * 2 * 4 * 16, 12),  # a row of 16 images
        (1, 6),  # too little: a row of all images
    ],
)
def test_values_and_gradients_are_those_of_a_convolution(monkeypatch, limit, pieces, height, width):
    monkeypatch.setattr(piecewise, "PIECE_BYTES", limit)
    random = np.random.default_rng(0)
    x = jnp.asarray(random.normal(size=(2, 6, 4, 32)))
    kernel = jnp.asarray(random.normal(size=(3, height * width * 2)))
    dz = jnp.asarray(random.normal(size=(3, 6, 4, 32)))
    if height * width > 1:
        assert piecewise._pieces(x, height, width).number == pieces
    z, pull = jax.vjp(lambda k, x: by_jax(k, x, height, width), kernel, x)
    expected = (z, *pull(dz))
    ours = (
        piecewise.convolve(kernel, x, height, width),
        piecewise.kernel_gradient(dz, x, height, width),
        piecewise.input_gradient(kernel, dz, height, width),
    )
    for a, b in zip(ours, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
