"""One update of an instance policy: what sampled architectures earn, and REINFORCE on it.

Sources: Cheng et al. 2018, "InstaNAS" (arXiv:1811.10201), section 3.3, and the authors' code, for
the reward and the greedy baseline; Kool et al. 2019, "Buy 4 REINFORCE samples, get a baseline for
free!" (ICLR workshop), for the other samples as baseline; Krause et al. 2010, "Discriminative
clustering by regularized information maximization" (NeurIPS), section 2, for the information.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnas.objectives.latency import instance_reward, latency_reward
from jaxnas.optimizers import apply_gradient
from jaxnas.policies import bits
from jaxnas.supernets import make_routing
from jaxnas.supernets.executors import routed_sharing

if TYPE_CHECKING:
    from jaxnas.instance.engine import InstanceEngine, InstanceState


_EPSILON = 1e-6


class Drawn(NamedTuple):
    """Architectures for the `B` images of an update.

    Attributes:
      samples: `int32 [K, B, T]`.
      greedy: `int32 [B, T]`.
      entropy: `[B]`, of the shaped bits.
      information: `[]`, see `information`.
    """

    samples: jax.Array
    greedy: jax.Array
    entropy: jax.Array
    information: jax.Array


class Asked(NamedTuple):
    """What a policy said of the `B` images of an update.

    Attributes:
      logits: `[B, T]`.
      pullback: the gradient of the policy's parameters, from the cotangent of the logits.
    """

    logits: jax.Array
    pullback: Callable[[jax.Array], tuple[Any]]


class Earned(NamedTuple):
    """What `K` architectures of each of `B` images earned; each `[K, B]`.

    Attributes:
      reward: the reward.
      correct: whether the image was classified correctly.
      cost: the searched cost.
    """

    reward: jax.Array
    correct: jax.Array
    cost: jax.Array


def information(logits: jax.Array) -> jax.Array:
    """How much the bits say of the image, in nats, summed over bits.

    The entropy of a bit over all images less its mean entropy for one image: 0 where all images get
    one policy, at most `T log 2`, where each bit is sure and on for half of the images. Variances
    of the probabilities (Bengio et al. 2015, arXiv:1511.06297) measure the same, but their gradient
    is gone as soon as bits are nearly sure.

    Args:
      logits: `[B, T]`.

    Example:
      >>> round(float(information(jnp.array([[-100.0, 0.0], [100.0, 0.0]]))), 4)
      0.6931
    """
    shares = jax.nn.sigmoid(logits).mean(0).clip(_EPSILON, 1 - _EPSILON)
    return bits.entropy(jax.scipy.special.logit(shares)) - bits.entropy(logits).mean()


def leave_one_out(rewards: jax.Array) -> jax.Array:
    """Rewards `[K, N]` less the mean of the other `K - 1` samples of the same image."""
    count = len(rewards)
    return (rewards - rewards.mean(0)) * count / (count - 1)


@functools.partial(jax.jit, static_argnums=(0, 4, 5))
def draw(policy, params: Any, images: jax.Array, key: jax.Array, count: int, shaping: float):
    """Draws `count` architectures for each image, and takes the greedy ones."""
    return _draw(policy.logits(params, images), key, count, shaping)


@functools.partial(jax.jit, static_argnums=(0, 4, 5))
def ask(policy, params: Any, images: jax.Array, key: jax.Array, count: int, shaping: float):
    """What `draw` gives, and what `update` needs: the policy runs once for both."""
    logits, pullback = jax.vjp(lambda given: policy.logits(given, images), params)
    return _draw(logits, key, count, shaping), Asked(logits, pullback)


def _draw(logits: jax.Array, key: jax.Array, count: int, shaping: float) -> Drawn:
    # The first is drawn by the key itself, as where one is all that is drawn.
    keys = [key, *(jax.random.fold_in(key, i) for i in range(1, count))]
    samples = jnp.stack([bits.sample(k, logits, shaping) for k in keys])
    greedy = (logits >= 0).astype(jnp.int32)
    return Drawn(samples, greedy, bits.entropy(logits, shaping), information(logits))


def earn(
    engine: InstanceEngine,
    state: InstanceState,
    images: jax.Array,
    labels: jax.Array,
    architectures: jax.Array,
    progress: float,
) -> Earned:
    """What architectures `[K, B, T]` of images `[B, H, W, C]` earn at a time of the search."""
    count, size, length = architectures.shape
    network = engine.supernet.network
    routing = make_routing(network, architectures.reshape(-1, length))
    cost = engine.table.searched(routing).reshape(count, size)
    options = network, engine.right, engine.exponent
    weights, window = (state.params, state.moments), engine.window.at(progress)
    return _earn(options, weights, images, labels, architectures, cost, window)


@functools.partial(jax.jit, static_argnums=0)
def _earn(options, weights, images, labels, architectures, cost, window) -> Earned:
    (network, right, exponent), (params, moments) = options, weights
    logits = routed_sharing.forward(network, params, architectures, images, moments)
    lower, upper = window
    share = latency_reward(cost, lower, upper, exponent)
    reward = instance_reward(logits, labels, share, right=right)
    return Earned(reward, logits.argmax(-1) == labels, cost)


@functools.partial(jax.jit, static_argnums=(0, 5))
def update(optimizer, state, asked: Asked, architectures, advantage, options):
    """The parameters and the optimiser's state after one step.

    Args:
      optimizer: the policy's optimiser.
      state: parameters, state of the optimiser.
      asked: what the policy said of the images.
      architectures: `int [K, B, T]`, sampled.
      advantage: `[K, B]`.
      options: the weight of the entropy, the weight of the information, the nats of it
        that are enough, the shaping.
    """
    entropy, variety, enough, shaping = options

    def loss(logits):
        log_prob = bits.log_prob(logits, architectures, shaping)
        # Beyond `enough` it pays no more: else images would share too few modules.
        known = jnp.minimum(information(logits), enough)
        bonus = entropy * bits.entropy(logits, shaping).mean() + variety * known
        return -(log_prob * advantage).mean() - bonus

    params, optimizer_state = state
    (gradient,) = asked.pullback(jax.grad(loss)(asked.logits))
    return apply_gradient(optimizer, params, optimizer_state, gradient)
