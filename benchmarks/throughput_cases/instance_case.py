"""Every image with its own architecture of MobileNet blocks, against PyTorch gather per operation.

`instance_forward_64` normalises each image by its own moments, PyTorch with the faster of its two
functions for that (`instance_norm` shows the other); the other case by the moments of the images
that were routed to the operation.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from measuring import draw
from torch_reference import per_image, to_images

from jaxnas.supernets import Supernet, over_cores
from throughput_cases.cases import Case
from throughput_cases.contest import OURS, Contender, Options, compete
from throughput_cases.networks import BLOCKS, make_data, make_network


def run(case: Case, options: Options) -> dict[str, Any]:
    """The row of a case; every image draws its architecture uniformly."""
    by_batch = case.name.endswith("batch_statistics")
    network = make_network(case.network, options.quick)
    params, images, _ = make_data(network, case.network, options.quick, options.seed)
    architectures = draw(network, "uniform", len(images), options.seed)
    contenders = {OURS: _ours(Supernet(network), params, architectures, images, by_batch)}
    tensor = to_images(images)

    def gathered(*normalization):
        weights = per_image.weights(network, params, *normalization)
        given = (weights, tuple(BLOCKS), architectures, tensor)
        return Contender(lambda: per_image.gather_per_operation(*given))

    if by_batch:
        contenders["tuned"] = gathered()
    else:
        contenders["tuned"] = gathered(per_image.GroupNorm)
        contenders["instance_norm"] = gathered(per_image.InstanceNorm)
        weights = per_image.weights(network, params, per_image.GroupNorm)
        choices = [network.space.choices(a) for a in architectures]
        contenders["per_image"] = Contender(lambda: per_image.one_by_one(weights, choices, tensor))
    row = compete(case.name, [contenders], case.seconds, options)
    return row | {
        "children": len(images),
        "children_per_second": len(images) / row["seconds"],
        "batch": len(images),
        "distinct_children": len(np.unique(architectures, axis=0)),
    }


def _ours(supernet: Supernet, params, architectures, images, by_batch: bool) -> Contender:
    """Architectures are arguments of one program, or known where it runs operation by operation.

    Images that are normalised by themselves are shared out over the cores.
    """
    statistics = "batch" if by_batch else "image"

    def apply(params, architectures, images):
        return supernet.apply_each(params, architectures, images, statistics=statistics)

    forward = apply if by_batch else over_cores(apply)
    return Contender(lambda: jax.block_until_ready(forward(params, architectures, images)))
