"""The configuration of a search of several tasks at once, and of its transfer to new ones."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal

from jaxnas.config_checks import check_seed, one_of, real, whole
from jaxnas.spaces.small_images import SmallImageOptions
from jaxnas.spaces.text import TextOptions


@dataclasses.dataclass(frozen=True)
class TaskDataConfig:
    """The tasks, and how much of their data is used.

    Attributes:
      source: `text:FOLDER`, a folder of labelled texts (see `jaxnas.data.load_task`), or `digits`,
        tasks made of scikit-learn's digits (see `jaxnas.data.DIGIT_TASKS`).
      tasks: the name of each task.
      train: at most so many training rows of each task in the search; the children of all tasks
        are trained in one program, on as many rows as the smallest task has.
      validation: at most so many validation rows of each task.
      test: at most so many test rows of each task.
      drop_empty: leaves out texts without any character, which are an error otherwise.
    """

    source: str = "digits"
    tasks: tuple[str, ...] = ()
    train: int | None = None
    validation: int | None = None
    test: int | None = None
    drop_empty: bool = False

    def __post_init__(self):
        object.__setattr__(self, "tasks", tuple(self.tasks))  # a list from JSON
        whole("data", self, 1, "train", "validation", "test")
        twice = sorted({name for name in self.tasks if self.tasks.count(name) > 1})
        if twice:
            raise ValueError(f"data.tasks names {', '.join(twice)} twice: name each task once.")


@dataclasses.dataclass(frozen=True)
class TextTasksConfig:
    """Text classifiers; see `jaxnas.children.TextChildren`.

    Attributes:
      kind: `text`.
      space: the actions of each decision.
      length: texts are cut to so many tokens.
      vocabulary: numbers that tokens are hashed to, padding included.
      pairs: numbers that pairs of tokens are hashed to, for the wide tower.
      tables: the file of each table of word vectors that `space.embeddings` names, as
        `NAME=PATH`; see `jaxnas.data.load_embeddings`.
    """

    kind: Literal["text"] = "text"
    space: TextOptions = TextOptions()
    length: int = 32
    vocabulary: int = 4096
    pairs: int = 4096
    tables: tuple[str, ...] = ()

    def __post_init__(self):
        object.__setattr__(self, "tables", tuple(self.tables))
        whole("children", self, 1, "length", "pairs")
        whole("children", self, 2, "vocabulary")
        for table in self.tables:
            if not all(table.partition("=")):
                raise ValueError(f"children.tables has {table!r}: write NAME=PATH.")


@dataclasses.dataclass(frozen=True)
class SmallImageTasksConfig:
    """Classifiers of small images; see `jaxnas.children.SmallImageChildren`.

    Attributes:
      kind: `small_images`.
      space: the actions of each decision.
    """

    kind: Literal["small_images"] = "small_images"
    space: SmallImageOptions = SmallImageOptions()


@dataclasses.dataclass(frozen=True)
class PPOConfig:
    """The searcher, off-policy PPO for several tasks; see `jaxnas.searchers.ppo`.

    Attributes:
      learning_rate: Adam's; after a transfer that of the new embeddings.
      hidden: units of the policy's LSTM.
      layers: of the LSTM.
      embedding: numbers of each task's embedding.
      entropy_weight: of the policy's entropy; where it follows a target, at the start.
      entropy_target: in nats; by default 5, or less in a small space; infinity for a fixed weight.
      clip: how far a ratio may move before its gradient ends.
      advantage: see there: `rank`, `std`, `baseline` or `none`.
      per_task: whether each task has averages, ranks and a temperature of its own.
      baseline_decay: of the moving averages.
      candidates: draws for each child, of which one that its task has not had is taken; 1 repeats.
      bank: how many of its last trials are kept of each task.
      replay: trials of each update.
      updates: of the learner, after each batch of rewards.
      sync_every: the actor is renewed after so many batches.
    """

    learning_rate: float = 0.01
    hidden: int = 24
    layers: int = 1
    embedding: int = 12
    entropy_weight: float = 0.2
    entropy_target: float | None = None
    clip: float = 0.2
    advantage: Literal["rank", "std", "baseline", "none"] = "rank"
    per_task: bool = True
    baseline_decay: float = 0.9
    candidates: int = 8
    bank: int = 500
    replay: int = 32
    updates: int = 4
    sync_every: int = 1

    def __post_init__(self):
        one_of("searcher", self, "advantage", "rank", "std", "baseline", "none")
        real("searcher", self, 0, math.inf, "learning_rate", "clip", above=True)
        real("searcher", self, 0, math.inf, "entropy_weight")
        if self.entropy_target != math.inf:
            real("searcher", self, 0, math.inf, "entropy_target")
        real("searcher", self, 0, 0.999999, "baseline_decay")
        sizes = ("hidden", "layers", "embedding", "candidates", "bank")
        whole("searcher", self, 1, *sizes, "replay", "updates", "sync_every")


@dataclasses.dataclass(frozen=True)
class TransferConfig:
    """What the controller has learned before.

    Attributes:
      source: the folder of a finished search of other tasks; none by default.
      weights: `all` of the controller's are trained on, those that were learned before at
        `rate`; or only the new `embeddings`.
      rate: the learning rate of what was learned before.
      centre: new embeddings are the `mean` of those of the old tasks, or drawn around `zero`.
      greedy: so many first children of each task are the controller's most probable ones.
    """

    source: str = ""
    weights: Literal["all", "embeddings"] = "all"
    rate: float = 0.01
    centre: Literal["zero", "mean"] = "mean"
    greedy: int = 10

    def __post_init__(self):
        one_of("transfer", self, "weights", "all", "embeddings")
        one_of("transfer", self, "centre", "zero", "mean")
        whole("transfer", self, 0, "greedy")
        real("transfer", self, 0, math.inf, "rate", above=True)

    @property
    def old_rate(self) -> float:
        """The learning rate of what was learned before; 0 leaves it as it is."""
        return self.rate if self.weights == "all" else 0.0


@dataclasses.dataclass(frozen=True)
class TasksSearchConfig:
    """The search.

    Attributes:
      samples: children that the searcher has trained in all, spread evenly over the tasks.
      batch: children of one task trained at once and told to the searcher together.
      random: uniformly drawn children trained beside each batch: the random arm, at the same cost
        where it is equal to `batch`.
      batch_size: rows per training step of a child.
    """

    samples: int = 400
    batch: int = 5
    random: int = 5
    batch_size: int = 50

    def __post_init__(self):
        whole("search", self, 1, "samples", "batch", "batch_size")
        whole("search", self, 0, "random")


@dataclasses.dataclass(frozen=True)
class TasksFinalConfig:
    """The best children of each task, trained again for their own number of epochs.

    Attributes:
      best: how many of the searcher's best different children of each task.
      random: how many of the random arm's best different ones.
      train: at most so many training rows; all that the task has by default.
    """

    best: int = 3
    random: int = 3
    train: int | None = None

    def __post_init__(self):
        whole("final", self, 1, "best", "train")
        whole("final", self, 0, "random")


@dataclasses.dataclass(frozen=True)
class TasksConfig:
    """An experiment; the fields that `jaxnas.Config` has too mean the same.

    Attributes:
      name: the name of the configuration.
      children: which children; each is trained as its architecture says.
      paper: what it follows.
      expected: the result that a run should come near, with its source.
      hardware: what that needs.
      time: how long it takes there.
      data: which tasks.
      searcher: the algorithm that chooses.
      search: how many children.
      final: the best ones after it.
      transfer: a controller that goes out from an earlier search.
      seed: of everything.
    """

    name: str
    children: TextTasksConfig | SmallImageTasksConfig
    paper: str = ""
    expected: str = ""
    hardware: str = ""
    time: str = ""
    data: TaskDataConfig = TaskDataConfig()
    searcher: PPOConfig = PPOConfig()
    search: TasksSearchConfig = TasksSearchConfig()
    final: TasksFinalConfig = TasksFinalConfig()
    transfer: TransferConfig = TransferConfig()
    seed: int = 0

    def __post_init__(self):
        check_seed(self)
        batches = -(-self.search.samples // self.search.batch)
        if batches < len(self.data.tasks):
            raise ValueError(
                f"search.samples is {self.search.samples} in batches of {self.search.batch}, but "
                f"there are {len(self.data.tasks)} tasks: a task would have no reward; give at "
                f"least {len(self.data.tasks) * self.search.batch}."
            )


def is_tasks(values: dict[str, Any]) -> bool:
    """Whether stored values are those of a `TasksConfig`."""
    return "transfer" in values
