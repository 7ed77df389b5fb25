"""Children that share no program, each trained by the user's own function on a Ray cluster.

Children in any framework, of any shape, in processes of their own. Where they run, and that one
whose worker was killed or whose function raised is tried again, is Ray's business; what is left
here is which child has which reward, and that a cluster which goes away is an error instead of a
wait without end. Where children can share one program, `Population` is much faster.

Source: Zoph & Le 2017, "Neural architecture search with reinforcement learning"
(arXiv:1611.01578), section 3.2, figure 3: children are trained apart from each other.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import os
import socket
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces import SearchSpace

Train = Callable[[np.ndarray, int], float]
"""`(architecture int32 [T], seed) -> reward`, higher is better; runs in a worker of Ray."""

_SECONDS_BETWEEN_CHECKS = 5.0
_FAILED_CONNECTIONS = 3  # Ray itself ends the whole process after a minute without its head.


class ClusterError(RuntimeError):
    """The Ray cluster is not there, or is there no more."""


@dataclasses.dataclass(frozen=True, eq=False)
class RayEvaluator:
    """Trains children as tasks on the Ray cluster that `ray.init` connected this process to.

    Called with architectures `[N, T]` it waits for all and returns their rewards `[N]`, as every
    evaluator does. `jaxnas.AsynchronousSearch` does not wait for the slowest child.

    A child whose worker is killed, whose function raises, or whose reward is not finite is tried
    again; after `retries` more attempts its reward is minus infinity, with a warning that says why:
    searchers count it as the worst. A child occupies `num_cpus` of the cluster's cores, and JAX in
    its worker starts no more threads than that.

    Attributes:
      space: the search space of the children.
      train: `(architecture int32 [T], seed) -> reward`. Ray pickles it, so what it refers to must
        be importable on the workers.
      retries: how often a child is tried again.
      num_cpus: cores of one child.
      num_gpus: GPUs of one child; a part of one where several children share it.

    Raises:
      ImportError: Ray is not installed.
      ValueError: `retries`, `num_cpus` or `num_gpus` out of range.

    Example:
      >>> import ray  # doctest: +SKIP
      >>> ray.init()  # or `ray.init(address="auto")` on a node of a cluster  # doctest: +SKIP
      >>> evaluate = RayEvaluator(space, train)  # doctest: +SKIP
      >>> state, architectures = searcher.ask(state, 8)  # doctest: +SKIP
      >>> rewards = evaluate(architectures, seeds=range(8))  # doctest: +SKIP
      >>> state, metrics = searcher.tell(state, architectures, rewards)  # doctest: +SKIP
    """

    space: SearchSpace
    train: Train
    retries: int = 2
    num_cpus: float = 1
    num_gpus: float = 0

    def __post_init__(self):
        _ray()
        for name, least in (("retries", 0), ("num_cpus", 0), ("num_gpus", 0)):
            if not getattr(self, name) >= least:
                raise ValueError(f"{name!r} is {getattr(self, name)}; it must be >= {least}.")

    def __call__(self, architectures: Any, seeds: Sequence[int] | None = None) -> jax.Array:
        """The rewards `[N]` of architectures `int32 [N, T]`; minus infinity for failed children.

        Args:
          architectures: the children.
          seeds: one for each child; its place in the batch by default.

        Raises:
          ClusterError: no cluster is connected, or it went away. No reward of this call is kept.
          ValueError: shapes or numbers that do not fit.
        """
        rows = np.asarray(architectures, np.int32)
        if rows.ndim != 2 or rows.shape[1] != self.space.max_length:
            raise ValueError(
                f"space {self.space.name!r} has architectures [N, {self.space.max_length}], not "
                f"{list(rows.shape)}."
            )
        numbers = range(len(rows)) if seeds is None else [int(seed) for seed in seeds]
        if len(numbers) != len(rows):
            raise ValueError(f"there are {len(rows)} architectures and {len(numbers)} seeds.")
        tasks = {self.start(row, numbers[i]): i for i, row in enumerate(rows)}
        rewards = np.zeros(len(rows), np.float32)
        while tasks:
            task, reward = self.wait(list(tasks))
            rewards[tasks.pop(task)] = reward
        return jnp.asarray(rewards)

    def start(self, architecture: np.ndarray, seed: int) -> Any:
        """Hands one child to the cluster, and returns its task without waiting for it.

        Raises:
          ClusterError: no cluster is connected.
        """
        self.session()
        return self._task.remote(np.asarray(architecture, np.int32), int(seed))

    def wait(self, tasks: list[Any]) -> tuple[Any, float]:
        """Waits until one of some tasks has ended, and returns it with its reward.

        Raises:
          ClusterError: the cluster went away. This process is disconnected from it, so that it
            can save what it has and connect again.
        """
        ray, failed = _ray(), 0
        while True:
            self.session()
            ready, _ = ray.wait(tasks, num_returns=1, timeout=_SECONDS_BETWEEN_CHECKS)
            if ready:
                return ready[0], self._reward(ready[0])
            failed = 0 if self._head_answers() else failed + 1
            if failed >= _FAILED_CONNECTIONS or (not failed and not self._node_lives()):
                raise _gone()

    def cancel(self, tasks: list[Any]) -> None:
        """Ends the children of tasks, whose rewards nobody waits for any more."""
        for task in tasks:
            _ray().cancel(task, force=True)

    def session(self) -> str:
        """What tells one connection to a cluster from another.

        Raises:
          ClusterError: no cluster is connected.
        """
        ray = _ray()
        if not ray.is_initialized():
            raise ClusterError(
                "no Ray cluster is connected: call ray.init() for this machine's cores, or "
                "ray.init(address='auto') on a node of a cluster."
            )
        return ray.get_runtime_context().get_node_id()

    @functools.cached_property
    def _task(self) -> Any:
        options = {"num_cpus": self.num_cpus, "num_gpus": self.num_gpus}
        remote = _ray().remote(max_retries=self.retries, retry_exceptions=True, **options)
        return remote(_attempt_of(self.train, max(1, math.ceil(self.num_cpus))))

    def _reward(self, task: Any) -> float:
        """The reward of a task that ended; minus infinity if its last attempt failed too."""
        ray = _ray()
        try:
            return ray.get(task)
        except ray.exceptions.RayError as error:
            if not self._head_answers() or not self._node_lives():
                raise _gone() from error
            lines = str(error).strip().splitlines() or [type(error).__name__]
            warnings.warn(
                f"a child failed in all of its {self.retries + 1} attempts ({lines[-1][:300]}): "
                "it counts as the worst.",
                UserWarning,
                stacklevel=3,
            )
            return -math.inf

    def _head_answers(self) -> bool:
        """Whether the cluster's head takes connections."""
        host, _, port = _ray().get_runtime_context().gcs_address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
        except OSError:
            return False
        return True

    def _node_lives(self) -> bool:
        """Whether the node that this process is connected by is a part of the cluster."""
        session = self.session()
        return any(node["NodeID"] == session and node["Alive"] for node in _ray().nodes())


def _attempt_of(train: Train, threads: int) -> Callable[[np.ndarray, int], float]:
    # A function within a function is pickled whole: workers need not have jaxnas.
    def attempt(architecture: np.ndarray, seed: int) -> float:
        # Read by XLA when it starts its threads, which Ray does not bound.
        os.environ.setdefault("NPROC", str(threads))
        reward = float(train(architecture, seed))
        if not math.isfinite(reward):
            raise ValueError(f"the reward is {reward}")
        return reward

    return attempt


def _gone() -> ClusterError:
    """The error of a cluster that went away, after disconnecting from it."""
    # Else Ray ends the process when it has not reached the head for a minute.
    _ray().shutdown()
    return ClusterError(
        "the Ray cluster went away. The state of the search is as it was after its last step: save "
        "it, or go on with it after ray.init(...) to a cluster; children whose rewards it does not "
        "hold are trained again."
    )


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ImportError(
            f"children on a cluster need Ray ({error}): pip install 'jaxnas[ray]'."
        ) from error
    return ray
