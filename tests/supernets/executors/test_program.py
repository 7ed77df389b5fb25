"""Programs in two forms, and which of them a plan calls."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.supernets import make_plan, nasbench201
from jaxnas.supernets.executors import side_by_side
from jaxnas.supernets.executors.host_calls import Calls, choose_calls
from jaxnas.supernets.executors.program import Program

SPLIT = "outer_dimension_partitions"


def test_only_the_form_for_all_cores_splits_its_loops():
    program = Program(lambda x: jnp.tanh(x) * 2)
    x = jnp.linspace(-1.0, 1.0, 1_000_000).reshape(1000, 1000)
    np.testing.assert_array_equal(program(x), program.on_one_core(x))
    forms = (program.on_all_cores, program.on_one_core)
    texts = [form.lower(x).compile().as_text() for form in forms]
    assert SPLIT not in texts[1]
    if side_by_side.cores() > 1:
        assert SPLIT in texts[0]


def test_options_of_jit_hold_for_both_forms():
    program = Program(lambda times, x: times * x, static_argnums=0)
    assert program(2, 3.0) == program.on_one_core(2, 3.0) == 6.0


@pytest.fixture(scope="module")
def network():
    return nasbench201(image_shape=(8, 8, 3), num_classes=2, cells=1, channels=16)


def plan_of(network, number):
    return make_plan(network, network.space.sample(jax.random.key(0), number))


def chosen(network, number, batch=64):
    return choose_calls(plan_of(network, number), jnp.ones((batch, 8, 8, 3)), ())


def test_many_children_get_a_core_for_each_application(network, monkeypatch):
    monkeypatch.setattr(side_by_side, "cores", lambda: 3)
    assert chosen(network, 16) == Calls(3, alone=True)


def test_one_child_shares_the_cores_among_few_applications(network, monkeypatch):
    monkeypatch.setattr(side_by_side, "cores", lambda: 64)
    assert chosen(network, 1) == Calls(64, alone=False)


def test_small_applications_are_called_from_one_thread(network, monkeypatch):
    monkeypatch.setattr(side_by_side, "cores", lambda: 3)
    assert chosen(network, 16, batch=1) == Calls()


def test_one_core_needs_no_threads(network, monkeypatch):
    monkeypatch.setattr(side_by_side, "cores", lambda: 1)
    assert chosen(network, 16) == Calls()


def test_what_is_traced_is_called_from_one_thread(network, monkeypatch):
    monkeypatch.setattr(side_by_side, "cores", lambda: 3)
    plan, images, found = plan_of(network, 16), jnp.ones((64, 8, 8, 3)), []
    jax.eval_shape(lambda params: found.append(choose_calls(plan, images, params)), 1.0)
    jax.eval_shape(lambda images: found.append(choose_calls(plan, images, ())), images)
    assert found == [Calls()] * 2


def test_calls_use_the_form_that_was_chosen():
    program = Program(lambda x: x + 1)
    program.on_one_core = lambda x: "one core"
    assert Calls(2, alone=True)(program, 1) == "one core"
    assert Calls(2)(program, 1) == 2
