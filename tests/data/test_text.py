"""Texts as tokens: vocabularies, splits, errors, and the sizes of Penn Treebank."""

import gzip
import os
import pathlib

import numpy as np
import pytest

from jaxnas.data import DataError, load, load_text

ROOT = pathlib.Path(__file__).parents[2]
SHARED = pathlib.Path(os.environ.get("JAXNAS_SHARED", ROOT.parent / "shared"))
PTB = SHARED / "data" / "ptb"


def write_ptb(folder, train=" the cat the dog \n the cat \n", valid="the owl\n", test="a dog\n"):
    (folder / "ptb.train.txt").write_text(train)
    (folder / "ptb.valid.txt").write_text(valid)
    (folder / "ptb.test.txt.gz").write_bytes(gzip.compress(test.encode()))
    return f"ptb:{folder}"


def words(text, split):
    return [text.vocabulary[i] for i in getattr(text, split)]


def test_words_are_numbered_by_frequency_and_lines_end(tmp_path):
    text = load_text(write_ptb(tmp_path))
    # Three "the"; two each of <eos> and cat; one dog; owl and a only after training.
    assert text.vocabulary == ("the", "<eos>", "cat", "dog", "<unk>")
    assert words(text, "train") == ["the", "cat", "the", "dog", "<eos>", "the", "cat", "<eos>"]
    assert words(text, "validation") == ["the", "<unk>", "<eos>"]
    assert words(text, "test") == ["<unk>", "dog", "<eos>"]
    assert text.train.dtype == np.int32
    assert text.sizes == {"train": 8, "validation": 3, "test": 3}


def test_a_capped_vocabulary_keeps_the_most_frequent(tmp_path):
    text = load_text(write_ptb(tmp_path), vocabulary=3)
    assert text.vocabulary == ("the", "<eos>", "<unk>")
    assert words(text, "train")[:4] == ["the", "<unk>", "the", "<unk>"]


def test_an_unknown_word_that_is_in_the_text_serves_as_such(tmp_path):
    text = load_text(write_ptb(tmp_path, train="<unk> <unk> b c\n"), vocabulary=2)
    assert text.vocabulary == ("<unk>", "<eos>")
    assert words(text, "train") == ["<unk>"] * 4 + ["<eos>"]


def test_characters_of_a_file(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text("ab\n" * 20)
    text = load_text(f"text:{path}", level="character")
    assert text.vocabulary == ("\n", "a", "b")
    assert text.sizes == {"train": 54, "validation": 3, "test": 3}
    splits = ("train", "validation", "test")
    assert "".join("".join(words(text, split)) for split in splits) == path.read_text()


def test_a_text_is_embedded():
    text = load_text("python_docs", level="character")
    assert sum(text.sizes.values()) > 300_000
    assert abs(text.sizes["validation"] - text.sizes["test"]) <= 1
    assert text.sizes["test"] > 15_000
    assert 80 < len(text.vocabulary) < 200


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("ptb:{0}/none", {}, r"ptb.train.txt is not there, nor ptb.train.txt.gz beside it"),
        ("text:{0}/empty", {}, "empty is empty: give a text with at least some words"),
        ("text:{0}/binary", {}, "binary cannot be read as UTF-8 text"),
        ("text:{0}/torn.gz", {}, "torn.gz cannot be read as UTF-8 text"),
        ("text:{0}/short", {}, "short has 2 tokens: too few for three splits"),
        ("text:{0}/same", {"level": "character"}, "a text needs at least 2 kinds"),
        ("text:{0}/short", {"level": "syllable"}, "level is 'syllable': give 'word' or 'char"),
        ("ptb:{0}", {"vocabulary": 1}, "vocabulary is 1: give 2 or more kinds of tokens"),
        ("book.txt", {}, "'book.txt' is unknown: use python_docs, ptb:FOLDER or text:FILE"),
    ],
)
def test_bad_input_says_what_to_do(tmp_path, source, options, message):
    write_ptb(tmp_path)
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "torn.gz").write_bytes(gzip.compress(b"some text")[:-6])
    (tmp_path / "short").write_text("one")
    (tmp_path / "same").write_text("a" * 40)
    with pytest.raises(DataError, match=message):
        load_text(source.format(tmp_path), **options)


def test_images_are_not_looked_for_in_a_text():
    with pytest.raises(DataError, match="'ptb:x' is text, which only recurrent cells read"):
        load("ptb:x")


@pytest.mark.shared
@pytest.mark.skipif(not PTB.exists(), reason="the shared data is not there")
def test_penn_treebank_has_its_published_size():
    text = load_text(f"ptb:{PTB}")
    assert text.sizes == {"train": 929589, "validation": 73760, "test": 82430}
    assert len(text.vocabulary) == 10000
    assert text.vocabulary[:3] == ("the", "<unk>", "<eos>")
    characters = load_text(f"ptb:{PTB}", level="character")
    assert (len(characters.train), len(characters.vocabulary)) == (5101618, 50)
