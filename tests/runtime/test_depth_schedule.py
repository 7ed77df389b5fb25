"""Children that grow with the samples of a search, and schedules that go too deep."""

import dataclasses

import numpy as np
import pytest
from test_population_search import CONFIG

import jaxnas
from jaxnas.population_config import DepthConfig

pytestmark = pytest.mark.usefixtures("quick_compilation")

DEPTH = DepthConfig(start=1, every=4, step=1)


@pytest.mark.slow
def test_children_grow_with_the_samples(tmp_path):
    children = dataclasses.replace(CONFIG.children, depth=DEPTH)
    config = dataclasses.replace(CONFIG, children=children)
    result = jaxnas.search(config, run_dir=tmp_path / "run", quiet=True)
    walks = [child["architecture"]["walk"] for child in result.values["children"]]
    layers = {sum(name.endswith("/height") for name, _ in walk) for walk in walks}
    assert layers <= {1, 2}
    own = jaxnas.load_child(result.run_dir)
    np.testing.assert_array_equal(own.architecture, result.architecture)
    assert own.model.encode(own.architecture) == result.values["architecture"]


def test_architectures_are_cut_to_whole_layers():
    model = CONFIG.children.build((8, 8, 1), 10)
    whole = model.space.all_architectures()[[0, 5]]
    short = model.shorten(whole, 1)
    # A layer has a height, a width and a number of filters; the second one a skip bit too.
    np.testing.assert_array_equal(short[:, :3], whole[:, :3])
    assert (short[:, 3:] == -1).all()
    for row in (*whole, *short):
        np.testing.assert_array_equal(model.decode(model.encode(row)), row)


def test_a_schedule_past_the_largest_shape_is_refused():
    children = dataclasses.replace(CONFIG.children, depth=dataclasses.replace(DEPTH, every=2))
    with pytest.raises(ValueError, match=r"reaches 3 layers in 6 samples, but children\.layers"):
        dataclasses.replace(CONFIG, children=children)
    children = dataclasses.replace(CONFIG.children, depth=DEPTH)
    searcher = dataclasses.replace(CONFIG.searcher, name="evolution")
    with pytest.raises(ValueError, match=r"with children\.depth take reinforce or random"):
        dataclasses.replace(CONFIG, children=children, searcher=searcher)
