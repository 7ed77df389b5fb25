"""ENAS micro: a stack of searched normal and reduction cells.

Source: Pham et al. 2018 (arXiv:1802.03268), section 2.4, and the authors' code
(`micro_child.py`), in its form for the search: weights are kept per cell, node, side, operation
and input; the nodes that no other node reads are projected and summed, which is their
concatenation followed by one 1 x 1 convolution; a reduction cell halves its inputs first.

Three details differ from the code: both inputs of a reduction cell are the outputs of the two cells
before it, as in the paper and in the code's final networks (its search halves the last output
twice); the classifier has a bias; and the auxiliary head, whose own weights the code never trains,
is left out. `enas_micro_final.py` is the form of the code's final networks.
"""

from __future__ import annotations

from itertools import product

from jaxnas.spaces import Choices
from jaxnas.spaces import enas_micro as enas_micro_space
from jaxnas.spaces.enas_micro import OPERATIONS
from jaxnas.supernets.network import Network, OperationTable
from jaxnas.supernets.networks.frame import check_image, check_options, halved
from jaxnas.supernets.ops import (
    AvgPool,
    BatchNorm,
    Convolution,
    FactorizedReduction,
    Identity,
    MaxPool,
    Operation,
    Relu,
    Sequential,
    classifier,
    conv_bn,
    relu_conv_bn,
    separable_conv_twice,
)
from jaxnas.supernets.ops.operation import Shape

SIDES = (1, 2)


def enas_micro(
    *,
    image_shape: Shape,
    num_classes: int,
    cells: int = 6,
    nodes: int = 5,
    channels: int = 20,
    dropout: float = 0.1,
) -> Network:
    """Stem, `cells` normal cells with two reduction cells between them, classifier.

    Args:
      image_shape: `(H, W, C)`.
      num_classes: the number of logits.
      cells: normal cells; reduction cells stand after one and two thirds of them (6 in the
        paper's search, 15 in its final networks).
      nodes: computed nodes per cell (5 in the paper).
      channels: `F`, doubled at each reduction (20 in the paper's search, 36 in its final networks).
      dropout: the rate before the classifier in training (0.1 in the paper's search).

    Raises:
      ValueError: the image cannot be halved twice, or fewer than two classes or cells.
    """
    kinds = cell_kinds("enas_micro", cells)
    check_options("enas_micro", image_shape, dropout, channels=channels)
    check_image("enas_micro", image_shape, num_classes, kinds.count("reduction"))
    table = OperationTable()
    before = shape = table.add("stem", conv_bn(3 * channels), image_shape)
    calibrations: list[list[list[str]]] = []
    for i, kind in enumerate(kinds):
        inner = (*shape[:2], channels)
        if kind == "reduction":
            channels, inner = 2 * channels, halved(shape, 2 * channels)
        inputs = enumerate((before, shape))
        calibrations.append(
            [_add_calibration(table, f"cell_{i}/input_{j}", s, inner) for j, s in inputs]
        )
        before, shape = (
            shape,
            _add_cell(table, f"cell_{i}", inner, nodes, (i + 1) / len(kinds)),
        )
    table.add("classifier", classifier(num_classes, before=(Relu(),), dropout=dropout), shape)

    def describe(build, choices):
        stem = build.apply("stem", build.images)
        outputs = [stem, stem]
        for i, kind in enumerate(kinds):
            inputs = [
                _apply_all(build, *pair) for pair in zip(calibrations[i], outputs[-2:], strict=True)
            ]
            outputs.append(_cell(build, f"cell_{i}", kind, inputs, choices, nodes))
        return build.apply("classifier", outputs[-1])

    space = enas_micro_space(nodes)
    return Network("enas_micro", space, tuple(image_shape), num_classes, table, describe)


def cell_kinds(name: str, cells: int) -> list[str]:
    """The kinds of all cells in order: reductions after one and two thirds of the normal cells.

    Args:
      name: the network, for the message.
      cells: normal cells.

    Raises:
      ValueError: fewer than two cells.
    """
    if cells < 2:
        raise ValueError(f"network {name!r}: cells is {cells}; at least 2 are needed.")
    kinds = ["normal"] * cells
    kinds.insert(2 * cells // 3, "reduction")
    kinds.insert(cells // 3, "reduction")
    return kinds


def _operation(label: str, channels: int) -> Operation:
    return {
        "separable_3x3": separable_conv_twice(channels, 3),
        "separable_5x5": separable_conv_twice(channels, 5),
        "avg_pool_3x3": AvgPool(),
        "max_pool_3x3": MaxPool(),
        "identity": Identity(),
    }[label]


def _add_cell(table: OperationTable, name: str, inner: Shape, nodes: int, share: float) -> Shape:
    channels = inner[-1]
    for node in range(2, nodes + 2):
        for side, source, label in product(SIDES, range(node), OPERATIONS):
            drop = 0.0 if label == "identity" else share
            key = f"{name}/{node}/{side}/{source}/{label}"
            table.add(key, _operation(label, channels), inner, drop_path=drop)
    for node in range(nodes + 2):
        project = Sequential((Relu(), Convolution(channels, 1)))
        table.add(f"{name}/output/{node}", project, inner)
    return table.add(f"{name}/output/normalise", BatchNorm(), inner)


def _add_calibration(table: OperationTable, name: str, shape: Shape, inner: Shape) -> list[str]:
    """Brings an input of a cell to the cell's size and width; returns the keys that do it."""
    keys: list[str] = []
    while shape[0] > inner[0]:
        keys.append(f"{name}/halve_{len(keys)}")
        reduce = Sequential((Relu(), FactorizedReduction(inner[-1]), BatchNorm()))
        shape = table.add(keys[-1], reduce, shape)
    if shape[-1] != inner[-1]:
        keys.append(f"{name}/project")
        table.add(keys[-1], relu_conv_bn(inner[-1], 1), shape)
    return keys


def _apply_all(build, keys: list[str], x):
    for key in keys:
        x = build.apply(key, x)
    return x


def _cell(build, name: str, kind: str, inputs, choices: Choices, nodes: int):
    values, read = list(inputs), set()
    for node in range(2, nodes + 2):
        sides = []
        for side in SIDES:
            source = choices[f"{kind}/{node}/input_{side}"]
            label = OPERATIONS[choices[f"{kind}/{node}/op_{side}"]]
            sides.append(build.apply(f"{name}/{node}/{side}/{source}/{label}", values[source]))
            read.add(source)
        values.append(build.add(*sides))
    loose = [node for node in range(nodes + 2) if node not in read]
    outputs = [build.apply(f"{name}/output/{node}", values[node]) for node in loose]
    return build.apply(f"{name}/output/normalise", build.add(*outputs))
