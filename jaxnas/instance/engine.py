"""InstaNAS: an architecture for every image, searched together with shared weights.

Three stages of one state. Pretraining: the shared weights under modules that are dropped at
random. Joint search: the policy by REINFORCE, with the reward of its own greedy choice on the same
image as baseline, and the weights under sampled policies that are permuted over the images, so
that they do not adapt to who chose what. Fine-tuning: the weights under the greedy policy.

Source: Cheng et al. 2018, "InstaNAS: instance-aware neural architecture search"
(arXiv:1811.10201), section 3, and the authors' code; where ours departs from the code it is said.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnas.instance.config import check_update
from jaxnas.instance.policy_update import ask, draw, earn, leave_one_out, update
from jaxnas.instance.prediction import Prediction, predict
from jaxnas.objectives import LatencyTable, WindowSchedule, cross_entropy
from jaxnas.optimizers import apply_gradient
from jaxnas.policies.instance import SHAPING, InstancePolicy
from jaxnas.supernets import Supernet, average_moments

Metrics = dict[str, float]


class InstanceState(NamedTuple):
    """All that a search knows.

    Attributes:
      params: the shared weights.
      optimizer: the state of their optimiser.
      moments: the moments of every operation, for rewards and inference.
      policy: the parameters of the policy.
      policy_optimizer: the state of its optimiser.
      key: the key of all that is drawn from here on.
    """

    params: Any
    optimizer: Any
    moments: Any
    policy: Any
    policy_optimizer: Any
    key: jax.Array


@dataclasses.dataclass(frozen=True, eq=False)
class InstanceEngine:
    """The steps of the three stages; each takes a state and gives the next one.

    Images are float `[B, H, W, C]`, labels `int [B]`.

    Attributes:
      supernet: a supernet over a space of bits.
      policy: the policy over that space.
      table: what operations cost.
      window: the window of costs that is rewarded.
      weight_optimizer: of the shared weights (the authors: SGD).
      policy_optimizer: of the policy (the authors: Adam at 5e-4).
      right: the reward at the best latency of an image that is classified correctly (30).
      exponent: the power of the latency's parabola (1).
      entropy: the weight of the entropy bonus (0.8; of the whole entropy, not half of it).
      shaping: see `jaxnas.policies.bits.log_probs` (0.8).
      samples: architectures that are drawn for each image of a policy update (1).
      baseline: what rewards are compared with: that of the image's `greedy` architecture (the
        authors), or of its `others` (`jaxnas.instance.policy_update.leave_one_out`).
      information: the weight of `jaxnas.instance.policy_update.information` (0), and
      enough: the nats of it beyond which it pays no more.

    Raises:
      ValueError: policy or table belong to another space or network, or an option out of range.
    """

    supernet: Supernet
    policy: InstancePolicy
    table: LatencyTable
    window: WindowSchedule
    weight_optimizer: optax.GradientTransformation
    policy_optimizer: optax.GradientTransformation = dataclasses.field(
        default_factory=lambda: optax.adam(5e-4)
    )
    right: float = 30.0
    exponent: float = 1.0
    entropy: float = 0.8
    shaping: float = SHAPING
    samples: int = 1
    baseline: str = "greedy"
    information: float = 0.0
    enough: float = 1.0

    def __post_init__(self):
        check_update("engine", self)
        network = self.supernet.network
        self.table.check(network)
        if self.policy.space != network.space or self.policy.image_shape != network.image_shape:
            raise ValueError(
                f"the policy is over space {self.policy.space.name!r} and images "
                f"{self.policy.image_shape}, network {network.name!r} over "
                f"{network.space.name!r} and {network.image_shape}."
            )

    def init(self, key: jax.Array, images: jax.Array) -> InstanceState:
        """The first state; the moments are those of a batch of images through every module."""
        weights_key, policy_key, key = jax.random.split(key, 3)
        params = self.supernet.init(weights_key)
        policy = _init(self.policy, policy_key)
        # Of NumPy, so that it is known also where `init` is traced.
        every = np.ones((len(images), self.supernet.network.space.max_length), np.int32)
        moments, _ = self.supernet.measure_moments_each(params, every, images)
        return InstanceState(
            params,
            self.weight_optimizer.init(params),
            moments,
            policy,
            self.policy_optimizer.init(policy),
            key,
        )

    def pretrain_step(
        self, state: InstanceState, images: jax.Array, labels: jax.Array, keep: float
    ) -> tuple[InstanceState, Metrics]:
        """Trains the weights under modules that are each kept with probability `keep`.

        An image whose modules are all dropped in a block follows the network's rule for that (the
        authors' code gives zeros).
        """
        key, own = jax.random.split(state.key)
        shape = (len(images), self.supernet.network.space.max_length)
        kept = jax.random.bernoulli(own, keep, shape).astype(jnp.int32)
        return self._train(state._replace(key=key), images, labels, kept)

    def weight_step(
        self, state: InstanceState, images: jax.Array, labels: jax.Array
    ) -> tuple[InstanceState, Metrics]:
        """Trains the weights under sampled policies, permuted over the images."""
        key, own, shuffle = jax.random.split(state.key, 3)
        sampled = draw(self.policy, state.policy, images, own, 1, self.shaping).samples[0]
        permuted = jax.random.permutation(shuffle, sampled)
        return self._train(state._replace(key=key), images, labels, permuted)

    def finetune_step(
        self, state: InstanceState, images: jax.Array, labels: jax.Array, permuted: float = 0.0
    ) -> tuple[InstanceState, Metrics]:
        """Trains the weights under the greedy policy.

        With probability `permuted` an image is trained under the architecture that another image
        of the batch chose.
        """
        key, own = jax.random.split(state.key)
        greedy = draw(self.policy, state.policy, images, own, 1, self.shaping).greedy
        return self._train(
            state._replace(key=key), images, labels, _permute_some(greedy, own, permuted)
        )

    def fixed_step(
        self, state: InstanceState, images: jax.Array, labels: jax.Array, architectures: Any
    ) -> tuple[InstanceState, Metrics]:
        """Trains the weights under given architectures `[B, T]`; the policy is not asked."""
        return self._train(state, images, labels, architectures)

    def _train(self, state, images, labels, architectures) -> tuple[InstanceState, Metrics]:
        gradient_of = self.supernet.value_and_grad_each(_loss)
        (loss, accuracy), gradient = gradient_of(state.params, architectures, images, labels)
        params, optimizer = apply_gradient(
            self.weight_optimizer, state.params, state.optimizer, gradient
        )
        metrics = {"loss": float(loss), "accuracy": float(accuracy)}
        return state._replace(params=params, optimizer=optimizer), metrics

    def recalibrate(
        self, state: InstanceState, batches: Iterable[jax.Array], *, greedy: bool = False
    ) -> InstanceState:
        """Measures the moments of every operation again.

        Weight steps change them; call it before policy steps, validation and inference. Operations
        that no image of the batches runs keep the moments that they had.

        Args:
          state: the state.
          batches: images `[B, H, W, C]`.
          greedy: under the greedy policy, as in inference, not under sampled ones, as in rewards.
        """
        key, measured = state.key, []
        for images in batches:
            key, own = jax.random.split(key)
            drawn = draw(self.policy, state.policy, images, own, 1, self.shaping)
            policies = drawn.greedy if greedy else drawn.samples[0]
            measured.append(self.supernet.measure_moments_each(state.params, policies, images))
        return state._replace(key=key, moments={**state.moments, **average_moments(measured)})

    def policy_step(
        self, state: InstanceState, images: jax.Array, labels: jax.Array, progress: float
    ) -> tuple[InstanceState, Metrics]:
        """Updates the policy; the weights stay.

        Args:
          state: the state.
          images: images that the weights are not trained on (the authors use the same).
          labels: their classes.
          progress: the share of the search that is done, in [0, 1], for the window.

        Returns:
          The state, and the mean reward, entropy, information, accuracy and searched cost; the two
          last and `greedy_reward` are of the greedy policy where that is the baseline.
        """
        key, own = jax.random.split(state.key)
        options = self.samples, self.shaping
        drawn, asked = ask(self.policy, state.policy, images, own, *options)
        tried = drawn.samples
        if self.baseline == "greedy":
            tried = jnp.concatenate([tried, drawn.greedy[None]])
        earned = earn(self, state, images, labels, tried, progress)
        sampled = earned.reward[: self.samples]
        policy, optimizer = update(
            self.policy_optimizer,
            (state.policy, state.policy_optimizer),
            asked,
            drawn.samples,
            sampled - earned.reward[-1] if self.baseline == "greedy" else leave_one_out(sampled),
            (self.entropy, self.information, self.enough, self.shaping),
        )
        new = state._replace(key=key, policy=policy, policy_optimizer=optimizer)
        metrics = {
            "reward": sampled.mean(),
            "entropy": drawn.entropy.mean(),
            "information": drawn.information,
        }
        judged = slice(-1, None) if self.baseline == "greedy" else slice(None)
        metrics |= {"accuracy": earned.correct[judged].mean(), "cost": earned.cost[judged].mean()}
        if self.baseline == "greedy":
            metrics["greedy_reward"] = earned.reward[-1].mean()
        return new, {name: float(value) for name, value in metrics.items()}

    def predict(self, state: InstanceState, images: jax.Array) -> Prediction:
        """Logits, architectures and latency of images; pure, also inside `jit`.

        Only the chosen modules are computed. An image's numbers do not depend on its batch.
        """
        weights = state.params, state.moments, state.policy
        return predict(self.supernet, self.policy, self.table, weights, images)


def _loss(logits: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
    return cross_entropy(logits, labels), (logits.argmax(-1) == labels).mean()


@jax.jit
def _permute_some(architectures: jax.Array, key: jax.Array, share: jax.Array) -> jax.Array:
    """Architectures `[B, T]`, each with probability `share` another row's."""
    order, which = jax.random.split(key)
    permuted = jax.random.permutation(order, architectures)
    moved = jax.random.bernoulli(which, share, (len(architectures), 1))
    return jnp.where(moved, permuted, architectures)


@functools.partial(jax.jit, static_argnums=0)
def _init(policy: InstancePolicy, key: jax.Array) -> Any:
    return policy.init(key)
