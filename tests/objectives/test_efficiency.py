"""Accuracy and cost as one reward, by hand."""

import numpy as np
import pytest

from jaxnas.objectives import Efficiency, LatencyTable, child_costs, flops_table
from jaxnas.supernets import chain, count_flops, ops


@pytest.fixture(scope="module")
def network():
    operations = {
        "conv": lambda inputs, channels, stride: ops.relu_conv_bn(channels, 3, stride),
        "skip": lambda inputs, channels, stride: ops.Identity(),
    }
    options = {"layers": 2, "channels": 2, "reductions": (), "operations": operations}
    return chain(image_shape=(4, 4, 1), num_classes=3, **options)


@pytest.fixture(scope="module")
def table(network):
    costs = dict.fromkeys(network.operations, 1.0)
    costs |= {key: 10.0 for key in network.operations if "conv" in key}
    return LatencyTable(network.name, "seconds", costs)


CHILDREN = np.array([[0, 0], [0, 1], [1, 1]])


def test_a_child_costs_what_it_applies(network, table):
    np.testing.assert_allclose(child_costs(table, network, CHILDREN), [22, 12, 2])
    flops = child_costs(flops_table(network), network, CHILDREN)
    np.testing.assert_allclose(flops, [count_flops(network, child) for child in CHILDREN])


def test_the_reward_of_mnasnet(network, table):
    efficiency = Efficiency(network, table, target=12.0)
    found = efficiency.rewards([0.5, 0.8, np.nan], CHILDREN)
    np.testing.assert_allclose(found, [0.5 * (22 / 12) ** -0.07, 0.8, np.nan], rtol=1e-6)
    # Twice the cost for 5% more accuracy is a fair price in the paper.
    twice = Efficiency(network, table, target=11.0).rewards([1.05], CHILDREN[:1])
    np.testing.assert_allclose(twice, 1.0, atol=2e-3)


def test_a_target_must_be_above_zero(network, table):
    with pytest.raises(ValueError, match="target cost is 0: give a number above 0"):
        Efficiency(network, table, target=0)
