"""The structure of the networks, and errors of those who build them."""

import numpy as np
import pytest

from jaxnas.spaces import Decision, SpaceError
from jaxnas.spaces import SearchSpace as Space
from jaxnas.supernets import (
    Network,
    OperationTable,
    chain,
    enas_macro,
    enas_micro,
    make_plan,
    mobilenet,
    nasbench201,
    ops,
    shufflenas,
)
from jaxnas.supernets.networks import enas_micro_final, mobilenet_v2, shufflenet_v2

BUILDERS = (chain, enas_macro, enas_micro, nasbench201, shufflenas)
SIZED = (chain, enas_macro, enas_micro, enas_micro_final, nasbench201)
STAGED = (mobilenet, mobilenet_v2)
DROPPED = (*SIZED[:-1], shufflenas, shufflenet_v2, *STAGED)


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize("size", [8, 224])
def test_networks_take_images_of_many_sizes(build, size):
    network = build(image_shape=(size, size, 3), num_classes=5)
    first = next(network.space.enumerate())
    assert make_plan(network, first).work["live"].flops > 0


@pytest.mark.parametrize("build", BUILDERS)
def test_images_that_cannot_be_halved_are_refused(build):
    with pytest.raises(ValueError, match="30 x 32 cannot be: resize them to multiples of 4"):
        build(image_shape=(30, 32, 3), num_classes=10)
    with pytest.raises(ValueError, match=r"image_shape is \(H, W, C\)"):
        build(image_shape=(32, 32), num_classes=10)
    with pytest.raises(ValueError, match="num_classes is 1"):
        build(image_shape=(32, 32, 3), num_classes=1)


@pytest.mark.parametrize(
    ("build", "options", "message"),
    [
        *((b, {"channels": 0}, "channels is 0; give a whole number of 1 or more") for b in SIZED),
        *((b, {"dropout": 1.5}, "dropout is 1.5; give a rate from 0 on, below 1") for b in DROPPED),
        *((b, {"image_shape": ()}, r"image_shape is \(H, W, C\), not \(\)") for b in DROPPED),
        *((b, {"stem_stride": 3}, "stem_stride is 3; give 1 or 2") for b in STAGED),
        *((b, {"stages": ()}, "stages is empty; give at least one") for b in STAGED),
        *((b, {"stages": ((4, 1, 3),)}, r"a stage is .*, not \(4, 1, 3\)") for b in STAGED),
        *((b, {"stages": ((4, 0, 1),)}, r"a stage is .*, not \(4, 0, 1\)") for b in STAGED),
        *((b, {"head": 0}, "head is 0; give a whole number of 1 or more") for b in STAGED),
        (nasbench201, {"cells": 0}, "cells is 0; give a whole number of 1 or more"),
        (chain, {"reductions": (0, 0)}, r"reductions is \(0, 0\); give different layers"),
        (chain, {"reductions": (12,)}, r"reductions is \(12,\); give .* from 0 to 11"),
        (chain, {"reductions": (-1,)}, r"reductions is \(-1,\); give .* from 0 to 11"),
    ],
)
def test_options_out_of_range_are_named(build, options, message):
    with pytest.raises(ValueError, match=f"^network '{build.__name__}': {message}"):
        build(**{"image_shape": (32, 32, 3), "num_classes": 10} | options)


def test_too_few_layers_or_cells_are_refused():
    images = {"image_shape": (8, 8, 1), "num_classes": 10}
    with pytest.raises(ValueError, match="layers is 2; at least 3"):
        enas_macro(**images, layers=2)
    with pytest.raises(ValueError, match="cells is 1; at least 2"):
        enas_micro(**images, cells=1)
    with pytest.raises(SpaceError, match="no decisions"):
        chain(**images, layers=0)


def test_the_cells_of_enas_micro_stand_as_in_the_authors_code():
    network = enas_micro(image_shape=(32, 32, 3), num_classes=10, nodes=1)
    shapes = [network.operations[f"cell_{i}/output/normalise"].shapes[0] for i in range(8)]
    # Six normal cells; the reduction cells are the third and the sixth of all eight.
    expected = [(32, 32, 20)] * 2 + [(16, 16, 40)] * 3 + [(8, 8, 80)] * 3
    assert shapes == expected
    assert network.operations["stem"].operation == ops.conv_bn(60)
    # Weights per node, side, input and operation; the last cell's paths are dropped fully.
    assert network.operations["cell_7/2/1/0/avg_pool_3x3"].drop_path == 1
    for key in ("cell_0/2/1/1/separable_5x5", "cell_0/2/2/0/separable_3x3"):
        assert network.canonical[key] == key


def test_the_layers_of_enas_macro_stand_as_in_the_authors_code():
    network = enas_macro(image_shape=(32, 32, 3), num_classes=10)
    sizes = [network.operations[f"layer_{i}/conv_3x3"].shapes[0] for i in range(12)]
    assert sizes == [(32, 32, 36)] * 4 + [(16, 16, 36)] * 4 + [(8, 8, 36)] * 4
    # Every stored output is halved: the stem and four layers, then the stem and eight layers.
    reductions = [key for key in network.operations if key.startswith("reduction")]
    assert len(reductions) == 5 + 9


def test_skips_of_enas_macro_read_earlier_outputs():
    network = enas_macro(image_shape=(8, 8, 1), num_classes=2, layers=3, channels=2)
    # Layer 2 adds the stem and layer 0, not layer 1, which it reads anyway.
    plan = make_plan(network, [[0, 0, 0, 0, 1, 1]])
    total = [i for i in plan.instructions if i.kind == "add"]
    assert len(total) == 1
    added = {plan.instructions[i].key for i in total[0].inputs}
    assert added == {"layer_2/conv_3x3", "reduction_1/0", "reduction_1/1"}


def test_an_operation_of_another_shape_is_named():
    operations = {
        "same": lambda inputs, channels, stride: ops.Convolution(channels, 1, stride),
        "other": lambda inputs, channels, stride: ops.Convolution(channels + 1, 1, stride),
    }
    with pytest.raises(ValueError, match=r"'layer_0/other' gives \[8, 8, 17\], but the first"):
        chain(image_shape=(8, 8, 1), num_classes=2, operations=operations)


def network_of(describe):
    table = OperationTable()
    table.add("halve", ops.Halve(), (4, 4, 1))
    table.add("classifier", ops.classifier(2), (4, 4, 1))
    space = Space("one", (Decision("only", ("this",)),))
    return Network("mine", space, (4, 4, 1), 2, table, lambda build, _: describe(build))


def test_errors_of_a_description_are_named():
    def unknown(build):
        return build.apply("clasifier", build.images)

    def wrong_input(build):
        return build.apply("classifier", build.apply("halve", build.images))

    def no_logits(build):
        return build.apply("halve", build.images)

    def different_shapes(build):
        return build.add(build.images, build.apply("halve", build.images))

    def no_terms(build):
        return build.add()

    for describe, error, message in (
        (unknown, KeyError, "no operation 'clasifier' .did you mean 'classifier'"),
        (wrong_input, ValueError, r"declared for inputs \[\(4, 4, 1\)\] but is applied to \[\(2,"),
        (no_logits, ValueError, r"output of shape \(2, 2, 1\), not logits \(2,\)"),
        (different_shapes, ValueError, "adds values of shapes"),
        (no_terms, ValueError, "adds no values"),
    ):
        with pytest.raises(error, match=message):
            make_plan(network_of(describe), np.zeros((1, 1), np.int32))


@pytest.mark.parametrize(
    ("operation", "share", "message"),
    [
        (ops.Relu(), 1.5, r"'x': drop_path is 1\.5; give a share from 0 to 1"),
        (ops.Relu(), -0.1, r"'x': drop_path is -0\.1; give a share from 0 to 1"),
        (ops.Identity(), 0.5, r"'x': drop_path is 0\.5; give 0, since an identity"),
        (ops.Zero(), 0.5, r"'x': drop_path is 0\.5; give 0, since an identity"),
    ],
)
def test_shares_of_drop_path_that_cannot_be_are_refused(operation, share, message):
    with pytest.raises(ValueError, match=message):
        OperationTable().add("x", operation, (4, 4, 1), drop_path=share)


def test_a_key_is_added_once():
    table = OperationTable()
    table.add("stem", ops.Relu(), (4, 4, 1))
    with pytest.raises(ValueError, match="'stem' is in the table already"):
        table.add("stem", ops.Relu(), (4, 4, 1))
