"""What the commands of the command line do; see `jaxnas.cli` for their options."""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import shutil
from typing import Any

from rich.console import Console

from jaxnas.config import Config
from jaxnas.data import Text, load, load_text
from jaxnas.runtime import (
    api,
    compilation_cache,
    saved,
    saved_child,
    saved_instance,
    saved_language_model,
    saved_task_child,
    tasks_evaluation,
)
from jaxnas.runtime.configs import DEFAULT_CONFIG, config_of_run, load_config
from jaxnas.runtime.cpu_threads import one_core_per_program
from jaxnas.runtime.errors import ConfigError, RunError, memory_errors
from jaxnas.runtime.files import write_bytes, write_json
from jaxnas.runtime.kinds import supernet_config
from jaxnas.runtime.overrides import override
from jaxnas.runtime.report import (
    draw_panels,
    draw_space,
    drawing_of_walk,
    print_summary,
    write_report,
)
from jaxnas.runtime.run_data import ARRAYS, load_data
from jaxnas.runtime.run_folder import CONFIG, read_config
from jaxnas.runtime.shown_space import find_space, policy_of_run
from jaxnas.runtime.train import evaluate_saved, read_architecture
from jaxnas.runtime.train import train as train_child

_OUT = Console(soft_wrap=True)


def search(options: argparse.Namespace) -> None:
    """`jaxnas search`."""
    if options.own_process and _has_shared_weights(options):
        one_core_per_program()
    try:
        result = api.search(
            options.config,
            seed=options.seed,
            overrides=options.overrides,
            run_dir=options.run_dir,
            resume=options.resume,
            from_run=options.from_run,
            quiet=options.quiet,
            tensorboard=options.tensorboard,
            command=options.line,
        )
    except api.Interrupted as error:
        raise RunError(f"interrupted; go on with: jaxnas search --resume {error}") from error
    print_summary(result.run_dir, _OUT)
    _OUT.print(f"report: {result.run_dir / 'report.html'}", highlight=False)


def _has_shared_weights(options: argparse.Namespace) -> bool:
    """Whether the search evaluates many children of a supernet, each core another one."""
    if options.resume is not None:
        return isinstance(config_of_run(read_config(options.resume)), Config)
    return isinstance(load_config(options.config or DEFAULT_CONFIG), Config)


def _config(options: argparse.Namespace) -> Config:
    given = override(load_config(options.config), options.overrides)
    config = supernet_config(given, f"jaxnas {options.command}")
    return config if options.seed is None else dataclasses.replace(config, seed=options.seed)


def train(options: argparse.Namespace) -> None:
    """`jaxnas train`."""
    encoded, config = read_architecture(options.architecture), _config(options)
    result = train_child(config, encoded, folder=options.out, quiet=options.quiet)
    _print({name: value for name, value in result.items() if name != "config"})


def evaluate(options: argparse.Namespace) -> None:
    """`jaxnas evaluate`."""
    with memory_errors([], resumable=False):
        _evaluate(options)


def _evaluate(options: argparse.Namespace) -> None:
    folder = pathlib.Path(options.run)
    if tasks_evaluation.is_of_tasks(folder):
        _print(tasks_evaluation.evaluate(folder, options.data))
        return
    child = saved.find(folder)
    if isinstance(child, saved_language_model.SavedLanguageModel):
        text = _text_for(child, options.data) if options.data else _data_of(folder)
        _print(saved_language_model.evaluate(child, text))
        return
    dataset = load(options.data) if options.data else _data_of(folder)
    _print(evaluate_saved(options.run, dataset))


def _text_for(child: saved_language_model.SavedLanguageModel, source: str) -> Text:
    """A text of no more kinds of tokens than the child knows."""
    description = child.description
    most = len(description["vocabulary"])
    return load_text(source, level=description["level"], vocabulary=most)


def _data_of(folder: pathlib.Path) -> Any:
    """The data of a run, from its folder or from that of one of its children."""
    for candidate in (folder, folder.absolute().parent.parent):
        if (candidate / CONFIG).is_file():
            config = config_of_run(read_config(candidate))
            if config.data.source == ARRAYS:
                raise RunError(f"{folder} is of a run on its caller's own arrays: give --data.")
            return load_data(config)
    raise RunError(f"{folder} does not say its data: give --data.")


def export(options: argparse.Namespace) -> None:
    """`jaxnas export`."""
    child, out = saved.find(options.run), pathlib.Path(options.out)
    if options.stablehlo and isinstance(child, saved_language_model.SavedLanguageModel):
        raise RunError(f"{options.run} holds a language model: leave --stablehlo out.")
    out.mkdir(parents=True, exist_ok=True)
    if isinstance(child, saved_instance.SavedInstance):
        written = [saved_instance.INSTANCE, saved_instance.WEIGHTS]
    else:
        written = [saved_child.CHILD, saved_child.WEIGHTS]
    for name in written:
        shutil.copyfile(child.folder / name, out / name)
    if not isinstance(child, saved_instance.SavedInstance):
        write_json(out / "architecture.json", child.description["architecture"])
        written.insert(0, "architecture.json")
    if options.stablehlo:
        written.append(_write_stablehlo(child, out))
    for name in written:
        _OUT.print(str(out / name), highlight=False)
    _OUT.print(f"in Python: jaxnas.load_child({str(out)!r}).module()", highlight=False)


def _write_stablehlo(child: saved.Saved, out: pathlib.Path) -> str:
    """Writes the portable program, and returns the name of its file."""
    from jaxnas import export
    from jaxnas.instance import export as instance_export

    if isinstance(child, saved_task_child.SavedTaskChild):
        program = export.stablehlo(child.module(), child.input.shape, child.input.dtype)
        write_bytes(out / "child.stablehlo", program)
        return "child.stablehlo"
    shape = tuple(child.description["image_shape"])
    if isinstance(child, saved_instance.SavedInstance):
        write_bytes(out / "instance.stablehlo", instance_export.stablehlo(child.module(), shape))
        return "instance.stablehlo"
    write_bytes(out / "child.stablehlo", export.stablehlo(child.module(), shape))
    return "child.stablehlo"


def show(options: argparse.Namespace) -> None:
    """`jaxnas show`."""
    if options.what == "space":
        _show_space(options.name, options.run, options.out)
    elif pathlib.Path(options.what).is_dir():
        _leave_out(options, "name", "run", "out", kind="a run folder, whose pictures lie in it")
        read_config(options.what)  # Nothing is written into a folder that holds no run.
        write_report(options.what)
        print_summary(options.what, _OUT)
    else:
        _leave_out(options, "name", "run", kind="an architecture")
        encoded = read_architecture(options.what)
        for decision, action in encoded["walk"]:
            _OUT.print(f"{decision}: {action}", highlight=False)
        if options.out:
            _draw(draw_panels(drawing_of_walk(encoded["walk"])), options.out)


def _leave_out(options: argparse.Namespace, *names: str, kind: str) -> None:
    for name in names:
        if getattr(options, name) is not None:
            shown = repr(options.name) if name == "name" else f"--{name}"
            raise ConfigError(f"show {options.what}: leave {shown} out for {kind}.")


def _show_space(name: str | None, run: str | None, out: str | None) -> None:
    space = find_space(name, run)
    chances = None if run is None else policy_of_run(run, space)
    _OUT.print(space.describe(), highlight=False, markup=False)
    if out:
        _draw(draw_space(space, chances), out)


def _draw(figure: Any, out: str) -> None:
    figure.savefig(out)
    _OUT.print(out, highlight=False)


def bench(options: argparse.Namespace) -> None:
    """`jaxnas bench`."""
    from jaxnas.runtime.bench import bench as measure

    if options.own_process:
        one_core_per_program()
    compilation_cache.enable()
    figures = measure(_config(options), repeats=options.repeats)
    _print(figures)
    if options.json:
        write_json(options.json, figures)


def _print(values: dict[str, Any]) -> None:
    width = max(len(name) for name in values)
    for name, value in values.items():
        text = f"{value:.4f}" if isinstance(value, float) else f"{value}"
        _OUT.print(f"{name:<{width}}  {text}", highlight=False, markup=False)
