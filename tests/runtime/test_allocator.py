"""Freed memory stays; in a process of its own, since it stays for good."""

import os
import subprocess
import sys

import pytest

from jaxnas.runtime import allocator

PROGRAM = """
import resource, threading
import numpy as np
from jaxnas.runtime import keep_memory
told = keep_memory()

def use():
    for _ in range(20):
        np.ones(2**21, np.float32)  # 8 MB, in pages of 4 kB.

def faults(run):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    run()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def on_a_thread():
    thread = threading.Thread(target=use)
    thread.start()
    thread.join()

use()
print(told, faults(use), faults(on_a_thread))
"""


def faults():
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    told, *numbers = done.stdout.split()
    return told, [int(number) for number in numbers]


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is told")
def test_freed_memory_is_used_again_without_page_faults_on_any_thread():
    told, kept = faults()
    assert told == "True"
    # Without it a thread's arrays cost several hundred, one of 2,048 pages in huge ones.
    assert max(kept) < 100


def test_another_system_has_nothing_to_tell(monkeypatch):
    monkeypatch.setattr(allocator.sys, "platform", "darwin")
    assert allocator.keep_memory() is False


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is told")
def test_what_the_environment_sets_stays(monkeypatch):
    told = []

    class Library:
        def mallopt(self, number, value):
            told.append(number)
            return 1

    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda name: Library())
    for name in list(os.environ):
        if name.startswith("MALLOC_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MALLOC_ARENA_MAX", "4")
    assert allocator.keep_memory()
    assert told == [-1, -2, -3]
