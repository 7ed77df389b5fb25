"""The ready spaces have the sizes and shapes of their papers."""

import pytest

from jaxnas.spaces import chain, enas_macro, enas_micro, nasbench201, shufflenas
from jaxnas.spaces.enas_macro import PUBLISHED as LAYERS
from jaxnas.spaces.enas_micro import PUBLISHED as CELLS
from jaxnas.spaces.enas_micro import from_authors_code


def test_enas_macro_has_1_606e29_architectures():
    space = enas_macro()
    assert space.count() == 6**12 * 2**66 == 160618186625454535808756219904
    assert (space.max_length, space.max_actions, space.acyclic) == (78, 6, True)


def test_enas_macro_skips_lead_from_the_stem_and_earlier_layers():
    space = enas_macro(4, ("conv", "pool"))
    assert [d.name for d in space.decisions] == [
        "layer_0/op",
        "layer_1/op",
        "layer_1/skip_stem",
        "layer_2/op",
        "layer_2/skip_stem",
        "layer_2/skip_layer_0",
        "layer_3/op",
        "layer_3/skip_stem",
        "layer_3/skip_layer_0",
        "layer_3/skip_layer_1",
    ]
    made = [d.node for d in space.decisions if d.node]
    assert made == ["layer_0", "layer_1", "layer_2", "layer_3"]


def test_enas_micro_has_5_06e12_cells():
    one = enas_micro(cells=("normal",)).count()
    assert one == 5062500000000
    both = enas_micro()
    assert both.count() == one**2
    assert both.max_length == 40
    inputs = [d for d in both.decisions if d.group == "input"]
    assert [len(d.actions) for d in inputs[:10]] == [2, 2, 3, 3, 4, 4, 5, 5, 6, 6]


def test_the_published_micro_cells_decode():
    space = enas_micro()
    encoded = dict(space.encode(CELLS)["walk"])
    first = [encoded[f"normal/2/{name}"] for name in ("input_1", "op_1", "input_2", "op_2")]
    assert first == ["0", "avg_pool_3x3", "0", "separable_3x3"]
    last = [encoded[f"reduction/6/{name}"] for name in ("input_1", "op_1", "input_2", "op_2")]
    assert last == ["0", "max_pool_3x3", "1", "separable_5x5"]
    with pytest.raises(ValueError, match="the code has 3 ints; give 4 for each node"):
        from_authors_code([0, 1, 2])


def test_the_published_macro_layers_decode():
    encoded = dict(enas_macro(24).encode(LAYERS)["walk"])
    operations = [encoded[f"layer_{i}/op"] for i in range(4)]
    assert operations == ["conv_3x3", "separable_5x5", "conv_3x3", "conv_5x5"]
    skips = [encoded[f"layer_5/skip_{s}"] for s in ("stem", *(f"layer_{i}" for i in range(4)))]
    assert skips == ["yes", "yes", "no", "yes", "no"]
    assert not {"avg_pool_3x3", "max_pool_3x3"} & set(encoded.values())


def test_nasbench201_has_15625_cells():
    space = nasbench201()
    assert space.count() == 15625
    assert [d.name for d in space.decisions] == [
        f"edge_{i}_{j}" for i, j in ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
    ]
    assert len(set(space.decisions[0].actions)) == 5


def test_chain():
    space = chain(3, ("a", "b", "c", "d"))
    assert space.count() == 64
    assert chain().count() == 5**12


def test_shufflenas_has_25_to_the_power_of_its_nodes():
    space = shufflenas()
    assert space.count() == 25**4
    assert [d.name for d in space.decisions] == [
        f"{cell}/node_{i}" for cell in ("normal", "reduction") for i in range(4)
    ]
    assert shufflenas(nodes=2, cells=("normal",)).count() == 25
