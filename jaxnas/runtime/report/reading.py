"""What a run folder holds, read leniently: a run may be unfinished or killed in mid-write."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

Record = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class PolicyTable:
    """The probabilities of a policy at each decision.

    Attributes:
      probabilities: `float [D, A]`, NaN where a decision has fewer than `A` actions.
      decisions: the names of the `D` decisions.
      actions: the labels of the actions of each decision.
    """

    probabilities: np.ndarray
    decisions: tuple[str, ...]
    actions: tuple[tuple[str, ...], ...]


@dataclasses.dataclass(frozen=True)
class Run:
    """Everything that a run folder says; a part that is not there is empty or `None`.

    Attributes:
      folder: where it was read.
      config: the configuration of the experiment.
      metrics: the lines of `metrics.jsonl` as written, each step once.
      result: the content of `result.json`.
      policy: the content of `policy.npz`.
      drawing: the content of `drawing.json`.
      problems: what could not be read, in sentences.
    """

    folder: pathlib.Path
    config: Record = dataclasses.field(default_factory=dict)
    metrics: tuple[Record, ...] = ()
    result: Record = dataclasses.field(default_factory=dict)
    policy: PolicyTable | None = None
    drawing: Record | None = None
    problems: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the experiment, or that of the folder."""
        return str(self.result.get("name") or self.config.get("name") or self.folder.name)

    def phase(self, name: str) -> list[Record]:
        """The records of one phase in the order of their steps."""
        records = [record for record in self.metrics if record.get("phase") == name]
        return sorted(records, key=lambda record: number(record.get("step", 0)))

    def children(self, kind: str | None = None) -> list[Record]:
        """The retrained children, those of one kind (`best` or `random`) if it is given."""
        entries = self.result.get("children") or []
        children = [child for child in entries if isinstance(child, Mapping)]
        return [dict(child) for child in children if kind in (None, child.get("kind"))]

    @property
    def measure(self) -> str:
        """What children are worth: `accuracy`, or for language models `perplexity`."""
        return "perplexity" if "test_perplexity" in self.result else "accuracy"

    @property
    def from_scratch(self) -> bool:
        """Whether all children of the search were trained from scratch."""
        return "children" in self.config

    def test_scores(self, kind: str) -> np.ndarray:
        """The finite test scores of the retrained children of one kind, `float [n]`."""
        many = self.measure.removesuffix("y") + "ies"
        listed = self.result.get(f"{kind}_test_{many}")
        if not listed:
            listed = [child.get(f"test_{self.measure}") for child in self.children(kind)]
        values = numbers(listed)
        return values[np.isfinite(values)]


def read_run(folder: str | pathlib.Path) -> Run:
    """Reads a run folder.

    Raises:
      FileNotFoundError: there is no such folder.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no run folder {str(folder)!r}: give one of a search.")
    problems: list[str] = []
    config, result = (_mapping(folder / name, problems) for name in ("config.json", "result.json"))
    drawing = _mapping(folder / "drawing.json", problems) or None
    metrics = _metrics(folder / "metrics.jsonl", problems)
    policy = _policy(folder / "policy.npz", problems)
    return Run(folder, config, metrics, result, policy, drawing, tuple(problems))


def number(value: Any) -> float:
    """A float, NaN for what is no number."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def numbers(values: Any) -> np.ndarray:
    """Floats `[n]`, NaN for what is no number."""
    return np.array([number(value) for value in values or ()], float)


def _mapping(path: pathlib.Path, problems: list[str]) -> Record:
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        problems.append(f"{path.name} could not be read: {error}.")
        return {}
    if isinstance(content, dict):
        return content
    problems.append(f"{path.name} holds no JSON object.")
    return {}


def _metrics(path: pathlib.Path, problems: list[str]) -> tuple[Record, ...]:
    """The last record of each step: a resumed run repeats the steps after its checkpoint."""
    if not path.exists():
        return ()
    records: dict[tuple[Any, ...], Record] = {}
    broken = 0
    for text in path.read_text("utf-8", errors="replace").splitlines():
        try:
            record = json.loads(text)
            key = tuple(str(record.get(name)) for name in ("phase", "child", "step", "epoch"))
        except (ValueError, AttributeError):
            broken += bool(text.strip())
            continue
        records.pop(key, None)
        records[key] = record
    # The last line of a running search may be half written; more than that is worth a word.
    if broken > 1:
        problems.append(f"{broken} lines of {path.name} could not be read.")
    return tuple(records.values())


def _policy(path: pathlib.Path, problems: list[str]) -> PolicyTable | None:
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            table = np.asarray(arrays["probabilities"], float)
            decisions = tuple(str(name) for name in arrays["decisions"])
            actions = tuple(tuple(str(a) for a in row if str(a)) for row in arrays["actions"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        problems.append(f"{path.name} could not be read: {error}.")
        return None
    fits = table.ndim == 2 and len(table) == len(decisions) == len(actions)
    if not fits or any(len(row) > table.shape[1] for row in actions):
        problems.append(f"the arrays of {path.name} do not fit each other.")
        return None
    return PolicyTable(table, decisions, actions)
