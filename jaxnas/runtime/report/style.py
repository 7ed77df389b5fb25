"""The look of every picture: colours that colour-blind people can tell apart, quiet axes."""

from __future__ import annotations

import contextlib
import io
import os
import pathlib
import warnings
from collections.abc import Iterator
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe & Ito 2008, "Color universal design".
BLUE, ORANGE, GREEN, VERMILLION = "#0072b2", "#e69f00", "#009e73", "#d55e00"
SKY, PURPLE = "#56b4e9", "#cc79a7"
# Two more for pictures with many lines.
VIOLET, OLIVE = "#5b4fa2", "#8f7f2b"

# Text, quiet text, rules.
INK, MUTED, RULE = "#1b2430", "#5d6875", "#d5dae0"
# Text on tinted boxes stays as it is, light page or dark.
BOX_INK = "#10161d"

SEARCHED, RANDOM, BEST = BLUE, VERMILLION, GREEN

STYLE: Any = {
    "axes.edgecolor": MUTED,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "figure.facecolor": "white",
    "axes.facecolor": "none",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",
    "svg.hashsalt": "jaxnas",
    "text.color": INK,
    # Labels come from users: a dollar sign is a dollar sign.
    "text.parse_math": False,
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "ytick.labelsize": 8.5,
}


@contextlib.contextmanager
def in_style() -> Iterator[None]:
    """The house style, and silence about letters that the font lacks: they become boxes.

    As a decorator, for functions that make figures. Global settings are restored at its end.
    """
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of `width` x `height` inches that belongs to no pyplot state."""
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def full_axes(figure: Figure) -> Axes:
    """Axes without frame over the whole figure, in inches from the top left corner."""
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    width, height = figure.get_size_inches()
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    return axes


def png_bytes(figure: Figure, dpi: int = 160) -> bytes:
    """A figure as PNG."""
    buffer = io.BytesIO()
    # Without the version of Matplotlib in it, equal figures give equal files.
    with in_style():
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def svg_text(figure: Figure) -> str:
    """A figure as an SVG document with transparent background and selectable text."""
    buffer = io.StringIO()
    metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with in_style():
        figure.savefig(buffer, format="svg", facecolor="none", metadata=metadata)
    return buffer.getvalue()


def write_atomically(path: pathlib.Path, data: bytes) -> pathlib.Path:
    """Writes a file so that a reader sees the old one or the new one, never half of one."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(data)
    os.replace(partial, path)
    return path
