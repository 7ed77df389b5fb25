"""A search that does not wait for its slowest child: replicas of the controller side by side.

Each of `K` replicas asks for `M` children; when all of its own have their rewards it tells the
searcher and asks for the next, whatever the other replicas do. So an update may rest on children
that an older policy proposed, as in the paper.

Source: Zoph & Le 2017, "Neural architecture search with reinforcement learning"
(arXiv:1611.01578), section 3.2, figure 3; K = 100 and M = 8 for convolutional networks (section
4.1), K = 400 and M = 1 for recurrent cells (section 4.2). Gradients of several replicas are
accumulated by the searcher's optimiser, `optax.MultiSteps(adam, 10).gradient_transformation()`.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.searchers import Searcher

Metrics = dict[str, Any]


class Tasks(Protocol):
    """What trains children apart from each other, such as `jaxnas.evaluators.RayEvaluator`."""

    def start(self, architecture: np.ndarray, seed: int) -> Any:
        """Hands over one child, and returns its task."""

    def wait(self, tasks: list[Any]) -> tuple[Any, float]:
        """One of the tasks that has ended, and its reward."""

    def cancel(self, tasks: list[Any]) -> None:
        """Ends tasks."""

    def session(self) -> str:
        """Tasks of another session are lost."""


class AsynchronousState(NamedTuple):
    """Everything that the search knows; a pytree that is saved and restored.

    Attributes:
      searcher: the state of the searcher.
      key: of the children's seeds.
      architectures: `int32 [K, M, T]`, the children of every replica.
      numbers: `int32 [K, M]`, theirs in the order in which they were asked for.
      rewards: `[K, M]`; minus infinity for a child that failed.
      finished: `bool [K, M]`, which of them count.
      told: `int32 []`, how many children the searcher has learnt from.
    """

    searcher: Any
    key: jax.Array
    architectures: jax.Array
    numbers: jax.Array
    rewards: jax.Array
    finished: jax.Array
    told: jax.Array


class _Child(NamedTuple):
    """What makes a task the one of a child: the same in two states, or another task."""

    place: int
    seed: int
    architecture: bytes


class AsynchronousSearch:
    """Asks and tells for several replicas; holds the tasks that are under way, and nothing else.

    A state that was saved after any step, in whatever process, is gone on with: rewards that it
    holds are not computed again, and the other children are trained again with their own seeds.
    The order in which children end is the cluster's, so two runs do not end in the same bits.

    Args:
      searcher: proposes architectures and learns from their rewards; it takes no context.
      tasks: trains children.
      replicas: `K`.
      children: `M`, of each replica.

    Raises:
      ValueError: `replicas` or `children` below 1.

    Example:
      >>> def train(architecture, seed):  # in any framework; runs in a worker  # doctest: +SKIP
      ...     return accuracy_of(space.encode(architecture), seed) ** 3
      >>> ray.init()  # doctest: +SKIP
      >>> evaluator = jaxnas.evaluators.RayEvaluator(space, train)  # doctest: +SKIP
      >>> search = AsynchronousSearch(  # doctest: +SKIP
      ...     jaxnas.searchers.reinforce(space), evaluator, replicas=4, children=2
      ... )
      >>> checkpoints = jaxnas.runtime.checkpoint.Checkpoints("run")  # doctest: +SKIP
      >>> state = search.init(jax.random.key(0))  # doctest: +SKIP
      >>> _, state = checkpoints.restore(state) or (0, state)  # doctest: +SKIP
      >>> while state.told < 200:  # doctest: +SKIP
      ...     state, metrics = search.step(state)  # one child more
      ...     checkpoints.save(int(state.told), state)
      >>> search.close()  # doctest: +SKIP
    """

    def __init__(self, searcher: Searcher, tasks: Tasks, replicas: int, children: int):
        for name, value in (("replicas", replicas), ("children", children)):
            if value < 1:
                raise ValueError(f"{name!r} is {value}; it must be >= 1.")
        self.searcher, self.tasks = searcher, tasks
        self.replicas, self.children = replicas, children
        self._session = ""
        self._running: dict[_Child, Any] = {}

    def init(self, key: jax.Array) -> AsynchronousState:
        """The state in which every replica has asked for the first time."""
        key, searcher_key = jax.random.split(key)
        number = self.replicas * self.children
        shape = (self.replicas, self.children)
        searcher, proposed = self.searcher.init(searcher_key), []
        for _ in range(self.replicas):
            searcher, architectures = self.searcher.ask(searcher, self.children)
            proposed.append(architectures)
        return AsynchronousState(
            searcher=searcher,
            key=key,
            architectures=jnp.stack(proposed),
            numbers=jnp.arange(number, dtype=jnp.int32).reshape(shape),
            rewards=jnp.zeros(shape, jnp.float32),
            finished=jnp.zeros(shape, bool),
            told=jnp.int32(0),
        )

    def step(self, state: AsynchronousState) -> tuple[AsynchronousState, Metrics]:
        """Waits for one child, and tells if it was the last one of its replica.

        Returns:
          The state with its reward, and the metrics of `tell`; none where nothing was told.

        Raises:
          ClusterError: from Ray, if the cluster went away; the state given in stays good.
          ValueError: a state of another number of replicas or children.
        """
        wanted = (self.replicas, self.children)
        if state.finished.shape != wanted:
            raise ValueError(
                f"the state is of {list(state.finished.shape)} replicas and children, the search "
                f"of {list(wanted)}: make the search as the one that the state was saved by."
            )
        self._start(state)
        children = {task: child for child, task in self._running.items()}
        task, reward = self.tasks.wait(list(children))
        del self._running[children[task]]
        replica, child = divmod(children[task].place, self.children)
        state = state._replace(
            rewards=state.rewards.at[replica, child].set(reward),
            finished=state.finished.at[replica, child].set(True),
        )
        return self._tell(state, replica) if state.finished[replica].all() else (state, {})

    def close(self) -> None:
        """Ends the children that are under way."""
        if self._running and self.tasks.session() == self._session:
            self.tasks.cancel(list(self._running.values()))
        self._running = {}

    def _start(self, state: AsynchronousState) -> None:
        """Hands over every child of the state that is neither finished nor under way."""
        session, wanted = self.tasks.session(), self._unfinished(state)
        if session != self._session:
            self._running, self._session = {}, session
        if strays := set(self._running) - set(wanted):  # of a state that was put aside
            self.tasks.cancel([self._running.pop(child) for child in strays])
        for child in wanted:
            if child not in self._running:
                architecture = np.frombuffer(child.architecture, np.int32)
                self._running[child] = self.tasks.start(architecture, child.seed)

    def _unfinished(self, state: AsynchronousState) -> list[_Child]:
        """The children without a reward, those that were asked for first in front."""
        numbers, finished = np.ravel(state.numbers), np.ravel(state.finished)
        seeds = np.asarray(_seeds(state.key, jnp.asarray(numbers)))
        rows = np.asarray(state.architectures, np.int32).reshape(len(numbers), -1)
        places = [place for place in np.argsort(numbers) if not finished[place]]
        return [_Child(int(p), int(seeds[p]), rows[p].tobytes()) for p in places]

    def _tell(self, state: AsynchronousState, replica: int) -> tuple[AsynchronousState, Metrics]:
        """Tells the searcher the rewards of a replica, which then asks anew."""
        searcher, metrics = self.searcher.tell(
            state.searcher, state.architectures[replica], state.rewards[replica]
        )
        searcher, architectures = self.searcher.ask(searcher, self.children)
        numbers = state.numbers.max() + 1 + jnp.arange(self.children, dtype=jnp.int32)
        return state._replace(
            searcher=searcher,
            architectures=state.architectures.at[replica].set(architectures),
            numbers=state.numbers.at[replica].set(numbers),
            finished=state.finished.at[replica].set(False),
            told=state.told + self.children,
        ), metrics


@functools.partial(jax.vmap, in_axes=(None, 0))
def _seeds(key: jax.Array, number: jax.Array) -> jax.Array:
    """The seed of a child: the same whenever and wherever it is trained."""
    return jax.random.bits(jax.random.fold_in(key, number))
