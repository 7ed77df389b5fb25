"""ENAS macro: a chain of layers with skip connections.

Source: Pham et al. 2018 (arXiv:1802.03268), section 2.3, and the authors' code
(`general_child.py`). By default it has the form for the search: skips are summed and normalised,
and all layers are equally wide. The code's final networks have `widen` and `concatenate`.

The code's final networks also build dense convolutions where an architecture says separable; here
it gets what it says. So the layers that the authors found, `PUBLISHED` of
`jaxnas/spaces/enas_macro.py`, have 30.9 million parameters with 96 channels, or 19.8 if skips are
summed. The code has 42.6; the paper says 21.3.
"""

from __future__ import annotations

from jaxnas.spaces import enas_macro as enas_macro_space
from jaxnas.spaces.enas_macro import OPERATIONS
from jaxnas.supernets.network import Network, OperationTable
from jaxnas.supernets.networks.frame import check_image, check_options, halved
from jaxnas.supernets.ops import (
    AvgPool,
    BatchNorm,
    Convolution,
    Depthwise,
    FactorizedReduction,
    MaxPool,
    Operation,
    Relu,
    Sequential,
    classifier,
    conv_bn,
)
from jaxnas.supernets.ops.operation import Shape


def enas_macro(
    *,
    image_shape: Shape,
    num_classes: int,
    layers: int = 12,
    channels: int = 36,
    widen: bool = False,
    concatenate: bool = False,
    dropout: float = 0.1,
) -> Network:
    """Stem, `layers` searched layers halved after one and two thirds, classifier.

    A layer reads the output of the layer before it; its skip bits add earlier outputs to its own,
    and the sum is normalised. At a reduction every stored output is halved, as in the authors'
    code.

    Args:
      image_shape: `(H, W, C)`.
      num_classes: the number of logits.
      layers: searched layers (12 in the paper's search).
      channels: `F`, of the first layers (36 in the paper's search, 96 in its final networks).
      widen: whether reductions double the channels, as in the paper's final networks.
      concatenate: whether a layer's output and the outputs that it skips to are concatenated and
        projected to its width (ReLU, 1 x 1, normalise), as in the paper's final networks, instead
        of summed. The projection is a sum of one for each of them: the same function.
      dropout: the rate before the classifier in training (0.1 in the paper's search).

    Raises:
      ValueError: the image cannot be halved twice, or fewer than two classes or three layers, or
        channels or dropout out of range.
    """
    if layers < 3:
        raise ValueError(f"network 'enas_macro': layers is {layers}; at least 3 are needed.")
    check_options("enas_macro", image_shape, dropout, channels=channels)
    reductions = (layers // 3 - 1, 2 * layers // 3 - 1)
    check_image("enas_macro", image_shape, num_classes, len(reductions))
    table = OperationTable()
    shape = table.add("stem", conv_bn(channels), image_shape)
    for layer in range(layers):
        _add_layer(table, layer, layers, shape, concatenate)
        if layer in reductions:
            channels = 2 * channels if widen else channels
            for node in range(layer + 2):
                operation = Sequential((FactorizedReduction(channels), BatchNorm()))
                table.add(f"reduction_{layer}/{node}", operation, shape)
            shape = halved(shape, channels)
    table.add("classifier", classifier(num_classes, dropout=dropout), shape)

    def describe(build, choices):
        nodes = [build.apply("stem", build.images)]
        for layer in range(layers):
            nodes.append(_layer(build, layer, nodes, choices, concatenate))
            if layer in reductions:
                nodes = [build.apply(f"reduction_{layer}/{i}", x) for i, x in enumerate(nodes)]
        return build.apply("classifier", nodes[-1])

    space = enas_macro_space(layers)
    return Network("enas_macro", space, tuple(image_shape), num_classes, table, describe)


def _operation(label: str, channels: int) -> Operation:
    """A 1 x 1 convolution, then the operation proper, each normalised."""
    reduce = (Convolution(channels, 1), BatchNorm(), Relu())
    after = (BatchNorm(), Relu())
    kind, _, size = label.rpartition("_")
    kernel = int(size[0])
    return Sequential(
        {
            "conv": (*reduce, Convolution(channels, kernel), *after),
            "separable": (*reduce, Depthwise(kernel), Convolution(channels, 1), *after),
            "avg_pool": (*reduce, AvgPool()),
            "max_pool": (*reduce, MaxPool()),
        }[kind]
    )


def _add_layer(
    table: OperationTable, layer: int, layers: int, shape: Shape, concatenate: bool
) -> None:
    share = (layer + 1) / (layers + 2)
    for label in OPERATIONS:
        operation = _operation(label, shape[-1])
        table.add(f"layer_{layer}/{label}", operation, shape, drop_path=share)
    if layer:
        for source in (*_sources(layer), "own") if concatenate else ():
            project = Sequential((Relu(), Convolution(shape[-1], 1)))
            table.add(f"layer_{layer}/project_{source}", project, shape)
        table.add(f"layer_{layer}/normalise", BatchNorm(), shape)


def _sources(layer: int) -> tuple[str, ...]:
    """What the skip bits of a layer add, in order: the stem and all layers but the one before."""
    return ("stem", *(f"layer_{i}" for i in range(layer - 1)))[:layer]


def _layer(build, layer: int, nodes, choices, concatenate: bool):
    name = f"layer_{layer}"
    output = build.apply(f"{name}/{OPERATIONS[choices[f'{name}/op']]}", nodes[-1])
    if not layer:
        return output
    stored = dict(zip(_sources(layer), nodes, strict=False))
    terms = {"own": output}
    terms |= {source: x for source, x in stored.items() if choices[f"{name}/skip_{source}"]}
    if concatenate:
        terms = {s: build.apply(f"{name}/project_{s}", x) for s, x in terms.items()}
    return build.apply(f"{name}/normalise", build.add(*terms.values()))
