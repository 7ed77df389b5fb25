"""One setting of `accelerator.py`: its inputs, and who can do the work."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from measuring import draw
from throughput_cases.networks import make_data, make_network

from jaxnas.objectives import cross_entropy
from jaxnas.supernets import Supernet


@dataclasses.dataclass(frozen=True)
class Setting:
    """What one group of rows is measured on."""

    network: str
    mode: str
    sample: str
    children: int
    batch: int
    dtype: str


def loss(logits: jax.Array, labels: jax.Array) -> tuple[jax.Array, None]:
    """The mean cross-entropy of all children, in float32."""
    return cross_entropy(logits.astype(jnp.float32), labels), None


class Work:
    """The inputs of one setting."""

    def __init__(self, setting: Setting, quick: bool):
        self.setting = setting
        self.network = make_network(setting.network, quick)
        params, images, labels = make_data(self.network, setting.network, quick, 0)
        cast = jnp.dtype(setting.dtype)
        repeats = -(-setting.batch // len(images))
        self.params = jax.tree.map(lambda leaf: leaf.astype(cast), params)
        self.images = jnp.tile(images, (repeats, 1, 1, 1))[: setting.batch].astype(cast)
        self.labels = jnp.tile(labels, repeats)[: setting.batch]
        self.children = draw(self.network, setting.sample, setting.children, 0)
        self.plan = Supernet(self.network).plan(self.children)

    def jaxnas(self, executor: str) -> Callable[[], Any]:
        """One call of an executor, planning included; raises `ValueError` if there is none."""
        supernet = Supernet(self.network, executor=executor)
        if self.setting.mode == "forward":
            return lambda: jax.block_until_ready(
                supernet.apply(self.params, self.children, self.images)
            )
        run = supernet.value_and_grad(loss)
        given = self.params, self.children, self.images, self.labels
        return lambda: jax.block_until_ready(run(*given))

    def torch(self, device: str) -> dict[str, Callable[[], Any]]:
        """PyTorch's ways of doing the same on a device."""
        import torch
        from torch_reference import SharedWeights, child, same_plan, to_images

        options = {"device": device, "dtype": getattr(torch, self.setting.dtype)}
        float32 = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), self.params)
        weights = SharedWeights(self.network, float32, **options)
        images = to_images(self.images.astype(jnp.float32), **options)
        labels = torch.from_numpy(np.array(self.labels)).long().to(device)
        choices = [self.network.space.choices(a) for a in self.children]
        plan = Supernet(self.network).plan
        forward = self.setting.mode == "forward"
        given = (images,) if forward else (images, labels)

        def run(module: Any, weights: Any, children: Callable[[], Any]) -> Callable[[], Any]:
            call = module.forward if forward else module.loss_and_gradient
            return _synchronised(lambda: call(weights, children(), *given), device)

        ways = {
            "torch": run(child, weights, lambda: choices),
            "torch_same_plan": run(same_plan, weights, lambda: plan(self.children)),
        }
        if device == "cuda":
            # Every operation by itself: whole children would be compiled anew for each.
            compiled = SharedWeights(self.network, float32, **options)
            compiled.functions = {k: torch.compile(f) for k, f in compiled.functions.items()}
            ways["torch_compiled"] = run(child, compiled, lambda: choices)
        return ways


def _synchronised(run: Callable[[], Any], device: str) -> Callable[[], Any]:
    import torch

    def call():
        result = run()
        if device == "cuda":
            torch.cuda.synchronize()
        return result

    return call


def torch_device() -> str | None:
    """`cuda` or `cpu` like the device of JAX; `None` where PyTorch cannot use the same."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    if jax.default_backend() == "cpu":
        return "cpu"
    return "cuda" if torch.cuda.is_available() else None
