"""Graphs to geometry: nodes and edges in, boxes and curves in inches out."""

from jaxnas.runtime.report.graphs.layout import lay_out
from jaxnas.runtime.report.graphs.scene import Box, Node, Route, Scene, readable

__all__ = ["Box", "Node", "Route", "Scene", "lay_out", "readable"]
