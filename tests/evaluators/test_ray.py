"""Children on a local Ray cluster whose workers are killed, and which goes away."""

import math
import os
import pathlib
import signal
import sys
import time
import uuid
import warnings

import jax
import numpy as np
import pytest

import jaxnas
from jaxnas.evaluators import ClusterError, RayEvaluator
from jaxnas.evaluators import ray as on_ray
from jaxnas.runtime.checkpoint import Checkpoints
from jaxnas.runtime.packing import pack
from jaxnas.searchers import random
from jaxnas.spaces import chain

SPACE = chain(2, ("good", "killed", "raises", "nan"))


def train_in(folder):
    """A function that does what the first decision says; it leaves a file for every attempt."""

    def train(architecture, seed):  # within another, so that workers need not import this file
        what = int(architecture[0])
        (folder / f"{seed}-{uuid.uuid4()}").touch()
        if what == 1 and len(list(folder.glob(f"{seed}-*"))) == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if what == 2:
            raise RuntimeError("a poisoned child")
        while (folder / "wait").exists():
            time.sleep(0.1)
        return math.nan if what == 3 else 10.0 * int(architecture[1]) + seed % 1000

    return train


def attempts(folder, seed):
    return list(folder.glob(f"{seed}-*"))


def connect():
    ray = pytest.importorskip("ray")
    with warnings.catch_warnings():
        # Ray starts its programs by fork and exec, of which JAX warns once it has threads.
        warnings.filterwarnings("ignore", r"os\.fork\(\) was called", RuntimeWarning)
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    return ray


@pytest.fixture(scope="module")
def cluster():
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    yield connect()
    sys.modules["ray"].shutdown()


@pytest.fixture
def evaluator(cluster, tmp_path):
    (tmp_path / "attempts").mkdir()
    return RayEvaluator(SPACE, train_in(tmp_path / "attempts"), retries=1)


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r"need Ray .*pip install 'jaxnas\[ray\]'"):
        RayEvaluator(SPACE, train_in(pathlib.Path()))


@pytest.mark.extra
def test_killed_and_poisoned_children(evaluator, tmp_path):
    architectures = [[0, 3], [1, 2], [2, 0], [3, 0], [0, 1]]
    with pytest.warns(UserWarning, match="failed in all of its 2 attempts") as warned:
        rewards = evaluator(architectures, seeds=[5, 6, 7, 8, 9])
    np.testing.assert_array_equal(rewards, [35, 26, -np.inf, -np.inf, 19])
    assert [len(attempts(tmp_path / "attempts", n)) for n in (5, 6, 7, 8, 9)] == [1, 2, 2, 2, 1]
    reasons = sorted(str(warning.message).split("(")[1].split(")")[0] for warning in warned)
    assert "RuntimeError: a poisoned child" in reasons[0]
    assert "ValueError: the reward is nan" in reasons[1]


@pytest.mark.extra
def test_a_search_goes_on_from_a_checkpoint_when_its_cluster_went_away(
    evaluator, tmp_path, monkeypatch
):
    monkeypatch.setattr(on_ray, "_SECONDS_BETWEEN_CHECKS", 0.2)
    folder, searcher = tmp_path / "attempts", random(chain(2, ("good",)))
    search = jaxnas.AsynchronousSearch(searcher, evaluator, replicas=2, children=2)
    checkpoints, state = Checkpoints(tmp_path / "run"), search.init(jax.random.key(0))
    for _ in range(5):
        state = saved(checkpoints, search, state)
    (folder / "wait").touch()
    kill_head()
    state, error = until_gone(checkpoints, search, state)
    assert "the Ray cluster went away" in str(error)
    with pytest.raises(ClusterError, match=r"no Ray cluster is connected: call ray.init\(\)"):
        search.step(state)
    (folder / "wait").unlink()
    connect()
    search = jaxnas.AsynchronousSearch(searcher, evaluator, replicas=2, children=2)
    _, restored = checkpoints.restore(search.init(jax.random.key(1)))
    np.testing.assert_array_equal(pack(state)[1], pack(restored)[1])
    finished = set(np.asarray(state.rewards)[np.asarray(state.finished)].tolist())
    told = int(state.told)
    while int(restored.told) < told + 4:
        restored, _ = search.step(restored)
    search.close()
    repeated = [seed for seed in seeds_of(folder) if len(attempts(folder, seed)) > 1]
    assert repeated  # what was under way
    assert not finished & {float(seed % 1000) for seed in repeated}


def saved(checkpoints, search, state):
    state, _ = search.step(state)
    checkpoints.save(int(state.told + state.finished.sum()), state)
    return state


def until_gone(checkpoints, search, state):
    """What had ended before is still told."""
    try:
        while True:
            state = saved(checkpoints, search, state)
    except ClusterError as error:
        return state, error


def seeds_of(folder):
    return {int(path.name.split("-")[0]) for path in folder.iterdir()}


def kill_head():
    """Kills the process that holds a cluster together, a child of this one."""
    children = pathlib.Path(f"/proc/{os.getpid()}").glob("task/*/children")
    processes = [int(pid) for file in children for pid in file.read_text().split()]
    heads = [
        pid for pid in processes if "gcs_server" in pathlib.Path(f"/proc/{pid}/comm").read_text()
    ]
    assert len(heads) == 1
    os.kill(heads[0], signal.SIGKILL)
