"""The scripts' figures have every key, in a form small enough for tests."""

import json

import pytest

pytest.importorskip("torch")
pytestmark = [pytest.mark.extra, pytest.mark.usefixtures("quick_compilation")]


def run(*names):
    """The rows of cases, as a worker process computes them."""
    from throughput_cases.__main__ import _run_case
    from throughput_cases.cases import CASES
    from throughput_cases.contest import Options

    options = Options(threads=1, quick=True, seed=0, peak=1e10)
    return [_run_case(case, options) for case in CASES if case.name in names]


def test_every_figure_has_a_case_and_is_in_the_summary():
    import throughput
    from throughput_cases.cases import SUMMARY, select

    quick = [case.name for case in select(None, quick=True)]
    assert sorted(quick) == sorted(SUMMARY)
    ratio = {"value": 2.0, "low": 1.5, "high": 2.5}
    rows = [{"case": n, "threads": t, "ratio_tuned": ratio} for n in quick for t in (1, 2)]
    summary = throughput.make_summary(rows)
    assert set(summary) == {*SUMMARY, *(f"{name}_1_core" for name in SUMMARY)}
    assert summary["update_20"] == ratio


def test_rows_of_children_have_every_column():
    forward, gradient = run("chain_forward_uniform_8", "chain_grad_uniform_8")
    for row in (forward, gradient):
        for peer in ("tuned", "untuned", "same_plan"):
            assert row[f"ratio_{peer}"]["low"] <= row[f"ratio_{peer}"]["value"]
        assert row["children_per_second"] == 8 / row["seconds"]
        assert row["gflop_raw"] >= row["gflop_live"] >= row["gflop_unique"] > 0
        assert row["useful_share_of_peak"] >= row["computed_share_of_peak"] > 0
        assert row["largest_difference"] < 1e-3
        assert row["process_peak_mb"] > 0
        json.dumps(row)
    assert gradient["gflop_live"] == pytest.approx(3 * forward["gflop_live"])


def test_rows_of_images_with_their_own_architectures():
    rows = run("instance_forward_64", "instance_forward_64_batch_statistics")
    assert ["ratio_per_image" in row for row in rows] == [True, False]


def test_contenders_that_differ_end_the_benchmark():
    import numpy as np
    from throughput_cases.contest import Contender, Options, ResultsDifferError, compete

    contenders = {
        "jaxnas": Contender(lambda: np.ones(3)),
        "tuned": Contender(lambda: np.array([1.0, 1.0, 1.01])),
    }
    with pytest.raises(ResultsDifferError, match=r"it: tuned differs from jaxnas by 0\.0058"):
        compete("it", [contenders], 0, Options(1, True, 0, 1e10))


def test_memory_of_one_evaluation():
    from throughput_cases import memory_case

    row = memory_case.run({"side": "jaxnas", "mode": "forward", "children": 2}, True, 0)
    assert row["process_peak_mb"] >= row["process_start_mb"] > 0
    assert row["values_alive_mb"] > 0


def test_a_setting_of_the_accelerator():
    import accelerator
    from accelerator_work import Setting

    setting = Setting("chain", "forward", "peaked", 4, 8, "float32")
    peaks = {"float32": (1e10, 1e10)}
    rows = accelerator.measure(setting, True, peaks)
    assert {"host", "torch", "torch_same_plan"} <= {row["contender"] for row in rows}
    assert all(row["share_of_roofline"] > 0 for row in rows)
    summary = accelerator.make_summary(rows, left_out=0)
    assert summary["device_is_accelerator"] is False
    assert "fastest_chain_forward_peaked_4_8_float32" in summary
