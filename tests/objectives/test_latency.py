"""Latency tables, rewards and windows."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnas.objectives.latency import (
    LatencyTable,
    bounds,
    flops_table,
    instance_reward,
    latency_reward,
)
from jaxnas.objectives.latency_window import WindowSchedule, published_window
from jaxnas.supernets import count_flops, make_routing, mobilenet, nasbench201

SMALL, WIDE = "inverted_residual_3x3_3", "inverted_residual_3x3_6"


@pytest.fixture(scope="module")
def network():
    return mobilenet(
        image_shape=(4, 4, 1),
        num_classes=3,
        stages=((2, 2, 1),),
        stem=1,
        head=2,
        modules=(WIDE, SMALL),
        default=SMALL,
    )


@pytest.fixture(scope="module")
def table(network):
    """Costs by hand: stem 1, classifier 2, then 10 and 3 in block 0, 20 and 5 in block 1."""
    costs = {"stem": 1.0, "classifier": 2.0}
    costs |= {f"block_0/{WIDE}": 10.0, f"block_0/{SMALL}": 3.0}
    costs |= {f"block_1/{WIDE}": 20.0, f"block_1/{SMALL}": 5.0}
    return LatencyTable("mobilenet", "seconds", costs, controller=4.0)


def test_a_childs_latency_is_the_sum_of_what_it_runs(network, table):
    routing = make_routing(network, [[0, 0, 0, 0], [1, 0, 1, 1], [1, 1, 0, 1]])
    # Nothing chosen: block 0 changes the shape and runs its default, block 1 is skipped.
    np.testing.assert_allclose(table.searched(routing), [3, 35, 18])
    np.testing.assert_allclose(table.total(routing), [10, 42, 25])


def test_what_a_network_not_in_segments_shares_is_not_known():
    whole = nasbench201(image_shape=(4, 4, 1), num_classes=2, cells=1, channels=2)
    routing = make_routing(whole, [[2] * 6, [3] * 6])
    assert [leg.complete for leg in routing.legs] == [False]
    with pytest.raises(ValueError, match=r"network 'nasbench201' share .* at most 1024 ways each"):
        flops_table(whole).searched(routing)
    totals = flops_table(whole).total(routing)
    np.testing.assert_allclose(totals, [count_flops(whole, [k] * 6) for k in (2, 3)])


def test_a_table_of_flops_counts_a_child(network):
    architectures = [[1, 0, 0, 1], [0, 0, 1, 0]]
    found = flops_table(network).total(make_routing(network, architectures))
    np.testing.assert_allclose(found, [count_flops(network, a) for a in architectures])


@settings(deadline=None, max_examples=50)
@given(st.floats(-2, 3), st.floats(0, 1), st.floats(0.1, 2), st.sampled_from([0.5, 1.0, 2.0]))
def test_the_reward_is_a_parabola_over_the_window(position, lower, width, exponent):
    latency = lower + position * width
    expected = max(0.0, 4 * position * (1 - position)) ** exponent
    ours = latency_reward(np.float32(latency), lower, lower + width, exponent)
    np.testing.assert_allclose(ours, expected, atol=2e-3)


def test_only_correct_images_are_rewarded():
    logits = np.array([[2.0, 1.0], [2.0, 1.0], [np.nan, 1.0], [0.0, np.inf]], np.float32)
    labels, share = np.array([0, 1, 0, 1]), np.array([0.5, 1.0, 1.0, 1.0], np.float32)
    np.testing.assert_allclose(instance_reward(logits, labels, share), [15, 0, 0, 0])
    punished = instance_reward(logits, labels, share, right=10, wrong=-10)
    np.testing.assert_allclose(punished, [5, -10, -10, -10])


def test_the_published_window_follows_the_costs_of_three_policies(network, table):
    assert bounds(table, network, WIDE) == {"nothing": 3, "baseline": 30, "everything": 38}
    window = published_window(table, network)
    np.testing.assert_allclose(window.at(0.0), (3, 26.6))
    np.testing.assert_allclose(window.at(0.5), (3, 20.8))
    np.testing.assert_allclose(window.at(1.0), (3, 15))


def test_a_window_that_no_architecture_can_meet_is_refused(network, table):
    with pytest.raises(ValueError, match="empty at the end of the search: its lower end is 3"):
        published_window(table, network, end=0.1)
    with pytest.raises(ValueError, match="empty at the start"):
        WindowSchedule(lower=2.0, start=1.0, end=3.0)


def test_flops_and_the_published_default_make_an_empty_window():
    published = mobilenet(image_shape=(32, 32, 3), num_classes=10)
    with pytest.raises(ValueError, match="whose default module is cheap by this table"):
        published_window(flops_table(published), published)


def test_a_controller_that_costs_more_than_its_child_is_warned_of(network, table):
    costly = dataclasses.replace(table, controller=31.0)
    with pytest.warns(UserWarning, match=r"controller costs 31 seconds, more than .* 30"):
        published_window(costly, network)


def test_tables_that_do_not_fit_are_named(network, table):
    other = mobilenet(image_shape=(4, 4, 1), num_classes=3, stages=((2, 1, 1),), stem=1, head=2)
    with pytest.raises(ValueError, match="they differ in 'block_0/basic_block'"):
        table.check(other)
    with pytest.raises(ValueError, match="holds nan for 'stem'"):
        dataclasses.replace(table, costs={**table.costs, "stem": np.nan}).check(network)
    with pytest.raises(ValueError, match="has no module 'conv'"):
        bounds(table, network, "conv")
    with pytest.raises(ValueError, match="no latency table of version 1"):
        LatencyTable.from_json({"version": 2})


def test_a_window_between_the_costs_of_all_architectures_is_refused(network, table):
    # Block 0 costs 3, 10 or 13, block 1 costs 0, 5, 20 or 25; the baseline is 30.
    with pytest.raises(ValueError, match="no architecture can meet the latency window"):
        published_window(table, network, baseline=WIDE, lower=1.5, start=2.0, end=2.0)
    with pytest.raises(ValueError, match=r"from 18\.3 to 22\.5 seconds"):
        published_window(table, network, baseline=WIDE, lower=0.61, start=1.0, end=0.75)
    # 18 = 13 + 5 lies in this one.
    found = published_window(table, network, baseline=WIDE, lower=0.58, start=1.0, end=0.75)
    assert found == WindowSchedule(0.58 * 30, 38.0, 22.5)
