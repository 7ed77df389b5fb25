"""Programs of a plan are compiled before it starts: same results, same errors, nothing twice."""

import logging

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.supernets import Noise, chain
from jaxnas.supernets.executors import ahead_of_time, host
from jaxnas.supernets.networks.chain import OPERATIONS
from jaxnas.supernets.ops import Function, Identity
from jaxnas.supernets.plan import make_plan

pytestmark = pytest.mark.usefixtures("quick_compilation")

ARCHITECTURES = [[0, 1, 0], [1, 1, 0], [0, 0, 1]]
NOISE = {None: None, "noise": Noise(jax.random.key(3), jnp.float32(0.2))}


def small_chain(operations):
    return chain(
        image_shape=(4, 4, 1),
        num_classes=3,
        layers=3,
        channels=4,
        operations=operations,
        reductions=(),
    )


@pytest.fixture
def network():
    scale = Function("scale", lambda key, shape: jnp.ones(()), lambda params, x: x * params)
    return small_chain({"conv_3x3": OPERATIONS["conv_3x3"], "scale": lambda *_: scale})


def gradient(network, batch, noise=None):
    params = network.init(jax.random.key(0))
    images = jax.random.normal(jax.random.key(1), (batch, 4, 4, 1))
    plan = make_plan(network, ARCHITECTURES)
    logits, pullback = host.vjp(plan, params, images, noise=noise)
    return logits, pullback(logits)


def compiled_here(caplog):
    """The programs that this thread has compiled, in a block under `jax.log_compiles`."""
    prefix = "Finished XLA compilation of jit("
    messages = [r.getMessage() for r in caplog.records]
    return [m.removeprefix(prefix).split(")")[0] for m in messages if m.startswith(prefix)]


@pytest.mark.parametrize("noise", NOISE)
def test_calls_find_every_program_compiled(network, noise, caplog):
    batch = 11 if noise else 13
    gradient(network, batch + 1, NOISE[noise])
    # The option holds for this thread alone, and other threads compile what a plan needs.
    with caplog.at_level(logging.WARNING), jax.log_compiles():
        gradient(network, batch, NOISE[noise])
    host_programs = {"take_row", "apply_vjp", "pull", "add", "add_row", "stack", "zeros_like"}
    assert not host_programs & set(compiled_here(caplog))


def test_without_it_calls_compile(network, caplog, monkeypatch):
    monkeypatch.setattr(host, "compile_ahead_of_time", lambda *_: None)
    with caplog.at_level(logging.WARNING), jax.log_compiles():
        gradient(network, 17)
    assert {"apply_vjp", "pull", "add"} <= set(compiled_here(caplog))


def test_results_are_the_same_bits(network, monkeypatch):
    ahead = gradient(network, 8)
    jax.clear_caches()
    monkeypatch.setattr(host, "compile_ahead_of_time", lambda *_: None)
    jax.tree.map(np.testing.assert_array_equal, gradient(network, 8), ahead)


def test_a_plan_without_new_operations_compiles_nothing(network, monkeypatch):
    gradient(network, 9)
    monkeypatch.setattr(ahead_of_time, "ParallelCompilation", None)
    gradient(network, 9)


@pytest.mark.parametrize("ahead", [True, False])
def test_a_failing_operation_raises_its_own_error(ahead, monkeypatch):
    def fail_on_five(params, x):
        if x.shape[0] == 5:
            raise ValueError("five images are too many for me.")
        return x * params

    scale = Function("scale", lambda key, shape: jnp.ones(()), fail_on_five)
    operations = {"scale": lambda *_: scale, "identity": lambda *_: Identity()}
    network = small_chain(operations)
    if not ahead:
        monkeypatch.setattr(host, "compile_ahead_of_time", lambda *_: None)
    with pytest.raises(ValueError, match=r"^five images are too many for me\."):
        gradient(network, 5)
    assert gradient(network, 6)[0].shape == (3, 6, 3)
