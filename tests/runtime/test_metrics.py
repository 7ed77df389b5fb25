import json
import math
import pathlib
import sys
import types

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.runtime import MetricsWriter, RunError, read_metrics

FULL = pathlib.Path("/dev/full")


def write(folder, steps):
    with MetricsWriter(folder) as metrics:
        for step in steps:
            metrics.write(step, {"reward": step / 10})


def steps(folder):
    return [line["step"] for line in read_metrics(folder)]


def test_lines_are_valid_json_and_come_back(tmp_path):
    assert read_metrics(tmp_path) == []
    with MetricsWriter(tmp_path) as metrics:
        metrics.write(1, {"loss": np.float32(0.5), "child": jnp.asarray([1, 2]), "arm": "policy"})
        metrics.write(2, {"loss": math.nan, "best": -math.inf, "inner": {"x": jnp.inf}})
        # Visible at once, not only when the run ends.
        assert len(read_metrics(tmp_path)) == 2
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()

    def refuse(constant):
        raise AssertionError(constant)

    parsed = [json.loads(line, parse_constant=refuse) for line in lines]
    assert parsed[0] == {"step": 1, "loss": 0.5, "child": [1, 2], "arm": "policy"}
    assert parsed[1] == {"step": 2, "loss": "NaN", "best": "-Infinity", "inner": {"x": "Infinity"}}
    back = read_metrics(tmp_path)[1]
    assert math.isnan(back["loss"])
    assert (back["best"], back["inner"]) == (-math.inf, {"x": math.inf})


def test_a_second_writer_appends(tmp_path):
    write(tmp_path, [1, 2])
    write(tmp_path, [3])
    assert steps(tmp_path) == [1, 2, 3]


def test_rewinding_drops_what_came_after(tmp_path):
    write(tmp_path, [1, 2, 2, 3, 4])
    with MetricsWriter(tmp_path) as metrics:
        metrics.rewind(2)
        assert steps(tmp_path) == [1, 2, 2]
        metrics.write(3, {"reward": 0.5})
    assert steps(tmp_path) == [1, 2, 2, 3]
    with MetricsWriter(tmp_path) as metrics:
        metrics.rewind(-1)
    assert steps(tmp_path) == []


def test_a_resumed_run_ends_with_the_same_bytes(tmp_path):
    write(tmp_path, range(1, 6))
    path = tmp_path / "metrics.jsonl"
    whole = path.read_bytes()
    for cut in (1, 20, 60, len(whole) - 1, len(whole)):
        path.write_bytes(whole[:cut])
        with MetricsWriter(tmp_path) as metrics:
            metrics.rewind(0)
            for step in range(1, 6):
                metrics.write(step, {"reward": step / 10})
        assert path.read_bytes() == whole


def test_a_half_written_last_line_is_dropped(tmp_path):
    write(tmp_path, [1, 2])
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(path.read_bytes()[:-4])
    assert steps(tmp_path) == [1]
    write(tmp_path, [2])
    assert steps(tmp_path) == [1, 2]
    assert path.read_bytes().count(b"\n") == 2


def test_a_damaged_line_is_named(tmp_path):
    write(tmp_path, [1, 2, 3])
    path = tmp_path / "metrics.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"\xff\0\n" + lines[2])
    with pytest.warns(UserWarning, match=r"metrics\.jsonl, line 2, is damaged"):
        assert steps(tmp_path) == [1, 3]


def test_values_without_a_form_are_refused(tmp_path):
    with MetricsWriter(tmp_path) as metrics:
        with pytest.raises(TypeError, match="has no form in JSON"):
            metrics.write(1, {"f": print})
        assert steps(tmp_path) == []


@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
def test_a_full_disk(tmp_path):
    write(tmp_path, [1])
    with MetricsWriter(tmp_path) as metrics:
        metrics._file.close()
        metrics._file = FULL.open("ab")
        with pytest.raises(RunError, match="is full: free some space"):
            metrics.write(2, {})
    # Neither closing nor what was written before suffers.
    assert steps(tmp_path) == [1]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(RunError, match="cannot be written"):
        MetricsWriter(tmp_path / "missing")


@pytest.fixture
def events(monkeypatch):
    """A stand-in for tensorboardX that records what it is given."""
    written = []

    class SummaryWriter:
        def __init__(self, folder, purge_step=None):
            written.append(("open", folder, purge_step))

        def add_scalar(self, name, value, step):
            written.append((name, value, step))

        def close(self):
            written.append("close")

    module = types.ModuleType("tensorboardX")
    module.SummaryWriter = SummaryWriter
    monkeypatch.setitem(sys.modules, "tensorboardX", module)
    return written


def test_tensorboard_gets_the_numbers(tmp_path, events):
    with MetricsWriter(tmp_path, tensorboard=True) as metrics:
        metrics.write(1, {"reward": 0.5, "arm": "random", "phase": {"loss": np.float32(2)}})
        metrics.rewind(0)
        metrics.write(1, {"reward": math.inf})
    folder = str(tmp_path / "tensorboard")
    assert events == [
        ("open", folder, None),
        ("reward", 0.5, 1),
        ("phase/loss", 2.0, 1),
        "close",
        ("open", folder, 1),
        ("reward", math.inf, 1),
        "close",
    ]


def test_the_missing_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(RunError, match=r"pip install 'jaxnas\[tensorboard\]'"):
        MetricsWriter(tmp_path, tensorboard=True)


@pytest.mark.extra
def test_real_tensorboard_events(tmp_path):
    pytest.importorskip("tensorboardX")
    with MetricsWriter(tmp_path, tensorboard=True) as metrics:
        metrics.write(1, {"reward": 0.5})
    (event,) = (tmp_path / "tensorboard").iterdir()
    assert b"reward" in event.read_bytes()
