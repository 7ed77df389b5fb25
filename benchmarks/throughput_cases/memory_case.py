"""Memory of evaluation: the most that a process held, each figure in a process of its own.

NAS-Bench-201, uniform children: A = 8, 32 and 128 of them by the `host` executor and by the
`compiled` one, for which XLA's own `memory_analysis` is shown too; and PyTorch one at a time.
"""

from __future__ import annotations

from typing import Any

import jax
from measuring import draw, peak_memory_mb

from jaxnas.supernets import Supernet
from jaxnas.supernets.executors.instructions import encode
from jaxnas.supernets.memory import live_bytes
from throughput_cases.networks import make_data, make_network

CHILDREN = (8, 32, 128)


def tasks() -> list[dict[str, Any]]:
    """What to measure, each for one process."""
    sides = ("jaxnas", "jaxnas_compiled")
    ours = [{"side": s, "children": a, "mode": "forward"} for s in sides for a in CHILDREN]
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
    sides = {"jaxnas": _jaxnas, "jaxnas_compiled": _compiled, "torch_tuned": _torch}
    side, gradient = sides[task["side"]], task["mode"] == "grad"
    measured = side(network, params, images, labels, children, task["mode"])
    return {
        "case": f"memory_{task['mode']}_{task['children']}_{task['side']}",
        "children": task["children"],
        "batch": len(images),
        "threads": 1,
        "process_start_mb": before,
        "process_peak_mb": peak_memory_mb(),
        "values_alive_mb": live_bytes(Supernet(network).plan(children), images, gradient=gradient)
        / 1e6,
        **(measured or {}),
    }


def _jaxnas(network, params, images, labels, children, mode: str) -> None:
    from throughput_cases.network_case import loss

    supernet = Supernet(network)
    if mode == "forward":
        jax.block_until_ready(supernet.apply(params, children, images))
    else:
        jax.block_until_ready(supernet.value_and_grad(loss)(params, children, images, labels))


def _compiled(network, params, images, labels, children, mode: str) -> dict[str, float]:
    supernet = Supernet(network, executor="compiled")
    given = (params, encode(supernet.plan(children)), images)
    program = jax.jit(supernet.apply).lower(*given).compile()
    jax.block_until_ready(program(*given))
    analysis = program.memory_analysis()
    return {
        "memory_analysis_mb": (analysis.temp_size_in_bytes + analysis.output_size_in_bytes) / 1e6
    }


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
