import errno
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

import jaxnas
from jaxnas.runtime import RunError, RunFolder, read_config

CONFIG = {"name": "digits", "steps": 10, "policy": {"rate": 0.1, "sizes": (3, 4)}}


def create(directory, config=CONFIG):
    return RunFolder.create(directory, name="digits", seed=0, config=config)


def test_a_new_run_writes_its_config(tmp_path):
    with create(tmp_path / "a" / "run") as run:
        assert run.path == tmp_path / "a" / "run"
        stored = json.loads((run.path / "config.json").read_text())
        assert stored == run.config == read_config(run.path)
        assert stored["policy"] == {"rate": 0.1, "sizes": [3, 4]}
        assert run.checkpoints == run.path / "checkpoints"
        assert sorted(os.listdir(run.path)) == [".lock", "config.json"]


def test_the_default_folder_is_named_and_never_taken_twice(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(time, "strftime", lambda _: "20260102-030405")
    names = []
    for _ in range(3):
        with create(None) as run:
            names.append(run.path.as_posix())
    stem = "runs/digits-0-20260102-030405"
    assert names == [stem, f"{stem}-2", f"{stem}-3"]


def test_a_second_start_refuses(tmp_path):
    create(tmp_path).close()
    with pytest.raises(
        RunError, match=rf"already holds a run: .* --resume {tmp_path}, .*--run-dir"
    ):
        create(tmp_path)
    # The refusal holds no lock.
    RunFolder.resume(tmp_path).close()


def test_resume_takes_or_checks_the_config(tmp_path):
    create(tmp_path).close()
    with RunFolder.resume(tmp_path) as run:
        assert run.config["steps"] == 10
    with RunFolder.resume(tmp_path, config=CONFIG):
        pass
    other = {"name": "digits", "steps": 11, "policy": {"rate": 0.2, "sizes": (3, 4)}, "more": 1}
    with pytest.raises(RunError, match="checkpoint of another config") as error:
        RunFolder.resume(tmp_path, config=other)
    for part in (
        "steps is 10 there and 11 here",
        "policy.rate is 0.1 there and 0.2 here",
        "more is '(absent)' there and 1 here",
    ):
        assert part in str(error.value)
    assert "sizes" not in str(error.value)


def test_resume_needs_a_run(tmp_path):
    with pytest.raises(RunError, match="holds no run"):
        RunFolder.resume(tmp_path)
    with pytest.raises(RunError, match="holds no run"):
        RunFolder.resume(tmp_path / "missing")
    for damaged in ("{", "[]"):
        (tmp_path / "config.json").write_text(damaged)
        with pytest.raises(RunError, match=r"config\.json .*restore or delete it"):
            RunFolder.resume(tmp_path)


def test_one_process_writes_a_run(tmp_path):
    with create(tmp_path):
        with pytest.raises(RunError, match=f"being written by process {os.getpid()} on"):
            RunFolder.resume(tmp_path)
        with pytest.raises(RunError, match="being written by"):
            create(tmp_path)
    RunFolder.resume(tmp_path).close()


HOLDER = """
import sys, time
from jaxnas.runtime.run_folder import RunFolder
run = RunFolder.resume(sys.argv[1])
print("locked", flush=True)
time.sleep(60)
"""


def test_a_killed_process_leaves_no_lock(tmp_path):
    create(tmp_path).close()
    root = str(pathlib.Path(jaxnas.__path__[0]).parent)
    environment = {**os.environ, "PYTHONPATH": root}
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        try:
            assert process.stdout.readline() == b"locked\n"
            with pytest.raises(RunError, match=f"being written by process {process.pid} on"):
                RunFolder.resume(tmp_path)
        finally:
            process.send_signal(signal.SIGKILL)
    RunFolder.resume(tmp_path).close()


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "run").write_text("")
    for path in (tmp_path / "run", tmp_path / "run" / "below"):
        with pytest.raises(RunError, match=r"cannot be written .*give another folder"):
            create(path)


def test_a_folder_without_permission(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", fail)
    with pytest.raises(RunError, match=r"cannot be written \(Permission denied\)"):
        create(tmp_path)


def test_a_full_disk_is_found_before_any_work(tmp_path, monkeypatch):
    def fail(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(RunError, match=f"the disk of {tmp_path} is full"):
        create(tmp_path)
    monkeypatch.undo()
    assert os.listdir(tmp_path) == [".lock"]
    create(tmp_path).close()


@pytest.mark.parametrize(
    ("config", "message"),
    [({"f": print}, "the config cannot be stored"), ([1], "the config is list")],
)
def test_configs_without_a_form_are_refused(tmp_path, config, message):
    with pytest.raises(RunError, match=message):
        create(tmp_path / "run", config)
    assert not (tmp_path / "run").exists()
