"""The table of text classifiers and the figures that are made of searches in it."""

import functools
import importlib
import json

import numpy as np
import pytest


def script(name):
    """A script of `benchmarks/`; they are on the path while tests run only."""
    return importlib.import_module(name)


def small_table():
    validation = np.array([[0.1, 0.5, 0.9, 1.0], [0.2, 0.6, 0.8, 0.7], [0.4, 0.3, 0.2, 0.1]])
    return script("text_networks").Table(("mr", "sst2", "trec"), validation, validation - 0.05, {})


@pytest.mark.parametrize(
    ("table", "tasks"), [("TABLE", "TASKS"), ("CONFLICTING_TABLE", "CONFLICTING")]
)
def test_the_tables_hold_every_network_on_every_task(table, tasks):
    module = script("text_networks")
    table = module.load_table(getattr(module, table))
    assert table.tasks == getattr(module, tasks)
    assert table.validation.shape == table.test.shape == (8, module.space().count())
    assert module.space().count() >= 500
    for accuracies in (table.validation, table.test):
        assert 0 <= accuracies.min() < accuracies.max() <= 1


def test_few_texts_are_repeated_and_spare_ones_validated_on(tmp_path, monkeypatch):
    sizes = {"train": 9, "dev": 2, "test": 2}
    rows = {split: [[f"{split} {i}", i % 2] for i in range(n)] for split, n in sizes.items()}
    (tmp_path / "few.json").write_text(json.dumps({"classes": ["a", "b"], **rows}))
    monkeypatch.setattr(script("text_networks"), "TRAIN", 6)
    load = functools.partial(script("make_text_table").load_texts, str(tmp_path))
    few, many = load("few:2", 4), load("few:6", 4)
    train = [text for text, _ in rows["train"]]
    labels = dict(rows["train"])
    assert len(set(few.texts["train"])) == 2
    assert len(set(many.texts["train"])) == 6
    assert few.texts["train"] == many.texts["train"][:2] * 3
    assert few.texts["validation"] == many.texts["validation"]
    assert few.texts["validation"][:2] == tuple(text for text, _ in rows["dev"])
    spare = set(train) - set(many.texts["train"])
    assert len(few.texts["validation"]) == 4
    assert set(few.texts["validation"][2:]) < spare
    assert few.labels["train"].tolist() == [labels[text] for text in few.texts["train"]]
    assert few.sizes == {"train": 6, "validation": 4, "test": 2}


def test_a_missing_table_says_how_it_is_made(tmp_path):
    with pytest.raises(SystemExit, match="run benchmarks/make_text_table"):
        script("text_networks").load_table(tmp_path / "none.npz")


def test_tasks_that_leak_are_never_pretrained_on():
    expected = [[False, False, True], [False, False, True], [True, True, False]]
    assert script("mnms_study").allowed(("mr", "sst2", "trec")).tolist() == expected


def test_the_static_order_is_by_mean_rank_on_the_other_tasks():
    trials = script("mnms_baselines").static_warm_start(small_table(), seeds=2, trials=3)
    # MR and SST-2 follow TREC alone; TREC follows both: ranks (3, 3), (2, 2), (1, 0), (0, 1).
    assert trials.positions[:, 0].tolist() == [[0, 1, 2], [0, 1, 2], [2, 3, 1]]
    np.testing.assert_allclose(trials.rewards[2, 1], [0.2, 0.1, 0.3])


def test_trials_until_a_goal():
    rewards = np.array([[[0.1, 0.9, 1.0], [0.1, 0.2, 0.3]]])
    assert script("mnms").trials_to(rewards, np.array([0.9])).tolist() == [[2, 3]]
    goals = script("mnms").goals(small_table())
    np.testing.assert_allclose(goals["95 percent of the best"], [0.95, 0.76, 0.38])
    np.testing.assert_allclose(goals["top 1 percent"], [1.0, 0.8, 0.4])


def test_ratios_are_geometric_means_over_tasks():
    ours, theirs = np.array([[2.0, 4.0], [9.0, 9.0]]), np.array([[6.0, 12.0], [3.0, 3.0]])
    assert script("mnms").ratio(ours, theirs)["value"] == pytest.approx(1.0)


def test_the_summary_compares_transfer_with_every_arm():
    table = small_table()
    positions = np.array([[[3, 2, 1], [3, 3, 0]]] * 3)
    rewards = np.take_along_axis(table.validation[:, None], positions.reshape(3, 1, -1), 2)
    trials = script("mnms_study").Trials(positions, rewards.reshape(3, 2, 3))
    results = {"transfer": trials, "scratch, ppo": trials, "static": trials}
    summary = script("mnms").make_summary(table, results)
    for key in ("jump_start", "jump_start_over_static"):
        assert summary[key]["value"] == 0
    for key in ("trial_ratio", "trial_ratio_top_1_percent_over_static"):
        assert summary[key]["value"] == 1
    np.testing.assert_allclose(
        script("mnms").top_ten_test(table, trials)[0], [0.75, (1.0 + 0.1) / 2 - 0.05]
    )


def test_the_shared_network_of_the_same_trials_by_hand():
    none = -np.inf
    # Network 1 is tried on both tasks, 0 and 3 on one; then 2 and 3 on both.
    seen = np.array([[[0.9, 0.5, none, none], [none, 0.6, none, 0.9]]] * 2)
    seen[1] = [[none, none, 0.4, 0.5], [none, 0.9, 0.6, 0.4]]
    module = script("mnms_specialisation")
    shared = module.shared_of(seen)
    assert shared.tolist() == [1, 2]
    table = small_table()._replace(tasks=("mr", "trec"), test=np.arange(8.0).reshape(2, 4) ** 2)
    gains = module.gains(table, seen.argmax(-1), shared)
    np.testing.assert_allclose(gains, [[0 - 1, 49 - 25], [9 - 4, 25 - 36]])


def test_the_mean_reward_gives_every_task_the_same_weight():
    none = -np.inf
    # In the second search, which was short, the second task had no turn.
    seen = np.array([[[0.2, 0.4, none], [none, none, 0.9]], [[0.5, none, none], [none] * 3]])
    found = script("mnms_specialisation").mean_reward(seen)
    np.testing.assert_allclose(found, [(0.3 + 0.9) / 2, 0.5])


def test_a_random_order_repeats_nothing():
    trials = script("mnms_baselines").random_order(small_table(), seeds=2, trials=4)
    assert (np.sort(trials.positions, -1) == np.arange(4)).all()
    rewards = np.take_along_axis(small_table().validation[:, None], trials.positions, 2)
    np.testing.assert_array_equal(trials.rewards, rewards)
