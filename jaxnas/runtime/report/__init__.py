"""Everything that a search shows to a person, made from the plain data in its run folder."""

from jaxnas.runtime.report.architectures import drawing_of, drawing_of_walk
from jaxnas.runtime.report.drawing import draw_graph, draw_panels
from jaxnas.runtime.report.figures import draw_figures
from jaxnas.runtime.report.html import report_page
from jaxnas.runtime.report.notebook import show
from jaxnas.runtime.report.reading import Run, read_run
from jaxnas.runtime.report.space_graph import draw_space, drawing_of_space
from jaxnas.runtime.report.style import png_bytes
from jaxnas.runtime.report.summary import print_summary, summary
from jaxnas.runtime.report.write import write_report

__all__ = [
    "Run",
    "draw_figures",
    "draw_graph",
    "draw_panels",
    "draw_space",
    "drawing_of",
    "drawing_of_space",
    "drawing_of_walk",
    "png_bytes",
    "print_summary",
    "read_run",
    "report_page",
    "show",
    "summary",
    "write_report",
]
