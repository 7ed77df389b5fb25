"""The network of NAS-Bench-201: three stages of equal cells.

Source: Dong & Yang 2020 (arXiv:2001.00326), section 2.1, and the authors' code.
"""

from __future__ import annotations

from jaxnas.spaces import nasbench201 as nasbench201_space
from jaxnas.spaces.nasbench201 import EDGES, OPERATIONS
from jaxnas.supernets.network import Network, OperationTable
from jaxnas.supernets.networks.frame import check_image, check_options
from jaxnas.supernets.ops import (
    AvgPool,
    BatchNorm,
    Convolution,
    Halve,
    Identity,
    Operation,
    Relu,
    Sequential,
    Zero,
    classifier,
    conv_bn,
    relu_conv_bn,
)
from jaxnas.supernets.ops.operation import Shape

STAGES = 3


def nasbench201(
    *,
    image_shape: Shape,
    num_classes: int,
    cells: int = 5,
    channels: int = 16,
    affine: bool = True,
) -> Network:
    """Stem, three stages of `cells` cells with residual reductions between them, classifier.

    Args:
      image_shape: `(H, W, C)`; `H` and `W` are halved twice.
      num_classes: the number of logits.
      cells: `N`, cells per stage (5 in the benchmark).
      channels: channels of the first stage, doubled at each reduction (16 in the benchmark).
      affine: whether the normalisations of searched operations have scale and bias. The benchmark
        trains with them; its one-shot searches go without, which lets zeros vanish from a plan.

    Raises:
      ValueError: the image cannot be halved twice, fewer than two classes, or no cells or channels.
    """
    check_options("nasbench201", image_shape, cells=cells, channels=channels)
    check_image("nasbench201", image_shape, num_classes, STAGES - 1)
    table = OperationTable()
    shape = table.add("stem", conv_bn(channels), image_shape)
    for stage in range(STAGES):
        if stage:
            shape = _add_reduction(table, f"reduction_{stage}", shape)
        for cell in range(cells):
            _add_cell(table, f"stage_{stage}/cell_{cell}", shape, affine)
    table.add("classifier", classifier(num_classes, before=(BatchNorm(), Relu())), shape)

    def describe(build, choices):
        x = build.apply("stem", build.images)
        for stage in range(STAGES):
            if stage:
                x = _reduce(build, f"reduction_{stage}", x)
            for cell in range(cells):
                x = _cell(build, f"stage_{stage}/cell_{cell}", x, choices)
        return build.apply("classifier", x)

    space = nasbench201_space()
    return Network("nasbench201", space, tuple(image_shape), num_classes, table, describe)


def _operation(label: str, channels: int, affine: bool) -> Operation:
    return {
        "none": Zero(),
        "skip_connect": Identity(),
        "nor_conv_1x1": relu_conv_bn(channels, 1, affine=affine),
        "nor_conv_3x3": relu_conv_bn(channels, 3, affine=affine),
        "avg_pool_3x3": AvgPool(),
    }[label]


def _add_cell(table: OperationTable, name: str, shape: Shape, affine: bool) -> None:
    for i, j in EDGES:
        for label in OPERATIONS:
            table.add(f"{name}/edge_{i}_{j}/{label}", _operation(label, shape[-1], affine), shape)


def _cell(build, name: str, x, choices):
    nodes = [x]
    for j in range(1, 4):
        terms = [
            build.apply(f"{name}/edge_{i}_{j}/{OPERATIONS[choices[f'edge_{i}_{j}']]}", nodes[i])
            for i in range(j)
        ]
        nodes.append(build.add(*terms))
    return nodes[-1]


def _add_reduction(table: OperationTable, name: str, shape: Shape) -> Shape:
    """A basic residual block with stride 2 (He et al. 2016), its shortcut pooled."""
    channels = 2 * shape[-1]
    table.add(f"{name}/shortcut", Sequential((Halve(), Convolution(channels, 1))), shape)
    half = table.add(f"{name}/conv_1", relu_conv_bn(channels, 3, 2), shape)
    return table.add(f"{name}/conv_2", relu_conv_bn(channels, 3), half)


def _reduce(build, name: str, x):
    body = build.apply(f"{name}/conv_2", build.apply(f"{name}/conv_1", x))
    return build.add(body, build.apply(f"{name}/shortcut", x))
