"""Children that train side by side write the lines that they write one after the other."""

import threading

import pytest

from jaxnas.runtime import read_metrics
from jaxnas.runtime.child_reports import ChildReports, StoppedError
from jaxnas.runtime.metrics import MetricsWriter
from jaxnas.runtime.progress import Progress
from jaxnas.runtime.timing import Timing

EPOCHS = 3


@pytest.fixture
def reports(tmp_path):
    with MetricsWriter(tmp_path) as metrics, Progress(9, quiet=True) as progress:
        yield ChildReports(metrics, progress, Timing(tmp_path), 3)


def epoch(reports, child, number):
    reports.epoch(child, child * EPOCHS + number, {"child": child}, {"loss": 0.5})


def written(folder):
    return [(line["child"], line["step"]) for line in read_metrics(folder)]


def test_the_first_child_writes_at_once_and_others_wait(reports, tmp_path):
    epoch(reports, 1, 0)
    assert written(tmp_path) == []
    epoch(reports, 0, 0)
    assert written(tmp_path) == [(0, 0)]
    reports.done(0)
    assert written(tmp_path) == [(0, 0), (1, 3)]
    epoch(reports, 1, 1)
    assert written(tmp_path)[-1] == (1, 4)


def test_a_child_that_is_done_early_waits_too(reports, tmp_path):
    for child in (2, 1):
        for number in range(EPOCHS):
            epoch(reports, child, number)
        reports.done(child)
    assert written(tmp_path) == []
    epoch(reports, 0, 0)
    reports.done(0)
    assert written(tmp_path) == [(0, 0), *((c, c * EPOCHS + n) for c in (1, 2) for n in range(3))]
    assert all(line["seconds"] >= 0 for line in read_metrics(tmp_path))


def test_lines_of_a_child_that_was_done_before_are_written_again(reports, tmp_path):
    epoch(reports, 2, 0)
    kept = reports.lines(2)
    reports.done(2)
    reports.again(0, [(0, {"child": 0})])
    reports.again(1, [(3, {"child": 1})])
    assert written(tmp_path) == [(0, 0), (1, 3), (2, 6)]
    assert [step for step, _ in kept] == [6]


def test_the_others_stop_when_one_fails(reports):
    reports.stop()
    with pytest.raises(StoppedError):
        epoch(reports, 0, 0)


def test_threads_write_whole_lines_in_order(reports, tmp_path):
    def work(child):
        for number in range(EPOCHS):
            epoch(reports, child, number)
        reports.done(child)

    threads = [threading.Thread(target=work, args=(child,)) for child in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert written(tmp_path) == [(c, c * EPOCHS + n) for c in range(3) for n in range(EPOCHS)]
