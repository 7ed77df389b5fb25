"""The scripts of `benchmarks/` import each other by name, as when they are run."""

import pathlib
import sys

import pytest

BENCHMARKS = str(pathlib.Path(__file__).parents[2] / "benchmarks")


@pytest.fixture(scope="session", autouse=True)
def _benchmarks_on_the_path():
    sys.path.insert(0, BENCHMARKS)
    yield
    sys.path.remove(BENCHMARKS)
