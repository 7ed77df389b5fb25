import dataclasses
import errno
import json
import math
import os
import pathlib
import stat

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.runtime import RunError, write_bytes, write_json, write_text
from jaxnas.runtime.errors import disk_errors
from jaxnas.runtime.json_values import from_json, to_json


@dataclasses.dataclass(frozen=True)
class Config:
    rate: float
    shape: tuple[int, ...]
    inner: dict


def test_values_become_plain_json():
    value = {
        "config": Config(0.5, (1, 2), {3: True}),
        "numpy": np.float32(0.25),
        "jax": jnp.arange(3),
        "half": jnp.asarray([1.5, float("nan")], jnp.bfloat16),
        "path": pathlib.Path("a/b"),
        "set": {"b", "a"},
        "none": None,
    }
    expected = {
        "config": {"rate": 0.5, "shape": [1, 2], "inner": {"3": True}},
        "numpy": 0.25,
        "jax": [0, 1, 2],
        "half": [1.5, "NaN"],
        "path": "a/b",
        "set": ["a", "b"],
        "none": None,
    }
    assert to_json(value) == expected
    assert json.loads(json.dumps(to_json(value), allow_nan=False)) == expected


def test_non_finite_floats_come_back():
    value = [math.inf, -math.inf, math.nan, {"x": np.float64("inf")}, "text"]
    assert to_json(value) == ["Infinity", "-Infinity", "NaN", {"x": "Infinity"}, "text"]
    back = from_json(to_json(value))
    assert back[:2] == [math.inf, -math.inf]
    assert math.isnan(back[2])
    assert back[3:] == [{"x": math.inf}, "text"]


def test_values_without_a_form_are_refused():
    with pytest.raises(TypeError, match="function has no form in JSON"):
        to_json({"f": lambda: None})


def test_writing_replaces_whole_files(tmp_path):
    path = tmp_path / "result.json"
    write_json(path, {"a": math.nan})
    assert json.loads(path.read_text()) == {"a": "NaN"}
    write_text(path, "é")
    assert path.read_bytes() == "é".encode()
    write_bytes(path, b"\0\1")
    assert path.read_bytes() == b"\0\1"
    assert os.listdir(tmp_path) == ["result.json"]
    assert stat.S_IMODE(path.stat().st_mode) & stat.S_IRUSR


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_leaves_the_older_file(tmp_path, monkeypatch, code):
    path = tmp_path / "result.json"
    write_text(path, "old")

    def fail(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(RunError, match=r"is full: free some space .* --resume"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["result.json"]


def test_a_failed_move_leaves_the_older_file(tmp_path, monkeypatch):
    path = tmp_path / "result.json"
    write_text(path, "old")

    def fail(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(RunError, match=r"cannot be written \(Permission denied\): correct"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["result.json"]


def test_other_errors_pass_through(tmp_path):
    with pytest.raises(ValueError, match="something else"), disk_errors(tmp_path):
        raise ValueError("something else")
    message = "RESOURCE_EXHAUSTED: Error writing: No space left on device"
    with pytest.raises(RunError, match="is full"), disk_errors(tmp_path):
        raise ValueError(message)
