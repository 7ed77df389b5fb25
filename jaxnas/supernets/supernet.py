"""Many children of a shared-weight network at once, under any optimiser and loss."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax

from jaxnas.supernets import standalone
from jaxnas.supernets.executors import host, routed, routed_function
from jaxnas.supernets.executors.statistics import Measured, Statistics
from jaxnas.supernets.network import Network
from jaxnas.supernets.noise import Noise
from jaxnas.supernets.ops.operation import Params
from jaxnas.supernets.plan import Plan, make_plan
from jaxnas.supernets.routing import make_routing

EXECUTORS = ("host", "reference")

Loss = Callable[..., tuple[jax.Array, Any]]


@dataclasses.dataclass(frozen=True)
class Supernet:
    """Executes sampled children of a network with shared weights.

    Attributes:
      network: the network.
      executor: `host` (the plan, one compiled call per distinct application) or `reference`
        (stand-alone children one after the other; slow, the oracle of the tests).

    Raises:
      ValueError: an unknown executor.

    Example:
      >>> from jaxnas.supernets import chain
      >>> supernet = Supernet(chain(layers=2, channels=4, image_shape=(8, 8, 1), num_classes=10))
      >>> params = supernet.init(jax.random.key(0))
      >>> supernet.apply(params, [[0, 1], [2, 4]], jax.numpy.zeros((16, 8, 8, 1))).shape
      (2, 16, 10)
    """

    network: Network
    executor: str = "host"

    def __post_init__(self):
        if self.executor not in EXECUTORS:
            raise ValueError(f"executor {self.executor!r} is not one of {list(EXECUTORS)}.")

    def init(self, key: jax.Array) -> Params:
        """Draws the shared parameters."""
        return self.network.init(key)

    def plan(self, architectures: Any) -> Plan:
        """The distinct work of architectures `[A, T]`."""
        return make_plan(self.network, architectures)

    def apply(
        self, params: Params, architectures: Any, images: jax.Array, *, noise: Noise | None = None
    ) -> jax.Array:
        """The logits of children on one batch of images, each on its own batch statistics.

        Args:
          params: the shared parameters.
          architectures: `[A, T]` ints, or a `Plan`.
          images: float `[B, H, W, C]`.
          noise: the step's noise; none in evaluation.

        Returns:
          float `[A, B, K]`.
        """
        self._check(images)
        if self.executor == "reference":
            rows = getattr(architectures, "architectures", architectures)
            return standalone.forward_all(self.network, params, rows, images, noise=noise)
        return host.forward(self._planned(architectures), params, images, noise=noise)

    def value_and_grad(self, loss: Loss) -> Callable[..., tuple[tuple[jax.Array, Any], Params]]:
        """Turns a loss of logits into a function of the shared parameters with its gradient.

        Args:
          loss: `(logits [A, B, K], *args) -> (scalar, aux)`.

        Returns:
          `(params, architectures, images, *args, noise=None) -> ((scalar, aux), gradient)`, the
          gradient a pytree like `params`.
        """
        run = self._reference_grad if self.executor == "reference" else self._host_grad
        objective = loss if self.executor == "reference" else _of_logits(loss)
        return lambda params, architectures, images, *args, noise=None: run(
            objective, params, architectures, images, args, noise
        )

    def apply_each(
        self,
        params: Params,
        architectures: Any,
        images: jax.Array,
        *,
        statistics: Statistics = "batch",
    ) -> jax.Array:
        """The logits of images of which each has its own architecture.

        Each operation runs on the images that chose it alone. Pure; inside `jit` the architectures
        may be traced where the network is described in segments.

        Args:
          params: the shared parameters.
          architectures: `[B, T]` ints, one for each image.
          images: float `[B, H, W, C]`.
          statistics: `"batch"` (the images routed to an operation), `"image"` (each image by
            itself), or moments by operation (`measure_moments_each`).

        Returns:
          float `[B, K]`; differentiable by `params`.

        Source: Cheng et al. 2018, "InstaNAS" (arXiv:1811.10201).
        """
        self._check(images)
        return routed_function.apply(
            self.network, params, architectures, images, statistics=statistics
        )

    def value_and_grad_each(
        self, loss: Loss
    ) -> Callable[..., tuple[tuple[jax.Array, Any], Params]]:
        """Like `value_and_grad`, for images of which each has its own architecture.

        Args:
          loss: `(logits [B, K], *args) -> (scalar, aux)`.

        Returns:
          `(params, architectures, images, *args, statistics="batch") -> ((scalar, aux), gradient)`.
        """
        of_logits = _of_logits(loss)

        def run(params, architectures, images, *args, statistics: Statistics = "batch"):
            self._check(images)
            routing = make_routing(self.network, architectures)
            logits, pullback = routed.vjp(routing, params, images, statistics=statistics)
            value, cotangent = of_logits(logits, *args)
            return value, pullback(cotangent)

        return run

    def measure_moments_each(
        self, params: Params, architectures: Any, images: jax.Array
    ) -> Measured:
        """The moments of each operation over the images that are routed to it, and their numbers.

        `jaxnas.supernets.average_moments` makes statistics for `apply_each` of several batches.
        """
        self._check(images)
        routing = make_routing(self.network, architectures)
        return routed_function.measure_moments(routing, params, images)

    def _reference_grad(self, loss, params, architectures, images, args, noise):
        def objective(params):
            return loss(self.apply(params, architectures, images, noise=noise), *args)

        return jax.value_and_grad(objective, has_aux=True)(params)

    def _host_grad(self, of_logits, params, architectures, images, args, noise):
        self._check(images)
        logits, pullback = host.vjp(self._planned(architectures), params, images, noise=noise)
        value, cotangent = of_logits(logits, *args)
        return value, pullback(cotangent)

    def _planned(self, architectures: Any) -> Plan:
        if not isinstance(architectures, Plan):
            return self.plan(architectures)
        if architectures.network is not self.network:
            raise ValueError(
                f"the plan was made for a network {architectures.network.name!r}, not for this "
                f"supernet's {self.network.name!r}: make it with `supernet.plan`."
            )
        return architectures

    def _check(self, images: jax.Array) -> None:
        if images.shape[1:] != tuple(self.network.image_shape):
            raise ValueError(
                f"images have shape {list(images.shape)}; network {self.network.name!r} takes "
                f"[B, {', '.join(map(str, self.network.image_shape))}]."
            )


@functools.lru_cache(maxsize=64)
def _of_logits(loss: Loss) -> Callable[..., Any]:
    """The value of a loss and its cotangent, compiled once per loss and shape."""
    return jax.jit(jax.value_and_grad(loss, has_aux=True))
