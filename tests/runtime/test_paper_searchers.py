"""The configurations of papers have the papers' controllers; others have this package's."""

import jax
import numpy as np
import pytest

from jaxnas.config import SearcherConfig
from jaxnas.runtime.configs import load_config
from jaxnas.runtime.experiment import make_searcher

pytestmark = pytest.mark.usefixtures("quick_compilation")


@pytest.mark.parametrize(
    ("name", "skip_weight", "decay"),
    [("enas_micro_cifar10", 0.0, 0.99**10), ("enas_macro_cifar10", 0.8, 0.99**20)],
)
def test_the_paper_configs_have_the_values_of_the_authors_code(name, skip_weight, decay):
    config = load_config(f"{name}:smoke")
    space = config.network.build((32, 32, 3), 10).space
    searcher = make_searcher(space, config.searcher)
    state = searcher.init(jax.random.key(0))
    np.testing.assert_allclose(state.settings.skip_weight, skip_weight)
    np.testing.assert_allclose(state.settings.baseline_decay, decay, rtol=1e-6)
    np.testing.assert_allclose(state.settings.entropy_weight, 1e-4)
    state, architectures = searcher.ask(state, 4)
    state, metrics = searcher.tell(state, architectures, [0.1, 0.2, 0.3, 0.4])
    # The first baseline is 0, so that an advantage is the reward and the entropy's small share.
    np.testing.assert_allclose(state.baseline, (1 - decay) * 0.25, rtol=0.05)
    assert np.isfinite(metrics["gradient_norm"])


def test_other_configs_search_with_this_packages_values():
    for name in ("enas_digits", "shufflenas_digits", "shufflenas_cifar10"):
        assert load_config(name).searcher == SearcherConfig()
