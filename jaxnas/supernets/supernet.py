"""Many children of a shared-weight network at once, under any optimiser and loss."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
from jax.sharding import Mesh

from jaxnas.supernets import standalone
from jaxnas.supernets.chunks import Chunked
from jaxnas.supernets.executors import compiled, dense, grouped, host, routed, routed_function
from jaxnas.supernets.executors.instructions import Instructions
from jaxnas.supernets.executors.statistics import Measured, Statistics
from jaxnas.supernets.network import Network
from jaxnas.supernets.noise import Noise
from jaxnas.supernets.ops.operation import Params
from jaxnas.supernets.plan import Plan, make_plan
from jaxnas.supernets.routing import make_routing
from jaxnas.supernets.sharding import Sharded, check_mesh
from jaxnas.supernets.supernet_checks import check_images, check_instructions, check_outside

_OF_PLAN: Mapping[str, Any] = {
    "host": host,
    "compiled": compiled,
    "grouped": grouped,
    "dense": dense,
}
EXECUTORS = ("auto", *_OF_PLAN, "reference")

Loss = Callable[..., tuple[jax.Array, Any]]


@dataclasses.dataclass(frozen=True)
class Supernet:
    """Executes sampled children of a network with shared weights.

    Attributes:
      network: the network.
      executor: `host` (one compiled call per distinct application), `grouped` (one per group of
        applications of one operation), `compiled` (one program for all), `dense` (every operation
        for every child; an oracle), `reference` (stand-alone children one after the other; slow,
        what all executors equal), or `auto`: `compiled` inside a transformation such as `jit`,
        else `host` on CPU and for one child, and `grouped` for several children on other devices.
      memory_budget: bytes of values that may be alive at once, see
        `jaxnas.supernets.memory.live_bytes`; children that do not fit are executed in several
        plans. No bound by default.
      mesh: the caller's mesh with axes `child` and `data` (or one of them), over which children
        and images are spread; see `jaxnas.supernets.sharding`. By default JAX's own placement.

    Raises:
      ValueError: an unknown executor, a budget that is not positive, or a mesh with other axes.

    Example:
      >>> from jaxnas.supernets import chain
      >>> supernet = Supernet(chain(layers=2, channels=4, image_shape=(8, 8, 1), num_classes=10))
      >>> params = supernet.init(jax.random.key(0))
      >>> supernet.apply(params, [[0, 1], [2, 4]], jax.numpy.zeros((16, 8, 8, 1))).shape
      (2, 16, 10)
    """

    network: Network
    executor: str = "auto"
    memory_budget: int | None = None
    mesh: Mesh | None = None

    def __post_init__(self):
        if self.executor not in EXECUTORS:
            raise ValueError(f"executor {self.executor!r} is not one of {list(EXECUTORS)}.")
        if self.memory_budget is not None and self.memory_budget <= 0:
            raise ValueError(f"memory_budget is {self.memory_budget}: give bytes, more than 0.")
        if self.mesh is not None:
            check_mesh(self.mesh)

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
          architectures: `[A, T]` ints, a `Plan`, or for the `compiled` executor `Instructions`
            (`jaxnas.supernets.executors.instructions`), which may be traced.
          images: float `[B, H, W, C]`.
          noise: the step's noise; none in evaluation.

        Returns:
          float `[A, B, K]`.
        """
        self._check(images, architectures)
        if self.executor == "reference":
            rows = architectures.architectures if isinstance(architectures, Plan) else architectures
            return standalone.forward_all(self.network, params, rows, images, noise=noise)
        plan = self._planned(architectures)
        return self._executor(plan, params, images).forward(plan, params, images, noise=noise)

    def value_and_grad(self, loss: Loss) -> Callable[..., tuple[tuple[jax.Array, Any], Params]]:
        """Turns a loss of logits into a function of the shared parameters with its gradient.

        Args:
          loss: `(logits [A, B, K], *args) -> (scalar, aux)`.

        Returns:
          `(params, architectures, images, *args, noise=None) -> ((scalar, aux), gradient)`, the
          gradient a pytree like `params`.
        """
        run = self._reference_grad if self.executor == "reference" else self._planned_grad
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

    def _planned_grad(self, of_logits, params, architectures, images, args, noise):
        self._check(images, architectures)
        plan = self._planned(architectures)
        executor = self._executor(plan, params, images)
        logits, pullback = executor.vjp(plan, params, images, noise=noise)
        value, cotangent = of_logits(logits, *args)
        return value, pullback(cotangent)

    def _executor(self, plan: Plan | Instructions, params: Params, images: jax.Array) -> Any:
        """What executes a plan: within the memory budget, over the mesh."""
        if self.mesh is not None:
            check_outside(_traced(params, images))
        if isinstance(plan, Instructions):
            return compiled
        name = _choose(plan, params, images) if self.executor == "auto" else self.executor
        executor: Any = _OF_PLAN[name]
        if self.memory_budget is not None:
            executor = Chunked(executor, self.memory_budget)
        return executor if self.mesh is None else Sharded(executor, self.mesh)

    def _check(self, images: jax.Array, architectures: Any = None) -> None:
        check_images(self.network, images)
        check_instructions(architectures, self.executor, self.memory_budget, self.mesh)

    def _planned(self, architectures: Any) -> Plan | Instructions:
        if not isinstance(architectures, Plan | Instructions):
            return self.plan(architectures)
        if architectures.network is not self.network:
            raise ValueError(
                f"the plan was made for a network {architectures.network.name!r}, not for this "
                f"supernet's {self.network.name!r}: make it with `supernet.plan`."
            )
        return architectures


def _choose(plan: Plan, params: Params, images: jax.Array) -> str:
    """The executor for a plan and where the arrays are: a tracer, a CPU, or another device."""
    if _traced(params, images):
        return "compiled"
    one = len(plan.architectures) == 1
    return "host" if one or _platform(images) == "cpu" else "grouped"


def _traced(params: Params, images: jax.Array) -> bool:
    leaves = (*jax.tree.leaves(params), images)
    return any(isinstance(leaf, jax.core.Tracer) for leaf in leaves)


def _platform(images: Any) -> str:
    if isinstance(images, jax.Array):
        return next(iter(images.devices())).platform
    return jax.default_backend()


@functools.lru_cache(maxsize=64)
def _of_logits(loss: Loss) -> Callable[..., Any]:
    """The value of a loss and its cotangent, compiled once per loss and shape."""
    return jax.jit(jax.value_and_grad(loss, has_aux=True))
