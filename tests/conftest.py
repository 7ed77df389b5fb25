"""Two simulated devices, so that every run of the tests sees more than one."""

import os

import jax
import pytest

# Tests leave no compiled programs in the home folder of whoever runs them.
os.environ.setdefault("JAXNAS_CACHE", "off")
jax.config.update("jax_num_cpu_devices", int(os.environ.get("JAXNAS_TEST_DEVICES", "2")))


def pytest_configure(config):
    """Keeps compiled programs beside pytest's own cache: files share them, and so do later runs.

    Compiling is two thirds of the time of the tests. `pytest --cache-clear` forgets them.
    """
    options = {
        "jax_compilation_cache_dir": str(config.cache.mkdir("compiled")),
        "jax_persistent_cache_min_compile_time_secs": 0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    for name, value in options.items():
        jax.config.update(name, value)
        os.environ[name.upper()] = str(value)  # for processes that tests start


@pytest.fixture(scope="module", autouse=True)
def programs_of_one_file():
    """Drops compiled programs after each file.

    Each holds mappings of memory, of which Linux gives a process 65,530; past them XLA crashes.
    """
    yield
    jax.clear_caches()


@pytest.fixture
def float64():
    """Runs a test in double precision."""
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


def optimise_little(value: bool) -> bool:
    """Compiles with little optimisation or not, and returns what was so before.

    Programs that are optimised differently differ in the last bit, and tests compare bits: no
    program of the other kind is left.
    """
    before = jax.config.read("jax_disable_most_optimizations")
    if before != value:
        jax.clear_caches()
        jax.config.update("jax_disable_most_optimizations", value)
    return before


@pytest.fixture(scope="module")
def quick_compilation():
    """Compiles with little optimisation, which is several times as fast, for a module of tests."""
    before = optimise_little(True)
    yield
    optimise_little(before)


@pytest.fixture(scope="module")
def exact(quick_compilation):
    """Double precision, and quick compilation, for a module of tests."""
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory):
    """A whole search on a very small configuration, run once for all tests."""
    from tiny_search import tiny_config

    import jaxnas

    folder = tmp_path_factory.mktemp("runs") / "tiny"
    before = optimise_little(True)
    try:
        return jaxnas.search(tiny_config(), run_dir=folder, quiet=True)
    finally:
        optimise_little(before)
