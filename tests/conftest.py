"""Two simulated devices, so that every run of the tests sees more than one."""

import os

import jax
import pytest

jax.config.update("jax_num_cpu_devices", int(os.environ.get("JAXNAS_TEST_DEVICES", "2")))


@pytest.fixture
def float64():
    """Runs a test in double precision."""
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)
