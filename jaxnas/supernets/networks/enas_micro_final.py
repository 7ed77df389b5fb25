"""ENAS micro in the form that the authors train found cells in.

Source: Pham et al. 2018 (arXiv:1802.03268), section 3.2, and the authors' code (`micro_child.py`
with a fixed architecture). It differs from the form for the search (`enas_micro.py`): a cell's
output is the concatenation of the nodes that no other node reads; a cell brings the outputs of the
two cells before it to its width, and the nearer one through one more convolution; and in a
reduction cell the operations on those inputs have stride 2.

The weights are shared between children, as in any network of this package, so a 1 x 1 convolution
of concatenated nodes is the sum of one for each node: the same function with as many parameters.
Two details differ from the code: the classifier has a bias, and pooling with stride 2 pads both
sides alike.

The published cells (`PUBLISHED` of `jaxnas/spaces/enas_micro.py`) have 3.89 million parameters
here, as in the code but for the bias; the paper says 4.6. The code's auxiliary head, which it does
not count, has 0.49 million more; we do not know where the rest is from. Here that head is trained,
if a recipe says so (`train.auxiliary_weight`); in the code it keeps its initial weights.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

from jaxnas.spaces import enas_micro as enas_micro_space
from jaxnas.spaces.enas_micro import OPERATIONS
from jaxnas.supernets.network import Network, OperationTable
from jaxnas.supernets.networks.enas_micro import SIDES, cell_kinds
from jaxnas.supernets.networks.frame import check_image, check_options, halved
from jaxnas.supernets.ops import (
    AvgPool,
    BatchNorm,
    Concatenate,
    Convolution,
    FactorizedReduction,
    Identity,
    MaxPool,
    Operation,
    Relu,
    Sequential,
    Subsample,
    auxiliary_classifier,
    classifier,
    conv_bn,
    relu_conv_bn,
    separable_conv_twice,
)
from jaxnas.supernets.ops.operation import Shape


class _Cell(NamedTuple):
    """One cell: its number as a key, its kind, and the shapes around it."""

    name: str
    kind: str
    sources: tuple[Shape, Shape]  # of the nodes of the two cells before it
    inner: Shape  # of its inputs
    output: Shape  # of its nodes


def enas_micro_final(
    *,
    image_shape: Shape,
    num_classes: int,
    cells: int = 15,
    nodes: int = 5,
    channels: int = 36,
    dropout: float = 0.2,
) -> Network:
    """Stem, `cells` normal cells with two reduction cells between them, classifier.

    Args:
      image_shape: `(H, W, C)`.
      num_classes: the number of logits.
      cells: normal cells; reduction cells stand after one and two thirds of them.
      nodes: computed nodes per cell.
      channels: `F`, of each node, doubled at each reduction.
      dropout: the rate before the classifier, in training.

    Raises:
      ValueError: the image cannot be halved twice, or fewer than two classes or cells.
    """
    kinds = cell_kinds("enas_micro_final", cells)
    check_options("enas_micro_final", image_shape, dropout, channels=channels)
    check_image("enas_micro_final", image_shape, num_classes, kinds.count("reduction"))
    table = OperationTable()
    stem = table.add("stem", conv_bn(3 * channels), image_shape)
    layout = _layout(kinds, stem, channels)
    for i, cell in enumerate(layout):
        _add_inputs(table, cell, nodes)
        _add_nodes(table, cell, nodes, (i + 1) / len(layout))
    last = layout[-1].output
    for number in range(1, nodes + 2):
        head = classifier(num_classes, before=(Concatenate(), Relu()), dropout=dropout)
        table.add(f"classifier_{number}", head, *[last] * number)
    # As in the code, on the cell after the last reduction.
    inner = layout[: len(kinds) - kinds[::-1].index("reduction") + 1]
    for number in range(1, nodes + 2):
        auxiliary = auxiliary_classifier(num_classes, before=(Concatenate(),))
        table.add(f"auxiliary_{number}", auxiliary, *[inner[-1].output] * number)

    def logits(build, choices, name: str, cells: list[_Cell]):
        stem = {0: build.apply("stem", build.images)}
        outputs = [stem, stem]
        for cell in cells:
            inputs = [_input(build, cell, side, outputs[side - 2]) for side in (0, 1)]
            outputs.append(_cell(build, cell, inputs, choices, nodes))
        loose = list(outputs[-1].values())
        return build.apply(f"{name}_{len(loose)}", *loose)

    return Network(
        "enas_micro_final",
        enas_micro_space(nodes),
        tuple(image_shape),
        num_classes,
        table,
        lambda build, choices: logits(build, choices, "classifier", layout),
        lambda build, choices: logits(build, choices, "auxiliary", inner),
    )


def _layout(kinds: list[str], stem: Shape, channels: int) -> list[_Cell]:
    cells: list[_Cell] = []
    before = last = stem
    for i, kind in enumerate(kinds):
        channels = 2 * channels if kind == "reduction" else channels
        inner = (*last[:2], channels)
        output = halved(last, channels) if kind == "reduction" else inner
        cells.append(_Cell(f"cell_{i}", kind, (before, last), inner, output))
        before, last = last, output
    return cells


def _add_inputs(table: OperationTable, cell: _Cell, nodes: int) -> None:
    """What brings the outputs of the two cells before to the size and width of this one."""
    for side, source in enumerate(cell.sources):
        name, channels = f"{cell.name}/input_{side}", cell.inner[-1]
        smaller = source[0] > cell.inner[0]
        for node in range(nodes + 2):
            halve: Operation = FactorizedReduction(channels)
            project = Sequential((Relu(), halve if smaller else Convolution(channels, 1)))
            table.add(f"{name}/from_{node}", project, source)
        table.add(f"{name}/normalise", BatchNorm(), cell.inner)
    table.add(f"{cell.name}/base", relu_conv_bn(cell.inner[-1], 1), cell.inner)


def _input(build, cell: _Cell, side: int, values):
    """One input of a cell, from the loose nodes of the cell that it reads."""
    name = f"{cell.name}/input_{side}"
    if len(values) == 1 and cell.sources[side] == cell.inner:
        (x,) = values.values()
    else:
        parts = [build.apply(f"{name}/from_{node}", value) for node, value in values.items()]
        x = build.apply(f"{name}/normalise", build.add(*parts))
    return build.apply(f"{cell.name}/base", x) if side == 1 else x


def _operation(label: str, channels: int, stride: int) -> Operation:
    halve = (Subsample(),) if stride == 2 else ()
    return {
        "separable_3x3": separable_conv_twice(channels, 3, stride),
        "separable_5x5": separable_conv_twice(channels, 5, stride),
        "avg_pool_3x3": Sequential((AvgPool(), *halve)),
        "max_pool_3x3": Sequential((MaxPool(), *halve)),
        "identity": _reduce(channels) if stride == 2 else Identity(),
    }[label]


def _reduce(channels: int) -> Operation:
    return Sequential((FactorizedReduction(channels), BatchNorm()))


def _add_nodes(table: OperationTable, cell: _Cell, nodes: int, share: float) -> None:
    channels, reduction = cell.inner[-1], cell.kind == "reduction"
    for node in range(2, nodes + 2):
        for side, source, label in product(SIDES, range(node), OPERATIONS):
            halve = reduction and source < 2
            operation = _operation(label, channels, 2 if halve else 1)
            shape = cell.inner if halve else cell.output
            drop = 0.0 if label == "identity" else share
            table.add(
                f"{cell.name}/{node}/{side}/{source}/{label}", operation, shape, drop_path=drop
            )
    if reduction:
        for source in (0, 1):
            table.add(f"{cell.name}/output/{source}", _reduce(channels), cell.inner)


def _cell(build, cell: _Cell, inputs, choices, nodes: int):
    """The nodes of a cell that no other node reads, by their numbers."""
    values, read = dict(enumerate(inputs)), set()
    for node in range(2, nodes + 2):
        sides = []
        for side in SIDES:
            source = choices[f"{cell.kind}/{node}/input_{side}"]
            label = OPERATIONS[choices[f"{cell.kind}/{node}/op_{side}"]]
            key = f"{cell.name}/{node}/{side}/{source}/{label}"
            sides.append(build.apply(key, values[source]))
            read.add(source)
        values[node] = build.add(*sides)
    loose = {node: value for node, value in values.items() if node not in read}
    if cell.kind == "reduction":
        for source in {0, 1} & set(loose):
            loose[source] = build.apply(f"{cell.name}/output/{source}", loose[source])
    return loose
