"""NAS-RL's convolutional children written a second time: one pixel at a time, in NumPy.

It reads the choices of the space by name, not codes.
"""

from __future__ import annotations

import numpy as np


def logits(settings, parameters, architecture, images):
    """The logits `[B, K]` of one child on images `[B, H, W, C]`."""
    decisions = (decision.name for decision in settings.space.decisions)
    choices = {name: a for name, a in zip(decisions, architecture, strict=True) if a >= 0}
    outputs, ends, read = [], [], set()
    depth = sum(f"layer_{i}/height" in choices for i in range(settings.layers))
    for i in range(depth):
        sources = [ends[j] for j in range(i) if choices.get(f"layer_{i}/skip_layer_{j}", 0)]
        sources = sources or ["image"]
        for k in range(settings.block):
            number = len(outputs)
            inputs = [
                pooled(images, settings.pools, 0, number)
                if source == "image"
                else pooled(outputs[source], settings.pools, source + 1, number)
                for source in sources
            ]
            outputs.append(
                layer(settings, parameters["layers"], number, beside(inputs), choices, i, k)
            )
            read |= set(sources)
            sources = [*sources, number]
        ends.append(number)
    rows = np.asarray(parameters["head"]["kernel"])
    rows = rows.reshape(settings.layers * settings.block, -1, 10)
    total = np.asarray(parameters["head"]["bias"])
    for i, output in enumerate(outputs):
        if i not in read:
            total = total + output.mean((1, 2)) @ rows[i, : output.shape[-1]]
    return total


def layer(settings, layers, number, x, choices, i, k):
    """Convolution `number`, the `k`-th of block `i`: its output."""
    height = settings.heights[choices[f"layer_{i}/height"]]
    width = settings.widths[choices[f"layer_{i}/width"]]
    filters = settings.filters[choices[f"layer_{i}/filters"]]
    strides = [1, 1]
    if settings.strides is not None and k == 0:
        sides = ("height", "width")
        strides = [settings.strides[choices[f"layer_{i}/stride_{side}"]] for side in sides]
    top = (max(settings.heights) - height) // 2
    left = (max(settings.widths) - width) // 2
    kernel = np.asarray(layers["kernel"])[number, :filters]
    kernel = kernel[:, top : top + height, left : left + width, : x.shape[-1]]
    z = convolve(x, kernel, strides)
    z = (z - z.mean((0, 1, 2))) / np.sqrt(z.var((0, 1, 2)) + 1e-5)
    scale, bias = (np.asarray(layers[name])[number, :filters] for name in ("scale", "bias"))
    return np.maximum(z * scale + bias, 0)


def pooled(x, pools, made, read):
    """A value made by so many convolutions, as the one after `read` others sees it."""
    for pool in pools:
        if made <= pool <= read:
            blocks = [
                x[:, a : a + 2, b : b + 2].max((1, 2))
                for a in range(0, x.shape[1], 2)
                for b in range(0, x.shape[2], 2)
            ]
            sizes = [-(-x.shape[side] // 2) for side in (1, 2)]
            x = np.stack(blocks, 1).reshape(len(x), *sizes, x.shape[-1])
    return x


def beside(parts):
    """Concatenated channels; smaller maps are filled up with zeros below and to the right."""
    sizes = [max(p.shape[k] for p in parts) for k in (1, 2)]
    return np.concatenate(
        [
            np.pad(p, [(0, 0), (0, sizes[0] - p.shape[1]), (0, sizes[1] - p.shape[2]), (0, 0)])
            for p in parts
        ],
        axis=-1,
    )


def convolve(x, kernel, strides):
    """`[B, H, W, C]` with filters `[F, h, w, C]`, the image surrounded by zeros."""
    height, width = kernel.shape[1:3]
    around = [(0, 0), (height // 2,) * 2, (width // 2,) * 2, (0, 0)]
    padded = np.pad(x, around)
    rows, columns = (range(0, x.shape[k + 1], strides[k]) for k in (0, 1))
    z = np.zeros((len(x), len(rows), len(columns), len(kernel)))
    for a, i in enumerate(rows):
        for b, j in enumerate(columns):
            patch = padded[:, i : i + height, j : j + width]
            z[:, a, b] = np.einsum("bhwc,fhwc->bf", patch, kernel)
    return z
