"""A policy for several tasks is the inner one with the embedding of the task as its context."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.policies import lstm, new_task, with_tasks
from jaxnas.spaces import chain

pytestmark = pytest.mark.usefixtures("quick_compilation")

SPACE = chain(2, ("a", "b"))
INNER = lstm(SPACE, hidden=4, context_size=3, init_scale=1.0, skip_connection=True)
POLICY = with_tasks(INNER, 2)


def test_the_embedding_is_the_context():
    params = POLICY.init(jax.random.key(0))
    tasks = jnp.array([1, 0, 1])
    context = params["tasks"][tasks]
    sample = POLICY.sample(params, jax.random.key(1), 3, tasks)
    same = INNER.sample(params["policy"], jax.random.key(1), 3, context)
    jax.tree.map(np.testing.assert_array_equal, sample, same)
    architectures = sample.architectures
    for name in ("log_prob", "entropy"):
        ours = getattr(POLICY, name)(params, architectures, tasks)
        theirs = getattr(INNER, name)(params["policy"], architectures, context)
        np.testing.assert_array_equal(ours, theirs)
    assert with_tasks(INNER, 2) is POLICY


def test_a_new_task_keeps_all_but_the_embeddings():
    params = POLICY.init(jax.random.key(0))
    fresh = new_task(params, jax.random.key(9))
    assert fresh["tasks"].shape == (1, 3)
    assert float(jnp.abs(fresh["tasks"]).max()) <= 0.1
    jax.tree.map(np.testing.assert_array_equal, fresh["policy"], params["policy"])
    at_mean = new_task(params, jax.random.key(9), tasks=2, scale=0.0, centre="mean")
    expected = [np.asarray(params["tasks"]).mean(0)] * 2
    np.testing.assert_allclose(at_mean["tasks"], expected, rtol=1e-6)
    with pytest.raises(ValueError, match="'centre' is 'median'"):
        new_task(params, jax.random.key(9), centre="median")
    with pytest.raises(ValueError, match="made by 'with_tasks'"):
        new_task(params["policy"], jax.random.key(9))


def test_bad_tasks_are_named():
    params = POLICY.init(jax.random.key(0))
    architectures = np.zeros((2, 2), np.int32)
    with pytest.raises(ValueError, match="say which, as int32"):
        POLICY.log_prob(params, architectures)
    with pytest.raises(ValueError, match=r"the tasks are \[0, 2\]: give 0 to 1"):
        POLICY.log_prob(params, architectures, [0, 2])
    with pytest.raises(ValueError, match="one int for each of 2"):
        POLICY.log_prob(params, architectures, [0])
    with pytest.raises(ValueError, match="takes no context"):
        with_tasks(lstm(SPACE), 2)
    with pytest.raises(ValueError, match="'tasks' is 0"):
        with_tasks(INNER, 0)
