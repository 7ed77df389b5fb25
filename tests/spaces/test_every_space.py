"""What holds for every space of the package; see `every_space.py`."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from every_space import SPACES
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from jaxnas.policies import lstm, uniform
from jaxnas.spaces import SearchSpace, rank, unrank

pytestmark = pytest.mark.usefixtures("quick_compilation")


full = pytest.mark.parametrize("space", [s.full for s in SPACES.values()], ids=list(SPACES))
small = pytest.mark.parametrize("space", [s.small for s in SPACES.values()], ids=list(SPACES))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_numbers_architectures_and_json_are_one(data):
    space = data.draw(st.sampled_from([size for sizes in SPACES.values() for size in sizes]))
    position = data.draw(st.integers(0, space.count() - 1))
    architecture = space.unrank(position)
    assert architecture.dtype == np.int32
    np.testing.assert_array_equal(space.validate(architecture), architecture)
    assert space.rank(architecture) == position
    encoded = json.loads(json.dumps(space.encode(architecture)))
    np.testing.assert_array_equal(space.decode(encoded), architecture)
    choices = space.choices(architecture)
    assert sum(len(choices.visits(name)) for name in choices) == (architecture >= 0).sum()


@full
def test_the_space_itself_survives_json(space):
    again = SearchSpace.from_json(json.loads(json.dumps(space.to_json())))
    assert again == space
    assert again.count() == space.count()
    assert space.name in space.describe()


@small
def test_count_is_enumeration_and_ranks_are_its_order(space):
    every = np.stack(list(space.enumerate()))
    assert len(every) == len(np.unique(every, axis=0)) == space.count()
    np.testing.assert_array_equal(space.all_architectures(), every)
    np.testing.assert_array_equal(rank(space, every), np.arange(len(every)))
    np.testing.assert_array_equal(unrank(space, np.arange(len(every))), every)
    for position in range(0, len(every), 1 + len(every) // 20):
        np.testing.assert_array_equal(space.unrank(position), every[position])


@pytest.mark.slow
@full
def test_samples_are_uniform_over_architectures(space):
    # By its rank each sample falls into one of 32 parts of the space, equal but for rounding.
    num, parts, count = 4000, 32, space.count()
    sampled = space.validate(space.sample(jax.random.key(0), num))
    found = np.bincount([space.rank(a) * parts // count for a in sampled], minlength=parts)
    sizes = np.diff([-(-count * i // parts) for i in range(parts + 1)]).astype(float)
    assert stats.chisquare(found, num * sizes / sizes.sum()).pvalue > 1e-3


@small
@pytest.mark.parametrize("make", [lstm, uniform])
def test_probabilities_of_all_walks_sum_to_one(space, make):
    every = space.all_architectures()
    policy = make(space, hidden=8, init_scale=1.0) if make is lstm else make(space)
    log_prob = policy.log_prob(policy.init(jax.random.key(0)), every)
    np.testing.assert_allclose(jnp.exp(log_prob).sum(), 1.0, rtol=2e-5)
    if make is uniform:
        np.testing.assert_allclose(log_prob, -np.log(len(every)), rtol=1e-5)
