"""Writing the report into a run folder: `report.html` and the pictures as PNG."""

from __future__ import annotations

import pathlib

from jaxnas.runtime.report import style
from jaxnas.runtime.report.figures import draw_figures
from jaxnas.runtime.report.html import report_page
from jaxnas.runtime.report.reading import read_run


def write_report(folder: str | pathlib.Path) -> list[pathlib.Path]:
    """Makes the report of a run, finished or not, from the files in its folder.

    Args:
      folder: a run folder; pieces that are missing are missing in the report too.

    Returns:
      The files written: a PNG for each picture, and `report.html` at last.

    Raises:
      FileNotFoundError: there is no such folder.
      OSError: the folder cannot be written.

    Example:
      >>> write_report("runs/enas_digits")  # doctest: +SKIP
    """
    run = read_run(folder)
    figures, problems = draw_figures(run)
    page = report_page(run, figures, problems)
    paths = [
        style.write_atomically(run.folder / f"{name}.png", style.png_bytes(figure))
        for name, figure in figures.items()
    ]
    return [*paths, style.write_atomically(run.folder / "report.html", page.encode("utf-8"))]
