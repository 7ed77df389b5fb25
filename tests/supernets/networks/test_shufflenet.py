"""ShuffleNet V2 has its published sizes, and is one point of the space around it."""

import dataclasses
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.spaces.shufflenas import shufflenet_v2_unit
from jaxnas.supernets import (
    count_flops,
    count_parameters,
    make_plan,
    shufflenas,
    shufflenet_v2,
)
from jaxnas.supernets.networks.shufflenas import SETTINGS
from jaxnas.supernets.networks.shufflenet_v2 import SIZES
from jaxnas.supernets.standalone import Standalone, forward

IMAGES = {
    "digits": {"image_shape": (8, 8, 1), "num_classes": 10},
    "cifar": {"image_shape": (32, 32, 3), "num_classes": 10},
    "mobile": {"image_shape": (224, 224, 3), "num_classes": 1000},
}
# The columns of the authors' README: millions of parameters and of multiply-accumulates.
PUBLISHED = {"0.5x": (1.4, 41), "1.0x": (2.3, 146), "1.5x": (3.5, 299), "2.0x": (7.4, 591)}
EXACT = {
    "0.5x": (1_366_792, 40_476_448),
    "1.0x": (2_279_760, 145_814_296),
    "1.5x": (3_507_720, 298_970_656),
    "2.0x": (7_403_600, 590_783_000),
}


def by_hand(channels, head):
    """Parameters and multiply-accumulates, counted layer by layer."""
    layers = [(27 * 24, 112, 24)]  # weights, size of the output, channels that are normalised
    inputs, size = 24, 56
    for stage, repeats in enumerate((4, 8, 4)):
        outputs, middle = channels * 2**stage, channels * 2**stage // 2
        half = size // 2
        layers += [(9 * inputs, half, inputs), (inputs * inputs, half, inputs)]
        layers += [(inputs * middle, size, middle), (9 * middle, half, middle)]
        layers += [(middle * (outputs - inputs), half, outputs - inputs)]
        unit = [middle * middle, 9 * middle, middle * middle]
        layers += [(weights, half, middle) for weights in unit] * (repeats - 1)
        inputs, size = outputs, half
    layers += [(inputs * head, size, head)]
    parameters = sum(weights + 2 * c for weights, _, c in layers) + head * 1000 + 1000
    return parameters, sum(w * s * s for w, s, _ in layers) + head * 1000


@pytest.mark.parametrize("size", SIZES)
def test_shufflenet_v2_has_its_published_sizes(size):
    network = shufflenet_v2(**IMAGES["mobile"], **dataclasses.asdict(SIZES[size]))
    parameters, macs = network.count_parameters(), count_flops(network, [0]) // 2
    assert (parameters, macs) == EXACT[size]
    assert (parameters, macs) == by_hand(SIZES[size].channels, SIZES[size].head)
    millions, mega_macs = PUBLISHED[size]
    assert round(parameters / 1e6, 1) == millions
    # 0.5x: 40.48, published as 41; with the additions of the global pooling all four agree.
    pooling = 7 * 7 * SIZES[size].head
    assert round((macs + pooling) / 1e6) == mega_macs
    assert abs(macs / 1e6 - mega_macs) < 0.6


@pytest.mark.parametrize("setting", SETTINGS)
def test_shufflenet_v2_is_one_point_of_the_space(setting):
    options = IMAGES[setting] | dataclasses.asdict(SETTINGS[setting]) | {"dropout": 0.0}
    searched, fixed = shufflenas(**options), shufflenet_v2(**options)
    child = make_plan(searched, [shufflenet_v2_unit()])
    plan = make_plan(fixed, [[0]])

    def operations(plan):
        """The signatures of what a plan applies, and how often."""
        signatures: Counter = Counter()
        for key, number in plan.live.items():
            signatures[plan.network.operations[key].signature] += number
        return signatures

    assert operations(child) == operations(plan)
    assert [i.shape for i in child.instructions] == [i.shape for i in plan.instructions]
    assert [i.inputs for i in child.instructions] == [i.inputs for i in plan.instructions]
    assert count_parameters(searched, shufflenet_v2_unit()) == fixed.count_parameters()


def test_the_child_with_shufflenet_v2_units_computes_shufflenet_v2(exact):
    options = {"image_shape": (4, 4, 1), "num_classes": 3, "channels": 4, "depths": (1, 2)}
    searched = shufflenas(**options, nodes=2, dropout=0.0)
    fixed = shufflenet_v2(**options, mobile=False, head=0)
    random = np.random.default_rng(0)
    shapes = jax.eval_shape(searched.init, jax.random.key(0))
    params = jax.tree.map(lambda s: jnp.asarray(random.normal(size=s.shape)), shapes)
    images = jnp.asarray(random.normal(size=(2, 4, 4, 1)))

    def lookup(key):
        return searched.parameters(params, key.replace("/branch", "/node_0/separable_3x3"))

    expected = fixed.describe(Standalone(fixed, lookup, images), fixed.space.choices([0]))
    choices = searched.space.choices(shufflenet_v2_unit(2))
    np.testing.assert_array_equal(forward(searched, params, choices, images), expected)


def test_the_units_of_a_network_stand_as_described():
    network = shufflenas(**IMAGES["cifar"], channels=32, depths=(2, 1, 2))
    branches = {
        key.removesuffix("/node_1/identity"): shared.shapes[0]
        for key, shared in network.operations.items()
        if key.endswith("/node_1/identity")
    }
    # A normal unit works on half of its channels; a reduction unit's branch doubles them.
    assert branches == {
        "stage_0/unit_0": (32, 32, 16),
        "stage_0/unit_1": (32, 32, 16),
        "stage_1/unit_0": (16, 16, 32),
        "stage_2/unit_0": (8, 8, 64),
        "stage_2/unit_1": (8, 8, 64),
    }
    assert network.operations["classifier"].shapes == ((8, 8, 128),)
    assert network.operations["stage_2/unit_1/node_0/max_pool_3x3"].drop_path == 1
    assert network.operations["stage_2/unit_1/node_0/identity"].drop_path == 0


def test_children_share_what_their_units_begin_with():
    network = shufflenas(**IMAGES["digits"], channels=4, depths=(1, 1), nodes=3)
    separable, pool, identity = 0, 2, 4
    first, second = [separable, pool, identity, pool, identity, identity], [0] * 6
    second[:2] = separable, pool
    plan = make_plan(network, [first, second])
    counts = plan.unique
    # The stem, the split and the first two nodes of the first unit are computed once for both.
    for key in ("stem", "stage_0/unit_0/node_0/separable_3x3", "stage_0/unit_0/kept"):
        assert counts[key] == 1
        assert plan.live[key] == 2
    assert counts["stage_0/unit_0/join"] == 2


def test_a_branch_of_identities_is_no_work():
    network = shufflenas(**IMAGES["digits"], channels=4, depths=(2,))
    plan = make_plan(network, [[4] * 8])
    # Stem, both splits, join; the second unit splits and joins again; the classifier.
    assert len(plan.instructions) - 1 == 1 + 3 + 3 + 1
    assert count_parameters(network, [4] * 8) == (36 + 8) + (4 * 10 + 10)


def test_frames_that_cannot_be_built_are_refused():
    images = IMAGES["digits"]
    with pytest.raises(ValueError, match="channels is 5; give an even number"):
        shufflenas(**images, channels=5)
    with pytest.raises(ValueError, match=r"depths is \(1, 0\); give at least one stage"):
        shufflenas(**images, depths=(1, 0))
    with pytest.raises(ValueError, match=r"depths is \(\); give at least one stage"):
        shufflenet_v2(**images, depths=(), mobile=False)
    with pytest.raises(ValueError, match="no decisions"):
        shufflenas(**images, nodes=0)
    with pytest.raises(ValueError, match="halves its images 5 times, which 8 x 8 cannot be"):
        shufflenet_v2(**images)
    with pytest.raises(ValueError, match=r"channels is 24; .* more than the stem's 24"):
        shufflenas(image_shape=(32, 32, 3), num_classes=2, channels=24, depths=(1,), mobile=True)


@pytest.mark.parametrize("label", range(5))
def test_the_first_node_of_a_reduction_may_widen(label):
    options = {"channels": 28, "depths": (1,), "mobile": True, "nodes": 1}
    network = shufflenas(image_shape=(8, 8, 1), num_classes=2, **options)
    plan = make_plan(network, [[0, label]])
    shapes = [i.shape for i in plan.instructions if i.key.startswith("stage_0/unit_0/")]
    # The stem's 24 channels in the shortcut, 4 more in the branch, joined.
    assert sorted(shapes) == [(1, 1, 4), (1, 1, 24), (1, 1, 28)]
