"""Architectures as graphs to draw: from the choices of a walk to `drawing.json`."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from jaxnas.runtime.report.graphs import readable
from jaxnas.spaces import SearchSpace

Walk = Sequence[Sequence[str]]

MICRO = re.compile(r"(.+)/(\d+)/(input|op)_([12])")
MACRO = re.compile(r"layer_(\d+)/(op|skip_.+)")
CELL_EDGE = re.compile(r"edge_(\d+)_(\d+)")
LAYER = re.compile(r"layer_(\d+)")
SHUFFLE = re.compile(r"(normal|reduction)/node_(\d+)")


def drawing_of(space: SearchSpace, architecture: Any) -> dict[str, Any]:
    """The content of `drawing.json` for one architecture.

    Args:
      space: the space of the architecture.
      architecture: `int [T]`, or its encoding.

    Returns:
      `{"panels": [{"title", "nodes", "edges"}]}`: cells, layers or cell edges where the names of
      the decisions are those of `jaxnas.spaces`, otherwise the walk as a path.

    Raises:
      SpaceError: the architecture does not belong to the space.
    """
    if isinstance(architecture, Mapping):
        architecture = space.decode(architecture)
    return drawing_of_walk(space.encode(architecture)["walk"])


def drawing_of_walk(walk: Walk) -> dict[str, Any]:
    """The content of `drawing.json` for the pairs `[decision, action]` of an encoded walk."""
    forms = (
        (MICRO, _micro),
        (MACRO, _macro),
        (CELL_EDGE, _cell_edges),
        (LAYER, _layers),
        (SHUFFLE, _shuffle),
    )
    for pattern, draw in forms:
        if walk and all(pattern.fullmatch(name) for name, _ in walk):
            return {"panels": draw({str(name): str(action) for name, action in walk})}
    return {"panels": [_path(walk)]}


def _node(name: str, label: str, kind: str = "operation", group: str = "") -> dict[str, str]:
    node = {"id": name, "label": label, "kind": kind}
    return {**node, "group": group} if group else node


def _micro(chosen: Mapping[str, str]) -> list[dict[str, Any]]:
    cells: dict[str, list[int]] = {}
    for name in chosen:
        match = MICRO.fullmatch(name)
        assert match is not None
        indices = cells.setdefault(match[1], [])
        indices.extend([int(match[2])] if int(match[2]) not in indices else [])
    return [_micro_cell(cell, nodes, chosen) for cell, nodes in cells.items()]


def _micro_cell(cell: str, computed: Sequence[int], chosen: Mapping[str, str]) -> dict[str, Any]:
    """Two operations and their sum for each node; the output joins what no node reads."""
    nodes = [_node(str(i), f"input {i}", "input") for i in range(min(computed))]
    edges, used = [], set()
    for i in computed:
        nodes.append(_node(str(i), f"+ node {i}", "sum"))
        for side in (1, 2):
            source, name = chosen[f"{cell}/{i}/input_{side}"], f"{i}.{side}"
            nodes.append(_node(name, readable(chosen[f"{cell}/{i}/op_{side}"])))
            edges += [[source, name], [name, str(i)]]
            used.add(source)
    nodes.append(_node("output", "concatenate", "output"))
    loose = [str(i) for i in (*range(min(computed)), *computed) if str(i) not in used]
    edges += [[name, "output"] for name in loose]
    return {"title": f"{readable(cell)} cell", "nodes": nodes, "edges": edges}


def _macro(chosen: Mapping[str, str]) -> list[dict[str, Any]]:
    layers = {name: op for name, op in chosen.items() if name.endswith("/op")}
    panel = _layers({name.removesuffix("/op"): op for name, op in layers.items()}, "stem")[0]
    for name, choice in chosen.items():
        layer, _, skip = name.partition("/")
        if skip.startswith("skip_") and choice == "yes":
            panel["edges"].append([skip.removeprefix("skip_"), layer])
    return [panel]


def _cell_edges(chosen: Mapping[str, str]) -> list[dict[str, Any]]:
    ends = [(*CELL_EDGE.fullmatch(name).groups(), op) for name, op in chosen.items()]  # type: ignore[union-attr]
    last = max(int(b) for _, b, _ in ends)
    nodes = [_node(str(i), f"+ node {i}", "sum") for i in range(last + 1)]
    nodes[0] = _node("0", "input", "input")
    nodes[last] = _node(str(last), "+ output", "output")
    edges = [[a, b, readable(op)] for a, b, op in ends]
    return [{"title": "cell", "nodes": nodes, "edges": edges}]


def _layers(chosen: Mapping[str, str], source: str = "input") -> list[dict[str, Any]]:
    nodes = [_node(source, source, "input")]
    for name, op in chosen.items():
        nodes.append(_node(name, f"{name.removeprefix('layer_')}: {readable(op)}", group=op))
    nodes.append(_node("output", "output", "output"))
    edges = [[a["id"], b["id"]] for a, b in itertools.pairwise(nodes)]
    return [{"title": "network", "nodes": nodes, "edges": edges}]


def _shuffle(chosen: Mapping[str, str]) -> list[dict[str, Any]]:
    """The two branches of each kind of unit, joined."""
    units: dict[str, list[str]] = {}
    for name, op in chosen.items():
        units.setdefault(name.partition("/")[0], []).append(op)
    return [_shuffle_unit(unit, operations) for unit, operations in units.items()]


def _shuffle_unit(unit: str, operations: Sequence[str]) -> dict[str, Any]:
    labels, kept = [readable(op) for op in operations], "kept half"
    if unit == "reduction":
        labels[0], kept = f"{labels[0]}, stride 2", readable("depthwise_3x3, stride 2")
    nodes = [_node("input", "input", "input"), _node("kept", kept, "sum")]
    pairs = zip(labels, operations, strict=True)
    branch = [_node(f"node_{i}", label, group=op) for i, (label, op) in enumerate(pairs)]
    output = _node("output", "concatenate, shuffle", "output")
    names = ["input", *(node["id"] for node in branch), "output"]
    edges = [["input", "kept"], ["kept", "output"], *map(list, itertools.pairwise(names))]
    return {"title": f"{unit} unit", "nodes": [*nodes, *branch, output], "edges": edges}


def _path(walk: Walk) -> dict[str, Any]:
    nodes = [
        _node(str(i), f"{readable(name)}: {readable(action)}", group=action)
        for i, (name, action) in enumerate(walk)
    ]
    nodes = [_node("start", "start", "input"), *nodes, _node("end", "end", "output")]
    edges = [[a["id"], b["id"]] for a, b in itertools.pairwise(nodes)]
    return {"title": "walk", "nodes": nodes, "edges": edges}
