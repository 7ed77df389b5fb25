"""Tasks on several threads: each once and in order, and the same bits as on one thread."""

import threading

import jax
import numpy as np
import pytest

from jaxnas.supernets import Noise, chain, enas_micro
from jaxnas.supernets.executors import host, side_by_side
from jaxnas.supernets.executors.host_calls import Calls
from jaxnas.supernets.plan import make_plan

IMAGE = {"image_shape": (4, 4, 1), "num_classes": 3}
READS = [[], [0], [0], [1, 2], [], [3, 3, 4]]


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_task_runs_once_and_after_what_it_reads(threads):
    done = []

    def work(task):
        assert set(READS[task]) <= set(done)
        done.append(task)

    side_by_side.run(READS, work, threads)
    assert sorted(done) == list(range(6))
    assert threads > 1 or done == sorted(done)


def test_tasks_that_do_not_read_each_other_run_at_once():
    barrier = threading.Barrier(2, timeout=60)
    side_by_side.run([[], []], lambda task: barrier.wait() and None, threads=2)


def test_a_thread_among_several_has_no_others():
    found = []
    side_by_side.run([[], []], lambda task: found.append(side_by_side.cores()), threads=2)
    assert found == [1, 1]


@pytest.mark.parametrize("threads", [1, 2])
def test_the_first_error_ends_the_run(threads):
    done = []

    def work(task):
        if task == 1:
            raise ValueError("task 1 fails")
        done.append(task)

    with pytest.raises(ValueError, match="task 1 fails"):
        side_by_side.run([[], [0], [1], [2]], work, threads)
    assert done == [0]


def test_options_of_the_calling_thread_hold_for_all_work():
    found = []

    def work(task):
        found.append(jax.config.jax_default_matmul_precision)

    with jax.default_matmul_precision("highest"):
        side_by_side.run([[]] * 8, work, threads=3)
    assert found == ["highest"] * 8


@pytest.mark.slow
@pytest.mark.usefixtures("quick_compilation")
@pytest.mark.parametrize("name", ["chain", "micro"])
def test_values_and_gradients_are_the_same_bits_on_any_number_of_threads(name, monkeypatch):
    if name == "chain":
        network = chain(**IMAGE, layers=3, channels=4, dropout=0.3, reductions=(1,))
    else:
        network = enas_micro(**IMAGE, cells=2, nodes=2, channels=2)
    params = network.init(jax.random.key(0))
    images = jax.random.normal(jax.random.key(1), (4, 4, 4, 1))
    plan = make_plan(network, network.space.sample(jax.random.key(2), 9))
    noise = Noise(jax.random.key(3)) if name == "chain" else None

    def results(threads):
        monkeypatch.setattr(host, "choose_calls", lambda *_: Calls(threads, alone=True))
        logits, pullback = host.vjp(plan, params, images, noise=noise)
        return host.forward(plan, params, images), pullback(logits)

    jax.tree.map(np.testing.assert_array_equal, results(3), results(1))
