"""Parameters and FLOPs against the table of the benchmark.

The table's `flops_c10` are multiply-accumulates of convolutions and of the classifier; ours count
two per multiply-accumulate. It counts every operation that a cell names, also those whose value
never reaches the output; that is a plan's raw work. Where nothing is dead all three agree.
"""

import os
import pathlib

import jax
import numpy as np
import pytest

from jaxnas.supernets import count_flops, count_parameters, make_plan, nasbench201
from jaxnas.supernets.network import _abstract_params

ROOT = pathlib.Path(__file__).parents[3]
SHARED = pathlib.Path(os.environ.get("JAXNAS_SHARED", ROOT.parent / "shared"))
TABLE = SHARED / "data" / "nas" / "nasbench201_test_acc.npz"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not TABLE.exists(), reason="the shared data is not there"),
]


@pytest.fixture(scope="module")
def table():
    with np.load(TABLE) as archive:
        return {name: archive[name] for name in archive.files}


def architecture(network, table, row):
    """The architecture of a row, through the labels of the table and of the space."""
    names = table["op_names"].astype(str)
    labels = {
        f"edge_{i}_{j}": names[op]
        for (i, j), op in zip(table["edges"].tolist(), table["ops"][row], strict=True)
    }
    return [d.actions.index(labels[d.name]) for d in network.space.decisions]


def raw_parameters(network, plan):
    trees = [_abstract_params(*network.operations[key].signature) for key in plan.raw]
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(trees))


def test_counts_equal_the_table(table):
    network = nasbench201(image_shape=(32, 32, 3), num_classes=10)
    alive = 0
    for row in range(0, 15625, 401):
        child = architecture(network, table, row)
        plan = make_plan(network, child)
        parameters, flops = int(table["params_c10"][row]), 2 * int(table["flops_c10"][row])
        assert raw_parameters(network, plan) == parameters
        assert plan.work["raw"].flops == flops
        assert count_flops(network, child) <= flops
        if plan.raw == plan.live:
            alive += 1
            assert count_parameters(network, child) == parameters
            assert count_flops(network, child) == flops
    assert alive > 10
