"""What `shufflenas.py` and `ranking.py` compute from their trainings, on made-up ones."""

import dataclasses
import json
import pathlib

import jax
import numpy as np
import pytest

SHAPE = (8, 8, 1)


def test_widths_bring_parameters_nearest_to_a_target():
    from cell_networks import families

    # ENAS has odd widths too, which would be nearer to some targets than these.
    for family in (families(1, 1)["shufflenas"],):
        child = np.array(family.fixed)
        counts = {c: family.parameters(child, c, SHAPE) for c in range(4, 13, 2)}
        for target in (counts[8], counts[8] + 1, counts[10] - 1):
            nearest = min(counts, key=lambda c: abs(counts[c] - target))
            assert family.channels(child, target, SHAPE) == nearest


def made_up_rows():
    """Three seeds: ENAS takes twice as long and is one point worse than ShuffleNAS."""
    import cell_arms
    import cell_budget

    rows = []
    for seed in range(3):
        for arm, (source, accuracy, time) in {
            "enas": ("search", 0.50, 20.0),
            "enas_published": ("fixed", 0.52, 30.0),
            "shufflenas": ("search", 0.51, 10.0),
            "shufflenet_v2": ("fixed", 0.49, 8.0),
            "random": ("random", 0.50, 9.0),
            "random_shortlist": ("shortlist", 0.503, 9.0),
        }.items():
            assert cell_budget.ARMS[arm].source == source
            for child in range(1 if source == "fixed" else 2):
                # The second child is better in validation by 0.01, in test by 0.02.
                row = {"arm": arm, "seed": seed, "child": child, "parameters": 100 + child}
                row |= {"validation_accuracy": 0.5 + 0.01 * child}
                row |= {"test_accuracy": accuracy + 0.001 * seed + 0.02 * child}
                row |= {"train_cpu_seconds": 60.0, "search_cpu_seconds": 30.0}
                row |= {"searched_mean": 0.37, "random_mean": 0.36 if arm == "enas" else 0.38}
                rows.append(row)
            best = cell_arms.chosen(rows[-1 - child :])
            best |= {"chosen": True, "milliseconds_b1": time / 10, "milliseconds_b64": time}
    return rows


def test_the_summary_of_cells():
    import shufflenas

    summary = shufflenas.make_summary(made_up_rows(), target=100)
    assert summary["latency_ratio_b64"] == pytest.approx({"value": 2.0, "low": 2.0, "high": 2.0})
    assert summary["latency_ratio_b1_of_published"]["value"] == pytest.approx(3.0)
    assert summary["accuracy_gap"]["value"] == pytest.approx(0.01)
    # A fixed cell has one child, the searched one is the better of two.
    assert summary["accuracy_gap_to_published"]["value"] == pytest.approx(0.51 + 0.02 - 0.52)
    assert summary["search_over_random"]["value"] == pytest.approx(0.01)
    assert summary["search_over_shortlist"]["value"] == pytest.approx(0.007)
    assert summary["searched_over_random_enas"]["value"] == pytest.approx(0.01)
    assert summary["searched_over_random_shufflenas"]["value"] == pytest.approx(-0.01)
    assert summary["accuracy_random_mean"]["value"] == pytest.approx(0.50 + 0.01 + 0.001)
    assert summary["parameters_farthest_from_target"] == pytest.approx(0.01)
    assert summary["accuracy_cpu_minutes"] == pytest.approx(3 * (10 * 60 + 6 * 30) / 60)
    json.dumps(summary)


def test_a_child_that_diverged_is_not_chosen():
    import cell_arms

    rows = [{"validation_accuracy": float("nan")}, {"validation_accuracy": 0.1}]
    assert cell_arms.chosen(rows) is rows[1]


def test_the_best_after_short_trainings_are_kept(monkeypatch):
    import cell_arms
    import cell_budget
    import shufflenas

    dataset = shufflenas.load_data(None, quick=True)
    budget = dataclasses.replace(shufflenas.make_budget(quick=True), trained=2)
    contest = cell_arms.Contest(budget, dataset, pathlib.Path("unused"))
    accuracies = [0.3, float("nan"), 0.5, 0.4]

    class Made:
        def __init__(self, network, config, size):
            assert config == budget.short

        def train(self, key, data, architecture):
            return architecture[0]

        def accuracy(self, trained, split, data, architecture):
            assert split is data.validation
            return accuracies[trained]

    monkeypatch.setattr(cell_arms, "Trainer", Made)
    network = contest.families["shufflenas"].search(4).build(dataset.image_shape, 10)
    searched = [cell_budget.Candidate(np.full(2, i), 0.1 * i) for i in range(3)]
    uniform = [cell_budget.Candidate(np.full(2, 3))]
    kept = contest._shortlisted(network, jax.random.key(0), searched, uniform)
    assert [list(child.architecture) for child in kept] == [[2, 2], [3, 3]]
    # A child that diverged counts as 0 in the mean.
    means = {"searched_mean": round((0.3 + 0.0 + 0.5) / 3, 4), "random_mean": 0.4}
    found = [child.picked_by() for child in kept]
    assert found[0] == {"shared_accuracy": 0.2, "short_accuracy": 0.5} | means
    assert found[1] == {"shared_accuracy": None, "short_accuracy": 0.4} | means
    alone = contest._shortlisted(network, jax.random.key(0), [], searched)[0]
    assert alone.picked_by()["searched_mean"] is None


def test_moments_in_common_are_means_over_the_children_that_have_them():
    from ranking_study import _mean_by_operation

    found = _mean_by_operation(
        [{"a": {"mean": np.ones(2)}}, {"a": {"mean": np.zeros(2)}, "b": 3.0}]
    )
    np.testing.assert_allclose(found["a"]["mean"], [0.5, 0.5])
    assert found["b"] == 3.0


def test_tau_and_its_interval():
    import ranking

    ranks = np.arange(20.0)
    whole = {"value": 1.0, "low": 1.0, "high": 1.0}
    assert ranking.tau(ranks, ranks) == pytest.approx(whole)
    swapped = ranks.copy()
    swapped[[0, 1]] = swapped[[1, 0]]
    found = ranking.tau(ranks, swapped)
    assert found["value"] == pytest.approx(1 - 2 / 190)
    assert found["low"] < found["value"] <= found["high"]
