"""Sampled children of a network, forward or with gradients, against three PyTorch peers.

- `tuned`: one child at a time, channels last, the allocator's variables set;
- `same_plan`: tuned, and driven by the plan of jaxnas;
- `untuned`: one child at a time in PyTorch's default memory order (with the same allocator's
  variables, which flatters it: code that is not tuned has them not either).

Planning is timed with whoever uses a plan.
"""

from __future__ import annotations

import statistics
from typing import Any

import jax
import numpy as np
import torch
from measuring import draw
from torch_reference import SharedWeights, child, same_plan, to_images

from jaxnas.objectives import cross_entropy
from jaxnas.supernets import Supernet
from throughput_cases.cases import Case
from throughput_cases.contest import (
    GRADIENT_TOLERANCE,
    OURS,
    TOLERANCE,
    Contender,
    Options,
    compete,
    median_seconds,
)
from throughput_cases.networks import make_data, make_network


def run(case: Case, options: Options) -> dict[str, Any]:
    """The row of a case."""
    network = make_network(case.network, options.quick)
    supernet = Supernet(network)
    data = make_data(network, case.network, options.quick, options.seed)
    number = 1 if options.quick else case.samples
    seeds = range(options.seed, options.seed + number)
    samples = [draw(network, case.sample, case.children, seed) for seed in seeds]
    make = _gradients if case.mode == "grad" else _forwards
    contests = (make(supernet, children, *data, untuned=case.untuned) for children in samples)
    tolerance = GRADIENT_TOLERANCE if case.mode == "grad" else TOLERANCE
    row = compete(case.name, contests, case.seconds, options, tolerance)
    return row | _work(case, options, supernet, samples, row["seconds"], len(data[1]))


def _work(case: Case, options: Options, supernet, samples, seconds: float, batch: int):
    """The columns of arithmetic, means over the samples, and what shares of it are distinct."""
    factor = (3 if case.mode == "grad" else 1) * batch / 1e9
    plans = [supernet.plan(children) for children in samples]
    work = [{kind: w.flops * factor for kind, w in plan.work.items()} for plan in plans]
    gflop = {kind: float(np.mean([w[kind] for w in work])) for kind in work[0]}
    available = seconds * options.peak / 1e9
    return {
        "children_per_second": case.children / seconds,
        "batch": batch,
        **{f"gflop_{kind}": value for kind, value in gflop.items()},
        "saved_by_plan": statistics.geometric_mean(w["live"] / w["unique"] for w in work),
        "distinct_share": " ".join(f"{w['unique'] / w['live']:.2f}" for w in work),
        "useful_share_of_peak": gflop["live"] / available,
        "computed_share_of_peak": gflop["unique"] / available,
        "distinct_children": float(np.mean([len(np.unique(c, axis=0)) for c in samples])),
        "plan_seconds": median_seconds(lambda: supernet.plan(samples[0])),
    }


def _forwards(supernet, children, params, images, labels, *, untuned: bool):
    choices = _choices(supernet, children)
    weights, tensor = SharedWeights(supernet.network, params), to_images(images)
    contenders = {
        OURS: Contender(lambda: jax.block_until_ready(supernet.apply(params, children, images))),
        "tuned": Contender(lambda: child.forward(weights, choices, tensor)),
        "same_plan": Contender(lambda: same_plan.forward(weights, supernet.plan(children), tensor)),
    }
    if untuned:
        plain, contiguous = _untuned(supernet, params, images)
        contenders["untuned"] = Contender(lambda: child.forward(plain, choices, contiguous))
    return contenders


def loss(logits: jax.Array, labels: jax.Array) -> tuple[jax.Array, None]:
    """The mean cross-entropy of all children."""
    return cross_entropy(logits, labels), None


def _gradients(supernet, children, params, images, labels, *, untuned: bool):
    gradient_of = supernet.value_and_grad(loss)
    choices, targets = _choices(supernet, children), torch.from_numpy(np.array(labels)).long()
    weights, tensor = SharedWeights(supernet.network, params), to_images(images)

    def one_by_one(weights, tensor):
        return Contender(
            lambda: child.loss_and_gradient(weights, choices, tensor, targets),
            lambda value: _flat(value, weights.gradient()),
        )

    contenders = {
        OURS: Contender(
            lambda: jax.block_until_ready(gradient_of(params, children, images, labels)),
            lambda result: _flat(result[0][0], result[1]),
        ),
        "tuned": one_by_one(weights, tensor),
        "same_plan": Contender(
            lambda: same_plan.loss_and_gradient(weights, supernet.plan(children), tensor, targets),
            lambda value: _flat(value, weights.gradient()),
        ),
    }
    if untuned:
        contenders["untuned"] = one_by_one(*_untuned(supernet, params, images))
    return contenders


def _flat(value: Any, gradient: Any) -> tuple[np.ndarray, np.ndarray]:
    """A loss, and its whole gradient as one vector."""
    leaves = [np.asarray(leaf).ravel() for leaf in jax.tree.leaves(gradient)]
    return np.asarray(value, np.float32), np.concatenate(leaves)


def _choices(supernet, children):
    return [supernet.network.space.choices(architecture) for architecture in children]


def _untuned(supernet, params, images):
    weights = SharedWeights(supernet.network, params, channels_last=False)
    return weights, to_images(images, channels_last=False)
