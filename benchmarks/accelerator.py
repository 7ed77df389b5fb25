"""Which executor is fastest on this device, at which number of children, batch and precision?

NAS-Bench-201 and the chain, forward and with gradients, peaked and uniform children, in float32
and bfloat16: children per second of every executor that jaxnas has, the share of the roofline
(measured matrix products and memory bandwidth), and PyTorch on the same device where it can use it
(channels last; one child at a time, with `torch.compile`, and driven by the same plan). It ends
within `--minutes`: rows that do not fit are left out and counted in the output. Without an
accelerator it runs a CPU smoke form, with or without `--quick`, and says so.

    python benchmarks/accelerator.py --json benchmarks/results/accelerator.h100.json
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import itertools
import time
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from accelerator_work import Setting, Work, torch_device
from measuring import bandwidth, interleave, matmul_peak
from measuring.roofline import roofline_seconds
from record import START, make_record, write_record

from jaxnas.supernets import Plan

EXECUTORS = ("host", "grouped", "compiled")
DTYPES = ("float32", "bfloat16")


def settings(quick: bool) -> Iterator[Setting]:
    """All settings, the most telling first, since time may run out."""
    if quick:
        yield from (Setting("chain", m, "peaked", 8, 8, "float32") for m in ("forward", "grad"))
        yield Setting("chain", "forward", "uniform", 4, 8, "bfloat16")
        return
    for sample, dtype, mode in itertools.product(
        ("peaked", "uniform"), ("bfloat16", "float32"), ("forward", "grad")
    ):
        yield Setting("nb201", mode, sample, 64, 64, dtype)
    for children, batch in ((8, 64), (32, 64), (128, 64), (64, 16), (64, 256)):
        yield Setting("nb201", "forward", "uniform", children, batch, "bfloat16")
    for sample, mode in itertools.product(("peaked", "uniform"), ("forward", "grad")):
        yield Setting("chain", mode, sample, 32, 64, "bfloat16")


def measure(setting: Setting, quick: bool, peaks: dict[str, tuple[float, float]]):
    """The rows of one setting; contenders take turns."""
    work, contenders, first = Work(setting, quick), {}, {}
    for executor in EXECUTORS:
        with contextlib.suppress(ValueError):  # This jaxnas has no such executor.
            contenders[executor] = work.jaxnas(executor)
    device = torch_device()
    contenders |= work.torch(device) if device else {}
    results = {}
    for name, run in contenders.items():
        start = time.perf_counter()
        results[name] = run()
        first[name] = time.perf_counter() - start
    check_equal(setting, {n: r for n, r in results.items() if n in EXECUTORS or "torch" in n})
    limits = {"least": 2, "most": 2} if quick else {"least": 5, "most": 20}
    times = interleave(contenders, seconds=2.0, **limits)
    forward = roofline_seconds(
        work.plan, setting.batch, jnp.dtype(setting.dtype).itemsize, *peaks[setting.dtype]
    )
    least = forward * (3 if setting.mode == "grad" else 1)
    return [
        make_row(setting, work.plan, name, float(np.median(t.wall)), first[name], least)
        for name, t in times.items()
    ]


def check_equal(setting: Setting, results: dict[str, Any]) -> None:
    """Compares logits or losses of all contenders with those of the first.

    Raises:
      SystemExit: they differ by more than the precision explains.
    """
    values = {name: _value(setting, result) for name, result in results.items()}
    reference, *others = values
    allowed = 2e-3 if setting.dtype == "float32" and jax.default_backend() == "cpu" else 0.1
    scale = np.abs(values[reference]).max()
    for name in others:
        difference = np.abs(values[name] - values[reference]).max() / scale
        if not difference <= allowed:
            raise SystemExit(f"{setting}: {name} differs from {reference} by {difference:.2g}.")


def _value(setting: Setting, result: Any) -> np.ndarray:
    if setting.mode == "grad":
        return np.asarray(result[0][0] if isinstance(result, tuple) else result, np.float32)
    array = result.astype(jnp.float32) if hasattr(result, "astype") else result.float().cpu()
    return np.asarray(array)


def make_row(
    setting: Setting, plan: Plan, name: str, seconds: float, first: float, least: float
) -> dict[str, Any]:
    """One line: who, on what, how fast, how near to the roofline."""
    work = plan.work
    return dataclasses.asdict(setting) | {
        "contender": name,
        "seconds": seconds,
        "children_per_second": setting.children / seconds,
        "share_of_roofline": least / seconds,
        "unique_share_of_live_flops": work["unique"].flops / max(1, work["live"].flops),
        "first_call_seconds": first,
    }


def make_summary(rows: list[dict[str, Any]], left_out: int) -> dict[str, Any]:
    """The fastest executor of each setting, and how it compares with PyTorch at its best."""
    summary: dict[str, Any] = {
        "device_is_accelerator": jax.default_backend() != "cpu",
        "settings_left_out": left_out,
    }
    fields = [field.name for field in dataclasses.fields(Setting)]
    for key, group in itertools.groupby(rows, lambda row: [row[f] for f in fields]):
        seconds = {row["contender"]: row["seconds"] for row in group}
        ours = {name: s for name, s in seconds.items() if name in EXECUTORS}
        best = min(ours, key=ours.__getitem__)
        label = "_".join(map(str, key))
        summary[f"fastest_{label}"] = best
        for peer in ("torch", "torch_compiled", "torch_same_plan"):
            if peer in seconds:
                summary[f"ratio_{peer}_{label}"] = seconds[peer] / ours[best]
    return summary


def print_rows(rows: list[dict[str, Any]]) -> None:
    """Prints the lines of one setting."""
    for row in rows:
        setting = " ".join(str(row[f.name]) for f in dataclasses.fields(Setting))
        print(
            f"{setting:<44}{row['contender']:<18}{row['seconds']:10.5f} s"
            f"{row['children_per_second']:12.1f} children/s"
            f"{row['share_of_roofline']:8.3f} of roofline",
            flush=True,
        )


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny networks: shows that it runs")
    parser.add_argument("--minutes", type=float, default=8.0, help="no new setting after this")
    parser.add_argument("--json", help="where to write the figures")
    arguments = parser.parse_args()
    quick = arguments.quick or jax.default_backend() == "cpu"
    if jax.default_backend() == "cpu":
        print("There is no accelerator: this is a CPU smoke form, its figures say nothing.")
    size = 256 if quick else 8192
    megabytes = 16 if quick else 1024
    peaks = {d: (matmul_peak(d, size), bandwidth(d, megabytes)) for d in DTYPES}
    rows, left_out = [], 0
    for setting in settings(quick):
        if time.perf_counter() - START > 60 * arguments.minutes:
            left_out += 1
            continue
        found = measure(setting, quick, peaks)
        print_rows(found)
        rows += found
    summary = make_summary(rows, left_out)
    for dtype, (flops, moved) in peaks.items():
        summary[f"peak_tflops_{dtype}"] = flops / 1e12
        summary[f"bandwidth_gb_per_second_{dtype}"] = moved / 1e9
    record = make_record("accelerator", rows=rows, summary=summary, seeds=[0])
    print(f"{record['seconds']} seconds in all; {left_out} settings left out for lack of time")
    if arguments.json:
        write_record(arguments.json, record)


if __name__ == "__main__":
    main()
