"""The embedded data: scikit-learn's 1,797 handwritten digits of 8x8 pixels."""

from __future__ import annotations

import numpy as np

from jaxnas.data.dataset import Dataset, from_arrays

TEST_SIZE = 400
VALIDATION_SIZE = 397
SPLIT_SEED = 1797


def load_digits(
    *, limit: int | None = None, validation: float | int | None = None, seed: int = 0
) -> Dataset:
    """Loads the digits: 1,000 images for training, 397 for validation, 400 for testing.

    The test images are always the same ones, whatever `seed` is: they are drawn by a seed of
    their own, because scikit-learn's rows stand in the order of their writers.

    Args:
      limit: at most so many of the 1,397 images that are not for testing, and of those that are.
      validation: a share or a number of the images that are not for testing; 397 by default.
      seed: of the permutation that parts validation from training.

    Returns:
      `uint8 [N, 8, 8, 1]` images: the 17 levels of grey 0..16 are spread over 0..255.

    Source: Alpaydin & Kaynak 1998, "Optical recognition of handwritten digits", UCI.
    """
    from sklearn import datasets  # Takes a second to import; only this source needs it.

    digits = datasets.load_digits()
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)
    labels = digits.target
    order = np.random.default_rng(SPLIT_SEED).permutation(len(images))
    test, rest = order[:TEST_SIZE], order[TEST_SIZE:]
    return from_arrays(
        images[rest],
        labels[rest],
        images[test],
        labels[test],
        validation=VALIDATION_SIZE / len(rest) if validation is None else validation,
        limit=limit,
        seed=seed,
        name="digits",
        class_names=[str(digit) for digit in range(10)],
        prefix="train_",
    )
