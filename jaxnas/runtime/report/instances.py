"""Pictures of a run in which every image has its own architecture."""

from __future__ import annotations

import dataclasses
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxnas.runtime.report import style
from jaxnas.runtime.report.reading import Run, number

INSTANCES = "instances.npz"
COLOURS = {
    "InstaNAS": style.SEARCHED,
    "permuted": style.VERMILLION,
    "independent bits": style.ORANGE,
    "static": style.GREEN,
}


@dataclasses.dataclass(frozen=True)
class Instances:
    """The test images of a run.

    Attributes:
      architectures: `int [N, T]`.
      latency: `float [N]`.
      correct: `bool [N]`.
      labels: `int [N]`.
      shown: the positions of the images that are kept, the easiest first, then the hardest.
      images: those, `[M, H, W, C]`.
      class_names: the names of the classes.
    """

    architectures: np.ndarray
    latency: np.ndarray
    correct: np.ndarray
    labels: np.ndarray
    shown: np.ndarray
    images: np.ndarray
    class_names: np.ndarray


def read_instances(folder: pathlib.Path) -> Instances | None:
    """The images of a run folder; `None` where it has none.

    Raises:
      ValueError: the file is damaged.
    """
    path = folder / INSTANCES
    if not path.exists():
        return None
    names = [field.name for field in dataclasses.fields(Instances)]
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            return Instances(**{name: arrays[name] for name in names})
    except (OSError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{INSTANCES} could not be read: {error}") from error


def arms(run: Run) -> list[Mapping[str, Any]]:
    """The arms that the run has compared, in order."""
    entries = run.result.get("arms") or []
    return [arm for arm in entries if isinstance(arm, Mapping)]


@style.in_style()
def draw_tradeoff(run: Run) -> Figure | None:
    """Test accuracy against mean latency, one mark for each arm, MobileNetV2 as a line.

    Returns:
      The figure, `None` when the run compares no arms.
    """
    found = arms(run)
    if not found:
        return None
    figure = style.new_figure(6.4, 3.8)
    figure.set_layout_engine("constrained")
    axes = figure.subplots()
    widths = [arm for arm in found if arm.get("name") not in COLOURS]
    widths.sort(key=lambda arm: number(arm.get("latency")))
    x = [number(arm.get("latency")) for arm in widths]
    y = [number(arm.get("test_accuracy")) for arm in widths]
    axes.plot(x, y, "s-", color=style.MUTED, markersize=6, label="MobileNetV2")
    for arm, *place in zip(widths, x, y, strict=True):
        text = str(arm.get("name", "")).rpartition(" ")[2]
        axes.annotate(text, (place[0], place[1]), (5, -11), textcoords="offset points", size=8)
    for arm in found:
        if (name := str(arm.get("name"))) in COLOURS:
            at = number(arm.get("latency")), number(arm.get("test_accuracy"))
            marker = "o" if name == "InstaNAS" else "D"
            axes.plot(*at, marker, color=COLOURS[name], markersize=8, label=name, alpha=0.85)
    axes.set(xlabel=_latency_label(run), ylabel="test accuracy")
    axes.set_title("Accuracy and latency")
    axes.legend(loc="best")
    axes.margins(x=0.12, y=0.12)
    return figure


def _latency_label(run: Run) -> str:
    return f"mean latency per image ({run.result.get('latency_unit', 'by the table')})"


@style.in_style()
def draw_latencies(run: Run) -> Figure | None:
    """The latencies of the test images, right and wrong ones apart."""
    instances = read_instances(run.folder)
    if instances is None or not len(instances.latency):
        return None
    figure = style.new_figure(6.4, 2.9)
    figure.set_layout_engine("constrained")
    axes = figure.subplots()
    parts = [instances.latency[instances.correct], instances.latency[~instances.correct]]
    bins = np.histogram_bin_edges(instances.latency, 30)
    labels, colours = ["classified correctly", "wrongly"], [style.SEARCHED, style.VERMILLION]
    axes.hist(parts, bins=list(bins), stacked=True, label=labels, color=colours)
    baseline = number(run.result.get("baseline_latency"))
    if np.isfinite(baseline):
        axes.axvline(baseline, color=style.MUTED, linestyle="--", label="MobileNetV2 1.0x")
    axes.set(xlabel=f"latency ({run.result.get('latency_unit', '')})", ylabel="test images")
    axes.set_title("Latency of each image")
    axes.legend(loc="best")
    return figure


def plane(architectures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Architectures `int [A, T]` on the plane that shows most of their variance.

    Returns:
      Coordinates `[A, 2]`, and the two shares of the variance: principal components of the bits.
    """
    centred = np.asarray(architectures, float) - np.mean(architectures, 0)
    left, scale, _ = np.linalg.svd(centred, full_matrices=False)
    scale = np.concatenate([scale, np.zeros(2)])
    left = np.pad(left, ((0, 0), (0, 2)))
    variance = scale**2
    return left[:, :2] * scale[:2], variance[:2] / max(float(variance.sum()), 1e-12)


@style.in_style()
def draw_map(run: Run) -> Figure | None:
    """The distinct architectures on a plane, coloured by latency, as large as they are frequent."""
    instances = read_instances(run.folder)
    if instances is None or not len(instances.latency):
        return None
    rows, first, times = np.unique(
        instances.architectures, axis=0, return_index=True, return_counts=True
    )
    # Weighted by their images: frequent architectures decide what is shown.
    places, shares = plane(instances.architectures)
    figure = style.new_figure(6.0, 4.2)
    figure.set_layout_engine("constrained")
    axes = figure.subplots()
    x, y = places[first].T
    size = 12 + 160 * np.sqrt(times / times.max())
    look: dict[str, Any] = {"cmap": "viridis", "alpha": 0.8, "linewidths": 0}
    marks = axes.scatter(x, y, s=size, c=instances.latency[first], **look)
    figure.colorbar(marks, ax=axes, label=f"latency ({run.result.get('latency_unit', '')})")
    axes.set(
        xlabel=f"first component, {shares[0]:.0%} of variance",
        ylabel=f"second, {shares[1]:.0%}",
    )
    axes.set_title(f"{len(rows)} architectures of {len(instances.latency)} images")
    return figure


@style.in_style()
def draw_images(run: Run) -> Figure | None:
    """The images with the cheapest and with the costliest architectures."""
    instances = read_instances(run.folder)
    if instances is None or not len(instances.images):
        return None
    half = len(instances.images) // 2
    figure = style.new_figure(0.95 * half, 2.9)
    grid = figure.subplots(2, half, squeeze=False)
    figure.subplots_adjust(left=0.01, right=0.99, top=0.86, bottom=0.07, wspace=0.08, hspace=0.55)
    for row, title in enumerate(("cheapest architectures", "costliest architectures")):
        for column in range(half):
            _draw_image(grid[row, column], instances, row * half + column)
        box = grid[row, 0].get_position()
        figure.text(0.01, box.y1 + 0.03, title, weight="bold", size=9)
    return figure


def _draw_image(axes: Axes, instances: Instances, at: int) -> None:
    image, position = instances.images[at], instances.shown[at]
    axes.imshow(image[..., 0] if image.shape[-1] == 1 else image, cmap="gray")
    label = instances.labels[position]
    right = "" if instances.correct[position] else ", wrong"
    axes.set_xlabel(f"{instances.class_names[label]}{right}", size=7, labelpad=2)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
