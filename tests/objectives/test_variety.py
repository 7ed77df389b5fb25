"""How much architectures say about classes."""

import numpy as np
import pytest

from jaxnas.objectives.variety import (
    bitwise_mutual_information,
    corrected_mutual_information,
    count_unique,
    mutual_information,
)


def test_by_hand():
    architectures = np.array([[0, 1], [0, 1], [1, 0], [1, 1]])
    labels = np.array([0, 0, 1, 1])
    assert count_unique(architectures) == 3
    # The architecture says the class exactly.
    assert mutual_information(architectures, labels) == pytest.approx(np.log(2))
    # So does the first bit; of the second, p(1, class) is 1/2 and 1/4, p(0, class) 0 and 1/4.
    second = 0.5 * np.log(0.5 / 0.375) + 0.25 * np.log(0.25 / 0.375) + 0.25 * np.log(0.25 / 0.125)
    assert bitwise_mutual_information(architectures, labels) == pytest.approx(np.log(2) + second)


def test_the_bias_is_taken_off():
    random = np.random.default_rng(0)
    architectures, labels = random.integers(0, 2, (300, 12)), random.integers(0, 10, 300)
    found = corrected_mutual_information(architectures, labels)
    # Nearly as many architectures as images: the plain estimate is nearly the classes' entropy.
    assert found["raw"] > 1.5
    assert abs(found["corrected"]) < 0.1
    assert abs(found["bitwise_corrected"]) < 0.1
    told = np.repeat(labels[:, None] % 2, 3, axis=1)
    assert corrected_mutual_information(told, labels)["corrected"] > 0.6
