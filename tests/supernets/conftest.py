"""Double precision and quick compilation for a whole module of tests."""

import jax
import pytest


@pytest.fixture(scope="module")
def exact():
    """Double precision; programs are compiled with little optimisation, which is much faster."""
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
    jax.config.update("jax_enable_x64", False)
