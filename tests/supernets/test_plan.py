"""Plans of small samples, worked out by hand."""

import time

import jax
import numpy as np
import pytest

from jaxnas.spaces import Decision, SearchSpace, SpaceError
from jaxnas.supernets import (
    Network,
    OperationTable,
    Work,
    chain,
    enas_micro,
    make_plan,
    nasbench201,
    ops,
)
from jaxnas.supernets.expressions import Expression

CHOICES = {
    "conv": lambda inputs, channels, stride: ops.Convolution(channels, 3, stride),
    "pool": lambda inputs, channels, stride: ops.MaxPool(),
    "skip": lambda inputs, channels, stride: ops.Identity(),
}
CONV, POOL, SKIP = range(3)
NONE, SKIP_CONNECT, CONV_1X1, CONV_3X3, AVG_POOL = range(5)


@pytest.fixture(scope="module")
def three_children():
    network = chain(
        image_shape=(4, 4, 1),
        num_classes=2,
        layers=2,
        channels=2,
        operations=CHOICES,
        reductions=(),
    )
    return make_plan(network, [[CONV, POOL], [CONV, CONV], [SKIP, POOL]])


def test_width_is_applications_over_those_of_the_longest_way(three_children):
    assert three_children.width == 8 / 4


def test_instructions_of_a_chain(three_children):
    # Children are planned in lexicographic order: conv-conv, conv-pool, skip-pool. The skip is
    # the stem's output itself.
    image, inner, logits = (4, 4, 1), (4, 4, 2), (2,)
    pool = "layer_1/pool"
    assert three_children.instructions == (
        Expression("images", "", (), image),
        Expression("apply", "stem", (0,), inner),
        Expression("apply", "layer_0/conv", (1,), inner),
        Expression("apply", "layer_1/conv", (2,), inner),
        Expression("apply", "classifier", (3,), logits),
        Expression("apply", pool, (2,), inner),
        Expression("apply", "classifier", (5,), logits),
        Expression("apply", pool, (1,), inner),
        Expression("apply", "classifier", (7,), logits),
    )
    assert three_children.outputs.tolist() == [6, 4, 8]


def test_values_of_a_chain_are_freed_at_their_last_use(three_children):
    # The stem's output (1) is last read by the third child's pooling (7), the first layer's
    # convolution (2) by the second child's pooling (5); logits are kept.
    assert three_children.frees == ((), (0,), (), (), (3,), (2,), (5,), (1,), (7,))


def test_counts_and_flops_of_a_chain(three_children):
    # 16 pixels. Stem: 3 x 3 x 1 x 2 weights, 288 MACs. Layers: 3 x 3 x 2 x 2 weights, 576 MACs.
    # Classifier: 2 x 2 weights, 4 MACs. Pooling: none. A MAC is two FLOPs.
    stem, conv, classifier = 2 * 288, 2 * 576, 2 * 4
    each = {"stem": 3, "layer_0/conv": 2, "layer_1/conv": 1, "classifier": 3}
    pools = {"layer_1/pool": 2}
    assert three_children.raw == three_children.live == {**each, **pools}
    unique = {"stem": 1, "layer_0/conv": 1, "layer_1/conv": 1, "classifier": 3, **pools}
    assert three_children.unique == unique
    needed = Work(11, 3 * stem + 3 * conv + 3 * classifier)
    assert three_children.work == {
        "raw": needed,
        "live": needed,
        "unique": Work(8, stem + 2 * conv + 3 * classifier),
    }


def test_a_plan_can_be_read(three_children):
    lines = str(three_children).splitlines()
    assert lines[0] == "plan of 3 children of chain"
    assert " ".join(lines[1].split()) == "raw 11 applications 0.01 MFLOP per image (1.00 of live)"
    assert lines[3].endswith("(0.56 of live)")  # 2904 / 5208
    assert lines[6] == "  %2 = layer_0/conv(%1)  [4, 4, 2]"
    assert lines[-1] == "  children: %6, %4, %8"


def test_dead_work_of_a_nasbench201_cell_vanishes():
    network = nasbench201(image_shape=(4, 4, 1), num_classes=2, cells=1, channels=2, affine=False)
    # Edges 0-1, 0-2, 1-2, 0-3, 1-3, 2-3. Node 1 is zero, so the convolution of it (edge 1-2) is
    # zero; node 2 is the input, which nobody reads; node 3 is zero.
    dead = [NONE, SKIP_CONNECT, CONV_3X3, NONE, NONE, NONE]
    nothing = [NONE] * 6
    through = [NONE, NONE, NONE, SKIP_CONNECT, NONE, NONE]
    plan = make_plan(network, [dead, nothing, through])
    assert plan.outputs[0] == plan.outputs[1] != plan.outputs[2]
    frame = [
        "stem",
        *(f"reduction_{i}/{p}" for i in (1, 2) for p in ("shortcut", "conv_1", "conv_2")),
    ]
    # Only the third child needs the images; the two others share the logits of zeros.
    assert plan.unique == {**dict.fromkeys(frame, 1), "classifier": 2}
    assert plan.live == {**dict.fromkeys(frame, 1), "classifier": 3}
    # All three describe the frame, the first also three cells' dead convolution.
    convs = {f"stage_{stage}/cell_0/edge_1_2/nor_conv_3x3": 1 for stage in range(3)}
    assert plan.raw == {**dict.fromkeys(frame, 3), "classifier": 3, **convs}


def test_an_affine_operation_of_zeros_is_not_zero():
    network = nasbench201(image_shape=(4, 4, 1), num_classes=2, cells=1, channels=2)
    plan = make_plan(network, [[NONE, NONE, CONV_3X3, NONE, NONE, SKIP_CONNECT]])
    # Its bias is. Zeros are a value then, and each cell adds its own convolution of them.
    assert plan.live["stage_2/cell_0/edge_1_2/nor_conv_3x3"] == 1
    assert "stem" not in plan.live


def test_equal_nodes_of_an_enas_micro_cell_are_computed_once():
    network = enas_micro(image_shape=(8, 8, 1), num_classes=2, cells=2, nodes=2, channels=2)
    avg, top = 2, 3
    # Node 2 = avg(input 0) + max(input 0); node 3 = max(input 0) + avg(input 0): the same sum,
    # although the sides differ.
    cell = [0, 0, avg, top, 0, 0, top, avg]
    plan = make_plan(network, [cell + cell])
    count = dict.fromkeys(("avg_pool_3x3", "max_pool_3x3", "output", "classifier"), 0)
    for key, n in plan.unique.items():
        for kind in count:
            count[kind] += n if kind in key else 0
    # Four cells, each one average and one maximum. Input 1 and nodes 2 and 3 are loose, so a
    # cell projects three values (two of them equal, by weights of their own) and normalises.
    assert count == {"avg_pool_3x3": 4, "max_pool_3x3": 4, "output": 16, "classifier": 1}
    raw = {kind: sum(n for key, n in plan.raw.items() if kind in key) for kind in count}
    assert raw["avg_pool_3x3"] == raw["max_pool_3x3"] == 8


def two_sums(terms):
    """A network whose children add the same pooled values in an order of their own."""
    table = OperationTable()
    shape = table.add("a", ops.Convolution(2), (4, 4, 2))
    table.add("b", ops.Convolution(2), (4, 4, 2))
    table.add("norm", ops.Sequential((ops.MaxPool(), ops.BatchNorm(affine=False))), shape)
    table.add("norm_2", ops.Sequential((ops.MaxPool(), ops.BatchNorm(affine=False))), shape)
    table.add("classifier", ops.classifier(2), shape)

    def describe(build, choices):
        values = {
            "a": build.apply("a", build.images),
            "b": build.apply("b", build.images),
            "x": build.images,
            "norm": build.apply("norm", build.images),
            "norm_2": build.apply("norm_2", build.images),
            "0": build.zeros((4, 4, 2)),
        }
        order = terms[choices["order"]]
        return build.apply("classifier", build.add(*(values[t] for t in order)))

    space = SearchSpace("sums", (Decision("order", tuple("abcdefgh"[: len(terms)])),))
    return Network("sums", space, (4, 4, 2), 2, table, describe)


def test_sums_are_commutative_multisets():
    network = two_sums((["a", "b", "x"], ["x", "b", "a"], ["b", "0", "a", "x"], ["a", "a", "b"]))
    plan = make_plan(network, [[0], [1], [2], [3]])
    assert plan.outputs[0] == plan.outputs[1] == plan.outputs[2] != plan.outputs[3]
    sums = [i for i in plan.instructions if i.kind == "add"]
    assert sorted(len(i.inputs) for i in sums) == [3, 3]
    twice = next(i for i in sums if len(set(i.inputs)) == 2)
    assert len(twice.inputs) == 3


def test_a_sum_stands_in_the_same_order_whatever_the_other_children():
    network = two_sums((["a", "b", "x"], ["b"], ["x"]))
    orders = []
    for children in ([[0]], [[1], [0]], [[2], [1], [0]]):
        plan = make_plan(network, children)
        terms = next(i for i in plan.instructions if i.kind == "add").inputs
        orders.append([plan.instructions[i].key for i in terms])
    assert orders[0] == orders[1] == orders[2]


def test_an_operation_with_moments_keeps_its_own_place():
    network = two_sums((["norm", "norm_2"],))
    assert network.canonical["norm_2"] == "norm_2"
    assert make_plan(network, [[0]]).unique["norm_2"] == 1


def test_operations_without_parameters_are_shared_across_positions():
    network = nasbench201(image_shape=(4, 4, 1), num_classes=2, cells=1, channels=2)
    assert network.canonical["stage_1/cell_0/edge_0_3/avg_pool_3x3"] == (
        "stage_1/cell_0/edge_0_1/avg_pool_3x3"
    )
    assert network.canonical["stage_1/cell_0/edge_0_3/nor_conv_3x3"] == (
        "stage_1/cell_0/edge_0_3/nor_conv_3x3"
    )
    # Edge 0-3 of the first child and edge 0-1 of the second pool the same stem: with the skips
    # that follow, both children are one.
    first = [NONE, NONE, NONE, AVG_POOL, NONE, NONE]
    second = [AVG_POOL, NONE, NONE, NONE, SKIP_CONNECT, NONE]
    plan = make_plan(network, [first, second])
    assert plan.outputs[0] == plan.outputs[1]
    # A chain's layers drop their paths at rates of their own, so they stay apart.
    layers = chain(
        image_shape=(4, 4, 1),
        num_classes=2,
        layers=2,
        channels=2,
        operations=CHOICES,
        reductions=(),
    )
    assert layers.canonical["layer_1/pool"] == "layer_1/pool"


def test_bad_architectures_are_named():
    network = enas_micro(image_shape=(8, 8, 1), num_classes=2, cells=2, nodes=2, channels=2)
    with pytest.raises(SpaceError, match="shape"):
        make_plan(network, [[0, 1]])
    with pytest.raises(SpaceError, match="not open"):
        make_plan(network, np.full((2, network.space.max_length), 9))
    with pytest.raises(ValueError, match="at least one child"):
        make_plan(network, np.zeros((0, network.space.max_length), np.int32))


def test_planning_128_children_of_enas_micro_takes_less_than_a_second():
    network = enas_micro(image_shape=(32, 32, 3), num_classes=10)
    children = np.asarray(network.space.sample(jax.random.key(0), 129))
    make_plan(network, children[128:])  # The operations' shapes are traced once per process.
    start = time.process_time()
    plan = make_plan(network, children[:128])
    assert time.process_time() - start < 1
    assert plan.work["unique"].flops < plan.work["live"].flops <= plan.work["raw"].flops
