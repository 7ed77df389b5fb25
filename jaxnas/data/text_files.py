"""The files of labelled texts, as rows of text and label."""

from __future__ import annotations

import csv
import gzip
import json
import pathlib
import zlib
from typing import Any

from jaxnas.data.errors import DataError

Rows = list[tuple[str, str]]
"""Pairs of a text and the name of its class."""

JSON_SPLITS = {"train": "train", "dev": "validation", "validation": "validation", "test": "test"}


def read_json(path: pathlib.Path) -> tuple[list[str], dict[str, Rows]]:
    """The class names and splits of a (gzip-)JSON set.

    Raises:
      DataError: the file cannot be read, or lacks what a set needs.
    """
    try:
        raw = path.read_bytes()
        content = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{path} cannot be read as JSON ({error}): write it anew.") from error
    if not isinstance(content, dict) or not {"classes", "train"} <= set(content):
        raise DataError(f"{path} must hold an object with 'classes' and 'train'.")
    for key in ("classes", *JSON_SPLITS):
        if not isinstance(content.get(key, []), list):
            raise DataError(f"{path} has {content[key]!r} for {key!r}: give a list.")
    classes = [str(name) for name in content["classes"]]
    rows = {
        split: [_row(f"{path}, {key}, row {i}", classes, row) for i, row in enumerate(content[key])]
        for key, split in JSON_SPLITS.items()
        if key in content
    }
    return classes, rows


def _row(where: str, classes: list[str], row: Any) -> tuple[str, str]:
    if not isinstance(row, list) or len(row) != 2 or not isinstance(row[0], str):
        raise DataError(f"{where} is {row!r}, not [text, label].")
    text, label = row
    if not isinstance(label, int) or not 0 <= label < len(classes):
        raise DataError(
            f"{where} has label {label!r}: labels are positions in 'classes', 0 to "
            f"{len(classes) - 1}."
        )
    return text, classes[label]


def read_table(path: pathlib.Path) -> Rows:
    """The rows of a TSV or CSV file with the columns `text` and `label`, in any order.

    Raises:
      DataError: the file cannot be read, or a column or a cell is missing.
    """
    tabs = path.suffix == ".tsv"
    try:
        # Spreadsheets begin a file with a byte order mark, which is no part of the header.
        with open(path, newline="", encoding="utf-8-sig") as file:
            # In TSV, as in the published sets, a quote is a quote.
            reader = (
                csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
                if tabs
                else csv.DictReader(file)
            )
            header = reader.fieldnames or []
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read ({error}): save it as UTF-8.") from error
    if not {"text", "label"} <= set(header):
        raise DataError(f"{path} has the columns {list(header)}: name two of them text and label.")
    for i, row in enumerate(rows):
        if row["text"] is None or not row["label"]:
            raise DataError(f"{path}, row {i} (from 0, after the header) lacks a text or a label.")
    return [(row["text"], row["label"].strip()) for row in rows]
