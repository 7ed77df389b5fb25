"""A slow reference of routed execution: everything for all images, and masks.

It shares no code with the executor: operations are interpreted part by part, and statistics are
sums over the images of a mask.
"""

from __future__ import annotations

import jax.numpy as jnp

from jaxnas.supernets import ops


def masked_forward(network, params, architectures, images):
    """The logits `[B, K]` of the test's network of subsets; architectures `[B, 4]` of bits."""
    everyone = jnp.ones(len(images))
    x = _apply(network, params, "stem", images, everyone)
    for block in range(2):
        first, second = architectures[:, 2 * block], architectures[:, 2 * block + 1]
        total = _masked(x, (first == 0) & (second == 0))
        for label, mask in (("conv", first), ("depthwise", second)):
            total = total + _masked(_apply(network, params, f"{block}/{label}", x, mask), mask)
        x = total
    return _apply(network, params, "classifier", x, everyone)


def _masked(x, mask):
    return jnp.where(jnp.asarray(mask, bool)[:, None, None, None], x, 0)


def _apply(network, params, key, x, mask):
    group, row = network.rows[key]
    for i, part in enumerate(network.operations[key].operation.parts):
        own = {name: leaf[row] for name, leaf in params[group].get(str(i), {}).items()}
        x = _part(part, own, x, jnp.asarray(mask, x.dtype))
    return x


def _part(part, params, x, mask):
    if isinstance(part, ops.Convolution):
        assert part.kernel == part.stride == 1
        return jnp.einsum("bhwc,cd->bhwd", x, params["weights"][0, 0])
    if isinstance(part, ops.Depthwise):
        return _depthwise(x, params["weights"])
    if isinstance(part, ops.BatchNorm):
        return _normalize(x, mask) * params["scale"] + params["bias"]
    if isinstance(part, ops.Relu):
        return jnp.maximum(x, 0)
    if isinstance(part, ops.GlobalAvgPool):
        return x.mean((1, 2))
    assert isinstance(part, ops.Linear)
    return x @ params["weights"] + params["bias"]


def _depthwise(x, weights):
    height, width = x.shape[1:3]
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return sum(
        padded[:, i : i + height, j : j + width] * weights[i, j] for i in range(3) for j in range(3)
    )


def _normalize(x, mask):
    pixels = mask[:, None, None, None] * jnp.ones_like(x)
    count = jnp.maximum(pixels[..., :1].sum(), 1)
    mean = (pixels * x).sum((0, 1, 2)) / count
    variance = (pixels * (x - mean) ** 2).sum((0, 1, 2)) / count
    return (x - mean) / jnp.sqrt(variance + 1e-5)
