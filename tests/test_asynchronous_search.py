"""Replicas of a controller that do not wait for each other, without any cluster."""

import jax
import numpy as np
import pytest

import jaxnas
from jaxnas.runtime.packing import pack
from jaxnas.searchers import evolution
from jaxnas.spaces import chain

SPACE = chain(3, ("a", "b", "c"))
SEARCHER = evolution(SPACE, population=6, tournament=3)
KEY = jax.random.key(0)


class InTurn:
    """Ends children in an order that is given by their place among those under way."""

    def __init__(self, order):
        self.order, self.started, self.ended, self.now = list(order), [], [], "first"

    def start(self, architecture, seed):
        self.started.append((tuple(architecture.tolist()), seed))
        return len(self.started) - 1

    def wait(self, tasks):
        task = sorted(tasks)[self.order.pop(0)]
        return task, float(sum(self.started[task][0]))

    def cancel(self, tasks):
        self.ended += tasks

    def session(self):
        return self.now


def search_of(order, replicas=2, children=2):
    tasks = InTurn(order)
    return jaxnas.AsynchronousSearch(SEARCHER, tasks, replicas, children), tasks


def test_a_replica_tells_its_own_children_whatever_the_others_do():
    # Children 0 and 1 are replica 0's, 2 and 3 replica 1's: replica 1 is done first.
    search, _ = search_of([3, 2, 0, 0])
    state = search.init(KEY)
    # The same by hand.
    searcher = SEARCHER.init(jax.random.split(KEY)[1])
    searcher, zero = SEARCHER.ask(searcher, 2)
    searcher, one = SEARCHER.ask(searcher, 2)
    np.testing.assert_array_equal(state.architectures, [zero, one])
    told = []
    for _ in range(4):
        state, metrics = search.step(state)
        told.append((int(state.told), bool(metrics)))
    assert told == [(0, False), (2, True), (2, False), (4, True)]
    searcher, _ = SEARCHER.tell(searcher, one, one.sum(-1))
    searcher, new_one = SEARCHER.ask(searcher, 2)
    searcher, _ = SEARCHER.tell(searcher, zero, zero.sum(-1))
    searcher, new_zero = SEARCHER.ask(searcher, 2)
    np.testing.assert_array_equal(state.architectures, [new_zero, new_one])
    np.testing.assert_array_equal(state.numbers, [[6, 7], [4, 5]])
    np.testing.assert_array_equal(pack(state.searcher)[1], pack(searcher)[1])


def test_another_process_goes_on_without_training_anything_twice():
    whole, tasks = search_of([0] * 10)
    states = [whole.init(KEY)]
    for _ in range(10):
        states.append(whole.step(states[-1])[0])
    half, rest = search_of([0] * 5)
    state = states[5]  # 5 children are done, 4 of them told
    for _ in range(5):
        state, _ = half.step(state)
    assert tasks.started[5:] == rest.started  # with the same seeds too
    np.testing.assert_array_equal(state.architectures, states[-1].architectures)
    assert len(set(tasks.started)) == len(tasks.started)
    assert int(state.told) == int(states[-1].told) == 10


def test_tasks_of_a_session_that_ended_are_handed_over_again():
    search, tasks = search_of([0, 0])
    state, _ = search.step(search.init(KEY))
    tasks.now = "second"
    search.step(state)
    assert tasks.started[4:] == tasks.started[1:4]
    assert tasks.ended == []  # what is lost cannot be ended


def test_children_of_a_state_that_was_put_aside_are_ended():
    search, tasks = search_of([0, 0, 0])
    first = search.init(KEY)
    search.step(search.step(first)[0])
    other = search.init(jax.random.key(1))
    search.step(other)
    assert sorted(tasks.ended) == [2, 3]
    search.close()
    assert sorted(tasks.ended) == [2, 3, 5, 6, 7]


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match="'replicas' is 0; it must be >= 1"):
        search_of([], replicas=0)
    state = search_of([], replicas=3)[0].init(KEY)
    with pytest.raises(ValueError, match=r"state is of \[3, 2\] replicas.* of \[2, 2\]"):
        search_of([])[0].step(state)
