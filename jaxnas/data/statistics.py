"""Statistics of images, by channel."""

from __future__ import annotations

import numpy as np


def channel_statistics(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel in [0, 1] scale: `float32 [C]` each.

    Args:
      images: `uint8`, or `float32` in [0, 1], `[N, H, W, C]`.

    Returns:
      The mean, and the standard deviation with 1 in place of 0, by which nothing can be divided.
    """
    moments = [_moments(images[..., channel]) for channel in range(images.shape[-1])]
    mean, std = np.array(moments, np.float64).T
    return mean.astype(np.float32), np.where(std > 0, std, 1.0).astype(np.float32)


def _moments(channel: np.ndarray) -> tuple[float, float]:
    if channel.dtype == np.uint8:
        # 256 counts say all, exactly, and cost no copy of the images in floats.
        counts = np.bincount(channel.ravel(), minlength=256) / channel.size
        values = np.arange(256) / 255.0
        mean = float(counts @ values)
        return mean, float(np.sqrt(counts @ (values - mean) ** 2))
    mean = float(channel.mean(dtype=np.float64))
    return mean, float(channel.std(dtype=np.float64))
