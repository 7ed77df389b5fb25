"""The examples run, at small sizes, and stay short."""

import importlib.util
import pathlib

import numpy as np
import pytest

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"


def load(name):
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_examples_have_less_than_forty_lines_of_code(path):
    lines = [line for line in path.read_text().splitlines() if line.strip()]
    assert len(lines) < 40


@pytest.mark.slow
def test_supernet_optax():
    accuracy = load("supernet_optax").main(steps=3, children=2, layers=1)
    assert accuracy.shape == (16,)
    assert np.isfinite(accuracy).all()


def test_own_operations():
    module = load("own_operations")
    architecture, accuracy = module.main(steps=3, layers=2)
    assert [label in module.FUNCTIONS for _, label in architecture["walk"]] == [True, True]
    assert 0 <= accuracy <= 1


def test_ask_tell():
    module = load("ask_tell")
    architecture, reward = module.main(rounds=3)
    assert reward == module.reward(module.SPACE.decode(architecture))


@pytest.mark.slow
def test_graph_space():
    module = load("graph_space")
    architecture, accuracy = module.main(rounds=2, epochs=1)
    best = module.SPACE.decode(architecture)
    assert accuracy == pytest.approx(module.reward(best, epochs=1))
