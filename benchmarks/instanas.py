r"""InstaNAS: does choosing an architecture for every image pay, and is it fast?

Five arms on a subset of CIFAR-10, each seed trained by itself: MobileNetV2 at several widths for
as many epochs as all stages of InstaNAS; InstaNAS, its state chosen on validation images as the
fastest that is as accurate there as MobileNetV2 1.0x; its permutation control (the architectures
that the test images chose, shuffled over them: the same latencies); independent bits of the same
shares; and the best architecture for all images of at most the same latency, fine-tuned as long as
InstaNAS was. Latency is counted in FLOPs (a table), the controller included, and then measured by
the clock. Finished arms are kept in `--work` and not computed again.

Timings: the trained networks beside MobileNetV2, grouped by architecture (as they would be served:
`latency_reduction_measured`) and as one routed program (`..._routed`), and the test forward and
policy step at the paper's size beside the way of the authors' code, every module for every image
and masks (`instanas_cases/contest.py` says of how many modules): in five processes, each with
weights and policies of its own. Each trained network is measured in a process of its own.
Contenders take turns; with one thread the clock is process time on one core.

The settings (`instanas_cases/settings.py`) come from pilots on seeds 100 and 101; five seeds take
about two hours of a core (by `--train` on two at once), and the timings three quarters of an hour.

    python benchmarks/instanas.py --data cifar10.npz --work work/ --json \
        benchmarks/results/instanas.json --plot benchmarks/results/instanas.png
    python benchmarks/instanas.py --train 3 4 --data cifar10.npz --work work/  # beside the others
    python benchmarks/instanas.py --only timings --data cifar10.npz --work work/
    python benchmarks/instanas.py --only contest --into benchmarks/results/instanas.json
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import tempfile
from typing import Any

import jax
import numpy as np
from curves import mean_interval
from instanas_cases import settings
from instanas_cases.arms import run_instanas, run_width
from instanas_cases.timings import replace_timings, run_contest, run_timings, timing_summary
from instanas_cases.work import Work
from record import make_record, write_record

from jaxnas.runtime.instance_experiment import InstanceExperiment
from jaxnas.runtime.run_data import data_digest

ARMS = ("InstaNAS", "permuted", "independent", "static")


def run_seed(config, dataset, seed: int, work: Work, verbose: bool) -> dict[str, Any]:
    """The arms of one seed by name, and what InstaNAS's search measured."""
    experiment = InstanceExperiment(dataclasses.replace(config, seed=seed), dataset)
    found: dict[str, Any] = {}
    for width in config.widths:
        row = work.get(f"width-{width:g}", seed, lambda w=width: run_width(experiment, w))
        found[row["arm"]] = row
        print(f"seed {seed}: {row['arm']} {row['accuracy']:.4f}", flush=True)
    target, folder = found["MobileNetV2 1x"]["validation_accuracy"], work.instance(seed)
    searched = work.get("instanas", seed, lambda: run_instanas(experiment, target, folder, verbose))
    line = "  ".join(f"{name} {searched['arms'][name]['accuracy']:.4f}" for name in ARMS)
    print(f"seed {seed}: {line}", flush=True)
    return {"arms": found | searched["arms"], "search": searched}


def make_rows(seeds: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each arm: means over seeds with intervals."""
    base = np.array([seed["arms"]["MobileNetV2 1x"]["latency"] for seed in seeds])
    rows = []
    for arm in seeds[0]["arms"]:
        accuracy = np.array([seed["arms"][arm]["accuracy"] for seed in seeds])
        latency = np.array([seed["arms"][arm]["latency"] for seed in seeds])
        rows.append(
            {
                "arm": arm,
                "accuracy": mean_interval(accuracy),
                "megaflops": mean_interval(latency / 1e6),
                "share_of_baseline": mean_interval(latency / base),
                "accuracies": accuracy.round(4).tolist(),
            }
        )
    return rows


def make_summary(seeds: list[dict[str, Any]], timings: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures that the claims are about."""

    def of(arm: str, key: str = "accuracy") -> np.ndarray:
        return np.array([seed["arms"][arm][key] for seed in seeds])

    own, base = of("InstaNAS"), "MobileNetV2 1x"
    information = of("InstaNAS", "mutual_information")
    summary: dict[str, Any] = {
        "latency_reduction": mean_interval(1 - of("InstaNAS", "latency") / of(base, "latency")),
        "accuracy_above_baseline": mean_interval(own - of(base)),
        "gain_over_permuted": mean_interval(own - of("permuted")),
        "gain_over_independent": mean_interval(own - of("independent")),
        "gain_over_static": mean_interval(own - of("static")),
        "unique_architectures": mean_interval(of("InstaNAS", "unique_architectures")),
        "mutual_information": mean_interval(np.array([i["corrected"] for i in information])),
        "mutual_information_of_bits": mean_interval(
            np.array([i["bitwise_corrected"] for i in information])
        ),
        "cpu_minutes_of_arms": sum(
            row.get("cpu_seconds", 0) for seed in seeds for row in seed["arms"].values()
        )
        / 60
        + sum(seed["search"]["cpu_seconds"] for seed in seeds) / 60,
    }
    return summary | timing_summary(timings)


def print_table(rows: list[dict[str, Any]], timings: list[dict[str, Any]]) -> None:
    """Prints the arms, and then the timings."""
    print(f"{'arm':<20}{'accuracy':>26}{'MFLOPs':>10}{'of baseline':>13}")
    for row in rows:
        text = "{value:.4f} [{low:.4f}, {high:.4f}]".format(**row["accuracy"])
        mean, share = row["megaflops"]["value"], row["share_of_baseline"]["value"]
        print(f"{row['arm']:<20}{text:>26}{mean:>10.3f}{share:>13.3f}")
    for row in timings:
        shown = {k: v for k, v in row.items() if k not in ("case", "machine")}
        print(row["case"], "  ".join(f"{k} {_short(v)}" for k, v in shown.items()))


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return "{value:.3f} [{low:.3f}, {high:.3f}]".format(**value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def plot(path: str, rows: list[dict[str, Any]], seeds: list[dict[str, Any]]) -> None:
    """Draws accuracy against latency: means of all arms, and InstaNAS's points of each seed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 4.2))
    widths = [row for row in rows if row["arm"].startswith("MobileNetV2")]
    for group in (widths, *([row] for row in rows if row not in widths)):
        x = [row["megaflops"]["value"] for row in group]
        y = [row["accuracy"]["value"] for row in group]
        half = [row["accuracy"]["high"] - row["accuracy"]["value"] for row in group]
        label = "MobileNetV2, widths" if group is widths else group[0]["arm"]
        axes.errorbar(x, y, yerr=half, fmt="s-" if group is widths else "o", label=label, capsize=3)
    axes.set(xlabel="MFLOPs per image, mean", ylabel="test accuracy", xlim=(0, None))
    axes.set_title(f"{len(seeds)} seeds, 95% intervals")
    axes.legend(loc="lower right")
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="npz with CIFAR-10; digits in the quick form")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--work", help="where finished arms are kept; a temporary folder by default"
    )
    parser.add_argument(
        "--only",
        choices=("arms", "timings", "contest"),
        help="one phase; or of the timings, routed and masked",
    )
    parser.add_argument(
        "--train", type=int, nargs="+", metavar="SEED", help="only the arms of these, into --work"
    )
    parser.add_argument("--threads", type=int, default=1, help="of the timings")
    parser.add_argument("--quick", action="store_true", help="tiny, on digits: shows that it runs")
    parser.add_argument("--verbose", action="store_true", help="print every epoch of the searches")
    parser.add_argument("--json", help="where to write the figures")
    parser.add_argument("--into", help="a finished record whose timings are replaced by these")
    parser.add_argument("--plot", help="where to draw them (png)")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.data, arguments.seeds = None, 2
        jax.config.update("jax_disable_most_optimizations", True)
    elif arguments.data is None and arguments.only != "contest":
        parser.error("--data FILE.npz is needed, or --quick")
    if arguments.train and not arguments.work:
        parser.error("--train needs --work FOLDER, where its arms are kept")
    if arguments.into:
        if arguments.quick or arguments.only not in ("timings", "contest"):
            parser.error("--into RECORD.json needs --only timings or contest, and not --quick")
        if not pathlib.Path(arguments.into).is_file():
            parser.error(f"--into {arguments.into}: there is no such record")
    if arguments.seeds < 2:
        parser.error("--seeds must be at least 2 for an interval")
    return arguments


def run(arguments: argparse.Namespace, folder: pathlib.Path) -> None:
    """Runs both phases, or one of them, with finished arms in `folder`."""
    config = settings.quick() if arguments.quick else settings.cifar()
    dataset = settings.dataset(arguments.data)
    work = Work(folder, config, data_digest(dataset))
    seeds, rows, timings = [], [], []
    for seed in arguments.train or ():
        run_seed(config, dataset, seed, work, arguments.verbose)
    if arguments.train:
        return
    if arguments.only not in ("timings", "contest"):
        options = work, arguments.verbose
        seeds = [run_seed(config, dataset, seed, *options) for seed in range(arguments.seeds)]
        rows = make_rows(seeds)
    if arguments.only != "arms":
        contest = arguments.only == "contest"
        timings = run_contest(arguments) if contest else run_timings(arguments, work)
    print_table(rows, timings)
    summary = make_summary(seeds, timings) if seeds else timing_summary(timings)
    for name, value in summary.items():
        print(f"{name}: {_short(value)}")
    record = make_record("instanas", rows=rows + timings, summary=summary, seeds=arguments.seeds)
    print(f"{record['seconds']} seconds in this run")
    if arguments.into:
        record = replace_timings(arguments.into, record)
        write_record(arguments.into, record)
    if arguments.json:
        write_record(arguments.json, record)
    if arguments.plot and rows:
        plot(arguments.plot, rows, seeds)


def main() -> None:
    """Runs the benchmark."""
    arguments = parse()
    if arguments.work:
        run(arguments, pathlib.Path(arguments.work))
    else:
        with tempfile.TemporaryDirectory() as folder:
            run(arguments, pathlib.Path(folder))


if __name__ == "__main__":
    main()
