"""From labelled texts to arrays on the device, in sizes that several tasks can share."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import jax.numpy as jnp
import numpy as np

from jaxnas.data.embedding_table import EmbeddingTable
from jaxnas.data.errors import DataError
from jaxnas.data.labelled_text import LabelledTexts
from jaxnas.data.vocabulary import UNKNOWN, Vocabulary, number_tokens, tokenize
from jaxnas.evaluators.labelled_text_batches import LabelledTextData
from jaxnas.spaces.text import TextOptions


def text_data(
    texts: LabelledTexts,
    options: TextOptions,
    vocabulary: Vocabulary,
    *,
    length: int,
    score: str = "validation",
    num_classes: int | None = None,
    train_size: int | None = None,
    score_size: int | None = None,
    tables: Sequence[EmbeddingTable] = (),
) -> LabelledTextData:
    """Numbers the tokens of a task by every preprocessing, and fills up to the sizes asked for.

    Args:
      texts: the task.
      options: of the space; its preprocessings and tables are needed.
      vocabulary: numbers the tokens of all preprocessings.
      length: `L`; texts are cut to so many tokens.
      score: the split that is scored; `test` for the report alone.
      num_classes: `K`, the largest number of classes of all tasks; those of the task by default.
      train_size: the first so many training texts; all by default.
      score_size: rows that are scored, filled up with rows of weight 0; as many as there are by
        default.
      tables: the embeddings that `options.tables` names, each called by its name with its width.

    Raises:
      DataError: sizes that the task has not, or a missing table.

    Example:
      >>> data = text_data(texts, options, HashVocabulary(4096), length=32)  # doctest: +SKIP
    """
    num_classes = texts.num_classes if num_classes is None else num_classes
    train_size = texts.sizes["train"] if train_size is None else train_size
    score_size = texts.sizes[score] if score_size is None else score_size
    _check_sizes(texts, num_classes, train_size, score, score_size)
    train = _numbered(texts.texts["train"][:train_size], options, vocabulary, length)
    scored = _numbered(texts.texts[score], options, vocabulary, length)
    missing = score_size - scored.shape[1]
    rows = np.full((scored.shape[0], missing, length), 0, np.int32)
    rows[..., 0] = UNKNOWN
    labels = np.concatenate([texts.labels[score], np.zeros(missing, np.int32)])
    weights = np.concatenate([np.ones(scored.shape[1]), np.zeros(missing)])
    return LabelledTextData(
        train_tokens=jnp.asarray(train),
        train_labels=jnp.asarray(texts.labels["train"][:train_size]),
        score_tokens=jnp.asarray(np.concatenate([scored, rows], 1)),
        score_labels=jnp.asarray(labels),
        score_weights=jnp.asarray(weights, jnp.result_type(float)),
        class_mask=jnp.arange(num_classes) < texts.num_classes,
        tables=jnp.asarray(_table_rows(texts, options, vocabulary, tables)),
    )


def _check_sizes(texts: LabelledTexts, num_classes, train_size, score, score_size) -> None:
    if num_classes < texts.num_classes:
        raise DataError(
            f"num_classes is {num_classes}, but task {texts.name!r} has {texts.num_classes}."
        )
    if not 1 <= train_size <= texts.sizes["train"]:
        raise DataError(
            f"train_size is {train_size}, but task {texts.name!r} has {texts.sizes['train']} "
            "training texts."
        )
    if score_size < texts.sizes[score]:
        raise DataError(
            f"score_size is {score_size}, but task {texts.name!r} has {texts.sizes[score]} texts "
            f"in split {score}."
        )


def _tokens(texts: Iterable[str], lowercase: str, strip: str) -> list[list[str]]:
    return [tokenize(text, lowercase=lowercase == "yes", strip=strip == "yes") for text in texts]


def _numbered(
    texts: Sequence[str], options: TextOptions, vocabulary: Vocabulary, length: int
) -> np.ndarray:
    """Token numbers `int32 [P, N, L]`, the preprocessings in the order of the children."""
    variants = itertools.product(options.lowercase, options.strip)
    return np.stack(
        [number_tokens(_tokens(texts, *variant), vocabulary, length) for variant in variants]
    )


def _table_rows(
    texts: LabelledTexts,
    options: TextOptions,
    vocabulary: Vocabulary,
    tables: Sequence[EmbeddingTable],
) -> np.ndarray:
    """The tables of the space for this vocabulary, `float32 [S, V, E]`, 0 past their widths."""
    given = {f"{table.name}-{table.width}": table for table in tables}
    widest = max(options.embedding_widths)
    rows = np.zeros((len(options.tables), vocabulary.size, widest), np.float32)
    tokens = {token for row in _tokens(texts.texts["train"], "no", "no") for token in row}
    for row, label in zip(rows, options.tables, strict=True):
        if label not in given:
            raise DataError(
                f"the space has the embedding {label!r}, but the tables are {sorted(given)}: load "
                "it with load_embeddings(path, name=...)."
            )
        known = given[label].rows(vocabulary, tokens | {token.lower() for token in tokens})
        row[:, : known.shape[1]] = known
    return rows
