"""One process of `benchmarks/nasrl_cell_speed.py`: `python -m nasrl_cases.cell_speed TASK RESULT`.

The same children are trained from the same weights on the same batches: in jaxnas by the
population trainer, in PyTorch one after the other. Their trained weights are compared first.
"""

from __future__ import annotations

import functools
import json
import pathlib
import sys
import time
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
import torch
from measuring import Times, interleave, peak_memory_mb, ratio
from torch_reference.compiling import first_call
from torch_reference.tree_cell import TreeLanguageModel

from jaxnas.children.recurrent import LanguageModel, TreeCell
from jaxnas.data.text import Text
from jaxnas.data.text_batches import text_batches
from jaxnas.evaluators.population import Population

RATE, CLIP = 0.1, 5.0
BATCH, STEPS = 20, 35
TOLERANCE = 2e-3
"""Relative, of trained weights in float32."""


class Case(NamedTuple):
    """A size: hidden units, kinds of tokens, children, training steps of each."""

    hidden: int
    vocabulary: int
    children: int
    steps: int
    compiled: bool = False

    @property
    def name(self) -> str:
        """As tables print it."""
        return f"hidden_{self.hidden}_vocabulary_{self.vocabulary}_children_{self.children}"


def make_optimizer(hyperparameters: Any) -> optax.GradientTransformation:
    """SGD with the global norm clipped."""
    return optax.chain(optax.clip_by_global_norm(CLIP), optax.sgd(hyperparameters["learning_rate"]))


def random_text(vocabulary: int, steps: int) -> Text:
    """Random tokens, as many as the steps read: a step takes the same time for any tokens."""
    tokens = np.random.default_rng(0).integers(0, vocabulary, BATCH * (steps * STEPS + 1))
    tokens = tokens.astype(np.int32)
    names = tuple(str(i) for i in range(vocabulary))
    return Text("random", "word", tokens, tokens, tokens, names)


class Contest:
    """The contenders of a case."""

    def __init__(self, case: Case):
        self.case = case
        model = LanguageModel(case.vocabulary, case.hidden, TreeCell(8))
        self.model = model
        batches, self.data = text_batches(
            random_text(case.vocabulary, case.steps), batch_size=BATCH, steps=STEPS
        )
        self.population = Population(model, batches, make_optimizer, "one_by_one")
        self.architectures = np.asarray(model.space.sample(jax.random.key(1), case.children))
        keys = jax.random.split(jax.random.key(2), case.children)
        rates = np.full(case.children, RATE, np.float32)
        self.start = self.population.init(keys, self.architectures, {"learning_rate": rates})
        # The stream has no room for another start, so every child reads the same batches.
        whole = np.asarray(self.data.train)
        self.batches = [
            torch.from_numpy(whole[:, i * STEPS : (i + 1) * STEPS + 1].T.copy()).long()
            for i in range(case.steps)
        ]

    def run_jaxnas(self) -> Any:
        """Trains all children in one call."""
        state = self.population.run(self.start, self.data, epochs=1, scored=0)
        return jax.block_until_ready(state)

    def make_torch(self, compiled: bool = False) -> list[TreeLanguageModel]:
        """The children in PyTorch before their training."""
        every = [
            jax.tree.map(lambda leaf, i=i: np.asarray(leaf[i]), self.start.parameters)
            for i in range(self.case.children)
        ]
        return [
            TreeLanguageModel(self.model.space, architecture, parameters, compiled)
            for architecture, parameters in zip(self.architectures, every, strict=True)
        ]

    def train_torch(self, children: list[TreeLanguageModel]) -> None:
        """Trains children one after the other."""
        for child in children:
            weights = list(child.weights.values())
            optimizer = torch.optim.SGD(weights, lr=RATE, foreach=True)
            zeros = torch.zeros(BATCH, self.case.hidden)
            state = (zeros, zeros)
            for batch in self.batches:
                optimizer.zero_grad(set_to_none=True)
                loss, state = child.loss(batch[:-1], batch[1:], state)
                loss.backward()
                torch.nn.utils.clip_grad_norm_(weights, CLIP, foreach=True)
                optimizer.step()


def run(case: Case, seconds: float, repeats: int) -> dict[str, Any]:
    """The row of a case.

    Raises:
      SystemExit: the trained children differ.
    """
    contest = Contest(case)
    before = time.process_time()
    trained = contest.run_jaxnas()
    first = time.process_time() - before
    children = contest.make_torch()
    contest.train_torch(children)
    difference = _difference(trained.parameters, children)
    if not difference <= TOLERANCE:
        raise SystemExit(f"{case.name}: PyTorch's children differ by {difference:.2g}.")
    contenders = {
        "jaxnas": contest.run_jaxnas,
        "tuned": functools.partial(contest.train_torch, children),
    }
    compile_torch, failure = 0.0, ""
    if case.compiled:
        torch._dynamo.config.cache_size_limit = 2 * case.children
        compiled = contest.make_torch(compiled=True)
        run_compiled = functools.partial(contest.train_torch, compiled)
        compile_torch, failure = first_call(run_compiled)
        contenders |= {} if failure else {"compiled": run_compiled}
    times = interleave(contenders, seconds=seconds, least=repeats, most=max(repeats, 9))
    row = _row(case, times, first, compile_torch) | {"largest_difference": difference}
    return row | ({"torch_compile_failed": failure} if failure else {})


def _row(case: Case, times: dict[str, Times], first: float, compile_torch: float) -> dict[str, Any]:
    ours = times["jaxnas"].cpu
    steps = case.children * case.steps
    row = case._asdict() | {
        "case": case.name,
        "repeats": len(ours),
        "milliseconds_per_step": {
            name: 1e3 * float(np.median(t.cpu)) / steps for name, t in times.items()
        },
        "compile_seconds": max(0.0, first - float(np.median(ours))),
        "process_peak_mb": peak_memory_mb(),
    }
    row |= {f"ratio_{name}": ratio(t.cpu, ours) for name, t in times.items() if name != "jaxnas"}
    if "compiled" in times:
        spent = compile_torch - float(np.median(times["compiled"].cpu))
        row["torch_compile_seconds_per_child"] = max(0.0, spent) / case.children
    return row


def _difference(parameters: Any, children: list[TreeLanguageModel]) -> float:
    """The largest relative difference of trained weights, in the Euclidean norm."""
    worst = 0.0
    for i, child in enumerate(children):
        ours = jax.tree.map(lambda leaf, i=i: np.asarray(leaf[i]), parameters)
        pairs = zip(jax.tree.leaves(ours), jax.tree.leaves(child.parameters()), strict=True)
        worst = max(
            worst, *(float(np.linalg.norm(a - b) / (np.linalg.norm(a) or 1.0)) for a, b in pairs)
        )
    return worst


def main() -> None:
    """Runs the cases of a task."""
    task = json.loads(pathlib.Path(sys.argv[1]).read_text())
    torch.set_num_threads(task["threads"])
    rows = []
    for values in task["cases"]:
        rows.append(run(Case(**values), task["seconds"], task["repeats"]))
        print(rows[-1], flush=True)
    pathlib.Path(sys.argv[2]).write_text(json.dumps(rows))


if __name__ == "__main__":
    main()
