"""Ratios, samples and counts that the benchmarks of speed report."""

import time

import numpy as np
import pytest

from jaxnas.supernets import chain, make_plan

IMAGE = {"image_shape": (4, 4, 1), "num_classes": 3}


def test_a_ratio_is_that_of_medians_with_an_interval_around_it():
    from measuring import ratio

    found = ratio(np.array([4.0, 5.0, 6.0, 5.0, 100.0]), np.array([2.0, 2.5, 3.0, 2.5, 50.0]))
    assert found["value"] == 2
    assert found["low"] == found["high"] == 2  # Pairs are resampled together.
    spread = ratio(np.array([4.0, 5.0, 6.0]), np.array([2.0, 2.0, 2.0]))
    assert spread["value"] == 2.5
    assert spread["low"] < 2.5 < spread["high"]


def test_contenders_take_turns():
    from measuring import interleave

    calls = []
    runs = {name: lambda name=name: calls.append(name) for name in "ab"}
    times = interleave(runs, seconds=0, least=3, most=5, shortest=0)
    assert calls == list("ababab")
    assert times["a"].cpu.shape == times["b"].wall.shape == (3,)


def test_what_is_short_is_called_several_times_and_counted_once():
    from measuring import interleave

    calls = []
    runs = {
        "short": lambda: (calls.append("short"), time.sleep(0.002)),
        "long": lambda: (calls.append("long"), time.sleep(0.02)),
    }
    times = interleave(runs, seconds=0, least=2, most=2, shortest=0.01)
    assert calls.count("long") == 2
    assert 3 <= calls.count("short") <= 1 + 2 * 5
    assert all(0.002 <= each < 0.01 for each in times["short"].wall)


@pytest.mark.parametrize("actions", [2, 5, 6])
def test_the_peaked_policy_has_a_quarter_of_the_entropy(actions):
    from measuring.samples import peak_mass

    mass = peak_mass(actions)
    rest = np.full(actions - 1, (1 - mass) / (actions - 1))
    p = np.array([mass, *rest])
    assert mass > 1 / actions
    np.testing.assert_allclose(-(p * np.log(p)).sum(), 0.25 * np.log(actions), rtol=1e-8)


def test_samples_are_reproducible_and_peaked_ones_are_alike():
    from measuring import draw

    network = chain(**IMAGE, layers=3, channels=2, reductions=())
    for kind in ("uniform", "peaked"):
        sample = draw(network, kind, 200, 3)
        np.testing.assert_array_equal(sample, draw(network, kind, 200, 3))
        network.space.validate(sample)
    share = (sample == np.median(sample, axis=0)).mean(0)
    assert (share > 0.85).all()  # Five actions: the favourite has mass 0.93.


def test_the_roofline_takes_the_slower_of_arithmetic_and_memory():
    from measuring.roofline import roofline_seconds

    plan = make_plan(chain(**IMAGE, layers=1, channels=2, reductions=()), [[4]])
    # Stem: 16 x 9 x 2 multiply-accumulates, 16 and 32 numbers moved; classifier: 2 x 3 and 32 + 3.
    assert roofline_seconds(plan, 1, 4, 1.0, 1e12) == pytest.approx(2 * 16 * 9 * 2 + 2 * 2 * 3)
    assert roofline_seconds(plan, 2, 4, 1e12, 1.0) == pytest.approx(2 * 4 * (48 + 35))
