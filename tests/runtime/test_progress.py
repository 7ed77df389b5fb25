import io

import numpy as np
import pytest
from rich.console import Console

from jaxnas.runtime import Progress
from jaxnas.runtime.clock import Rate, duration
from jaxnas.runtime.progress import format_value


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def plain():
    return Console(file=io.StringIO(), force_terminal=False, width=200)


def terminal():
    return Console(file=io.StringIO(), force_terminal=True, width=100, _environ={"TERM": "xterm"})


def run(progress, clock, steps=20, seconds=1.0):
    progress.phase("search", total=steps)
    for step in range(steps):
        clock.now += seconds
        progress.advance({"reward": step / 3})


def test_a_file_gets_a_line_every_few_seconds(clock):
    console = plain()
    with Progress(40, console=console, interval=5.0, clock=clock, quiet=False) as progress:
        run(progress, clock)
        progress.log("best child [a, b]")
    assert console.file.getvalue().splitlines() == [
        "search: 20 steps",
        "search 5/20  1.0 steps/s  35 s left  reward 1.333",
        "search 10/20  1.0 steps/s  30 s left  reward 3",
        "search 15/20  1.0 steps/s  25 s left  reward 4.667",
        "search 20/20  1.0 steps/s  20 s left  reward 6.333",
        "best child [a, b]",
    ]


@pytest.mark.parametrize("make", [plain, terminal])
def test_quiet_prints_nothing(clock, make):
    console = make()
    with Progress(20, quiet=True, console=console, clock=clock) as progress:
        run(progress, clock)
        progress.log("text")
    assert console.file.getvalue() == ""


def test_the_environment_may_ask_for_quiet(monkeypatch):
    monkeypatch.setenv("JAXNAS_QUIET", "1")
    assert Progress(1).quiet
    assert not Progress(1, quiet=False).quiet
    monkeypatch.setenv("JAXNAS_QUIET", "0")
    assert not Progress(1).quiet


def test_a_terminal_gets_a_bar_per_phase(clock):
    console = terminal()
    with Progress(40, console=console, clock=clock, quiet=False) as progress:
        run(progress, clock)
        progress.log("a line of its own")
        progress.phase("retrain", total=20)
        clock.now += 1
        progress.advance({"loss": 0.12345}, steps=7)
    shown = console.file.getvalue()
    for part in (
        "search",
        "20/20",
        "1.0 steps/s",
        "a line of its own",
        "retrain",
        "7/20",
        "0.1235",
    ):
        assert part in shown
    assert shown.endswith("\x1b[?25h")  # The cursor is back.


def interrupted(console, clock):
    with Progress(40, console=console, clock=clock, quiet=False) as progress:
        run(progress, clock)
        raise KeyboardInterrupt


def test_an_error_leaves_the_terminal_clean(clock):
    console = terminal()
    with pytest.raises(KeyboardInterrupt):
        interrupted(console, clock)
    assert console.file.getvalue().endswith("\x1b[?25h")


def test_markup_in_texts_is_left_alone(clock):
    console = plain()
    with Progress(1, console=console, clock=clock, quiet=False) as progress:
        progress.log("[bold]x[/bold]")
    assert console.file.getvalue() == "[bold]x[/bold]\n"


def test_the_first_report_does_not_count_for_the_rate(clock):
    rate = Rate(100, clock)
    assert (rate.per_second, rate.seconds_left, rate.text) == (None, None, "")
    clock.now = 30.0  # Compiling, or steps of a run that is resumed.
    rate.advance(40)
    assert rate.per_second is None
    clock.now = 32.0
    rate.advance(10)
    assert (rate.per_second, rate.seconds_left, rate.text) == (5.0, 10.0, "5.0 steps/s")


def test_the_rate_is_that_of_the_last_minute(clock):
    rate = Rate(1000, clock)
    for _ in range(100):
        clock.now += 1.0
        rate.advance(1)
    for _ in range(70):
        clock.now += 2.0
        rate.advance(1)
    assert rate.per_second == pytest.approx(0.5)
    assert rate.text == "30.0 steps/min"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123456, "0.1235"),
        (np.float32(2), "2"),
        (12345, "12345"),
        (True, "True"),
        ("text", "text"),
        (float("nan"), "nan"),
        (np.arange(2), "[0 1]"),
    ],
)
def test_metric_formats(value, text):
    assert format_value(value) == text
