"""A whole instance-aware search: its folder, its resumption, its export."""

import json
import shutil

import numpy as np
import pytest
from tiny_instance import tiny_instance_config

import jaxnas
from jaxnas.cli import main
from jaxnas.runtime import (
    Checkpoints,
    RunError,
    end_to_end,
    instance_outcome,
    latency,
    search_phase,
)
from jaxnas.runtime.errors import ConfigError
from jaxnas.runtime.instance_outcome import choose_point

pytestmark = pytest.mark.usefixtures("quick_compilation")

SAME = ("state_digest", "test_accuracy", "arms", "points", "unique_architectures", "baselines")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, quick_compilation):
    folder = tmp_path_factory.mktemp("instance") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(end_to_end, "BATCHES", (1, 4))
        patch.setattr(end_to_end, "IMAGES", 8)
        return jaxnas.search(tiny_instance_config(), run_dir=folder, quiet=True)


@pytest.fixture(scope="module")
def images():
    return jaxnas.data.load("digits").test_images[:4]


def test_the_result_says_all(finished):
    values = finished.values
    assert {arm["name"] for arm in values["arms"]} == {
        "InstaNAS", "permuted", "independent bits", "static", "mobilenet_v2 1x",
    }  # fmt: skip
    arms = {arm["name"]: arm for arm in values["arms"]}
    assert arms["permuted"]["latency"] == pytest.approx(arms["InstaNAS"]["latency"])
    assert arms["static"]["latency"] <= 1.2 * arms["InstaNAS"]["latency"]
    reduction = 1 - values["latency"] / arms["mobilenet_v2 1x"]["latency"]
    assert values["latency_reduction"] == pytest.approx(reduction)
    assert values["latency_unit"] == "FLOPs"
    assert values["unique_architectures"] >= 1
    assert [point["chosen"] for point in values["points"]].count(True) == 1
    for batch in ("1", "4"):
        assert values["measured_latency"][batch]["seconds"] > 0
    assert finished.architecture is None


def test_the_report_has_its_pictures(finished):
    page = (finished.run_dir / "report.html").read_text()
    for name in ("tradeoff", "latencies", "map", "images", "curves"):
        assert (finished.run_dir / f"{name}.png").is_file(), name
    assert "Not in this report" not in page
    assert "Pareto points" in page
    assert "less latency than MobileNetV2 1.0x" in repr(finished)


def test_a_search_that_was_killed_ends_the_same(finished, tmp_path, monkeypatch):
    """As by SIGKILL: the last checkpoint is some steps old, and lines after it are written."""
    folder = tmp_path / "killed"
    monkeypatch.setattr(search_phase, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(instance_outcome, "measure_end_to_end", lambda *_: {})
    save = search_phase._save
    for last in (3, 7, 12):

        def until(checkpoints, timing, state, last=last):
            if int(state.step) > last:
                raise SystemError("killed")
            save(checkpoints, timing, state)

        monkeypatch.setattr(search_phase, "_save", until)
        started = (folder / "config.json").exists()
        place = {"resume": folder} if started else {"run_dir": folder}
        with pytest.raises(SystemError, match="killed"):
            jaxnas.search(tiny_instance_config(), quiet=True, **place)
        assert Checkpoints(folder / "checkpoints").steps()[-1] == last
    monkeypatch.setattr(search_phase, "_save", save)
    again = jaxnas.search(resume=folder, quiet=True)
    for name in SAME:
        assert again.values[name] == finished.values[name], name
    lines, expected = again.history, finished.history
    for line in (*lines, *expected):
        del line["seconds"]
    assert lines == expected


def test_the_network_with_its_policy_is_one_callable(finished, images, tmp_path, capsys):
    logits, architectures, latencies = finished.module(images)
    assert logits.shape == (4, 10)
    network = finished.module.network
    assert architectures.shape == (4, len(network.space.decisions))
    assert main(["export", str(finished.run_dir), "--out", str(tmp_path / "out")]) == 0
    assert "load_child" in capsys.readouterr().out
    module = jaxnas.load_child(tmp_path / "out").module()
    for ours, theirs in zip(module(images), (logits, architectures, latencies), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.extra
def test_stablehlo(finished, images):
    pytest.importorskip("flatbuffers")
    from jax import export

    from jaxnas.instance.export import stablehlo

    data = stablehlo(finished.module, (8, 8, 1), batch=2)
    pixels = np.asarray(images[:2], np.float32) / 255
    ours = export.deserialize(bytearray(data)).call(pixels)
    for a, b in zip(ours, finished.module(pixels), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)


def test_evaluate_and_show(finished, capsys):
    assert main(["evaluate", str(finished.run_dir)]) == 0
    printed = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert float(printed["test_accuracy"]) == pytest.approx(finished.test_accuracy, abs=1e-3)
    assert int(printed["unique_architectures"]) == finished.values["unique_architectures"]
    assert main(["show", str(finished.run_dir)]) == 0
    assert "tiny_instance: finished" in capsys.readouterr().out
    assert main(["show", "space", "--run", str(finished.run_dir)]) == 0


def test_what_needs_one_architecture_says_so(finished, tmp_path, capsys):
    assert main(["bench", "instanas_digits:smoke"]) == 2
    assert "gives every image its own architecture" in capsys.readouterr().err
    assert main(["train", str(finished.run_dir), "enas_digits", "--out", str(tmp_path / "a")]) == 1
    assert "holds no architecture" in capsys.readouterr().err


def test_a_damaged_network_is_named(finished, tmp_path):
    folder = shutil.copytree(finished.run_dir / "instance", tmp_path / "instance")
    (folder / "weights.npz").write_bytes(b"nothing")
    with pytest.raises(RunError, match="holds no readable network"):
        jaxnas.load_child(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            ["latency.lower=1", "latency.end=0.5"],
            "latency window is empty at the end of the search",
        ),
        (["latency.end=0.01"], "no architecture can meet the latency window from 0 to"),
        (["latency.lower=40", "latency.start=90", "latency.end=50"], "no architecture can meet"),
        (["latency.baseline=basic_block"], "has no module 'basic_block'"),
        (["network.modules=basic"], "has no module 'basic'"),
        (["widths=0.5"], "1.0 must be among them"),
        (["latency.table=nowhere.json"], "latency table nowhere.json"),
    ],
)
def test_bad_input_is_named_before_any_work(changes, message, tmp_path):
    with pytest.raises((ValueError, ConfigError), match=message):
        jaxnas.search(
            tiny_instance_config(), overrides=changes, run_dir=tmp_path / "run", quiet=True
        )


def test_tables_of_another_network_and_a_controller_that_costs_too_much(finished, tmp_path):
    table = json.loads((finished.run_dir / "latency.json").read_text())
    for name, change in (("other", {"network": "chain"}), ("dear", {"controller": 1e12})):
        (tmp_path / f"{name}.json").write_text(json.dumps(table | change))
    network = finished.module.network
    with pytest.raises(ConfigError, match="of network 'chain', not of this 'mobilenet'"):
        latency.load_latency(tmp_path / "other.json", network)
    dear = latency.load_latency(tmp_path / "dear.json", network)
    with pytest.warns(UserWarning, match="the controller costs .* more than the baseline"):
        jaxnas.objectives.published_window(dear, network)


def test_the_fastest_point_as_accurate_as_the_baseline_is_chosen():
    pairs = [(0.9, 3.0), (0.85, 1.0), (0.85, 2.0), (0.7, 0.5)]
    names = ("validation_accuracy", "validation_latency")
    points = [dict(zip(names, pair, strict=True)) for pair in pairs]
    assert [choose_point(points, target) for target in (0.95, 0.9, 0.85, 0.1)] == [0, 0, 1, 3]
