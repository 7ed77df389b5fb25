"""What an instance-aware run shows, in numbers and plain sentences."""

from __future__ import annotations

import math

from jaxnas.runtime.report import formats
from jaxnas.runtime.report.instances import arms
from jaxnas.runtime.report.reading import Run, number


def is_instance(run: Run) -> bool:
    """Whether every image has its own architecture in this run."""
    return run.result.get("kind") == "instance"


def latency(value: float, unit: str) -> str:
    """A latency with its unit: `1.23 M FLOPs`, `0.412 ms`."""
    if unit == "seconds":
        return f"{1000 * value:.3g} ms" if math.isfinite(value) else formats.MISSING
    return f"{formats.quantity(value, short=True)} {unit}"


def headline(run: Run) -> list[tuple[str, str, str]]:
    """Value, label and remark of the numbers beyond accuracy."""
    result, unit = run.result, str(run.result.get("latency_unit", ""))
    base = number(result.get("baseline_latency"))
    found = [
        (
            latency(number(result.get("latency")), unit),
            "mean latency by the table",
            f"controller included; MobileNetV2 1.0x: {latency(base, unit)}",
        ),
        (
            f"{number(result.get('latency_reduction')):.1%}",
            "less latency than MobileNetV2 1.0x",
            f"its test accuracy: {formats.accuracy(result.get('baseline_test_accuracy'))}",
        ),
        (str(result.get("unique_architectures")), "architectures on test images", ""),
    ]
    measured = result.get("measured_latency")
    for batch, times in measured.items() if isinstance(measured, dict) else ():
        value = f"{1000 * number(times.get('seconds')):.3g} ms"
        base_text = f"{1000 * number(times.get('baseline_seconds')):.3g} ms"
        way = "grouped by architecture" if "routed_seconds" in times else "one routed program"
        remark = f"end to end, by the clock, {way}; MobileNetV2 1.0x: {base_text}"
        found.append((value, f"per image at batch {batch}", remark))
    return found


def comparison(run: Run) -> str:
    """The policy against its controls, in one sentence that claims no more than the numbers do."""
    accuracies = {str(arm.get("name")): number(arm.get("test_accuracy")) for arm in arms(run)}
    own = accuracies.get("InstaNAS", math.nan)
    names = [n for n in ("permuted", "independent bits", "static") if n in accuracies]
    if not math.isfinite(own) or not names:
        return ""
    gains = [f"{100 * (own - accuracies[name]):+.2f} over {name}" for name in names]
    return f"Gain in test accuracy, in percentage points: {', '.join(gains)}."


def caveats(run: Run) -> list[str]:
    """How to read the numbers, and what they do not say."""
    return [
        "Data is split into training, validation and test data. The policy learns from validation "
        "images, and the final state is chosen on them; test data is read once, for this report.",
        "Permuted: the architectures that the test images chose, shuffled over the images; the "
        "latencies are the same. Independent bits: each bit drawn by itself. What the policy gains "
        "over these is the gain of looking at the image.",
        "Static: the best single architecture of at most the same mean latency among "
        "candidates, by validation accuracy, with the weights as they were fine-tuned for the "
        "policy. It is not fine-tuned by itself, which favours the policy.",
        "Latency by the table is a sum over operations. The clock also sees what lies between "
        "them: both are given.",
        f"This is one search (seed {run.result.get('seed')}). Claims on the method need several.",
    ]
