"""Places of values: none overlaps another that is still to be read."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from jaxnas.supernets.executors.layout import bucket, lay_out


def test_a_chain_of_equal_values_needs_one_place():
    assert lay_out([4, 4, 4], [[], [0], [1]]) == ([0, 0, 0], 4)


def test_a_gap_is_joined_to_its_neighbours():
    # Values 0 and 1 free 2 + 3 elements, which hold value 3; value 4 goes to the end.
    assert lay_out([2, 3, 1, 5, 2], [[], [], [], [0, 1], []]) == ([0, 2, 5, 0, 6], 8)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 6)), min_size=1, max_size=30))
def test_values_that_live_at_once_do_not_overlap(values):
    sizes = [size for size, _ in values]
    last = [min(i + life, len(values)) for i, (_, life) in enumerate(values)]
    frees = [[v for v in range(i) if last[v] == i] for i in range(len(values))]
    offsets, total = lay_out(sizes, frees)
    for i in range(len(values)):
        used = np.zeros(total, int)
        for v in range(i + 1):
            if v == i or last[v] > i:
                used[offsets[v] : offsets[v] + sizes[v]] += 1
        assert used.max() == 1


def test_buckets_waste_at_most_a_third_and_a_half():
    sizes = [bucket(n, 1) for n in range(1, 200)]
    assert sorted(set(sizes)) == [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256]
    assert all(n <= size < 1.5 * n + 1 for n, size in enumerate(sizes, 1))
    assert bucket(3, 100) == 128
