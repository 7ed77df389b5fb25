"""Do the images of different classes get different architectures?

Source of the correction: Miller 1955, "Note on the bias of information estimates"; here the bias
is not approximated but measured on shuffled classes.
"""

from __future__ import annotations

import numpy as np


def count_unique(architectures: np.ndarray) -> int:
    """The number of different architectures among `int [N, T]`."""
    return len(np.unique(architectures, axis=0))


def mutual_information(architectures: np.ndarray, labels: np.ndarray) -> float:
    """The mutual information of architecture and class in nats, by their frequencies.

    It is biased upwards: with as many architectures as images it is the entropy of the classes,
    whatever the policy; see `corrected_mutual_information`.

    Args:
      architectures: `int [N, T]`.
      labels: `int [N]`.

    Example:
      >>> round(mutual_information(np.array([[0], [0], [1], [1]]), np.array([0, 0, 1, 1])), 4)
      0.6931
    """
    _, policy = np.unique(architectures, axis=0, return_inverse=True)
    _, label = np.unique(labels, return_inverse=True)
    joint = np.zeros((policy.max() + 1, label.max() + 1))
    np.add.at(joint, (policy.reshape(-1), label.reshape(-1)), 1 / len(labels))
    expected = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    seen = joint > 0
    return float((joint[seen] * np.log(joint[seen] / expected[seen])).sum())


def bitwise_mutual_information(architectures: np.ndarray, labels: np.ndarray) -> float:
    """The sum over the bits of their own mutual information with the class, in nats.

    It has little bias, and counts what several bits say alike several times.
    """
    columns = np.asarray(architectures).T
    return sum(mutual_information(column[:, None], labels) for column in columns)


def corrected_mutual_information(
    architectures: np.ndarray, labels: np.ndarray, *, shuffles: int = 20, seed: int = 0
) -> dict[str, float]:
    """The mutual information beside its mean over shuffled classes.

    Args:
      architectures: `int [N, T]`.
      labels: `int [N]`.
      shuffles: how many.
      seed: of the shuffles.

    Returns:
      `raw`, `shuffled` (the mean), `corrected` (their difference, in nats), and `bitwise` and
      `bitwise_corrected`, the same of the sum over bits.
    """
    random = np.random.default_rng(seed)
    orders = [random.permutation(labels) for _ in range(shuffles)]
    raw = mutual_information(architectures, labels)
    shuffled = float(np.mean([mutual_information(architectures, order) for order in orders]))
    bitwise = bitwise_mutual_information(architectures, labels)
    chance = float(np.mean([bitwise_mutual_information(architectures, o) for o in orders]))
    return {
        "raw": raw,
        "shuffled": shuffled,
        "corrected": raw - shuffled,
        "bitwise": bitwise,
        "bitwise_corrected": bitwise - chance,
    }
