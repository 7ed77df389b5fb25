"""ENAS's final networks, for the architectures that the authors published.

The slow counts follow the authors' code: `micro_child.py` and `general_child.py` with a fixed
architecture, whose classifiers have no bias.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.spaces import enas_macro as macro_space
from jaxnas.spaces.enas_macro import PUBLISHED as LAYERS
from jaxnas.spaces.enas_micro import AUTHORS_CELLS
from jaxnas.spaces.enas_micro import PUBLISHED as CELLS
from jaxnas.supernets import count_parameters, enas_macro, enas_micro_final, make_plan
from jaxnas.supernets.standalone import Standalone, forward

CIFAR = {"image_shape": (32, 32, 3), "num_classes": 10}
BIAS = 10


def micro_cell(code, before, last, halve_before, channels, stride):
    """The parameters of one cell, and the channels of its output."""
    norm = 2 * channels
    total = before * channels + norm if halve_before or before != channels else 0
    total += last * channels + norm if last != channels else 0
    total += channels**2 + norm
    read = set()
    for i in range(0, len(code), 2):
        source, operation = code[i : i + 2]
        read.add(source)
        if operation < 2:
            total += 2 * ((3, 5)[operation] ** 2 * channels + channels**2 + norm)
        elif operation == 4 and stride == 2 and source < 2:
            total += channels**2 + norm
    loose = set(range(len(code) // 4 + 2)) - read
    total += len(loose & {0, 1}) * (channels**2 + norm) if stride == 2 else 0
    return total, len(loose) * channels


def micro_by_hand(code, layers, channels):
    total = 27 * 3 * channels + 2 * 3 * channels
    widths, sizes, size = [3 * channels] * 2, [32, 32], 32
    normal, reduction = code[:20], code[20:]
    for layer in range(layers + 2):
        pooling = layer in (layers // 3, 2 * (layers // 3) + 1)
        channels *= 2 if pooling else 1
        cell = reduction if pooling else normal
        stride = 2 if pooling else 1
        halve = sizes[-2] != sizes[-1]
        more, width = micro_cell(cell, widths[-2], widths[-1], halve, channels, stride)
        total, size = total + more, size // stride
        widths.append(width)
        sizes.append(size)
    return total + 10 * widths[-1]


def macro_by_hand(layers, channels, widen=True, concatenate=True, dense=False):
    total, code, number = 29 * channels, list(layers), 24
    for layer in range(number):
        operation, skips = code[0], sum(code[1 : 1 + layer])
        code, norm = code[1 + layer :], 2 * channels
        size = (3, 3, 5, 5)[operation]
        separable = operation in (1, 3) and not dense
        kernel = size**2 * channels * (1 if separable else channels)
        total += channels**2 + norm + kernel + (channels**2 if separable else 0) + norm
        if layer:
            total += (skips + 1) * channels**2 * concatenate + norm
        if layer in (7, 15):
            outputs = 2 * channels if widen else channels
            total += (layer + 2) * (channels * outputs + 2 * outputs)
            channels = outputs
    return total + 10 * channels


def test_the_published_micro_cells_have_3_9_million_parameters():
    network = enas_micro_final(**CIFAR)
    ours = count_parameters(network, CELLS)
    assert ours == micro_by_hand(AUTHORS_CELLS, 15, 36) + BIAS == 3_894_382
    # The paper says 4.6. The code's auxiliary head reads 5 x 144 channels of 2 x 2.
    head = 720 * 128 + 256 + 2 * 2 * 128 * 768 + 1536 + 7680
    assert ours + head == 4_389_230


@pytest.mark.parametrize("widen", [False, True])
@pytest.mark.parametrize("concatenate", [False, True])
def test_the_published_macro_layers_by_form(widen, concatenate):
    network = enas_macro(**CIFAR, layers=24, channels=96, widen=widen, concatenate=concatenate)
    ours = count_parameters(network, LAYERS)
    unused = unused_reductions() if widen else unused_reductions((96, 96, 96))
    assert ours + unused == macro_by_hand(LAYERS, 96, widen, concatenate) + BIAS
    if widen:
        # The paper says 21.3 million.
        assert ours == (30_947_434 if concatenate else 19_796_074)


def unused_reductions(widths=(96, 192, 384)):
    """The parameters of reductions whose results no later layer reads; the code builds them all."""
    choices = macro_space(24).choices(LAYERS)
    read = {7: {8}, 15: {16}}
    for layer in range(24):
        for position, source in enumerate(("stem", *(f"layer_{i}" for i in range(23)))):
            if choices.get(f"layer_{layer}/skip_{source}") == 1:
                for reduction in [r for r in read if r < layer and position <= r + 1]:
                    read[reduction].add(position)
    # What the second reduction reads has passed the first.
    read[7] |= {p for p in read[15] if p <= 8}
    number = [7 + 2 - len(read[7]), 15 + 2 - len(read[15])]
    each = [c * d + 2 * d for c, d in itertools.pairwise(widths)]
    return sum(n * e for n, e in zip(number, each, strict=True))


def test_the_authors_code_has_twice_the_published_parameters_of_macro():
    assert macro_by_hand(LAYERS, 96, dense=True) == 42_559_392


@pytest.mark.parametrize("seed", range(3))
def test_any_cells_build(seed):
    network = enas_micro_final(image_shape=(8, 8, 3), num_classes=3, cells=3, nodes=3, channels=4)
    architectures = network.space.sample(jax.random.key(seed), 10)
    assert len(make_plan(network, architectures).outputs) == 10


def test_concatenated_skips_are_a_projection_of_the_concatenation(exact):
    network = enas_macro(
        image_shape=(4, 4, 1), num_classes=2, layers=3, channels=2, concatenate=True, dropout=0.0
    )
    random = np.random.default_rng(0)
    shapes = jax.eval_shape(network.init, jax.random.key(0))
    params = jax.tree.map(lambda s: jnp.asarray(random.normal(size=s.shape)), shapes)
    images = jnp.asarray(random.normal(size=(3, 4, 4, 1)))
    build = Standalone(network, lambda key: network.parameters(params, key), images)
    # Layers of 3 x 3 convolutions; the last one skips to the stem and to the first layer.
    choices = network.space.choices([0, 0, 0, 0, 1, 1])
    stem = build.apply("stem", images)
    first = build.apply("layer_0/conv_3x3", stem)
    stem, first = build.apply("reduction_0/0", stem), build.apply("reduction_0/1", first)
    own = build.apply("layer_1/conv_3x3", first)
    second = build.apply("layer_1/normalise", build.apply("layer_1/project_own", own))
    values = [build.apply(f"reduction_1/{i}", x) for i, x in enumerate((stem, first, second))]
    own = build.apply("layer_2/conv_3x3", values[2])
    keys = [f"layer_2/project_{source}" for source in ("stem", "layer_0", "own")]
    kernel = [network.parameters(params, key)["1"]["weights"][0, 0] for key in keys]
    concatenation = jnp.concatenate([values[0], values[1], own], -1)
    joined = jnp.maximum(concatenation, 0) @ jnp.concatenate(kernel)
    expected = build.apply("classifier", build.apply("layer_2/normalise", joined))
    ours = forward(network, params, choices, images)
    np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-9)


def test_a_cell_passes_on_what_none_of_its_nodes_reads(exact):
    network = enas_micro_final(
        image_shape=(4, 4, 1), num_classes=2, cells=2, nodes=1, channels=2, dropout=0.0
    )
    # Reduction, normal, reduction, normal. Node 2 is max_pool(input 1) + input 1, and no node
    # reads input 0.
    plan = make_plan(network, [[1, 1, 3, 4] * 2])
    assert plan.unique["classifier_2"] == 1
    assert [network.operations[f"cell_{i}/base"].shapes for i in range(4)] == [
        ((4, 4, 4),),
        ((2, 2, 4),),
        ((2, 2, 8),),
        ((1, 1, 8),),
    ]
    # Reduction cells halve the input that they pass on; normal ones pass it as it is.
    passed = [i.key for i in plan.instructions if "/output/" in i.key]
    assert passed == ["cell_0/output/0", "cell_2/output/0"]
