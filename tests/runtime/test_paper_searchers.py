"""The configurations of papers have the papers' controllers; others have this package's."""

import jax
import numpy as np
import pytest

from jaxnas.config import SearcherConfig
from jaxnas.runtime.configs import load_config
from jaxnas.runtime.experiment import make_searcher

pytestmark = pytest.mark.usefixtures("quick_compilation")


def state_of(name):
    config = load_config(f"{name}:smoke")
    space = config.network.build((32, 32, 3), 10).space
    searcher = make_searcher(space, config.searcher)
    return searcher, searcher.init(jax.random.key(0))


def test_the_micro_config_searches_as_the_authors_code():
    searcher, state = state_of("enas_micro_cifar10")
    np.testing.assert_allclose(state.settings.baseline_decay, 0.99**10, rtol=1e-6)
    np.testing.assert_allclose(state.settings.entropy_weight, 1e-4)
    state, architectures = searcher.ask(state, 4)
    state, metrics = searcher.tell(state, architectures, [0.1, 0.2, 0.3, 0.4])
    # The first baseline is 0; the entropy has a small share in the reward.
    np.testing.assert_allclose(state.baseline, (1 - 0.99**10) * 0.25, rtol=0.05)
    assert np.isfinite(metrics["gradient_norm"])


def test_the_macro_config_keeps_skips_near_the_density_of_the_authors_code():
    _, state = state_of("enas_macro_cifar10")
    np.testing.assert_allclose(state.settings.baseline_decay, 0.99**20, rtol=1e-6)
    np.testing.assert_allclose(state.settings.skip_weight, 0.8)
    np.testing.assert_allclose(state.settings.skip_target, 0.4)


def test_other_configs_search_with_this_packages_values():
    for name in ("enas_digits", "shufflenas_digits", "shufflenas_cifar10"):
        assert load_config(name).searcher == SearcherConfig()
