"""The order of the steps of InstaNAS's three stages, and what they are compared with."""

import dataclasses

import jax
import numpy as np
import pytest
from tiny_instance import tiny_instance_config

from jaxnas.data import DataError
from jaxnas.instance.arms import independent, permuted
from jaxnas.instance.schedule import Place
from jaxnas.instance.search import InstanceSearch
from jaxnas.objectives import flops_table, published_window
from jaxnas.runtime.saved_instance import make_policy
from jaxnas.supernets import Supernet


def make(config, train=70, validation=50):
    network = config.network.build((8, 8, 1), 10)
    policy = make_policy(network, config.controller)
    table = flops_table(network, policy.flops)
    window = published_window(table, network, end=0.9)
    return InstanceSearch(Supernet(network), policy, table, window, config, train, validation)


def test_steps_are_pretraining_then_alternation_then_each_point():
    # Two batches of 30 in 70 images; two policy updates; two epochs, each of which is a point.
    search = make(tiny_instance_config())
    expected = [
        Place("pretrain", 0, 0, True, False),
        Place("pretrain", 0, 1, False, True),
        Place("policy", 0, 0, True, False),
        Place("policy", 0, 1, False, False),
        Place("weights", 0, 0, False, False),
        Place("weights", 0, 1, False, True, 0),
        Place("policy", 1, 2, False, False),
        Place("policy", 1, 3, False, False),
        Place("weights", 1, 2, False, False),
        Place("weights", 1, 3, False, True, 1),
        Place("finetune", 0, 0, True, False, 0),
        Place("finetune", 0, 1, False, True, 0),
        Place("finetune", 1, 0, True, False, 1),
        Place("finetune", 1, 1, False, True, 1),
    ]
    assert [search.schedule.place(step) for step in range(search.total_steps)] == expected


def test_points_are_spread_over_the_search_and_its_end_is_one():
    config = tiny_instance_config()
    for epochs, points, expected in [(10, 3, (2, 5, 9)), (4, 4, (0, 1, 2, 3)), (7, 1, (6,))]:
        stage = dataclasses.replace(config.search, epochs=epochs, points=points)
        search = make(dataclasses.replace(config, search=stage))
        assert search.schedule.point_epochs == expected


@pytest.mark.parametrize(
    ("permuted", "expected"),
    [(0.0, [0, 0, 0, 0, 0]), (0.5, [1, 0.5, 0, 0, 0]), (1.0, [1, 0.75, 0.5, 0.25, 0])],
)
def test_fewer_and_fewer_images_train_under_architectures_of_others(permuted, expected):
    config = tiny_instance_config()
    # Two batches of 30 in 70 images: four steps.
    stage = dataclasses.replace(config.finetune, epochs=2, permuted=permuted)
    schedule = make(dataclasses.replace(config, finetune=stage)).schedule
    assert [schedule.permuted(number) for number in range(5)] == expected


def test_batches_that_do_not_fit_are_named():
    with pytest.raises(DataError, match=r"pretrain\.batch_size is 30, but the train split has 20"):
        make(tiny_instance_config(), train=20)
    with pytest.raises(DataError, match=r"search\.reward_batch_size is 25"):
        make(tiny_instance_config(), validation=20)


@pytest.mark.parametrize("section", ["pretrain", "search", "finetune"])
def test_a_stage_is_named_by_its_section(section):
    with pytest.raises(ValueError, match=rf"^{section}\.epochs is 0: give a whole number"):
        dataclasses.replace(getattr(tiny_instance_config(), section), epochs=0)


def test_more_points_than_epochs_and_no_baseline_are_refused():
    config = tiny_instance_config()
    with pytest.raises(ValueError, match=r"search\.points is 3, but search\.epochs is 2"):
        dataclasses.replace(config.search, points=3)
    with pytest.raises(ValueError, match=r"1\.0 must be among them"):
        tiny_instance_config(widths=(0.5,))


def test_permuted_architectures_are_the_same_ones_and_none_stays():
    rows = np.arange(12, dtype=np.int32).reshape(6, 2)
    for seed in range(5):
        moved = permuted(jax.random.key(seed), rows)
        assert sorted(map(tuple, moved)) == sorted(map(tuple, rows))
        assert (moved != rows).all()


def test_independent_bits_keep_their_shares():
    rows = np.tile(np.array([[0, 1, 1], [0, 1, 0]], np.int32), (2000, 1))
    drawn = independent(jax.random.key(0), rows)
    np.testing.assert_allclose(drawn.mean(0), [0, 1, 0.5], atol=0.03)
    # The bits of an image say nothing of its row: the third is not that of the row it stands in.
    assert abs(np.corrcoef(drawn[:, 2], rows[:, 2])[0, 1]) < 0.05
