"""The parts of the benchmarks of recurrent cells that need no trained table."""

import numpy as np
import pytest

from jaxnas.children.recurrent import GatedCell, TreeCell
from jaxnas.spaces import recurrent


def test_cells_of_the_table_are_cells_of_base_2():
    from nasrl_cases import cell_recipe as recipe

    space = recipe.space()
    assert space.count() == 1536
    architectures = space.all_architectures()[[0, 700, 1535]]
    for architecture, cell in zip(architectures, recipe.to_cells(architectures), strict=True):
        walk = dict(recurrent(2).encode(cell)["walk"])
        fixed = {name: walk.pop(name) for name in recipe.FIXED}
        assert walk == dict(space.encode(architecture)["walk"])
        assert list(fixed.values()) == ["add", "tanh", "0"]


def test_a_table_goes_on_where_it_was_interrupted(tmp_path, monkeypatch):
    import make_nasrl_cell_table as table
    from nasrl_cases import cell_recipe as recipe

    trained = []

    def train(population, data, architectures, settings, seeds):
        trained.append(list(seeds))
        if len(trained) == 2:
            raise KeyboardInterrupt
        return type("State", (), {"value": -np.asarray(seeds, float)})

    monkeypatch.setattr(table, "CHUNK", 2)
    monkeypatch.setattr(recipe, "train", train)
    monkeypatch.setattr(recipe, "make_population", lambda text, settings: (None, None))
    arguments = (None, recipe.Recipe(), np.array([1, 5, 9]))
    with pytest.raises(KeyboardInterrupt):
        table.make_table(*arguments, table.Chunks(tmp_path, {"cells": 3}))
    values, seconds = table.make_table(*arguments, table.Chunks(tmp_path, {"cells": 3}))
    # The last chunk is filled up with the first cell again, and cut.
    assert trained == [[1, 5], [9, 1], [9, 1]]
    assert values.tolist() == [1, 5, 9]
    assert seconds >= 0
    with pytest.raises(SystemExit, match="holds results of other settings: give a new folder"):
        table.Chunks(tmp_path, {"cells": 4})


def test_cells_get_the_hidden_units_of_equal_parameters():
    from nasrl_cases.known_cells import equal_hidden, parameters

    # V H (embedding) + V H (softmax) + V + K (2 H^2 + H).
    assert parameters(TreeCell(8), 4, 5) == 20 + 20 + 5 + 8 * (32 + 4) == 333
    # Of an LSTM, 10 H + 5 + 4 (2 H^2 + H): 275 at 5 units, 377 at 6.
    assert equal_hidden(GatedCell("lstm"), 333, 5) == 6
    assert equal_hidden(GatedCell("lstm"), 320, 5) == 5
