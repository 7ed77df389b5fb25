import json
import pathlib
import platform
import re

import jax
import pytest

from jaxnas.runtime import machine, peak_memory_mb
from jaxnas.runtime.machine import processor

STATUS = pathlib.Path("/proc/self/status")


def test_machine_says_what_results_depend_on():
    found = machine()
    assert json.loads(json.dumps(found)) == found
    assert found["devices"] == jax.device_count()
    assert found["backend"] == jax.default_backend()
    assert found["device"] == jax.devices()[0].device_kind
    assert found["cores"] >= 1
    assert found["versions"]["jax"] == jax.__version__
    assert found["versions"]["python"] == platform.python_version()
    assert {"jaxnas", "flax", "optax"} <= set(found["versions"])


def test_the_processor_has_a_name(monkeypatch):
    assert processor()
    monkeypatch.setattr(
        pathlib.Path, "read_text", lambda _: "model name\t: Fast One\nflags\t: a b\n"
    )
    assert processor() == "Fast One"


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux tells the peak in a second way")
def test_peak_memory_is_that_of_the_process():
    before = peak_memory_mb()
    (peak,) = re.findall(r"VmHWM:\s*(\d+) kB", STATUS.read_text())
    assert before <= int(peak) * 1024 / 1e6 * 1.01
    assert peak_memory_mb() >= int(peak) * 1024 / 1e6 * 0.99
