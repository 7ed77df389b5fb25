"""NAS-RL's convolutional space: its size, its anchors, its depth schedule, bad input."""

import pytest

from jaxnas.spaces import SpaceError, nasrl_conv
from jaxnas.spaces.nasrl_conv import depth_after


@pytest.mark.parametrize("layers", [1, 2, 6])
def test_size_of_the_paper(layers):
    assert nasrl_conv(layers).count() == 64**layers * 2 ** (layers * (layers - 1) // 2)
    with_strides = nasrl_conv(layers, strides=(1, 2, 3)).count()
    assert with_strides == nasrl_conv(layers).count() * 9**layers
    assert nasrl_conv(layers, skips=False).count() == 64**layers


def test_the_last_decision_of_a_layer_is_its_anchor():
    space = nasrl_conv(3)
    made = {d.name: d.node for d in space.decisions if d.node}
    assert made == {
        "layer_0/filters": "layer_0",
        "layer_1/skip_layer_0": "layer_1",
        "layer_2/skip_layer_1": "layer_2",
    }
    pointing = [d.points_at for d in space.decisions if d.points_at]
    assert pointing == [(None, "layer_0"), (None, "layer_0"), (None, "layer_1")]


def test_a_shallower_space_is_a_prefix_of_a_deeper_one():
    shallow, deep = nasrl_conv(2).decisions, nasrl_conv(4).decisions
    assert deep[: len(shallow)] == shallow


def test_depth_grows_with_the_samples():
    assert [depth_after(n) for n in (0, 1599, 1600, 3200)] == [6, 6, 8, 10]
    assert depth_after(25, start=2, every=10, step=1) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": 0}, "'layers' is 0"),
        ({"heights": (2,)}, "filters have odd sizes"),
        ({"filters": (4, 4)}, "'filters' is"),
        ({"strides": (0,)}, "'strides' is"),
    ],
)
def test_bad_sizes_are_refused(options, message):
    with pytest.raises(SpaceError, match=message):
        nasrl_conv(**options)
