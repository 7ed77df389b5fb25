"""A controller of several tasks on disk, and what of it goes over to a search of other tasks.

Source: Wong et al. 2018, "Transfer learning with neural AutoML" (arXiv:1803.02780).
"""

from __future__ import annotations

import functools
import io
import json
import pathlib
from typing import Any

import jax
import numpy as np
import optax

from jaxnas.policies import lstm, new_task, with_tasks
from jaxnas.runtime.errors import RunError
from jaxnas.runtime.files import write_bytes
from jaxnas.runtime.json_values import to_json
from jaxnas.runtime.saved_child import DAMAGE
from jaxnas.searchers import Searcher, ppo, transfer_optimizer
from jaxnas.spaces import SearchSpace
from jaxnas.tasks_config import PPOConfig, TransferConfig

CONTROLLER = "controller.npz"
_SCALE = 0.3
"""Weights and embeddings start uniform in `[-_SCALE, _SCALE]`."""


def make_ppo(space: SearchSpace, tasks: int, config: PPOConfig, start: TransferConfig) -> Searcher:
    """The searcher of an experiment with so many tasks."""
    policy = lstm(
        space,
        hidden=config.hidden,
        layers=config.layers,
        context_size=config.embedding,
        init_scale=_SCALE,
        head_scale=0.0,
        skip_connection=True,
    )
    return ppo(
        with_tasks(policy, tasks, scale=_SCALE),
        tasks,
        _optimizer(config.learning_rate, start.old_rate if start.source else None),
        clip=config.clip,
        advantage=config.advantage,
        per_task=config.per_task,
        baseline_decay=config.baseline_decay,
        entropy_weight=config.entropy_weight,
        entropy_target=config.entropy_target,
        candidates=config.candidates,
        greedy=start.greedy if start.source else 0,
        bank=config.bank,
        replay=config.replay,
        updates=config.updates,
        sync_every=config.sync_every,
    )


# One object per recipe: it is a static argument of compiled programs.
@functools.lru_cache(maxsize=64)
def _optimizer(rate: float, old_rate: float | None) -> optax.GradientTransformation:
    return optax.adam(rate) if old_rate is None else transfer_optimizer(rate, old_rate)


def save_controller(
    folder: pathlib.Path, space: SearchSpace, tasks: tuple[str, ...], params: Any
) -> None:
    """Writes what a searcher has learned to a run folder."""
    leaves = {_path(path): np.asarray(x) for path, x in _leaves(jax.device_get(params))}
    about = {"space": to_json(space.to_json()), "tasks": list(tasks)}
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {"about": np.array(json.dumps(about)), **leaves}
    np.savez(buffer, **arrays)
    write_bytes(folder / CONTROLLER, buffer.getvalue())


def load_controller(
    start: TransferConfig, space: SearchSpace, tasks: int, config: PPOConfig, key: jax.Array
) -> Any:
    """The parameters that a finished run's controller starts with on new tasks.

    Args:
      start: names the folder of the run.
      space: of the new search.
      tasks: how many there are now; each gets a fresh embedding.
      config: of the new searcher.
      key: of the embeddings.

    Raises:
      RunError: no finished run of several tasks, or a controller of another space or size.
    """
    source = start.source
    stored_space, stored_tasks, arrays = _read(pathlib.Path(source))
    if stored_space != to_json(space.to_json()):
        raise RunError(
            f"the controller of {source} is of another search space than {space.name!r} is now: "
            "give a run with the same children.space."
        )
    like = make_ppo(space, stored_tasks, config, TransferConfig()).init(key).learner
    leaves = []
    for path, leaf in _leaves(like):
        found = arrays.get(_path(path))
        if found is None or found.shape != leaf.shape:
            raise RunError(
                f"the controller of {source} has {_path(path)} "
                f"{None if found is None else list(found.shape)}, this one {list(leaf.shape)}: set "
                "searcher.hidden, searcher.layers and searcher.embedding to those of that run."
            )
        leaves.append(jax.numpy.asarray(found))
    params = jax.tree.unflatten(jax.tree.structure(like), leaves)
    scale = _SCALE if start.centre == "zero" else 0.0
    return new_task(params, key, tasks=tasks, scale=scale, centre=start.centre)


def _read(folder: pathlib.Path) -> tuple[Any, int, dict[str, np.ndarray]]:
    """The space, the number of tasks and the parameters of a stored controller."""
    try:
        with open(folder / CONTROLLER, "rb") as file, np.load(file) as stored:
            arrays = {name: stored[name] for name in stored.files}
        about = json.loads(str(arrays.pop("about")))
        return about["space"], len(about["tasks"]), arrays
    except DAMAGE as error:
        raise RunError(
            f"{folder} holds no readable controller ({CONTROLLER}): give the folder of a finished "
            "search of several tasks."
        ) from error


def _leaves(params: Any) -> list[tuple[Any, Any]]:
    return jax.tree_util.tree_flatten_with_path(params)[0]


def _path(path: tuple[Any, ...]) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="|")
