"""Tasks of texts: what their children are trained on, in the search and after it."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxnas.children import TextChildren, towers
from jaxnas.data import DataError, HashVocabulary, LabelledTexts, Tasks, load_embeddings
from jaxnas.evaluators import LabelledTextBatches, LabelledTextData, Population, text_data
from jaxnas.tasks_config import TasksConfig, TextTasksConfig

_SCORED = 100
"""Texts of a batch that is scored; the last one is filled up."""


@dataclasses.dataclass(frozen=True, eq=False)
class TextTasks:
    """The children of a configuration and their data.

    Attributes:
      config: of the experiment.
      tasks: its texts.

    Raises:
      DataError: a table of word vectors that is missing or of another width.
    """

    config: TasksConfig
    tasks: Tasks

    def __post_init__(self):
        self.tables  # noqa: B018  read now: what is missing fails before any work

    @property
    def children(self) -> TextTasksConfig:
        """The configuration of the children."""
        assert isinstance(self.config.children, TextTasksConfig)
        return self.config.children

    @functools.cached_property
    def model(self) -> TextChildren:
        """All children, for the largest number of classes."""
        options = self.children
        classes = self.tasks.num_classes
        return TextChildren(options.space, classes, options.vocabulary, options.pairs)

    @functools.cached_property
    def vocabulary(self) -> HashVocabulary:
        """Numbers the tokens of all tasks."""
        return HashVocabulary(self.children.vocabulary)

    @functools.cached_property
    def tables(self) -> tuple[Any, ...]:
        """The tables of word vectors that the space names."""
        pairs = (table.partition("=") for table in self.children.tables)
        tables = tuple(load_embeddings(path, name=name) for name, _, path in pairs)
        found = {f"{table.name}-{table.width}" for table in tables}
        missing = sorted(set(self.children.space.tables) - found)
        if missing:
            raise DataError(
                f"children.space.embeddings names {', '.join(missing)}, but children.tables gives "
                f"{', '.join(sorted(found)) or 'none'}: add NAME=PATH of a table of that width."
            )
        return tables

    @property
    def score_size(self) -> int:
        """Rows that are scored, those that fill up included: as many for every task."""
        largest = max(of.sizes["validation"] for of in self.tasks.sets.values())
        return -(-largest // _SCORED) * _SCORED

    def population(self, train_size: int) -> Population:
        """What trains children on so many texts; one program for each number."""
        size = self.config.search.batch_size
        batches = LabelledTextBatches(train_size, self.score_size, size, _SCORED)
        return Population(self.model, batches, towers.optimizer)

    def data(self, name: str, train_size: int) -> LabelledTextData:
        """The training and validation texts of a task."""
        texts = self.texts(name)
        if train_size < texts.sizes["train"]:
            texts = texts.take(train=train_size)
        return text_data(
            texts,
            self.children.space,
            self.vocabulary,
            length=self.children.length,
            num_classes=self.tasks.num_classes,
            score_size=self.score_size,
            tables=self.tables,
        )

    def texts(self, name: str) -> LabelledTexts:
        """The texts of a task."""
        texts = self.tasks.sets[name]
        assert isinstance(texts, LabelledTexts)
        return texts

    def finished(self, trained: Any, data: LabelledTextData) -> Any:
        """A trained child's parameters, with what its embedding reads from a table."""
        architecture = trained.architecture
        return self.model.with_tables(trained.parameters, architecture, data.tables)

    def reference(self, data: LabelledTextData, rows: int, architecture: np.ndarray) -> Any:
        """The first training texts as a child reads them, `int32 [R, L]`."""
        choices = self.children.space.read(jnp.asarray(architecture))
        return data.train_tokens[int(self.model.preprocessing(choices)), :rows]

    def describe(self, data: LabelledTextData) -> dict[str, Any]:
        """What stands in a saved child's file of its inputs."""
        return {"input_shape": [self.children.length], "input_dtype": "int32"}
