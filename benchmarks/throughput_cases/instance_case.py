"""Every image with its own architecture of MobileNet blocks, against PyTorch gather per operation.

`instance_forward_64` normalises each image by its own moments; the other case by the moments of
the images that were routed to the operation. There is no case while jaxnas has no routed executor.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import jax
import numpy as np
from measuring import draw
from torch_reference import per_image, to_images

from throughput_cases.cases import Case
from throughput_cases.contest import OURS, Contender, Options, compete
from throughput_cases.networks import BLOCKS, make_data, make_network

EXECUTOR = "jaxnas.supernets.executors.routed"


def available() -> bool:
    """Whether jaxnas has per-instance execution."""
    return importlib.util.find_spec(EXECUTOR) is not None


def run(case: Case, options: Options) -> dict[str, Any]:
    """The row of a case; every image draws its architecture uniformly."""
    from jaxnas.supernets.routing import make_routing

    from jaxnas.supernets.executors import routed

    statistics = "batch" if case.name.endswith("batch_statistics") else "image"
    network = make_network(case.network, options.quick)
    params, images, _ = make_data(network, case.network, options.quick, options.seed)
    architectures = draw(network, "uniform", len(images), options.seed)
    weights = per_image.weights(network, params, statistics)
    tensor, labels = to_images(images), tuple(BLOCKS)

    def ours():
        routing = make_routing(network, architectures)
        logits = routed.forward(routing, params, images, statistics=statistics)
        return jax.block_until_ready(logits)

    def gathered():
        return per_image.gather_per_operation(weights, labels, architectures, tensor)

    contenders = {OURS: Contender(ours), "tuned": Contender(gathered)}
    if statistics == "image":

        def alone():
            choices = [network.space.choices(a) for a in architectures]
            return per_image.one_by_one(weights, choices, tensor)

        contenders["per_image"] = Contender(alone)
    row = compete(case.name, contenders, case.seconds, options)
    return row | {
        "children": len(images),
        "children_per_second": len(images) / row["seconds"],
        "batch": len(images),
        "distinct_children": len(np.unique(architectures, axis=0)),
    }
