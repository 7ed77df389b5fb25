"""A run folder as a search writes it, from made-up figures."""

from __future__ import annotations

import json
import pathlib

import jax
import numpy as np

from jaxnas.runtime.report import drawing_of
from jaxnas.spaces import SearchSpace

STEPS, EPOCHS = 120, 8


def write_run(folder: pathlib.Path, space: SearchSpace, name: str = "made_up") -> pathlib.Path:
    """Writes every file of a finished run into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    architectures = np.asarray(space.sample(jax.random.key(1), 7))
    write_json(folder / "config.json", {"name": name, "search": {"steps": STEPS, "seed": 0}})
    lines = [*search_lines(rng), *training_lines(rng)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    write_json(folder / "result.json", result(space, architectures, rng, name))
    final = json.loads((folder / "result.json").read_text())["architecture"]
    write_json(folder / "drawing.json", drawing_of(space, final))
    np.savez(folder / "policy.npz", **policy(space, rng))
    return folder


def write_json(path: pathlib.Path, content: object) -> None:
    path.write_text(json.dumps(content))


def search_lines(rng) -> list[dict]:
    lines = []
    for step in range(STEPS):
        done = step / STEPS
        noise = rng.normal(0, 0.02, 3)
        if step % 2 == 0:
            weights = {"loss": 2.3 - 1.8 * done + 4 * noise[0], "accuracy": 0.1 + 0.8 * done}
            rest = {"learning_rate": 0.05 * (1 - done), "epoch": step // 20}
            lines.append(
                {"step": step, "phase": "weights", "seconds": step * 0.5, **weights, **rest}
            )
            continue
        mean = 0.3 + 0.5 * done + noise[0]
        scalars = {
            "reward_mean": mean,
            "reward_best": mean + 0.08 + abs(noise[1]),
            "random_reward_mean": 0.3 + 0.38 * done + noise[2],
            "entropy": 30 - 12 * done,
            "baseline": mean,
            "epoch": step // 20,
        }
        lines.append({"step": step, "phase": "policy", "seconds": step * 0.5, **scalars})
    return lines


def training_lines(rng) -> list[dict]:
    lines = []
    for child in ("best-0", "best-1", *(f"random-{i}" for i in range(5))):
        for epoch in range(EPOCHS):
            accuracy = 0.97 - 0.4 * 0.5**epoch + rng.normal(0, 0.004)
            scalars = {"loss": 2 * 0.6**epoch, "train_accuracy": accuracy}
            line = {"step": STEPS + epoch, "phase": "train", "seconds": 70.0, "child": child}
            lines.append({**line, "epoch": epoch, "validation_accuracy": accuracy, **scalars})
    return lines


def result(space: SearchSpace, architectures: np.ndarray, rng, name: str) -> dict:
    children = []
    for i, architecture in enumerate(architectures):
        kind = "best" if i < 2 else "random"
        accuracy = float(0.96 + rng.normal(0, 0.006) + (0.012 if kind == "best" else 0))
        scores = {"validation_accuracy": accuracy, "test_accuracy": accuracy - 0.003}
        child = {"name": f"{kind}-{i if i < 2 else i - 2}", "kind": kind, **scores}
        child |= {
            "architecture": space.encode(architecture),
            "shared_accuracy": 0.7 + float(rng.normal(0, 0.03)),
        }
        children.append({**child, "parameters": 120_000 + i, "flops": 9_800_000 + i})
    children.sort(key=lambda child: (child["kind"], -child["validation_accuracy"]))
    tested = {
        k: [c["test_accuracy"] for c in children if c["kind"] == k] for k in ("best", "random")
    }
    ranking = {
        "kendall_tau": 0.43,
        "shared": [c["shared_accuracy"] for c in children],
        "standalone": [c["validation_accuracy"] for c in children],
    }
    return {
        "name": name,
        "test_accuracy": tested["best"][0],
        "validation_accuracy": children[0]["validation_accuracy"],
        "random_test_accuracy_mean": float(np.mean(tested["random"])),
        "random_test_accuracies": tested["random"],
        "best_test_accuracies": tested["best"],
        "architecture": children[0]["architecture"],
        "parameters": 120_000,
        "flops": 9_800_000,
        "seconds": 187.4,
        "seconds_by_phase": {"weights": 61.0, "policy": 30.2, "derive": 4.2, "train": 92.0},
        "state_digest": "5f2d" * 16,
        "config": {"name": name, "search": {"steps": STEPS}},
        "seed": 0,
        "command": f"jaxnas search {name} --seed 0",
        "versions": {"jaxnas": "0.1", "jax": "0.10.2"},
        "machine": {"processor": "some processor", "cores": 2, "device": "cpu"},
        "ranking": ranking,
        "children": children,
    }


def policy(space: SearchSpace, rng) -> dict[str, np.ndarray]:
    most = max(len(decision.actions) for decision in space.decisions)
    probabilities = np.full((len(space.decisions), most), np.nan)
    actions = np.full(probabilities.shape, "", dtype="<U40")
    for i, decision in enumerate(space.decisions):
        number = len(decision.actions)
        probabilities[i, :number] = rng.dirichlet(np.full(number, 0.5))
        actions[i, :number] = decision.actions
    decisions = np.array([decision.name for decision in space.decisions])
    return {"probabilities": probabilities, "decisions": decisions, "actions": actions}
