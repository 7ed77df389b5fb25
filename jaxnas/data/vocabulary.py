"""From texts to rows of token numbers: tokenising, and learned and hashing vocabularies.

Source: Weinberger et al. 2009, "Feature hashing for large scale multitask learning"
(arXiv:0902.2206), for vocabularies that hash.
"""

from __future__ import annotations

import collections
import dataclasses
import re
import zlib
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from jaxnas.data.errors import DataError

PADDING, UNKNOWN = 0, 1
"""The numbers of no token, and of a token that a learned vocabulary does not hold."""

_TOKEN = re.compile(r"\w+(?:['\u2019]\w+)*|[^\w\s]")
_WORD = re.compile(r"\w")


def tokenize(text: str, *, lowercase: bool = True, strip: bool = False) -> list[str]:
    """The words and marks of a text.

    Args:
      text: the text.
      lowercase: whether letters are made small.
      strip: whether marks without any letter or digit are left out.

    Example:
      >>> tokenize("It's good, isn't it?")
      ["it's", 'good', ',', "isn't", 'it', '?']
    """
    tokens = _TOKEN.findall(text.lower() if lowercase else text)
    return [token for token in tokens if _WORD.match(token)] if strip else tokens


class Vocabulary(Protocol):
    """Numbers tokens; 0 is padding.

    Attributes:
      size: `V`; all numbers are in `[0, V)`.
    """

    @property
    def size(self) -> int:
        """All numbers are in `[0, size)`."""

    def number(self, token: str) -> int:
        """The number of a token, from 1 on, also of one that was never seen."""


@dataclasses.dataclass(frozen=True)
class HashVocabulary:
    """Numbers tokens by a hash that is the same everywhere: nothing to learn, tokens collide.

    Example:
      >>> HashVocabulary(1000).number("never seen before") > 0
      True
    """

    size: int

    def __post_init__(self):
        if self.size < 2:
            raise DataError(f"a vocabulary of size {self.size} holds no token: give 2 or more.")

    def number(self, token: str) -> int:
        """The bucket of a token, 1 to `size - 1`."""
        return 1 + zlib.crc32(token.encode()) % (self.size - 1)


@dataclasses.dataclass(frozen=True, eq=False)
class LearnedVocabulary:
    """The most frequent tokens of some texts; all others are `UNKNOWN`.

    Attributes:
      numbers: the number of each token, from 2 on.
    """

    numbers: dict[str, int]

    @property
    def size(self) -> int:
        """Tokens, padding and the unknown one."""
        return len(self.numbers) + 2

    def number(self, token: str) -> int:
        """The number of a token."""
        return self.numbers.get(token, UNKNOWN)


def learn_vocabulary(
    tokens: Iterable[Sequence[str]], size: int, *, least: int = 1
) -> LearnedVocabulary:
    """The vocabulary of the most frequent tokens, of the training split alone.

    Args:
      tokens: of each text.
      size: at most so many numbers, padding and the unknown token included.
      least: tokens that stand less often in all are unknown.

    Raises:
      DataError: no token is frequent enough, or the size is below 3.

    Example:
      >>> learn_vocabulary([["a", "b", "a"]], 3).numbers
      {'a': 2}
    """
    if size < 3:
        raise DataError(f"a vocabulary of size {size} holds no token: give 3 or more.")
    counts = collections.Counter(token for row in tokens for token in row)
    # Equally frequent tokens in alphabetic order: the vocabulary is that of the texts alone.
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    kept = [token for token, count in ranked[: size - 2] if count >= least]
    if not kept:
        raise DataError(f"no token stands {least} times in the texts: give more, or a lower least.")
    return LearnedVocabulary({token: i + 2 for i, token in enumerate(kept)})


def number_tokens(
    tokens: Sequence[Sequence[str]], vocabulary: Vocabulary, length: int
) -> np.ndarray:
    """Token numbers `int32 [N, L]`: the first `length` tokens of each text, then padding.

    A text of which no token is left, as one of marks alone when they are stripped, is one
    unknown token.

    Raises:
      DataError: a length below 1.
    """
    if length < 1:
        raise DataError(f"texts are cut to {length} tokens: give at least 1.")
    rows = np.full((len(tokens), length), PADDING, np.int32)
    for row, of_text in zip(rows, tokens, strict=True):
        numbers = [vocabulary.number(token) for token in of_text[:length]] or [UNKNOWN]
        row[: len(numbers)] = numbers
    return rows
