"""Latencies of trained children, and the cost of a child in the reward of a search."""

import json
import math
import types

import numpy as np
import pytest
from tiny_search import tiny_config

from jaxnas.config import CostConfig, DeriveConfig, SearchConfig
from jaxnas.data import load
from jaxnas.export import ChildModule
from jaxnas.objectives import child_costs, flops_table
from jaxnas.runtime import outcome
from jaxnas.runtime.child_latency import measure_children, summarise
from jaxnas.runtime.errors import ConfigError
from jaxnas.runtime.experiment import Experiment
from jaxnas.runtime.latency import load_latency
from jaxnas.runtime.report import formats
from jaxnas.runtime.supernet_run import with_costs


def test_every_trained_child_has_its_latencies(tiny_run):
    stored = json.loads((tiny_run.run_dir / "latencies.json").read_text())
    for child in tiny_run.values["children"]:
        assert child["latency"] == stored[child["name"]]
        for batch in ("batch_1", "batch_64"):
            assert child["latency"][batch]["median"] > 0
    assert tiny_run.values["latency"] in stored.values()
    assert "ms for 64" in (tiny_run.run_dir / "report.html").read_text()


def test_children_take_turns_and_are_warm(tiny_run, monkeypatch):
    calls, call, module = [], ChildModule.__call__, tiny_run.module

    def counted(self, images):
        calls.append(images.shape)
        return call(self, images)

    monkeypatch.setattr(ChildModule, "__call__", counted)
    seconds = measure_children({"a": module, "b": module}, (8, 8, 1), batches=(2,), repeats=5)
    assert {name: len(of[2]) for name, of in seconds.items()} == {"a": 5, "b": 5}
    assert calls == [(2, 8, 8, 1)] * 2  # Traced once for each: the calls are of programs.


def test_a_summary_and_how_it_is_written():
    found = summarise({1: [0.001, 0.002, 0.003], 64: [0.5] * 5})
    assert found["batch_1"] == pytest.approx({"median": 0.002, "spread": 0.002})
    assert found["batch_64"] == {"median": 0.5, "spread": 0.0}
    assert formats.latency(found, 1) == "2 +- 1"
    assert formats.latency(found, 8) == formats.latency(None, 1) == formats.MISSING


def test_too_few_repeats_are_refused(tiny_run):
    with pytest.raises(ConfigError, match="repeats is 4: give at least 5"):
        measure_children({}, (8, 8, 1), repeats=4)
    with pytest.raises(ValueError, match="latency_repeats is 3: give a whole number of 5 or more"):
        DeriveConfig(latency_repeats=3)
    assert DeriveConfig(latency_repeats=0).latency_repeats == 0


def test_the_target_is_the_median_cost_of_random_children():
    options = {"policy_updates": 1, "batch_size": 32, "reward_batch_size": 32}
    cost = CostConfig(unit="FLOPs", exponent=-0.5)
    config = tiny_config(search=SearchConfig(epochs=1, cost=cost, **options))
    experiment = Experiment(config, load("digits").take(64, 64, 32))
    efficiency, space = experiment.engine.efficiency, experiment.network.space
    children = np.arange(space.count())[:, None]
    costs = child_costs(flops_table(experiment.network), experiment.network, children)
    assert efficiency.target in costs
    rewards = experiment.engine.rewards(np.ones(len(children)), children)
    np.testing.assert_allclose(rewards, (costs / efficiency.target) ** -0.5, rtol=1e-6)


def test_seconds_are_measured_once_for_a_run(tmp_path):
    cost = CostConfig(unit="seconds", target=1.0)
    search = SearchConfig(policy_updates=1, batch_size=32, reward_batch_size=32, cost=cost)
    experiment = Experiment(tiny_config(search=search), load("digits").take(64, 64, 32))
    assert experiment.engine.efficiency is None
    folder = types.SimpleNamespace(path=tmp_path)
    tables = [with_costs(experiment, folder).engine.efficiency.table for _ in range(2)]
    assert tables[0].unit == "seconds"
    assert (
        tables[0].costs
        == tables[1].costs
        == load_latency(tmp_path / "latency.json", experiment.network).costs
    )


def test_the_reward_chooses_the_child_where_there_is_one():
    good, cheap, diverged = (
        {"validation_accuracy": a, "reward": r}
        for a, r in ((0.9, 0.7), (0.8, 0.8), (math.nan, math.nan))
    )
    assert outcome.select([diverged, good, cheap]) is cheap
    del good["reward"], cheap["reward"]
    assert outcome.select([cheap, good]) is good
