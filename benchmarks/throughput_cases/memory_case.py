"""Memory of evaluation: the most that a process held, each figure in a process of its own.

NAS-Bench-201, forward, uniform children: with A = 8, 32 and 128 of them, and PyTorch one at a time.
"""

from __future__ import annotations

import math
from typing import Any

import jax
from measuring import draw, peak_memory_mb

from jaxnas.supernets import Plan, Supernet
from throughput_cases.networks import make_data, make_network

CHILDREN = (8, 32, 128)


def tasks() -> list[dict[str, Any]]:
    """What to measure, each for one process."""
    ours = [{"side": "jaxnas", "children": a, "mode": m} for m in ("forward",) for a in CHILDREN]
    return [
        *ours,
        {"side": "torch_tuned", "children": 128, "mode": "forward"},
        {"side": "jaxnas", "children": 8, "mode": "grad"},
        {"side": "torch_tuned", "children": 8, "mode": "grad"},
    ]


def run(task: dict[str, Any], quick: bool, seed: int) -> dict[str, Any]:
    """The row of one task: this process has done nothing before."""
    network = make_network("nb201", quick)
    params, images, labels = make_data(network, "nb201", quick, seed)
    children = draw(network, "uniform", task["children"], seed)
    jax.block_until_ready(params)
    before = peak_memory_mb()
    side = _jaxnas if task["side"] == "jaxnas" else _torch
    side(network, params, images, labels, children, task["mode"])
    plan = Supernet(network).plan(children)
    return {
        "case": f"memory_{task['mode']}_{task['children']}_{task['side']}",
        "children": task["children"],
        "batch": len(images),
        "threads": 1,
        "process_start_mb": before,
        "process_peak_mb": peak_memory_mb(),
        "values_alive_mb": largest_alive(plan) * len(images) * 4 / 1e6,
    }


def _jaxnas(network, params, images, labels, children, mode: str) -> None:
    from throughput_cases.network_case import loss

    supernet = Supernet(network)
    if mode == "forward":
        jax.block_until_ready(supernet.apply(params, children, images))
    else:
        jax.block_until_ready(supernet.value_and_grad(loss)(params, children, images, labels))


def _torch(network, params, images, labels, children, mode: str) -> None:
    import numpy as np
    import torch
    from torch_reference import SharedWeights, child, to_images

    weights, tensor = SharedWeights(network, params), to_images(images)
    choices = [network.space.choices(architecture) for architecture in children]
    if mode == "forward":
        child.forward(weights, choices, tensor)
    else:
        targets = torch.from_numpy(np.array(labels)).long()
        child.loss_and_gradient(weights, choices, tensor, targets)


def largest_alive(plan: Plan) -> int:
    """The most numbers per image that are alive at once in a forward pass over a plan."""
    sizes = [math.prod(instruction.shape) for instruction in plan.instructions]
    alive = largest = 0
    for position, size in enumerate(sizes):
        alive += size
        largest = max(largest, alive)
        alive -= sum(sizes[dead] for dead in plan.frees[position])
    return largest
