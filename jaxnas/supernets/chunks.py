"""The execution of many children in several plans, where one would not fit in memory."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.supernets.memory import live_bytes, split
from jaxnas.supernets.noise import Noise
from jaxnas.supernets.ops.operation import Params
from jaxnas.supernets.plan import Plan


@dataclasses.dataclass(frozen=True)
class Chunked:
    """An executor within a memory budget: `forward` and `vjp` like those of the executor within.

    Attributes:
      executor: executes each plan.
      budget: bytes of the values that are alive at once, see `jaxnas.supernets.memory`.
    """

    executor: Any
    budget: int

    def forward(
        self, plan: Plan, params: Params, images: jax.Array, *, noise: Noise | None = None
    ) -> jax.Array:
        """The logits `[A, B, K]`."""
        chunks = _chunks(plan, self.budget, images, gradient=False)
        run = self.executor.forward
        return _in_order(chunks, [run(part, params, images, noise=noise) for _, part in chunks])

    def vjp(self, plan: Plan, params: Params, images: jax.Array, *, noise: Noise | None = None):
        """Like `forward`, and a function from a cotangent `[A, B, K]` to the gradient.

        A cotangent may depend on the logits of all children, so all plans but the last are
        executed once for the logits and again, one after the other, for their gradients.
        """
        chunks = _chunks(plan, self.budget, images, gradient=True)
        *others, (last, last_plan) = chunks
        run, rerun = self.executor.forward, self.executor.vjp
        logits = [run(part, params, images, noise=noise) for _, part in others]
        last_logits, pull_last = rerun(last_plan, params, images, noise=noise)

        def pullback(cotangent: jax.Array) -> Params:
            gradient = pull_last(cotangent[last])
            for positions, part in others:
                pull = rerun(part, params, images, noise=noise)[1]
                gradient = _add(gradient, pull(cotangent[positions]))
            return gradient

        return _in_order(chunks, [*logits, last_logits]), pullback


def _chunks(
    plan: Plan, budget: int, images: jax.Array, *, gradient: bool
) -> list[tuple[np.ndarray, Plan]]:
    def cost(part: Plan) -> int:
        return live_bytes(part, images, gradient=gradient)

    if cost(plan) <= budget:
        return [(np.arange(len(plan.architectures)), plan)]
    return split(plan.network, plan.architectures, budget, cost)


def _in_order(chunks: list[tuple[np.ndarray, Plan]], logits: list[jax.Array]) -> jax.Array:
    """The logits `[A, B, K]` of all children in the order in which they were asked for."""
    if len(chunks) == 1:
        return logits[0]
    positions = np.concatenate([positions for positions, _ in chunks])
    return jnp.concatenate(logits)[np.argsort(positions)]


@jax.jit
def _add(a: Params, b: Params) -> Params:
    return jax.tree.map(jnp.add, a, b)
