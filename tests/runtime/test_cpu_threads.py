"""Programs on the threads that call them; in processes of their own, since backends start once."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import pytest

from jaxnas import cli
from jaxnas.runtime import commands
from jaxnas.runtime.configs import load_config
from jaxnas.runtime.run_folder import CONFIG

PROGRAM = """
import os, pathlib, sys
import jax
from jaxnas.runtime import one_core_per_program

if sys.argv[1] == "told":
    one_core_per_program()
jax.jit(lambda x: (x @ x).sum())(jax.numpy.ones((512, 512))).block_until_ready()
threads = len(list(pathlib.Path("/proc/self/task").iterdir()))
print(threads, os.environ.get("NPROC"), jax.config.read("jax_cpu_enable_async_dispatch"))
"""


def run(how, **given):
    names = ("NPROC", "JAX_CPU_ENABLE_ASYNC_DISPATCH", "XLA_FLAGS")
    environment = {k: v for k, v in os.environ.items() if k not in names} | given
    command = [sys.executable, "-c", PROGRAM, how]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    threads, *others = done.stdout.split()
    return int(threads), *others


@pytest.mark.skipif(not pathlib.Path("/proc/self/task").is_dir(), reason="threads are counted")
def test_the_pool_has_one_thread_and_the_environment_is_as_before():
    told, pool, hands_over = run("told")
    assert (pool, hands_over) == ("None", "False")
    # Five more in the pool, and the backend's threads that work is handed over to.
    assert run("untold", NPROC="6")[0] >= told + 5


@pytest.mark.skipif(not pathlib.Path("/proc/self/task").is_dir(), reason="threads are counted")
def test_what_the_environment_sets_stays():
    told, pool, hands_over = run("told", NPROC="6", JAX_CPU_ENABLE_ASYNC_DISPATCH="true")
    assert (told, pool, hands_over) == (run("untold", NPROC="6")[0], "6", "True")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["search"], 1),
        (["search", "nasbench201_cifar10:smoke"], 1),
        (["search", "instanas_digits:smoke"], 0),
        (["search", "nasrl_conv_digits"], 0),
        (["search", "mnms_digits"], 0),
    ],
)
def test_the_command_line_does_it_for_searches_with_shared_weights(monkeypatch, words, expected):
    told = calls_of(monkeypatch, words)
    assert len(told) == expected


def test_a_resumed_search_is_of_its_runs_kind(monkeypatch, tmp_path):
    stored = dataclasses.asdict(load_config("enas_digits:smoke"))
    (tmp_path / CONFIG).write_text(json.dumps(stored))
    assert len(calls_of(monkeypatch, ["search", "--resume", str(tmp_path)])) == 1


def calls_of(monkeypatch, words):
    """The calls that `jaxnas WORDS`, as a process of its own, makes before the search."""
    told = []
    monkeypatch.setattr(commands, "one_core_per_program", lambda: told.append(1))
    monkeypatch.setattr("jaxnas.runtime.allocator.keep_memory", lambda: True)
    monkeypatch.setattr(commands.api, "search", stop)
    monkeypatch.setattr(sys, "argv", ["jaxnas", *words])
    assert cli.main() == 1
    return told


def stop(*args, **options):
    raise ValueError("enough")
