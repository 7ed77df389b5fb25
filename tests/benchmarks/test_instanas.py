"""The parts of `benchmarks/instanas.py`, in a form small enough for tests."""

import dataclasses

import jax.numpy as jnp
import pytest

from jaxnas.config import TrainConfig

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_compilation")]


@pytest.fixture(scope="module")
def contest():
    from instanas_cases import contest

    return contest.make(True, 0, 0.2)


def test_routed_and_masked_are_the_same(contest):
    from instanas_cases.contest import check

    assert check(contest) < 1e-4
    # A masked engine that falls back to another module computes something else.
    contest.masked.default = "inverted_residual_3x3_6"
    with pytest.raises(RuntimeError, match="routed and masked differ"):
        check(contest)
    contest.masked.default = "basic_block"


@pytest.mark.parametrize("on", [0.2, 0.1])
def test_the_sharp_policy_turns_on_its_share(contest, on):
    from instanas_cases.contest import sharpened

    contest = sharpened(contest, on)
    greedy = contest.engine.policy.greedy(contest.state.policy, contest.images)
    assert float(greedy.mean()) == pytest.approx(on, abs=0.05)
    chances = contest.engine.policy.probabilities(contest.state.policy, contest.images)
    assert float(jnp.abs(chances - 0.5).mean()) > 0.35


def test_the_ratio_of_flops_is_that_of_what_runs(contest):
    from instanas_cases.contest import ratio_of_flops, run_policies

    network, table = contest.engine.supernet.network, contest.engine.table
    every = jnp.ones((2, network.space.max_length), jnp.int32)
    assert ratio_of_flops(contest, every) == pytest.approx(1.0)
    assert len(run_policies(contest, "forward")) == len(contest.images)
    assert len(run_policies(contest, "step")) == 2 * len(contest.images)
    # Without any, a first block of a stage runs its default module, others none.
    needed = {"stem", "classifier", "block_0/basic_block"}
    least = sum(table.costs[key] for key in needed) + table.controller
    total = sum(table.costs.values()) + table.controller
    assert ratio_of_flops(contest, 0 * every) == pytest.approx(total / least)


def test_the_summary_has_every_figure():
    import instanas

    def arm(accuracy, latency):
        return {"accuracy": accuracy, "latency": latency, "cpu_seconds": 1.0}

    information = {"corrected": 0.1, "bitwise_corrected": 0.2}
    own = {"unique_architectures": 7, "mutual_information": information}
    seeds = [
        {
            "arms": {
                "MobileNetV2 1x": arm(0.5, 100.0),
                "InstaNAS": arm(0.5 + shift, 50.0) | own,
                "permuted": arm(0.4, 50.0),
                "independent": arm(0.3, 50.0),
                "static": arm(0.5, 45.0),
            },
            "search": {"cpu_seconds": 60.0},
        }
        for shift in (0.01, 0.03)
    ]
    ratio, more = ({"value": value, "low": 4.0, "high": 7.0} for value in (5.0, 6.0))
    timings = [
        {"case": "forward", "share_on": 0.2, "ratio": ratio},
        {"case": "forward", "share_on": 0.1, "ratio": more},
        {"case": "step", "share_on": 0.2, "ratio": ratio},
        {"case": "forward", "way": "masked", "peak_mb": 9.0},
        *(
            {"case": "end_to_end", "inference": way, "batch": 1, "reduction": {"value": value}}
            for way, value in (("grouped", 0.4), ("grouped", 0.5), ("routed", -1.0))
        ),
    ]
    summary = instanas.make_summary(seeds, timings)
    assert summary["latency_reduction"]["value"] == pytest.approx(0.5)
    assert summary["gain_over_permuted"]["value"] == pytest.approx(0.12)
    assert summary["gain_over_static"]["value"] == pytest.approx(0.02)
    assert summary["unique_architectures"]["value"] == 7
    assert summary["routed_over_masked_forward"] == more
    assert summary["routed_over_masked_step"] == ratio
    assert summary["routed_over_masked_forward_other_share"] == ratio
    assert summary["peak_mb_masked_forward"] == 9.0
    assert summary["latency_reduction_measured"]["value"] == pytest.approx(0.45)
    assert summary["latency_reduction_measured_routed"]["value"] == -1.0
    rows = instanas.make_rows(seeds)
    assert {row["arm"] for row in rows} == set(seeds[0]["arms"])


def test_what_is_finished_is_not_computed_again(tmp_path):
    from instanas_cases import settings
    from instanas_cases.work import Work

    config, calls = settings.quick(), []

    def compute():
        calls.append(1)
        return {"accuracy": 0.5}

    for digest in ("a", "a", "b"):
        for seed in (0, 1):
            changed = dataclasses.replace(config, seed=seed)
            work = Work(tmp_path, changed, digest)
            assert work.get("width-1", seed, compute) == {"accuracy": 0.5}
    assert len(calls) == 4
    # The baselines are trained without the settings of the search, which is not.
    changed = dataclasses.replace(config, latency=dataclasses.replace(config.latency, end=0.8))
    Work(tmp_path, changed, "a").get("width-1", 0, compute)
    assert len(calls) == 4
    Work(tmp_path, changed, "a").get("instanas", 0, compute)
    Work(tmp_path, dataclasses.replace(config, train=TrainConfig()), "a").get("width-1", 0, compute)
    assert len(calls) == 6


def test_timings_of_a_record_are_replaced_and_dated(tmp_path):
    import json

    from instanas_cases.timings import replace_timings

    facts = {"commit": "b", "date": "2026-02-02", "machine": {"cores": 2}, "command": "again"}
    old = {
        "commit": "a",
        "rows": [{"arm": "x"}, {"case": "step", "ratio": 1}, {"case": "step", "way": "routed"}],
        "summary": {"gain": 1, "routed_over_masked_step": 1},
    }
    (tmp_path / "record.json").write_text(json.dumps(old))
    new = {"rows": [{"case": "step", "ratio": 3}], "summary": {"routed_over_masked_step": 3}}
    found = replace_timings(tmp_path / "record.json", facts | {"seconds": 5} | new)
    assert found["commit"] == "a"
    assert found["summary"] == {"gain": 1, "routed_over_masked_step": 3}
    assert found["rows"] == [old["rows"][0], old["rows"][2], *new["rows"]]
    assert found["measured_again"] == {"cases": ["step"], "seconds": 5} | facts


def test_what_several_processes_measured_becomes_one_row():
    from instanas_cases.timings import pool

    same = {"case": "step", "share_on": 0.2, "batch": 32, "threads": 1, "modules_per_block": 1.0}
    rows = [
        same
        | {"masked_seconds": 2.0 * ratio, "routed_seconds": 2.0, "repeats": 5}
        | {"ratio": {"value": ratio, "low": 0.0, "high": 9.0}, "ratio_of_flops": ratio}
        | {"largest_difference": ratio / 1e6}
        for ratio in (2.0, 8.0)
    ]
    row = pool(rows)
    assert (row["masked_seconds"], row["routed_seconds"], row["repeats"]) == (10.0, 2.0, 10)
    assert (row["processes"], row["ratios"]) == (2, [2.0, 8.0])
    assert row["largest_difference"] == 8e-6
    # By hand: log 4 +- 12.706 (t of one degree of freedom) * log 4 / 2.
    assert row["ratio"]["value"] == pytest.approx(4.0)
    assert row["ratio"]["low"] == pytest.approx(4.0 ** (1 - 12.7062 / 2), rel=1e-4)
    assert row["ratio"]["high"] == pytest.approx(4.0 ** (1 + 12.7062 / 2), rel=1e-4)
