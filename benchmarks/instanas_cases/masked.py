"""The way of the authors' code: every module for every image, and masks that choose.

Source: the code of Cheng et al. 2018 (arXiv:1811.10201), `search/models/instanas.py`, with the
zero-selection rule for each image.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.instance.engine import InstanceEngine, InstanceState
from jaxnas.instance.policy_update import ask, update
from jaxnas.objectives.latency import instance_reward, latency_reward
from jaxnas.supernets import Network
from jaxnas.supernets.ops import Context


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def masked_forward(
    network: Network, modules: tuple[str, ...], default: str, params, moments, bits, images
) -> jax.Array:
    """The logits `[B, K]` of images `[B, H, W, C]` under policies `bits` `[B, T]`.

    Args:
      network: `jaxnas.supernets.mobilenet`.
      modules: its modules, in the order of the bits of a block.
      default: the module of a block that must run one.
      params: its parameters.
      moments: of every operation.
      bits: the policies.
      images: the images.
    """

    def apply(key: str, x: jax.Array) -> jax.Array:
        context = Context(moments=moments.get(key, {}))
        operation = network.operations[key].operation
        return operation.apply(network.parameters(params, key), x, context=context)

    x = apply("stem", images)
    for block in range(len(network.space.decisions) // len(modules)):
        masks = bits[:, block * len(modules) : (block + 1) * len(modules)]
        outputs = {label: apply(f"block_{block}/{label}", x) for label in modules}
        none = (masks.sum(1) == 0).astype(x.dtype)
        fits = outputs[default].shape == x.shape
        total = x * none[:, None, None, None] if fits else jnp.zeros_like(outputs[default])
        for column, label in enumerate(modules):
            mask = masks[:, column].astype(x.dtype)
            mask = mask + none if label == default and not fits else mask
            total = total + outputs[label] * mask[:, None, None, None]
        x = total
    return apply("classifier", x)


class MaskedEngine:
    """The policy step and the test forward of an engine, computed with masks.

    Args:
      engine: the engine, whose parts and options are used.
      modules: the modules of a block.
      default: the module of a block that must run one.
    """

    def __init__(self, engine: InstanceEngine, modules: tuple[str, ...], default: str):
        self.engine, self.modules, self.default = engine, modules, default

    def forward(self, state: InstanceState, bits: Any, images: jax.Array) -> jax.Array:
        """Logits under given policies."""
        network = self.engine.supernet.network
        given = state.params, state.moments, jnp.asarray(bits), images
        return masked_forward(network, self.modules, self.default, *given)

    def predict(self, state: InstanceState, images: jax.Array) -> jax.Array:
        """Logits under the greedy policies."""
        return self.forward(state, _greedy(self.engine.policy, state.policy, images), images)

    def policy_step(
        self, state: InstanceState, images: jax.Array, labels: jax.Array, progress: float
    ) -> InstanceState:
        """`InstanceEngine.policy_step`: two forward passes, and the same update of the policy."""
        engine, key = self.engine, jax.random.split(state.key)
        drawn, asked = ask(engine.policy, state.policy, images, key[1], 1, engine.shaping)
        sample, baseline = (
            self.rewards(state, images, labels, bits, progress)
            for bits in (drawn.samples[0], drawn.greedy)
        )
        policy, optimizer = update(
            engine.policy_optimizer,
            (state.policy, state.policy_optimizer),
            asked,
            drawn.samples,
            (sample - baseline)[None],
            (engine.entropy, engine.information, engine.enough, engine.shaping),
        )
        return state._replace(key=key[0], policy=policy, policy_optimizer=optimizer)

    def rewards(self, state, images, labels, bits, progress: float) -> jax.Array:
        """The reward `[B]` of each image's policy."""
        engine, logits = self.engine, self.forward(state, bits, images)
        options, window = (self, engine.exponent, engine.right), engine.window.at(progress)
        return _rewards(options, logits, labels, bits, window)

    @functools.cached_property
    def costs(self) -> np.ndarray:
        """The table's cost of each bit."""
        blocks = range(len(self.engine.supernet.network.space.decisions) // len(self.modules))
        keys = [f"block_{block}/{label}" for block in blocks for label in self.modules]
        return np.array([self.engine.table.costs[key] for key in keys], np.float32)

    def fixed(self, bits: jax.Array) -> jax.Array:
        """The cost `[B]` of the default modules of blocks without any, where one must run."""
        none = bits.reshape(len(bits), -1, len(self.modules)).sum(2) == 0
        return none @ self._defaults

    @functools.cached_property
    def _defaults(self) -> np.ndarray:
        network = self.engine.supernet.network
        costs = []
        for block in range(len(network.space.decisions) // len(self.modules)):
            shared = network.operations[f"block_{block}/{self.default}"]
            fits = shared.operation.output_shape(*shared.shapes) == shared.shapes[0]
            cost = self.engine.table.costs[f"block_{block}/{self.default}"]
            costs.append(0.0 if fits else cost)
        return np.array(costs, np.float32)


@functools.partial(jax.jit, static_argnums=0)
def _greedy(policy, params, images):
    return policy.greedy(params, images)


@functools.partial(jax.jit, static_argnums=0)
def _rewards(options, logits, labels, bits, window):
    masked, exponent, right = options
    cost = bits @ masked.costs + masked.fixed(bits)
    share = latency_reward(cost, *window, exponent)
    return instance_reward(logits, labels, share, right=right)
