"""Texts become arrays that tasks of several sizes can share."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.data import DataError, EmbeddingTable, LabelledTexts, learn_vocabulary
from jaxnas.evaluators import Batches, LabelledTextBatches, text_data
from jaxnas.spaces.text import TextOptions

TEXTS = LabelledTexts(
    "films",
    ("bad", "good"),
    {"train": ("A fine film!", "a bad film"), "validation": ("Fine!",), "test": ("film", "?")},
    {
        "train": np.array([1, 0], np.int32),
        "validation": np.array([1], np.int32),
        "test": np.array([1, 0], np.int32),
    },
)
OPTIONS = TextOptions(embeddings=("scratch-3", "words-2"))
VOCABULARY = learn_vocabulary([["a", "fine", "film", "!", "Fine"]], 20)
WORDS = EmbeddingTable("words", {"fine": 0, "film": 1}, np.array([[1, 2], [3, 4]], np.float32))


def make(**options):
    return text_data(TEXTS, OPTIONS, VOCABULARY, length=3, tables=(WORDS,), **options)


def test_every_preprocessing_has_its_tokens():
    data = make(num_classes=3, score_size=4)
    number = VOCABULARY.number
    # Case kept and marks kept; marks left out; small letters; both. Unseen tokens are 1.
    expected = [
        [1, number("fine"), number("film")],
        [1, number("fine"), number("film")],
        [number("a"), number("fine"), number("film")],
        [number("a"), number("fine"), number("film")],
    ]
    np.testing.assert_array_equal(data.train_tokens[:, 0], expected)
    np.testing.assert_array_equal(
        data.score_tokens[:, 0, 0], [number(w) for w in ("Fine", "Fine", "fine", "fine")]
    )
    assert data.score_tokens[0, 0].tolist() == [number("Fine"), number("!"), 0]
    assert data.score_tokens[1, 0].tolist() == [number("Fine"), 0, 0]
    assert data.score_weights.tolist() == [1, 0, 0, 0]
    assert data.class_mask.tolist() == [True, True, False]
    assert data.tables.shape == (1, VOCABULARY.size, 3)
    assert data.tables[0, number("fine")].tolist() == [1, 2, 0]
    assert data.tables[0, number("film")].tolist() == [3, 4, 0]
    # A text of which nothing is left is one unknown token.
    test = make(score="test")
    assert test.score_tokens[1, 1].tolist() == [1, 0, 0]


def test_batches_cut_the_splits():
    data = make(score_size=4)
    batches = LabelledTextBatches(2, 4, batch_size=1, score_batch_size=2)
    assert isinstance(batches, Batches)
    order = batches.start_epoch(data, jax.random.key(0), jnp.int32(0))
    both = [batches.training_batch(data, order, jax.random.key(1), jnp.int32(i)) for i in (0, 1)]
    assert sorted(int(batch.labels[0]) for batch in both) == [0, 1]
    row = int(order[0])
    np.testing.assert_array_equal(both[0].tokens[:, 0], data.train_tokens[:, row])
    last = batches.score_batch(data, jnp.int32(1))
    assert last.weights.tolist() == [0, 0]
    np.testing.assert_array_equal(last.tokens, data.score_tokens[:, 2:])
    with pytest.raises(ValueError, match="'score_size' is 3: give a multiple"):
        LabelledTextBatches(2, 3, batch_size=1, score_batch_size=2)
    with pytest.raises(ValueError, match="batch_size is 0 for 4 images"):
        LabelledTextBatches(2, 4, batch_size=1, score_batch_size=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_classes": 1}, "num_classes is 1, but task 'films' has 2"),
        ({"train_size": 3}, "train_size is 3, but task 'films' has 2"),
        ({"score": "test", "score_size": 1}, "score_size is 1, but task 'films' has 2"),
    ],
)
def test_sizes_that_a_task_has_not_are_named(options, message):
    with pytest.raises(DataError, match=message):
        make(**options)


def test_a_missing_table_is_named():
    with pytest.raises(DataError, match=r"has the embedding 'words-2', but the tables are \[\]"):
        text_data(TEXTS, OPTIONS, VOCABULARY, length=3)
