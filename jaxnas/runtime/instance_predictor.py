"""Inference grouped by architecture: the controller first, then a program of each architecture.

One program for every architecture (`InstanceModule`) has to gather and scatter the images of each
operation. Where a policy has few architectures, the plain network of each takes a third to half of
the time for one image on a CPU; for 64 images of several architectures both take about the same.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.data.batches import check_shape, normalize
from jaxnas.export import ChildModule
from jaxnas.instance import InstanceModule
from jaxnas.instance.prediction import Prediction
from jaxnas.runtime.batch_pieces import SIZES, group, start
from jaxnas.runtime.child_programs import ChildPrograms, child_of
from jaxnas.runtime.module_program import ModuleProgram
from jaxnas.supernets import Supernet, make_routing, over_cores

LATENCIES = 65536
"""Latencies by architecture that are remembered."""


class _Child(NamedTuple):
    """The program of an architecture, its form for single images, and its latency `[1]`."""

    run: ModuleProgram
    single: Any
    latency: jax.Array


class InstancePredictor:
    """A network with its instance policy as a function of images that groups them.

    It gives what `InstanceModule` gives, for batches of any size. Its state are the programs that
    it has compiled, so it is one object for one thread. Architectures without a program of their
    own, such as rare ones, share a routed program, so that a call compiles only when
    an architecture has become frequent, or at a size of batch that it has not met; `prepare` does
    that beforehand. Weights are constants of each program.

    Where single images are served on one core,
    `jax.config.update("jax_cpu_enable_async_dispatch", False)` before JAX is first used saves the
    handing over of each program to another thread.

    Args:
      module: the network with its policy; its weights as they are now.
      compiled_architectures: architectures with programs of their own, each with one for every
        size of batch in `SIZES` that it meets. The one used the longest ago makes room once
        `compile_after * compiled_architectures` images have not used it. 0 for none.
      compile_after: images that must have chosen an architecture before it gets programs; `None`
        for those of `prepare` alone.

    Raises:
      ValueError: a negative number of architectures, or `compile_after` is less than 1.

    Example:
      >>> predictor = jaxnas.load_child("run").predictor()  # doctest: +SKIP
      >>> predictor.prepare(test_images)  # doctest: +SKIP
      >>> logits, architectures, latency = predictor(images)  # doctest: +SKIP

    Source: Cheng et al. 2018, "InstaNAS" (arXiv:1811.10201), section 3; the grouping is ours.
    """

    def __init__(
        self,
        module: InstanceModule,
        *,
        compiled_architectures: int = 32,
        compile_after: int | None = 64,
    ):
        _check_options(compiled_architectures, compile_after)
        self.network, self.policy = module.network, module.policy
        self.params, self.moments = module.weights.tree(), module.moments.tree()
        self.policy_params = module.controller.tree()
        self.mean, self.std = module.mean[...], module.std[...]
        self.children = ChildPrograms(self._child, compiled_architectures, compile_after)
        self._latencies: dict[bytes, jax.Array] = {}
        self._price = jax.jit(lambda rows: module.table.total(make_routing(module.network, rows)))
        self._controller = over_cores(lambda _, images: self._choose(images))
        self._routed = over_cores(lambda _, *given: self._logits(*given))
        self._one_image = (1, *module.network.image_shape)

    def __call__(self, images: Any) -> Prediction:
        """Logits `[B, K]`, architectures `int32 [B, T]` and latencies `[B]` of images, in order.

        Args:
          images: `[B, H, W, C]` as they are stored, `uint8` or floats in [0, 1].

        Raises:
          ValueError: images of another shape, or none.
        """
        if getattr(images, "shape", None) == self._one_image:
            return self._single(images)
        self._check(images)
        images = np.asarray(images)
        if len(images) == 1:
            return self._single(images)
        architectures = self._run(self._controller, images, (), np.arange(len(images)))
        groups = group(architectures)
        logits = self._grouped(images, architectures, groups)
        latency = np.zeros(len(images), np.float32)
        for rows in groups:
            latency[rows] = self._latency(architectures[rows[0]])
        return Prediction(*map(jnp.asarray, (logits, architectures, latency)))

    def prepare(self, images: Any, sizes: tuple[int, ...] = SIZES) -> None:
        """Compiles what images like these need: the commonest architectures, and the routed form.

        Args:
          images: `[B, H, W, C]`, of the type and kind that will come.
          sizes: of batches, of those in `SIZES`. A batch of images is several of these, by
            architecture; 1 suffices where single images come.

        Raises:
          ValueError: images of another shape, or none.
        """
        self._check(images)
        images = np.asarray(images)
        chosen = self._run(self._controller, images, (), np.arange(len(images)))
        groups = sorted(group(chosen), key=len, reverse=True)[: self.children.most]
        # The commonest last: it will be the last to make room.
        programs = [self.children.add(chosen[rows[0]]) for rows in reversed(groups)]
        for size in sizes:
            batch = np.resize(images, (size, *images.shape[1:]))
            self._controller((), batch)
            self._routed((), batch, np.resize(chosen, (size, chosen.shape[1])))
            for child in programs:
                child.run(batch)

    def _single(self, image: Any) -> Prediction:
        """One image: two programs, and nothing between them but a look at the architecture.

        After a program, what Python itself touches has left the caches: each step counts.
        """
        chosen = self._controller.single((), image)
        row = np.asarray(chosen)
        child = self.children.get(row.tobytes(), 1) or self.children.find(row[0], 1)
        if child is None:
            logits = self._routed((), image, chosen)
            return Prediction(logits, chosen, self._latency(row[0]))
        return Prediction(child.single(image), chosen, child.latency)

    def _grouped(self, images, architectures, groups) -> np.ndarray:
        logits = np.zeros((len(images), self.network.num_classes), np.float32)
        rare, started = [], []
        for rows in groups:
            child = self.children.find(architectures[rows[0]], len(rows))
            if child is None:
                rare.append(rows)
                continue
            started += start(lambda _, batch, child=child: child.run(batch), images, (), rows)
        if rare:
            started += start(self._routed, images, (architectures,), np.sort(np.concatenate(rare)))
        for rows, result in started:
            logits[rows] = np.asarray(result)[: len(rows)]
        return logits

    def _run(self, run: Any, images: np.ndarray, others: tuple[Any, ...], rows) -> np.ndarray:
        started = start(run, images, others, rows)
        return np.concatenate([np.asarray(result)[: len(used)] for used, result in started])

    def _choose(self, images: jax.Array) -> jax.Array:
        return self.policy.greedy(self.policy_params, self._standard(images))

    def _logits(self, images: jax.Array, architectures: jax.Array) -> jax.Array:
        """The routed program."""
        return Supernet(self.network).apply_each(
            self.params, architectures, self._standard(images), statistics=self.moments
        )

    def _standard(self, images: jax.Array) -> jax.Array:
        return normalize(images, self.mean, self.std)

    def _child(self, architecture: np.ndarray) -> _Child:
        parts = child_of(self.network, architecture, self.params, self.moments)
        run = ModuleProgram(ChildModule(*parts, self.mean, self.std))
        return _Child(run, run.single, self._latency(architecture))

    def _latency(self, architecture: np.ndarray) -> jax.Array:
        """The latency `[1]` of an architecture, by the table."""
        key = architecture.tobytes()
        if key not in self._latencies:
            if len(self._latencies) >= LATENCIES:
                self._latencies.clear()
            self._latencies[key] = self._price(architecture[None])
        return self._latencies[key]

    def _check(self, images: Any) -> None:
        check_shape(images, self.network.image_shape, "this network")
        if not len(images):
            raise ValueError("there are no images: give at least one.")


def _check_options(compiled_architectures: int, compile_after: int | None) -> None:
    if compiled_architectures < 0:
        raise ValueError(
            f"compiled_architectures is {compiled_architectures}: give a number, 0 for none."
        )
    if compile_after is not None and compile_after < 1:
        raise ValueError(
            f"compile_after is {compile_after}: give images, 1 or more, or None to compile only "
            "what `prepare` is given."
        )
