"""Layout: boxes keep apart, edges lead down, and no edge runs through a box."""

import dataclasses

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnas import spaces
from jaxnas.runtime.report import drawing_of, drawing_of_space
from jaxnas.runtime.report.graphs import Route, lay_out
from jaxnas.runtime.report.graphs.layers import assign_layers, without_cycles
from jaxnas.runtime.report.graphs.ordering import crossings, order_layers
from jaxnas.runtime.report.graphs.placement import isotonic
from jaxnas.runtime.report.graphs.scene import polyline

LOOP = spaces.SearchSpace(
    "loop",
    (
        spaces.Decision("layer", ("conv", "pool", "leave"), ("more", "more", "head"), max_visits=3),
        spaces.Decision("more", ("again", "same", "stop"), ("layer", "more", "head"), max_visits=3),
        spaces.Decision("head", ("dense", "average"), "end"),
    ),
)
SPACES = {
    "micro": spaces.enas_micro(),
    "macro": spaces.enas_macro(),
    "macro_24": spaces.enas_macro(24),
    "nasbench201": spaces.nasbench201(),
    "shufflenas": spaces.shufflenas(),
    "chain": spaces.chain(),
    "long_chain": spaces.chain(60),
    "loop": LOOP,
}


def boxes_overlap(scene):
    return [
        (a.node.id, b.node.id)
        for i, a in enumerate(scene.boxes)
        for b in scene.boxes[:i]
        if abs(a.x - b.x) < (a.width + b.width) / 2 - 1e-6
        and abs(a.y - b.y) < (a.height + b.height) / 2 - 1e-6
    ]


def points_on(route, number=20):
    """Points on the Bezier curve, `float [n, 2]`."""
    points = np.array(route.points)
    t = np.linspace(0, 1, number)[:, None]
    curves = [points[i : i + 4] for i in range(0, len(points) - 1, 3)]
    weights = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3]
    return np.concatenate([sum(w * p for w, p in zip(weights, c, strict=True)) for c in curves])


def boxes_crossed(scene):
    crossed = []
    for route in scene.routes:
        points = points_on(route)
        for box in scene.boxes:
            inside = (abs(points[:, 0] - box.x) < box.width / 2 - 1e-3) & (
                abs(points[:, 1] - box.y) < box.height / 2 - 1e-3
            )
            if inside.any():
                crossed.append((route.source, route.target, box.node.id))
    return crossed


def on_the_sheet(scene):
    points = np.concatenate([points_on(route) for route in scene.routes])
    return (points > 0).all() and (points < (scene.width, scene.height)).all()


def panel(number, edges):
    nodes = [{"id": str(i), "label": "x" * (1 + 5 * i % 13)} for i in range(number)]
    return {"nodes": nodes, "edges": [[str(a), str(b)] for a, b in edges]}


def check(scene):
    assert boxes_overlap(scene) == []
    assert boxes_crossed(scene) == []
    assert on_the_sheet(scene)


@st.composite
def acyclic_graphs(draw):
    number = draw(st.integers(2, 9))
    pairs = [(a, b) for b in range(number) for a in range(b)]
    return number, draw(st.lists(st.sampled_from(pairs), min_size=1, unique=True))


@settings(max_examples=25, deadline=None)
@given(acyclic_graphs())
def test_layout_of_any_acyclic_graph(graph):
    scene = lay_out(panel(*graph))
    check(scene)
    y = {box.node.id: box.y for box in scene.boxes}
    assert all(y[str(a)] < y[str(b)] for a, b in graph[1])


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from(["", "a label", "none"])),
        min_size=1,
        max_size=12,
        unique_by=lambda edge: edge[:2],
    )
)
def test_layout_of_graphs_with_loops_and_labels(edges):
    graph = panel(6, [])
    graph["edges"] = [[str(a), str(b), label] for a, b, label in edges]
    check(lay_out(graph))


@pytest.mark.parametrize("name", SPACES)
def test_layout_of_every_space(name):
    space = SPACES[name]
    for architecture in np.asarray(space.sample(jax.random.key(0), 2)):
        for drawn in drawing_of(space, architecture)["panels"]:
            check(lay_out(drawn))


@pytest.mark.parametrize("name", [name for name in SPACES if name != "macro_24"])
def test_layout_of_every_space_as_a_graph(name):
    check(lay_out(drawing_of_space(SPACES[name])["panels"][0]))


def test_the_check_sees_an_edge_through_a_box():
    scene = lay_out(panel(3, [(0, 1), (1, 2)]))
    first, last = scene.boxes[0], scene.boxes[2]
    corners = [(first.x, first.y + first.height / 2), (last.x, last.y - last.height / 2)]
    through = Route("0", "2", polyline(corners))
    crossed = boxes_crossed(dataclasses.replace(scene, routes=(through,)))
    assert crossed == [("0", "2", "1")]


def test_edges_of_a_cell_lead_down():
    space = SPACES["micro"]
    architecture = np.asarray(space.sample(jax.random.key(5), 1))[0]
    for drawn in drawing_of(space, architecture)["panels"]:
        y = {box.node.id: box.y for box in lay_out(drawn).boxes}
        assert all(y[a] < y[b] for a, b in drawn["edges"])


def test_without_cycles_turns_only_the_closing_edge():
    edges = [("a", "b"), ("b", "c"), ("c", "a"), ("a", "c")]
    turned = without_cycles(["a", "b", "c"], edges)
    assert turned == [("a", "b"), ("b", "c"), ("a", "c"), ("a", "c")]


def test_layers_are_longest_paths_with_operations_above_their_sum():
    edges = [("in", "long"), ("long", "mid"), ("mid", "sum"), ("in", "short"), ("short", "sum")]
    layer = assign_layers(["in", "long", "mid", "short", "sum"], edges)
    assert layer == {"in": 0, "long": 1, "mid": 2, "short": 2, "sum": 3}


def test_outputs_stand_in_the_last_layer():
    layer = assign_layers(["a", "b", "c", "out"], [("a", "b"), ("b", "c"), ("a", "out")], ["out"])
    assert layer["out"] == 2


def test_ordering_removes_a_crossing():
    edges = [("a", "y"), ("b", "x")]
    assert crossings([["a", "b"], ["x", "y"]], edges) == 1
    assert crossings(order_layers([["a", "b"], ["x", "y"]], edges), edges) == 0


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(0.1, 5)), min_size=1, max_size=7))
def test_isotonic_equals_the_min_max_formula(pairs):
    values, weights = (np.array(column) for column in zip(*pairs, strict=True))
    n = len(values)

    def mean(i, j):
        return (values[i : j + 1] * weights[i : j + 1]).sum() / weights[i : j + 1].sum()

    expected = [max(min(mean(i, j) for j in range(k, n)) for i in range(k + 1)) for k in range(n)]
    np.testing.assert_allclose(isotonic(list(values), list(weights)), expected, atol=1e-9)


def test_an_empty_panel_is_refused():
    with pytest.raises(ValueError, match="no nodes"):
        lay_out({"title": "void", "nodes": [], "edges": []})


def test_an_edge_to_nowhere_is_refused():
    with pytest.raises(ValueError, match="not there"):
        lay_out({"nodes": [{"id": "a"}], "edges": [["a", "b"]]})
