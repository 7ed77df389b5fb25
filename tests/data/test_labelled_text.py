import gzip
import json

import numpy as np
import pytest

from jaxnas.data import DataError
from jaxnas.data.embedding_table import load_embeddings
from jaxnas.data.labelled_text import load_task, load_texts
from jaxnas.data.vocabulary import HashVocabulary, learn_vocabulary, number_tokens, tokenize

SET = {
    "classes": ["bad", "good"],
    "train": [["A fine film.", 1], ["awful, truly", 0], ["fine fine", 1]],
    "dev": [["a film", 0]],
    "test": [["the end", 1], ["nothing fine", 0]],
}


def write(folder, content, name="films.json.gz"):
    raw = json.dumps(content).encode()
    (folder / name).write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
    return folder / name


@pytest.mark.parametrize("name", ["films.json.gz", "films.json"])
def test_reads_json_sets(tmp_path, name):
    texts = load_texts(write(tmp_path, SET, name))
    assert texts.name == "films"
    assert texts.class_names == ("bad", "good")
    assert texts.texts["validation"] == ("a film",)
    assert texts.labels["train"].tolist() == [1, 0, 1]
    assert texts.sizes == {"train": 3, "validation": 1, "test": 2}
    assert texts.take(train=2).sizes["train"] == 2
    with pytest.raises(DataError, match="'train' is limited to 0"):
        texts.take(train=0)


def test_a_task_is_found_by_its_name(tmp_path):
    write(tmp_path, SET)
    assert load_task(tmp_path, "films").num_classes == 2
    with pytest.raises(DataError, match=r"task 'flims' is unknown: .* holds films"):
        load_task(tmp_path, "flims")


def test_reads_tables_and_parts_them(tmp_path):
    lines = ["label,text"] + [f'{"yes" if i % 2 else "no"},"text, {i}"' for i in range(20)]
    (tmp_path / "all.csv").write_text("\n".join(lines))
    texts = load_texts(tmp_path / "all.csv", validation=3, test=0.2, seed=1)
    assert texts.sizes == {"train": 13, "validation": 3, "test": 4}
    assert texts.class_names == ("no", "yes")
    together = sum(texts.texts.values(), ())
    assert sorted(together) == sorted(f"text, {i}" for i in range(20))
    for split, rows in texts.texts.items():
        expected = [int(row.split()[-1]) % 2 for row in rows]
        assert texts.labels[split].tolist() == expected


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path):
    rows = "".join(f"a text,{'yes' if i % 2 else 'no'}\n" for i in range(10))
    (tmp_path / "marked.csv").write_text(f"text,label\n{rows}", encoding="utf-8-sig")
    assert load_texts(tmp_path / "marked.csv").class_names == ("no", "yes")


def test_a_folder_keeps_its_own_splits(tmp_path):
    for name, rows in {"train": "a\tx\nb\ty\nc\ty", "dev": "d\ty", "test": 'an "e\tx'}.items():
        (tmp_path / f"{name}.tsv").write_text(f"text\tlabel\n{rows}\n")
    texts = load_texts(tmp_path)
    assert texts.texts["test"] == ('an "e',)
    assert texts.labels["validation"].tolist() == [1]
    (tmp_path / "dev.tsv").write_text("text\tlabel\nd\tz\n")
    with pytest.raises(DataError, match=r"split validation has the label 'z', which train"):
        load_texts(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": [["  ", 0], ["b", 1]]}, "1 texts are empty, the first in row 0"),
        ({"train": [["a", 2], ["b", 1]]}, r"train, row 0 has label 2: .* 0 to 1"),
        ({"train": ["a"]}, r"train, row 0 is 'a', not \[text, label\]"),
        ({"train": []}, "there are no texts"),
        ({"train": None}, "has None for 'train': give a list"),
        ({"classes": 3}, "has 3 for 'classes': give a list"),
        ({"classes": ["one"], "train": [["a", 0]], "dev": [["a", 0]], "test": []}, "no texts"),
        ({"train": [["a", 0], ["b", 0]], "test": [["c", 0]]}, None),
    ],
)
def test_bad_sets_are_refused(tmp_path, change, message):
    path = write(tmp_path, SET | change)
    if message is None:  # Two classes are named, though one is never seen.
        assert load_texts(path).num_classes == 2
        return
    with pytest.raises(DataError, match=message):
        load_texts(path)


def test_empty_texts_may_be_left_out(tmp_path):
    path = write(tmp_path, SET | {"train": [["  ", 0], ["b", 1], ["c", 0]]})
    assert load_texts(path, drop_empty=True).texts["train"] == ("b", "c")


def test_unreadable_files_are_named(tmp_path):
    (tmp_path / "broken.json.gz").write_bytes(b"no gzip")
    with pytest.raises(DataError, match="cannot be read as JSON"):
        load_texts(tmp_path / "broken.json.gz")
    with pytest.raises(DataError, match=r"does not exist: .* holds broken"):
        load_texts(tmp_path / "other.tsv")
    (tmp_path / "columns.tsv").write_text("sentence\tlabel\na\tb\n")
    with pytest.raises(DataError, match="name two of them text and label"):
        load_texts(tmp_path / "columns.tsv")


def test_tokens():
    assert tokenize("It's Fine, no?!") == ["it's", "fine", ",", "no", "?", "!"]
    assert tokenize("It's Fine, no?!", lowercase=False, strip=True) == ["It's", "Fine", "no"]


def test_learned_vocabulary_keeps_the_most_frequent_tokens():
    vocabulary = learn_vocabulary([["b", "a", "c"], ["c", "b"], ["c", "d"]], 4)
    assert vocabulary.numbers == {"c": 2, "b": 3}
    rows = number_tokens([["c", "never", "b", "b"], []], vocabulary, 3)
    np.testing.assert_array_equal(rows, [[2, 1, 3], [1, 0, 0]])
    with pytest.raises(DataError, match="stands 9 times"):
        learn_vocabulary([["a"]], 4, least=9)


def test_hashes_are_in_range_and_the_same_everywhere():
    vocabulary = HashVocabulary(10)
    numbers = [vocabulary.number(str(i)) for i in range(200)]
    assert set(numbers) == set(range(1, 10))
    # The check value of CRC-32.
    assert HashVocabulary(2**32).number("123456789") == 1 + 0xCBF43926


@pytest.mark.parametrize("header", ["", "3 2\n"])
def test_word_vectors_of_text_files(tmp_path, header):
    path = tmp_path / "glove.txt"
    path.write_text(header + "fine 1 2\nfilm 3 4\n. . 5 6\n")
    table = load_embeddings(path)
    assert (table.name, table.width) == ("glove", 2)
    vocabulary = learn_vocabulary([["Fine", "unseen", ". ."]], 5)
    rows = table.rows(vocabulary, vocabulary.numbers)
    assert rows[vocabulary.number("Fine")].tolist() == [1, 2]
    assert rows[vocabulary.number(". .")].tolist() == [5, 6]
    assert rows[vocabulary.number("unseen")].tolist() == [0, 0]
    # Tokens of one bucket share the mean of their vectors.
    shared = table.rows(HashVocabulary(2), ["fine", "film"])
    assert shared.tolist() == [[0, 0], [2, 3]]
    with pytest.raises(DataError, match="knows none of the tokens"):
        table.rows(vocabulary, ["unseen"])


def test_word_vectors_of_npz_and_of_broken_files(tmp_path):
    np.savez(tmp_path / "t.npz", words=["a", "b"], vectors=[[1.0, 2.0], [3.0, 4.0]])
    table = load_embeddings(tmp_path / "t.npz", name="mine", words=["b"])
    assert (table.name, table.words) == ("mine", {"b": 1})
    np.savez(tmp_path / "t.npz", words=["a"], vectors=[[1.0], [3.0]])
    with pytest.raises(DataError, match=r"words \[1\] and vectors \[2, 1\]"):
        load_embeddings(tmp_path / "t.npz")
    (tmp_path / "bad.txt").write_text("a 1 2\nb 1 x\n")
    with pytest.raises(DataError, match="no table of word vectors"):
        load_embeddings(tmp_path / "bad.txt")
    (tmp_path / "nan.txt").write_text("a 1 nan\n")
    with pytest.raises(DataError, match="not finite"):
        load_embeddings(tmp_path / "nan.txt")
