"""Text as numbers of tokens in three splits: words of a capped vocabulary, or characters."""

from __future__ import annotations

import collections
import dataclasses
import gzip
import itertools
import pathlib
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import numpy as np

from jaxnas.data.dataset import SPLITS
from jaxnas.data.errors import DataError

Level = Literal["word", "character"]

END = "<eos>"
"""The word that stands for the end of a line."""
UNKNOWN = "<unk>"
"""What stands for every token that is not in the vocabulary."""

FORMS = ("python_docs", "ptb:FOLDER", "text:FILE")
PTB_FILES = {"train": "ptb.train.txt", "validation": "ptb.valid.txt", "test": "ptb.test.txt"}
SHARES = {"train": 0.9, "validation": 0.05, "test": 0.05}
"""How a single file is split, in the order of its tokens."""


@dataclasses.dataclass(frozen=True, eq=False)
class Text:
    """A text in three splits.

    Attributes:
      name: the name that reports print.
      level: what a token is, `word` or `character`.
      train: `int32 [N]`, the numbers of its tokens in `range(len(vocabulary))`.
      validation: as `train`.
      test: as `train`.
      vocabulary: the token of each number, from the most frequent in `train`.
    """

    name: str
    level: Level
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    vocabulary: tuple[str, ...]

    @property
    def sizes(self) -> dict[str, int]:
        """The number of tokens of each split."""
        return {split: len(getattr(self, split)) for split in SPLITS}

    def arrays(self) -> Iterator[np.ndarray]:
        """The vocabulary, as bytes, and all tokens, for a digest."""
        yield np.frombuffer("\0".join(self.vocabulary).encode(), np.uint8)
        for split in SPLITS:
            yield getattr(self, split)


def load_text(source: str, *, level: Level = "word", vocabulary: int | None = None) -> Text:
    """Loads a text.

    Args:
      source: `python_docs`, the reference of the language that Python carries for its `help`
        (embedded: about 70,000 words, others in each version of Python); `ptb:FOLDER` with
        Mikolov's files `ptb.train.txt`, `ptb.valid.txt` and `ptb.test.txt`; or `text:FILE`, any
        plain text. Of a single text the last twentieth is for testing and the twentieth before
        it for validation. Files are UTF-8, gzipped where `.gz` is added to their names.
      level: `word`: what stands between blanks, and `<eos>` for the end of each line; `character`:
        every character of the file, the ends of lines among them.
      vocabulary: the largest number of kinds of tokens, `<unk>` among them: the most frequent of
        `train`, in alphabetical order among equals. All by default.

    Returns:
      The text. A token that is not in the vocabulary is `<unk>`, which the vocabulary has only
      where there is such a token.

    Raises:
      DataError: an unknown source or level, a file that is missing, empty or no UTF-8 text, or a
        vocabulary of fewer than 2.

    Example:
      >>> load_text("ptb:~/data/ptb").sizes  # doctest: +SKIP
      {'train': 929589, 'validation': 73760, 'test': 82430}
    """
    kind, _, rest = source.partition(":")
    path = pathlib.Path(rest).expanduser()
    if source == "python_docs":
        tokens, path = _cut(split_tokens(python_docs(), level), source), pathlib.Path(source)
    elif kind == "ptb" and rest:
        texts = {split: read_text(path / name) for split, name in PTB_FILES.items()}
        tokens = {split: split_tokens(text, level) for split, text in texts.items()}
    elif kind == "text" and rest:
        tokens = _cut(split_tokens(read_text(path), level), rest)
    else:
        raise DataError(
            f"text source {source!r} is unknown: use {', '.join(FORMS[:-1])} or {FORMS[-1]}."
        )
    return text_from_tokens(tokens, name=path.name, level=level, vocabulary=vocabulary)


def read_text(path: pathlib.Path) -> str:
    """The text of a file, or of the same name with `.gz` added.

    Raises:
      DataError: neither is there, or what is there cannot be read, is no UTF-8 text or is empty.
    """
    zipped = path.with_name(path.name + ".gz")
    found = path if path.is_file() else zipped
    if not found.is_file():
        raise DataError(f"{path} is not there, nor {zipped.name} beside it: check the path.")
    try:
        content = found.read_bytes()
        text = (gzip.decompress(content) if found.suffix == ".gz" else content).decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DataError(f"{found} cannot be read as UTF-8 text: {error}.") from error
    if not text.strip():
        raise DataError(f"{found} is empty: give a text with at least some words.")
    return text


def python_docs() -> str:
    """The topics of Python's `help`, in alphabetical order."""
    from pydoc_data import topics

    return "\n".join(text for _, text in sorted(topics.topics.items()))


def split_tokens(text: str, level: Level) -> list[str]:
    """The tokens of a text; raises `DataError` for an unknown level."""
    if level == "character":
        return list(text)
    if level == "word":
        return [word for line in text.splitlines() for word in (*line.split(), END)]
    raise DataError(f"level is {level!r}: give 'word' or 'character'.")


def text_from_tokens(
    tokens: Mapping[str, Sequence[str]],
    *,
    name: str,
    level: Level,
    vocabulary: int | None = None,
) -> Text:
    """A text of the tokens of its splits; see `load_text`."""
    words = make_vocabulary(tokens["train"], vocabulary)
    known = set(words)
    if UNKNOWN not in known and not known.issuperset(itertools.chain(*tokens.values())):
        # The rarest word gives its place away where the vocabulary is full.
        words = [*words[: None if vocabulary is None else vocabulary - 1], UNKNOWN]
    numbers = {word: number for number, word in enumerate(words)}
    unknown = numbers.get(UNKNOWN, -1)
    splits = {
        split: np.array([numbers.get(token, unknown) for token in tokens[split]], np.int32)
        for split in SPLITS
    }
    return Text(name=name, level=level, vocabulary=tuple(words), **splits)


def make_vocabulary(tokens: Iterable[str], most: int | None = None) -> list[str]:
    """The kinds of tokens, the most frequent first, in alphabetical order among equals.

    Raises:
      DataError: `most` is below 2, or there are fewer than 2 kinds.
    """
    if most is not None and most < 2:
        raise DataError(f"vocabulary is {most}: give 2 or more kinds of tokens.")
    counts = collections.Counter(tokens)
    if len(counts) < 2:
        raise DataError(f"the vocabulary is {list(counts)}: a text needs at least 2 kinds.")
    return sorted(counts, key=lambda token: (-counts[token], token))[:most]


def _cut(tokens: list[str], name: str) -> dict[str, list[str]]:
    """The tokens of a single text by split."""
    first = round(SHARES["train"] * len(tokens))
    second = first + round(SHARES["validation"] * len(tokens))
    if not 0 < first < second < len(tokens):
        raise DataError(f"{name} has {len(tokens)} tokens: too few for three splits.")
    return {"train": tokens[:first], "validation": tokens[first:second], "test": tokens[second:]}
