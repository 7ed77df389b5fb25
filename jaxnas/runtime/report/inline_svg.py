"""Figures as SVG elements inside a page: unique ids, colours of the page, nothing from outside."""

from __future__ import annotations

import html
import re

from matplotlib.figure import Figure

from jaxnas.runtime.report import style

PAGE_COLOURS = {
    style.INK: "--ink",
    style.MUTED: "--muted",
    style.RULE: "--rule",
    style.BLUE: "--blue",
    style.VERMILLION: "--vermillion",
    style.GREEN: "--green",
    style.VIOLET: "--violet",
}
"""Colours of text, axes and lines, which the page exchanges when it is shown dark."""


def inline_svg(figure: Figure, name: str, description: str) -> str:
    """A figure as one `<svg>` element for an HTML page.

    Args:
      figure: the figure.
      name: unique on the page; the ids in the element begin with it.
      description: read out instead of the picture.
    """
    text = style.svg_text(figure)
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", text).replace("xlink:href", "href")
    text = _with_unique_ids(text, name)
    for colour, variable in PAGE_COLOURS.items():
        text = text.replace(colour, f"var({variable})")
    # A font that the reader's machine lacks gives way to another without serifs.
    text = text.replace("'DejaVu Sans'", "'DejaVu Sans', Verdana, sans-serif")
    return _with_head(text, float(figure.get_size_inches()[0]), description)


def _with_head(text: str, width: float, description: str) -> str:
    """Gives the element its size on a page: as drawn where there is room.

    On a phone a picture scrolls sideways rather than shrink until nobody can read it.
    """
    end = text.index(">")
    attributes = re.sub(r'\s(width|height)="[^"]*"', "", text[len("<svg") : end])
    least = min(width, max(3.4, 0.65 * width))
    size = f"max-width:{width:.2f}in;min-width:{least:.2f}in"
    label = html.escape(description)
    return f'<svg role="img" aria-label="{label}" style="{size}"{attributes}{text[end:]}'


def _with_unique_ids(text: str, name: str) -> str:
    used = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", text))
    text = re.sub(r'\sid="([^"]*)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", text)
    return re.sub(r"(url\(#|href=\"#)", rf"\g<1>{name}-", text)
