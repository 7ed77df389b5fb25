"""Drawings: what `drawing.json` says about an architecture, and that it can be drawn."""

import itertools

import jax
import numpy as np
import pytest

from jaxnas import spaces
from jaxnas.runtime.report import (
    draw_graph,
    draw_panels,
    draw_space,
    drawing_of,
    drawing_of_space,
    drawing_of_walk,
    png_bytes,
)

PNG = b"\x89PNG\r\n"


def test_micro_cell_has_two_operations_per_node_and_joins_loose_ends():
    walk = [["normal/2/input_1", "0"], ["normal/2/input_2", "0"], ["normal/2/op_1", "identity"]]
    walk += [["normal/2/op_2", "max_pool_3x3"], ["normal/3/input_1", "0"]]
    walk += [["normal/3/input_2", "2"], ["normal/3/op_1", "a"], ["normal/3/op_2", "b"]]
    (panel,) = drawing_of_walk(walk)["panels"]
    assert panel["title"] == "normal cell"
    labels = {node["id"]: node["label"] for node in panel["nodes"]}
    assert labels["2.2"] == "max pool 3\u00d73"
    # Input 1 and node 3 are read by no node: both go to the output.
    assert panel["edges"] == [
        ["0", "2.1"],
        ["2.1", "2"],
        ["0", "2.2"],
        ["2.2", "2"],
        ["0", "3.1"],
        ["3.1", "3"],
        ["2", "3.2"],
        ["3.2", "3"],
        ["1", "output"],
        ["3", "output"],
    ]


def test_macro_draws_chosen_skips_only():
    walk = [["layer_0/op", "conv"], ["layer_1/op", "pool"], ["layer_1/skip_stem", "yes"]]
    walk += [["layer_2/op", "conv"], ["layer_2/skip_stem", "no"], ["layer_2/skip_layer_0", "yes"]]
    (panel,) = drawing_of_walk(walk)["panels"]
    chain = ["stem", "layer_0", "layer_1", "layer_2", "output"]
    straight = [list(pair) for pair in itertools.pairwise(chain)]
    assert panel["edges"] == [*straight, ["stem", "layer_1"], ["layer_0", "layer_2"]]


def test_cell_edges_carry_their_operation():
    walk = [["edge_0_1", "none"], ["edge_0_2", "skip_connect"], ["edge_1_2", "nor_conv_3x3"]]
    (panel,) = drawing_of_walk(walk)["panels"]
    edges = [["0", "1", "none"], ["0", "2", "skip connect"], ["1", "2", "nor conv 3\u00d73"]]
    assert panel["edges"] == edges
    assert [node["kind"] for node in panel["nodes"]] == ["input", "sum", "output"]


def test_units_are_drawn_with_both_branches():
    walk = [["normal/node_0", "identity"], ["normal/node_1", "max_pool_3x3"]]
    walk += [["reduction/node_0", "separable_3x3"], ["reduction/node_1", "identity"]]
    normal, reduction = drawing_of_walk(walk)["panels"]
    assert (normal["title"], reduction["title"]) == ("normal unit", "reduction unit")
    edges = [["input", "kept"], ["kept", "output"], ["input", "node_0"], ["node_0", "node_1"]]
    assert normal["edges"] == reduction["edges"] == [*edges, ["node_1", "output"]]
    labels = [node["label"] for node in normal["nodes"]]
    assert labels == ["input", "kept half", "identity", "max pool 3\u00d73", "concatenate, shuffle"]
    assert [node["label"] for node in reduction["nodes"]][1:3] == [
        "depthwise 3\u00d73, stride 2",
        "separable 3\u00d73, stride 2",
    ]


def test_chain_is_a_path():
    (panel,) = drawing_of_walk([["layer_0", "conv"], ["layer_1", "skip"]])["panels"]
    assert [node["label"] for node in panel["nodes"]] == ["input", "0: conv", "1: skip", "output"]


def test_any_other_walk_is_drawn_as_a_path_with_repeated_decisions():
    (panel,) = drawing_of_walk([["more", "again"], ["more", "stop"]])["panels"]
    labels = [node["label"] for node in panel["nodes"]]
    assert labels == ["start", "more: again", "more: stop", "end"]
    assert panel["edges"] == [["start", "0"], ["0", "1"], ["1", "end"]]


def test_drawing_of_takes_actions_and_encodings():
    space = spaces.enas_micro()
    architecture = np.asarray(space.sample(jax.random.key(0), 1))[0]
    assert drawing_of(space, architecture) == drawing_of(space, space.encode(architecture))


def test_drawing_of_refuses_an_architecture_of_another_space():
    encoded = {"space": "other", "version": 1, "walk": []}
    with pytest.raises(spaces.SpaceError, match="belongs to space"):
        drawing_of(spaces.nasbench201(), encoded)


def test_space_as_graph_has_loops_and_labels():
    more = spaces.Decision("more", ("stop", "again"), next=("end", "layer"), max_visits=3)
    space = spaces.SearchSpace(
        "loop", (spaces.Decision("layer", ("conv_3x3", "pool"), max_visits=3), more)
    )
    (panel,) = drawing_of_space(space, {"more": [0.25, 0.75]})["panels"]
    edges = [
        [a, b, *(text.replace("\u00a0", " ") for text in rest)] for a, b, *rest in panel["edges"]
    ]
    assert edges[1:] == [
        ["layer", "more", "conv 3\u00d73 | pool"],
        ["more", "end", "stop 25%"],
        ["more", "layer", "again 75%"],
    ]
    assert png_bytes(draw_space(space), dpi=50).startswith(PNG)


@pytest.mark.parametrize(
    "space",
    [
        spaces.enas_micro(),
        spaces.enas_macro(),
        spaces.nasbench201(),
        spaces.shufflenas(),
        spaces.chain(30),
    ],
)
def test_every_space_can_be_drawn(space):
    architecture = np.asarray(space.sample(jax.random.key(0), 1))[0]
    figure = draw_panels(drawing_of(space, architecture))
    assert png_bytes(figure, dpi=40).startswith(PNG)
    width, height = figure.get_size_inches()
    assert width < 12
    assert height < 15


def test_inner_loops_say_what_they_are_counted_per():
    layers = spaces.loop(spaces.Decision("layer", ("a", "b")), at_most=2, more="more_layers")
    space = spaces.compose("nested", spaces.loop(layers, at_most=3, more="more_stages"))
    (panel,) = drawing_of_space(space)["panels"]
    labels = [node["label"] for node in panel["nodes"]]
    assert labels[1] == "layer"
    assert labels[2] == "more layers\nat most 2 times\nper more stages"
    assert labels[3] == "more stages\nat most 3 times"
    assert "(at most 2 visits per visit of more_stages)" in space.describe()


def test_equal_figures_give_equal_files():
    nodes = [{"id": "a", "label": "image $x$", "kind": "input"}, {"id": "b", "label": "conv"}]
    panel = {"title": "net", "nodes": nodes, "edges": [["a", "b"]]}
    assert png_bytes(draw_graph(panel), dpi=50) == png_bytes(draw_graph(panel), dpi=50)
