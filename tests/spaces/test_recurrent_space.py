"""NAS-RL's recurrent cells: the size that the paper states, and the cell that it found."""

import pytest

from jaxnas.spaces import SpaceError, recurrent
from jaxnas.spaces.recurrent import (
    EXTENDED_ACTIVATIONS,
    EXTENDED_COMBINATIONS,
    GRU,
    LSTM,
    NASCELL,
    RHN,
    make_cell,
)


def test_base_8_has_6_33e16_cells():
    assert recurrent().count() == 8**15 * 8 * 15 * 15 == 63331869759897600
    assert recurrent(base=2).count() == 8**3 * 8 * 3 * 3 == 36864
    assert recurrent(base=1).count() == 8 * 8


def test_extended_spaces_add_one_of_each():
    space = recurrent(8, EXTENDED_COMBINATIONS, EXTENDED_ACTIVATIONS)
    assert space.count() == 15**16 * 15**2


def test_decisions_stand_in_the_order_of_the_paper():
    assert [d.name for d in recurrent(base=2).decisions] == [
        *(f"node_{i}/{what}" for i in range(3) for what in ("combination", "activation")),
        "inject/combination",
        "inject/activation",
        "inject/node",
        "cell/node",
    ]


def test_the_published_cell_decodes():
    encoded = dict(recurrent().encode(NASCELL)["walk"])
    leaves = [encoded[f"node_{i}/activation"] for i in range(8)]
    assert leaves == ["sigmoid", "relu", "sigmoid", "relu", "tanh", "sigmoid", "tanh", "sigmoid"]
    products = [i for i in range(15) if encoded[f"node_{i}/combination"] == "elem_mult"]
    assert products == [3, 8, 10, 12, 14]
    assert (encoded["inject/node"], encoded["cell/node"]) == ("8", "12")
    assert encoded["node_12/activation"] == "identity"


@pytest.mark.parametrize(("base", "cell"), [(8, LSTM), (4, RHN), (16, GRU)])
def test_known_cells_are_of_the_space(base, cell):
    recurrent(base).validate(cell)


def test_a_cell_that_is_no_tree_says_so():
    with pytest.raises(SpaceError, match="base is 6: the leaves of a tree are a power of two"):
        recurrent(6)
    with pytest.raises(SpaceError, match="'add swish' is not one of"):
        make_cell("add swish", inject="add relu", inject_node=0, cell_node=0)
    with pytest.raises(SpaceError, match="node 1 is not in a tree of 1 nodes"):
        make_cell("add relu", inject="add relu", inject_node=1, cell_node=0)
