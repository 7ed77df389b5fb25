"""Streams and segments of a text, by hand."""

import jax
import numpy as np
import pytest

from jaxnas.data import DataError, make_streams, text_batches
from jaxnas.data.text import text_from_tokens
from jaxnas.evaluators.child_model import Batches

LETTERS = "abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def text():
    """Token `i` is letter `i`: 26 for training, 9 for validation."""
    splits = {"train": LETTERS, "validation": LETTERS[:9], "test": LETTERS[:9]}
    return text_from_tokens(
        {k: list(v) for k, v in splits.items()}, name="letters", level="character"
    )


def test_streams_are_contiguous():
    np.testing.assert_array_equal(make_streams(np.arange(7), 2, 2), [[0, 1, 2], [3, 4, 5]])


def test_segments_follow_each_other_with_the_token_after(text):
    batches, data = text_batches(text, batch_size=2, steps=4, score_batch_size=1)
    assert batches.score_steps == 2
    assert isinstance(batches, Batches)
    assert batches.epoch_steps == 3
    order = batches.start_epoch(data, jax.random.key(0), 0)
    assert order == 0  # 13 letters a row: 3 segments of 4 and one token after leave no room.
    first, second = (batches.training_batch(data, order, None, step) for step in (0, 1))
    assert ["".join(LETTERS[i] for i in row) for row in first] == ["abcde", "nopqr"]
    assert ["".join(LETTERS[i] for i in row) for row in second] == ["efghi", "rstuv"]


def test_epochs_start_anywhere_that_leaves_room(text):
    batches, data = text_batches(text, batch_size=1, steps=4, epoch_steps=2)
    starts = {int(batches.start_epoch(data, jax.random.key(0), epoch)) for epoch in range(200)}
    # 26 letters, 2 segments of 4 and the token after: the last start is 26 - 9.
    assert starts == set(range(18))
    last = batches.training_batch(data, 17, None, 1)
    assert "".join(LETTERS[i] for i in last[0]) == "vwxyz"


def test_validation_is_read_from_its_start(text):
    batches, data = text_batches(text, batch_size=1, steps=2, score_steps=2)
    segments = [batches.score_batch(data, step)[0].tolist() for step in range(2)]
    assert segments == [[0, 1, 2], [2, 3, 4]]


def test_texts_that_are_too_short_say_so(text):
    with pytest.raises(DataError, match="9 tokens in 3 rows are 3 each, too few for segments of 3"):
        text_batches(text, batch_size=3, steps=3)
    with pytest.raises(DataError, match="epoch_steps is 9, but the text has 6 segments"):
        text_batches(text, batch_size=1, steps=4, epoch_steps=9)
    with pytest.raises(DataError, match="batch_size is 0 and steps is 3"):
        make_streams(np.arange(9), 0, 3)
