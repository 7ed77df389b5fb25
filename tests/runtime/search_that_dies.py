"""Runs a very small search in a process that kills itself by SIGKILL at a moment that is named.

python search_that_dies.py FOLDER MOMENT: `FOLDER` is a run folder, resumed if it holds a run; the
moment is `never` or one of the functions below.
"""

import os
import pathlib
import signal
import sys

from tiny_search import tiny_config

import jaxnas
from jaxnas.engine import Engine
from jaxnas.runtime import checkpoint, search_phase
from jaxnas.runtime.children import ChildrenPhase
from jaxnas.training import Trainer


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def after(owner, name, count):
    """Dies when a function has returned `count` times."""
    function, calls = getattr(owner, name), []

    def counted(*args, **options):
        result = function(*args, **options)
        calls.append(1)
        if len(calls) == count:
            die()
        return result

    setattr(owner, name, counted)


def inside_a_checkpoint():
    """When two checkpoints are whole, and the third is half written."""
    import orbax.checkpoint as ocp

    write, calls = checkpoint._write, []

    def half(path, manifest, data):
        calls.append(1)
        if len(calls) < 3:
            return write(path, manifest, data)
        ocp.Checkpointer.save = lambda self, where, **options: (
            pathlib.Path(f"{where}.orbax-checkpoint-tmp-0").mkdir(),
            die(),
        )
        return write(path, manifest, data)

    checkpoint._write = half


MOMENTS = {
    "never": lambda: None,
    "inside_a_checkpoint": inside_a_checkpoint,
    "between_checkpoints": lambda: after(Engine, "policy_step", 1),
    "inside_a_child": lambda: after(Trainer, "_measure_moments", 1),
    "before_the_record_of_a_child": lambda: after(ChildrenPhase, "_save", 1),
}


def main(folder, moment):
    search_phase.CHECKPOINT_SECONDS = 0.0
    MOMENTS[moment]()
    started = (pathlib.Path(folder) / "config.json").exists()
    place = {"resume": folder} if started else {"run_dir": folder}
    jaxnas.search(tiny_config(), quiet=True, **place)


if __name__ == "__main__":
    main(*sys.argv[1:])
