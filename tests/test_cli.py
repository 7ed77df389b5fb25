"""The command line: exit codes, messages, and every command on a very small run."""

import html
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import pytest
from tiny_search import tiny_config

import jaxnas
from jaxnas.cli import main
from jaxnas.engine import Engine

pytestmark = pytest.mark.usefixtures("quick_compilation")

TESTS = pathlib.Path(__file__).parent

TINY = """
import sys
sys.path.insert(0, {tests!r})
from tiny_search import tiny_config

def config(variant=""):
    return tiny_config()
"""


@pytest.fixture
def tiny(tmp_path):
    """The very small configuration as a user's own file."""
    file = tmp_path / "tiny.py"
    file.write_text(TINY.format(tests=str(TESTS)))
    return str(file)


@pytest.fixture
def copy(tiny_run, tmp_path):
    return str(shutil.copytree(tiny_run.run_dir, tmp_path / "copy"))


def ended(arguments):
    """The exit code where the parser ends the process."""
    with pytest.raises(SystemExit) as error:
        main(arguments)
    return error.value.code


def test_help_and_version(capsys):
    assert ended(["--version"]) == 0
    assert capsys.readouterr().out == f"jaxnas {jaxnas.__version__}\n"
    assert ended(["--help"]) == 0
    out = capsys.readouterr().out
    for command in ("search", "train", "evaluate", "export", "show", "bench"):
        assert command in out
        assert ended([command, "--help"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: COMMAND"),
        (["serch"], "invalid choice: 'serch'"),
        (["search", "--seed", "x"], "invalid int value: 'x'"),
        (["export", "run"], "required: --out"),
    ],
)
def test_bad_usage_that_the_parser_finds(arguments, message, capsys):
    assert ended(arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["search", "enas_digit"], "did you mean 'enas_digits'?"),
        (["search", "--set", "serch.epochs=1"], "did you mean 'search.epochs'?"),
        (["search", "--set", "search.epochs=many"], "--set search.epochs=many: give int"),
        (["search", "--set", "search.epochs=0"], "search.epochs is 0: give a whole number"),
        (["show", "space"], "name a ready space (chain, enas_macro, enas_micro, mobilenet, "),
        (["show", "space", "nothing"], "there is no config 'nothing'"),
        (["show", "space", "chains"], "Ready spaces are chain, enas_macro"),
        (["show", "space", "no.json"], "no.json cannot be read: No such file"),
        (["bench", "--repeats", "0"], "--repeats is 0: give at least 1"),
    ],
)
def test_bad_usage(arguments, message, capsys):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("jaxnas: ")
    assert message in err
    assert err.count("\n") == 1


def test_search_prints_the_result(tiny, tmp_path, tiny_run, capsys):
    folder = str(tmp_path / "a run")
    arguments = ["search", tiny, "--run-dir", folder, "--quiet", "--set", "train.epochs=1"]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "report.html" in out
    values = json.loads((tmp_path / "a run" / "result.json").read_text())
    assert values["command"] == (
        f"jaxnas search {tiny} --run-dir '{folder}' --quiet --set train.epochs=1"
    )
    assert values["config"]["train"]["epochs"] == 1
    assert values["state_digest"] != tiny_run.values["state_digest"]


def test_resume_of_a_finished_run(copy, tiny_run, capsys):
    assert main(["search", "--resume", copy, "--quiet"]) == 0
    assert tiny_run.values["state_digest"] in capsys.readouterr().out.replace("\n", "")
    assert main(["search", "--resume", copy, "--seed", "3"]) == 1
    assert "seed is 0 there and 3 here" in capsys.readouterr().err


def test_ctrl_c_saves_and_says_how_to_go_on(tiny, tmp_path, tiny_run, monkeypatch, capsys):
    folder, step, calls = tmp_path / "run", Engine.step, []

    def interrupted(self, state, data):
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append(1)
        return step(self, state, data)

    monkeypatch.setattr(Engine, "step", interrupted)
    assert main(["search", tiny, "--run-dir", str(folder), "--quiet"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"jaxnas: interrupted; go on with: jaxnas search --resume {folder}\n"
    assert jaxnas.runtime.Checkpoints(folder / "checkpoints").steps() == [3]
    assert [line["step"] for line in jaxnas.runtime.read_metrics(folder)] == [0, 1, 2]
    monkeypatch.setattr(Engine, "step", step)
    assert main(["search", "--resume", str(folder), "--quiet"]) == 0
    values = json.loads((folder / "result.json").read_text())
    assert values["state_digest"] == tiny_run.values["state_digest"]


def test_show_a_run(copy, tiny_run, capsys):
    os.remove(os.path.join(copy, "report.html"))
    assert main(["show", copy]) == 0
    assert f"{tiny_run.test_accuracy:.4f}" in capsys.readouterr().out
    assert os.path.exists(os.path.join(copy, "report.html"))


def test_show_leaves_other_folders_alone(tmp_path, capsys):
    assert main(["show", str(tmp_path)]) == 1
    assert "holds no run" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("more", "shown"), [(["x"], "'x'"), (["--run", "r"], "--run"), (["--out", "a.png"], "--out")]
)
def test_show_a_run_refuses_what_it_would_ignore(tmp_path, more, shown, capsys):
    assert main(["show", str(tmp_path), *more]) == 2
    assert f"leave {shown} out for a run folder" in capsys.readouterr().err


def test_show_a_space(tmp_path, capsys):
    picture = tmp_path / "space.png"
    assert main(["show", "space", "enas_macro_cifar10", "--out", str(picture)]) == 0
    assert "1.606e+29 architectures" in capsys.readouterr().out
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_show_a_ready_space_and_a_space_of_ones_own(tmp_path, capsys):
    assert main(["show", "space", "nasbench201"]) == 0
    assert "15,625 architectures" in capsys.readouterr().out
    file, picture = tmp_path / "own.json", tmp_path / "own.svg"
    own = jaxnas.spaces.compose(
        "own", jaxnas.spaces.loop(jaxnas.spaces.Decision("layer", ("a", "b")), at_most=2)
    )
    file.write_text(json.dumps(own.to_json()))
    assert main(["show", "space", str(file), "--out", str(picture)]) == 0
    assert "space own: 6 architectures" in capsys.readouterr().out
    assert "<!-- again -->" in picture.read_text()
    file.write_text("{}")
    assert main(["show", "space", str(file)]) == 1
    assert "own.json holds no space" in capsys.readouterr().err


def test_show_a_space_with_the_probabilities_of_a_run(copy, tmp_path, capsys):
    picture = tmp_path / "space.svg"
    assert main(["show", "space", "--run", copy, "--out", str(picture)]) == 0
    assert "space chain: 5 architectures" in capsys.readouterr().out
    shares = re.findall(r"\w\u00a0(\d+)%", picture.read_text())
    assert len(shares) == 5
    assert sum(map(float, shares)) == pytest.approx(100, abs=3)
    assert main(["show", "space", "nasbench201", "--run", copy]) == 1
    assert "is not one over space 'nasbench201'" in capsys.readouterr().err
    os.remove(os.path.join(copy, "policy.npz"))
    assert main(["show", "space", "--run", copy]) == 1
    assert "holds no policy.npz" in capsys.readouterr().err


def test_show_an_architecture(copy, tmp_path, tiny_run, capsys):
    file, picture = tmp_path / "architecture.json", tmp_path / "architecture.svg"
    file.write_text(json.dumps(tiny_run.values["architecture"]))
    assert main(["show", str(file), "--out", str(picture)]) == 0
    decision, action = tiny_run.values["architecture"]["walk"][0]
    assert f"{decision}: {action}" in capsys.readouterr().out
    assert "<svg" in picture.read_text()


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"walk": 3}', '{"walk": [["a"]]}', '{"walk": [[1, 2]]}']
)
def test_show_no_architecture(tmp_path, content, capsys):
    file = tmp_path / "architecture.json"
    file.write_text(content)
    assert main(["show", str(file)]) == 1
    assert "holds no architecture" in capsys.readouterr().err


def test_export_and_evaluate(copy, tmp_path, tiny_run, capsys):
    out = tmp_path / "exported"
    assert main(["export", copy, "--out", str(out)]) == 0
    assert f"jaxnas.load_child('{out}').module()" in capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == {
        "architecture.json",
        "child.json",
        "weights.npz",
    }
    assert json.loads((out / "architecture.json").read_text()) == tiny_run.values["architecture"]
    expected = f"test_accuracy  {tiny_run.test_accuracy:.4f}\nimages         50\n"
    for folder in (copy, os.path.join(copy, "children", "best-0")):
        assert main(["evaluate", folder]) == 0
        assert capsys.readouterr().out == expected
    assert main(["evaluate", str(out)]) == 1
    assert "does not say its data: give --data" in capsys.readouterr().err
    assert main(["evaluate", str(out), "--data", "digits"]) == 0
    assert "images         400" in capsys.readouterr().out


@pytest.mark.extra
def test_the_report_names_commands_that_work(copy, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["show", copy]) == 0  # A copy: its page still names the first folder.
    page = html.unescape((pathlib.Path(copy) / "report.html").read_text())
    block = re.search(r"<pre>(jaxnas show.*?)</pre>", page, re.DOTALL).group(1)
    lines = [shlex.split(line, comments=True) for line in block.splitlines()]
    assert [words[:2] for words in lines] == [
        ["jaxnas", name] for name in ("show", "evaluate", "export")
    ]
    for _, *arguments in lines:
        assert main(arguments) == 0, arguments
    assert (tmp_path / "exported" / "architecture.json").is_file()


def test_export_of_stablehlo(copy, tmp_path):
    pytest.importorskip("flatbuffers")
    out = tmp_path / "exported"
    assert main(["export", copy, "--out", str(out), "--stablehlo"]) == 0
    assert (out / "child.stablehlo").stat().st_size > 1000


def test_export_of_stablehlo_without_the_extra(copy, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "flatbuffers", None)
    assert main(["export", copy, "--out", str(tmp_path / "out"), "--stablehlo"]) == 1
    assert "pip install 'jaxnas[export]'" in capsys.readouterr().err


def test_train_the_architecture_of_a_run(tiny, copy, tmp_path, capsys):
    out = tmp_path / "trained"
    out.mkdir()
    (out / "config.json").write_text("{}")  # what a training that was stopped leaves
    arguments = ["train", copy, tiny, "--out", str(out), "--quiet", "--set", "train.epochs=1"]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    values = json.loads((out / "result.json").read_text())
    assert f"test_accuracy        {values['test_accuracy']:.4f}" in printed
    assert main(["evaluate", str(out)]) == 0
    assert f"{values['test_accuracy']:.4f}" in capsys.readouterr().out
    assert main(arguments) == 1
    assert "already holds a child: give another folder" in capsys.readouterr().err
    # What was trained can be trained again, and belongs to its own space only.
    other = ["train", str(out), "enas_digits:smoke", "--out", str(tmp_path / "other")]
    assert main(other) == 1
    assert "belongs to space 'chain', not to 'enas_micro'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text"), [("config.json", '{"data_digest": "0"}'), ("result.json", "{}")]
)
def test_train_leaves_the_files_of_a_run_alone(tiny, copy, tmp_path, name, text, capsys):
    (tmp_path / name).write_text(text)
    assert main(["train", copy, tiny, "--out", str(tmp_path), "--quiet"]) == 1
    assert "already holds a run: give another folder" in capsys.readouterr().err
    assert (tmp_path / name).read_text() == text


def test_bench(tiny, tmp_path, capsys):
    file = tmp_path / "bench.json"
    assert main(["bench", tiny, "--repeats", "1", "--json", str(file)]) == 0
    figures = json.loads(file.read_text())
    assert figures["config"] == "tiny"
    assert figures["weight_step_seconds"] > 0
    assert figures["trained_children_per_second"] == pytest.approx(
        tiny_config().search.children / figures["weight_step_seconds"]
    )
    assert 0 < figures["unique_share_of_live_flops"] <= 1
    assert f"{figures['weight_step_seconds']:.4f}" in capsys.readouterr().out


def test_python_m_jaxnas_from_another_folder(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "jaxnas", "--version"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(TESTS.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"jaxnas {jaxnas.__version__}\n"
