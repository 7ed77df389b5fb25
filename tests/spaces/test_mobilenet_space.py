"""InstaNAS's space: 85 independent bits."""

import jax
import numpy as np

from jaxnas.spaces import mobilenet
from jaxnas.spaces.mobilenet import MODULES


def test_every_module_of_every_block_is_an_independent_bit():
    space = mobilenet()
    assert space.count() == 2**85
    assert space.max_length == 17 * 5
    assert [d.name for d in space.decisions[5:10]] == [f"block_1/{m}" for m in MODULES]
    bits = np.asarray(space.sample(jax.random.key(0), 4000))
    assert set(np.unique(bits)) == {0, 1}
    # Uniform over policies: every bit is even, and bits do not move together.
    assert np.abs(bits.mean(0) - 0.5).max() < 0.05
    correlation = np.corrcoef(bits[:, :10].T) - np.eye(10)
    assert np.abs(correlation).max() < 0.1


def test_a_policy_is_written_for_people():
    space = mobilenet(1, ("basic_block",))
    assert space.encode(np.array([1]))["walk"] == [["block_0/basic_block", "on"]]
