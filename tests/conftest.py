"""Two simulated devices, so that every run of the tests sees more than one."""

import os

import jax
import pytest

# Tests leave no compiled programs in the home folder of whoever runs them.
os.environ.setdefault("JAXNAS_CACHE", "off")
jax.config.update("jax_num_cpu_devices", int(os.environ.get("JAXNAS_TEST_DEVICES", "2")))


@pytest.fixture
def float64():
    """Runs a test in double precision."""
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


@pytest.fixture(scope="module")
def quick_compilation():
    """Compiles with little optimisation, which is several times as fast, for a module of tests."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory):
    """A whole search on a very small configuration, run once for all tests."""
    from tiny_search import tiny_config

    import jaxnas

    jax.config.update("jax_disable_most_optimizations", True)
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    try:
        return jaxnas.search(tiny_config(), run_dir=folder, quiet=True)
    finally:
        jax.config.update("jax_disable_most_optimizations", False)
