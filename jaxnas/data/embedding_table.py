"""Word vectors from files: the text format of word2vec and GloVe, and `.npz`.

Source: Mikolov et al. 2013 (arXiv:1301.3781), word2vec; Pennington et al. 2014, GloVe.
"""

from __future__ import annotations

import dataclasses
import gzip
import pathlib
import zipfile
from collections.abc import Iterable

import numpy as np

from jaxnas.data.errors import DataError
from jaxnas.data.vocabulary import PADDING, Vocabulary


@dataclasses.dataclass(frozen=True, eq=False)
class EmbeddingTable:
    """Vectors of words.

    Attributes:
      name: the name that a search space gives to it.
      words: the row of each word.
      vectors: `float32 [W, E]`.
    """

    name: str
    words: dict[str, int]
    vectors: np.ndarray

    @property
    def width(self) -> int:
        """`E`."""
        return self.vectors.shape[1]

    def rows(self, vocabulary: Vocabulary, tokens: Iterable[str]) -> np.ndarray:
        """The table of a vocabulary, `float32 [V, E]`.

        A number gets the mean of the vectors of the tokens that have it (one, unless they
        collide), found as they are written or else in small letters; zeros where there are none.

        Args:
          vocabulary: numbers tokens.
          tokens: those that can occur, such as all of the training split.

        Raises:
          DataError: the table knows none of the tokens.
        """
        sums = np.zeros((vocabulary.size, self.width), np.float64)
        counts = np.zeros((vocabulary.size, 1))
        for token in sorted(set(tokens)):
            row = self.words.get(token, self.words.get(token.lower()))
            if row is not None:
                number = vocabulary.number(token)
                sums[number] += self.vectors[row]
                counts[number] += 1
        if not counts.any():
            raise DataError(
                f"embedding table {self.name!r} knows none of the tokens: is it of this language?"
            )
        sums[PADDING], counts[PADDING] = 0, 0
        return (sums / np.maximum(counts, 1)).astype(np.float32)


def load_embeddings(
    path: str | pathlib.Path, *, name: str | None = None, words: Iterable[str] | None = None
) -> EmbeddingTable:
    """Loads word vectors.

    Args:
      path: a text file with `word x_1 ... x_E` in each line, with or without word2vec's first line
        `W E`, plain or `.gz`; or an `.npz` with `words` (strings `[W]`) and `vectors`
        (`[W, E]`).
      name: the name of the table; that of the file by default.
      words: keep only these, where the file holds more than memory should.

    Raises:
      DataError: the file cannot be read, has lines of several lengths, or values that are not
        finite.

    Example:
      >>> load_embeddings("glove.6B.50d.txt").width  # doctest: +SKIP
      50
    """
    path = pathlib.Path(path).expanduser()
    if not path.is_file():
        raise DataError(f"embedding table {path} does not exist: correct the path.")
    wanted = None if words is None else set(words)
    found, vectors = _read_npz(path) if path.suffix == ".npz" else _read_text(path, wanted)
    if not np.isfinite(vectors).all():
        raise DataError(f"{path} has values that are not finite: repair or remove those words.")
    rows: dict[str, int] = {}
    for i, word in enumerate(found):
        if wanted is None or word in wanted:
            rows.setdefault(word, i)
    return EmbeddingTable(name or path.name.split(".")[0], rows, vectors.astype(np.float32))


def _read_npz(path: pathlib.Path) -> tuple[list[str], np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in ("words", "vectors")}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} cannot be read ({error}): save strings 'words' [W] and floats 'vectors' "
            "[W, E] with np.savez."
        ) from error
    words, vectors = arrays["words"], arrays["vectors"]
    if words.ndim != 1 or vectors.ndim != 2 or len(words) != len(vectors) or not len(words):
        raise DataError(
            f"{path} has words {list(words.shape)} and vectors {list(vectors.shape)}: give [W] and "
            "[W, E]."
        )
    return [str(word) for word in words], vectors


def _read_text(path: pathlib.Path, wanted: set[str] | None) -> tuple[list[str], np.ndarray]:
    words, vectors = [], []
    width = None
    try:
        open_text = gzip.open if path.suffix == ".gz" else open
        with open_text(path, "rt", encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                parts = line.rstrip().split(" ")
                if number == 1 and len(parts) == 2 and all(part.isdigit() for part in parts):
                    continue  # word2vec's header
                width = len(parts) - 1 if width is None else width
                # GloVe's largest table has words with spaces in them.
                word, values = " ".join(parts[:-width]), parts[-width:]
                if width < 1 or not word:
                    raise DataError(f"{path}, line {number} has no word with {width} numbers.")
                if wanted is None or word in wanted:
                    words.append(word)
                    vectors.append(np.array(values, np.float32))
    except (OSError, EOFError, UnicodeDecodeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{path} is no table of word vectors ({error}): one word a line."
        ) from error
    if not words:
        raise DataError(f"{path} holds none of the words that are wanted.")
    return words, np.stack(vectors)
