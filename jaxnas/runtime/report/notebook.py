"""A run in a notebook: numbers and pictures inline."""

from __future__ import annotations

import base64
import pathlib
from html import escape

from jaxnas.runtime.report import findings, style
from jaxnas.runtime.report.figures import draw_figures
from jaxnas.runtime.report.reading import Run, read_run


class Shown:
    """What `show` returns; a notebook displays it when it is the value of a cell.

    Attributes:
      run: what the run folder holds.
    """

    def __init__(self, run: Run):
        self.run = run

    def __repr__(self) -> str:
        lines = [f"{self.run.name}: {findings.status(self.run)}"]
        lines += [f"  {label}: {value}" for value, label, _ in findings.headline(self.run)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """The headline and the pictures. Notebooks keep PNG wherever they are shown, not SVG."""
        figures, _ = draw_figures(self.run)
        rows = [
            f"<tr><td>{escape(label)}</td><td><b>{escape(value)}</b></td><td>{escape(remark)}</td></tr>"
            for value, label, remark in findings.headline(self.run)
        ]
        name, status = escape(self.run.name), escape(findings.status(self.run))
        parts = [f"<h3>{name}</h3><p>{status}</p><table>{''.join(rows)}</table>"]
        for title, figure in figures.items():
            data = base64.b64encode(style.png_bytes(figure, dpi=144)).decode()
            width = round(float(figure.get_size_inches()[0]) * 96)
            look = f'width="{width}" style="max-width:100%;height:auto"'
            parts.append(f'<img alt="{title}" {look} src="data:image/png;base64,{data}">')
        return "\n".join(parts)


def show(folder: str | pathlib.Path) -> Shown:
    """Shows a run in a notebook: headline numbers and pictures.

    Raises:
      FileNotFoundError: there is no such folder.

    Example:
      >>> show("runs/enas_digits")  # doctest: +SKIP
    """
    return Shown(read_run(folder))
