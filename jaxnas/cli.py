"""The command line: `jaxnas search | train | evaluate | export | show | bench`.

Exit codes: 0, 1 for a failure, 2 for bad usage.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence

from jaxnas.version import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code.

    Args:
      arguments: the words after `jaxnas`; those of the process by default.
    """
    words = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(words)
    options.line = shlex.join(["jaxnas", *words])
    # Only now: help and usage errors need no JAX.
    from jaxnas.data import DataError
    from jaxnas.runtime import commands
    from jaxnas.runtime.allocator import keep_memory
    from jaxnas.runtime.errors import ConfigError, RunError

    options.own_process = arguments is None
    if options.own_process:
        keep_memory()
    try:
        getattr(commands, options.command)(options)
    except ConfigError as error:
        return _complain(error, 2)
    except (RunError, DataError, ValueError, ImportError, OSError) as error:
        return _complain(error, 1)
    except KeyboardInterrupt:
        return _complain("interrupted.", 1)
    return 0


def _complain(error: object, code: int) -> int:
    print(f"jaxnas: {error}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="jaxnas", description="Neural architecture search in JAX."
    )
    parser.add_argument("--version", action="version", version=f"jaxnas {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _search(commands)
    _train(commands)
    _evaluate(commands)
    _export(commands)
    _show(commands)
    _bench(commands)
    return parser


def _with_config(parser: argparse.ArgumentParser, default: str | None = "enas_digits") -> None:
    parser.add_argument(
        "config",
        nargs="?",
        default=default,
        help="name of a shipped config or path of a config file, with :smoke for its smallest "
        "variant (default: enas_digits)",
    )
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override one value, such as data=npz:FILE or search.epochs=3; may be repeated",
    )
    parser.add_argument("--seed", type=int, help="seed of everything")
    parser.add_argument("--quiet", action="store_true", default=None, help="show no progress")


def _search(commands) -> None:
    parser = commands.add_parser("search", help="search, train the best children, report")
    # None: with --resume, the run's own.
    _with_config(parser, default=None)
    parser.add_argument("--run-dir", metavar="DIR", help="the run folder")
    parser.add_argument("--resume", metavar="RUN", help="go on with the run in this folder")
    parser.add_argument(
        "--from",
        dest="from_run",
        metavar="RUN",
        help="go out from the controller of this search of other tasks",
    )
    parser.add_argument("--tensorboard", action="store_true", help="write TensorBoard events too")


def _train(commands) -> None:
    parser = commands.add_parser("train", help="train one architecture from scratch")
    parser.add_argument("architecture", help="JSON of an architecture, or a run folder")
    _with_config(parser)
    parser.add_argument("--out", required=True, metavar="DIR", help="where the child is saved")


def _evaluate(commands) -> None:
    parser = commands.add_parser("evaluate", help="test accuracy of a trained child")
    parser.add_argument("run", help="a run folder, or a folder of a saved child")
    parser.add_argument("--data", help="data source; that of the run by default")


def _export(commands) -> None:
    parser = commands.add_parser("export", help="a trained child as JSON, weights, StableHLO")
    parser.add_argument("run", help="a run folder, or a folder of a saved child")
    parser.add_argument("--out", required=True, metavar="DIR", help="where it is written")
    parser.add_argument("--stablehlo", action="store_true", help="also StableHLO (extra: export)")


def _show(commands) -> None:
    parser = commands.add_parser("show", help="a run, a space, or an architecture")
    parser.add_argument("what", help="a run folder, 'space', or the JSON of an architecture")
    parser.add_argument(
        "name",
        nargs="?",
        help="after 'space': a ready space, such as nasbench201, a config, or a space's JSON",
    )
    parser.add_argument(
        "--run", metavar="RUN", help="with 'space': the probabilities of this run's policy too"
    )
    parser.add_argument("--out", metavar="FILE", help="also draw it into this PNG or SVG file")


def _bench(commands) -> None:
    parser = commands.add_parser("bench", help="speed of a search on this machine")
    _with_config(parser)
    parser.add_argument("--json", metavar="FILE", help="also write the figures as JSON")
    parser.add_argument("--repeats", type=int, default=5, help="timed repeats (default: 5)")


if __name__ == "__main__":
    sys.exit(main())
