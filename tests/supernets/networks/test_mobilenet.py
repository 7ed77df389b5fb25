"""InstaNAS's meta-graph and its baseline: published counts, shapes and rules."""

import jax
import numpy as np
import pytest

from jaxnas.spaces.mobilenet import MODULES
from jaxnas.supernets import (
    count_parameters,
    make_plan,
    make_routing,
    mobilenet,
    mobilenet_v2,
)
from jaxnas.supernets.cost import operation_flops
from jaxnas.supernets.networks.mobilenet import layout

CIFAR = {"image_shape": (32, 32, 3), "num_classes": 10}


@pytest.fixture(scope="module")
def network():
    return mobilenet(**CIFAR)


def policies(*modules):
    """Policies of 17 blocks in each of which only one module is on."""
    rows = np.zeros((len(modules), 17, len(MODULES)), np.int32)
    for row, module in enumerate(modules):
        rows[row, :, module] = 1
    return rows.reshape(len(modules), -1)


def megamacs(network, architectures):
    """Multiply-accumulates of the searched blocks for one image, in millions."""
    costs = {
        key: operation_flops(*shared.signature) / 2e6
        for key, shared in network.operations.items()
        if key.startswith("block")
    }
    return np.asarray(make_routing(network, architectures).cost(costs))


def test_the_blocks_cost_what_is_known_of_the_authors_code(network):
    same = megamacs(network, policies(0, 1, 2, 3, 4))
    np.testing.assert_allclose(same, [90.9, 45.5, 104.0, 52.0, 130.6], atol=0.05)
    everything, nothing = np.ones((1, 85), np.int32), np.zeros((1, 85), np.int32)
    np.testing.assert_allclose(megamacs(network, everything), [423.0], atol=0.5)
    np.testing.assert_allclose(megamacs(network, nothing), [60.5], atol=0.05)


def test_the_blocks_have_the_known_number_of_parameters(network):
    keys = [key for key in network.operations if key.startswith("block")]
    shapes = jax.eval_shape(network.init, jax.random.key(0))
    sizes = {}
    for key in keys:
        group, _ = network.rows[key]
        sizes[key] = sum(int(np.prod(leaf.shape[1:])) for leaf in jax.tree.leaves(shapes[group]))
    first = sum(size for key, size in sizes.items() if key.endswith(MODULES[0]))
    np.testing.assert_allclose([first / 1e6, sum(sizes.values()) / 1e6], [1.82, 9.15], atol=0.005)


def test_the_blocks_have_the_published_shapes(network):
    blocks = [network.operations[f"block_{i}/basic_block"] for i in range(17)]
    inputs = [shared.shapes[0] for shared in blocks]
    outputs = [shared.operation.output_shape(*shared.shapes) for shared in blocks]
    channels = [16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320]
    sizes = [32, 32, 32, 16, 16, 16, 8, 8, 8, 8, 8, 8, 8, 4, 4, 4, 4]
    assert outputs == [(s, s, c) for s, c in zip(sizes, channels, strict=True)]
    assert inputs == [(32, 32, 32), *outputs[:-1]]


def test_the_layout_follows_the_size_of_the_images():
    assert layout(32).stem_stride == layout(64).stem_stride == 1
    strides = {size: [stage.stride for stage in layout(size).stages] for size in (32, 64, 224)}
    assert strides == {
        32: [1, 1, 2, 2, 1, 2, 1],
        64: [1, 2, 2, 2, 1, 2, 1],
        224: [1, 2, 2, 2, 1, 2, 1],
    }
    large = mobilenet(image_shape=(224, 224, 3), num_classes=10, modules=("basic_block",))
    assert large.operations["block_0/basic_block"].shapes[0] == (112, 112, 32)
    assert large.operations["classifier"].shapes[0] == (7, 7, 320)


def test_a_block_without_modules_is_skipped_or_runs_its_default(network):
    plan = make_plan(network, np.zeros((1, 85), np.int32))
    applied = [i.key for i in plan.instructions if i.kind == "apply"]
    firsts = [0, 1, 3, 6, 10, 13, 16]
    assert applied == ["stem", *(f"block_{i}/basic_block" for i in firsts), "classifier"]
    stages = ((8, 1, 1), (8, 1, 2))
    other = mobilenet(**CIFAR, stages=stages, stem=8, default="inverted_residual_3x3_3")
    applied = make_plan(other, np.zeros((1, 10), np.int32)).unique
    assert applied["block_1/inverted_residual_3x3_3"] == 1


def test_modules_that_are_on_are_added_up(network):
    architecture = np.zeros(85, np.int32)
    architecture[[10, 12, 14]] = 1
    plan = make_plan(network, architecture)
    (total,) = (i for i in plan.instructions if i.kind == "add")
    added = {plan.instructions[i].key for i in total.inputs}
    assert added == {f"block_2/{MODULES[i]}" for i in (0, 2, 4)}


def test_small_settings_make_small_networks():
    small = mobilenet(
        image_shape=(8, 8, 1),
        num_classes=10,
        stages=((4, 1, 1), (8, 2, 2)),
        stem=4,
        head=16,
        modules=("inverted_residual_3x3_3", "basic_block"),
    )
    assert small.space.count() == 2**6
    assert small.operations["block_2/basic_block"].shapes[0] == (4, 4, 8)
    # The first block keeps its input's shape, so it may be skipped.
    assert "block_0/basic_block" not in make_plan(small, np.zeros(6, np.int32)).unique


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"modules": ("conv",)}, "no module 'conv'; it has"),
        ({"modules": MODULES[:2]}, "the default 'basic_block' is not one of its modules"),
        (
            {"stages": ((8, 0, 1),)},
            r"a stage is .channels, blocks, stride 1 or 2., not \(8, 0, 1\)",
        ),
        ({"image_shape": (36, 36, 3)}, "36 x 36 cannot be: resize them to multiples of 8"),
    ],
)
def test_what_cannot_be_built_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        mobilenet(**{**CIFAR, **options})


def test_mobilenet_v2_has_the_published_size():
    # Sandler et al. 2018, table 4: 3.4M parameters and 300M MACs at 1.0, 585M MACs at 1.4. The
    # exact number of parameters is that of the common implementations (torchvision's 3,504,872).
    images = {"image_shape": (224, 224, 3), "num_classes": 1000}
    one = mobilenet_v2(**images)
    assert one.count_parameters() == 3_504_872
    for width, expected in ((1.0, 300e6), (1.4, 585e6)):
        flops = make_plan(mobilenet_v2(**images, width=width), [[0]]).work["live"].flops
        np.testing.assert_allclose(flops / 2, expected, rtol=0.01)


def test_mobilenet_v2_is_a_network_of_one_architecture():
    narrow, wide = (mobilenet_v2(**CIFAR, width=width) for width in (0.4, 1.4))
    assert narrow.space.count() == 1
    # Widths are multiples of 8; the last convolution grows with the network but never shrinks.
    assert narrow.operations["block_0"].shapes[0] == (32, 32, 16)
    assert wide.operations["block_16"].shapes[0] == (4, 4, 224)
    assert count_parameters(narrow, [0]) < count_parameters(wide, [0])
    with pytest.raises(ValueError, match="width is 0; it must be positive"):
        mobilenet_v2(**CIFAR, width=0)
