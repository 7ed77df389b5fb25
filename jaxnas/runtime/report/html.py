"""The report as one HTML page that needs nothing else: no network, no scripts, no other files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from matplotlib.figure import Figure

from jaxnas.runtime.report import findings, tables
from jaxnas.runtime.report.inline_svg import inline_svg
from jaxnas.runtime.report.page_style import CSS
from jaxnas.runtime.report.reading import Run
from jaxnas.runtime.report.tasks_findings import is_tasks

PICTURES = {
    "architecture": ("Architecture", "The final architecture."),
    "accuracy": (
        "Searched and random children",
        "Each mark is one child trained from scratch; the filled one is the final child. Diamonds "
        "are means, bars their 95% intervals (Student's t, from three children on).",
    ),
    "tradeoff": (
        "Accuracy and latency",
        "Test accuracy against mean latency: the policy, its controls at the same latency, and "
        "MobileNetV2 at several widths.",
    ),
    "latencies": ("Latency of each image", "The test images by the cost of their architectures."),
    "map": (
        "The architectures",
        "Each mark is one architecture on the plane of the first two principal components of the "
        "bits over test images; larger marks are of more images.",
    ),
    "images": (
        "Easy and hard images",
        "Test images with the cheapest and with the costliest architectures, and their classes.",
    ),
    "curves": (
        "The search",
        "Thin: recorded values. Thick: their moving average.",
    ),
    "policy": (
        "What the policy learned",
        "Mean probability of each action at each decision over sampled architectures.",
    ),
    "ranking": (
        "How well shared weights rank",
        "Each point is one child. Kendall's τ is 1 when shared weights order the children as "
        "training each alone does, and 0 when the two orders have nothing to do with each other.",
    ),
    "training": ("Training of the children", "One line for each child trained from scratch."),
}

OF_TASKS = (
    "Each mark is one child trained from scratch, chosen by validation accuracy: the final child "
    "of a task, and the best of as many random ones."
)
"""What the picture `accuracy` shows of a search of several tasks."""

EVALUATED = {
    True: "trained from scratch as long as they are",
    False: "those of shared weights with the same ones on the same minibatch",
}
"""How random children are evaluated, by whether all children are trained from scratch."""


def report_page(run: Run, figures: Mapping[str, Figure], problems: Sequence[str] = ()) -> str:
    """The page `report.html`.

    Args:
      run: what the run folder holds.
      figures: the pictures by name; see `draw_figures`.
      problems: sentences on what could not be read or drawn.
    """
    parts = [
        f"<h1>{escape(run.name)}</h1>",
        f'<p class="quiet">Architecture search with jaxnas, {escape(findings.status(run))}.</p>',
        _headline(run),
        _paragraph(findings.comparison(run)),
        *(_picture(run, name, figures[name]) for name in PICTURES if name in figures),
        tables.tasks(run),
        tables.children(run),
        tables.arms(run),
        tables.costs(run),
        tables.usage(run),
        _list("How to read this", findings.caveats(run)),
        tables.reproduction(run),
        tables.configuration(run),
        _list("Not in this report", [*run.problems, *problems]),
    ]
    return _document(f"{run.name} – jaxnas", "\n".join(part for part in parts if part))  # noqa: RUF001


def _document(title: str, body: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{CSS}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _headline(run: Run) -> str:
    cards = [
        f"<div><dt>{escape(label)}</dt><dd>{escape(value)}<small>{escape(remark)}</small></dd></div>"
        for value, label, remark in findings.headline(run)
    ]
    return f'<dl class="headline">{"".join(cards)}</dl>' if cards else ""


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>" if text else ""


def _picture(run: Run, name: str, figure: Figure) -> str:
    title, caption = PICTURES[name]
    if name == "accuracy" and is_tasks(run):
        caption = OF_TASKS
    if name == "curves" and any("random_reward_mean" in record for record in run.metrics):
        evaluated = EVALUATED[run.from_scratch]
        caption += f" The random children are evaluated just as the policy's are: {evaluated}."
    picture = inline_svg(figure, name, f"{title}. {caption}")
    return f"<h2>{title}</h2>\n<figure>{picture}</figure>\n<p class=quiet>{caption}</p>"


def _list(title: str, sentences: Sequence[str]) -> str:
    if not sentences:
        return ""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f"<h2>{title}</h2>\n<ul>{items}</ul>"
