"""Training one given architecture by a configuration's recipe, without a search."""

from __future__ import annotations

import json
import math
import pathlib
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxnas.config import Config
from jaxnas.data import DataError, Dataset
from jaxnas.engine import Split
from jaxnas.objectives.variety import count_unique
from jaxnas.runtime import compilation_cache, saved, saved_child
from jaxnas.runtime.errors import RunError, disk_errors, memory_errors
from jaxnas.runtime.experiment import Experiment
from jaxnas.runtime.files import write_json
from jaxnas.runtime.kinds import supernet_config
from jaxnas.runtime.outcome import RESULT
from jaxnas.runtime.progress import Progress
from jaxnas.runtime.run_data import DIGEST, load_dataset, with_own_data
from jaxnas.runtime.run_folder import CONFIG
from jaxnas.runtime.saved_instance import SavedInstance
from jaxnas.spaces import SearchSpace
from jaxnas.supernets import child_network, children_network, count_flops, inherit
from jaxnas.training import Trainer


@memory_errors(["train.batch_size"], resumable=False)
def train(
    config: Config,
    architecture: dict[str, Any] | np.ndarray,
    *,
    folder: str | pathlib.Path,
    data: Any = None,
    quiet: bool | None = None,
) -> dict[str, Any]:
    """Trains one architecture from scratch and saves it.

    Args:
      config: names the network, the data, the recipe (`train`) and the seed.
      architecture: encoded, or `int [T]`.
      folder: where the child is saved; `jaxnas evaluate` and `export` read it.
      data: your own arrays; what the configuration names by default.
      quiet: whether to show no progress.

    Returns:
      `test_accuracy`, `validation_accuracy`, `parameters`, `flops` and more, also written to
      `result.json` in the folder.

    Raises:
      SpaceError: an architecture of another space.
      RunError: a folder that holds a child or a run, or that cannot be written; or a device with
        too little memory.
    """
    compilation_cache.enable()
    folder = pathlib.Path(folder)
    _check_free(folder)
    config = with_own_data(supernet_config(config, "train"), data)
    dataset = load_dataset(config, data)
    experiment = Experiment(config, dataset)
    row = _array(experiment.network.space, architecture)
    weight = config.train.auxiliary_weight
    child = child_network(experiment.final_network, row)
    training = children_network(experiment.final_network, [row], auxiliary=bool(weight))
    trainer = Trainer(training, config.train, dataset.sizes["train"])
    # A folder that cannot be written is found now, not after the training.
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / CONFIG, config)
    on_device = experiment.data
    with Progress(config.train.epochs, quiet) as progress:
        progress.phase("train", config.train.epochs)
        auxiliary = [1] if weight else None
        trained = trainer.train(
            experiment.key("train"), on_device, [0], None, progress.advance, auxiliary
        )
    own = trained._replace(params=inherit(training, trained.params, child))
    saved_child.save(folder, experiment, row, own)
    test = Split(jnp.asarray(dataset.test_images), jnp.asarray(dataset.test_labels))
    result = {
        "test_accuracy": trainer.accuracy(trained, test, on_device, [0]),
        "validation_accuracy": trainer.accuracy(trained, on_device.validation, on_device, [0]),
        "parameters": child.count_parameters(),
        "flops": count_flops(experiment.final_network, row),
        "architecture": experiment.network.space.encode(row),
        "config": config,
    }
    write_json(folder / RESULT, result)
    return result


def _check_free(folder: pathlib.Path) -> None:
    if (folder / saved_child.CHILD).exists():
        raise RunError(f"{folder} already holds a child: give another folder.")
    config = folder / CONFIG
    # That of a training that was stopped is no run: only a search's holds the digest of its data.
    searched = config.is_file() and f'"{DIGEST}"' in config.read_text()
    if searched or (folder / RESULT).exists():
        raise RunError(f"{folder} already holds a run: give another folder.")


def _array(space: SearchSpace, architecture: dict[str, Any] | np.ndarray) -> np.ndarray:
    if isinstance(architecture, dict):
        return space.decode(architecture)
    return space.validate(architecture)


def read_architecture(path: str | pathlib.Path) -> dict[str, Any]:
    """The encoded architecture in a JSON file, or of the best child of a run folder.

    Raises:
      RunError: there is none.
    """
    path = pathlib.Path(path)
    file = path / RESULT if path.is_dir() else path
    try:
        values = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise RunError(f"{file} holds no architecture: {error}.") from error
    encoded: Any = values.get("architecture", values) if isinstance(values, dict) else None
    if not _is_encoded(encoded):
        raise RunError(f"{file} holds no architecture: give a run folder or an exported JSON.")
    return encoded


def _is_encoded(value: Any) -> bool:
    walk = value.get("walk") if isinstance(value, dict) else None
    return isinstance(walk, list) and all(
        isinstance(pair, list) and [type(part) for part in pair] == [str, str] for pair in walk
    )


@memory_errors([], resumable=False)
def evaluate_saved(
    folder: str | pathlib.Path, dataset: Dataset, batch_size: int = 256
) -> dict[str, Any]:
    """The accuracy of a saved child on the test split of a data set.

    Args:
      folder: of a run, of one of its children, or of `jaxnas train`.
      dataset: the data.
      batch_size: images per forward pass.

    Returns:
      `test_accuracy` and `images`; also `latency`, `latency_unit` and `unique_architectures` where
      every image has its own architecture.

    Raises:
      RunError: no child there, or a device with too little memory.
      DataError: images of another shape than the child's, or labels that it does not know.
    """
    child = saved.find(folder)
    _check_fits(child.description, dataset)
    if isinstance(child, SavedInstance):
        return _evaluate_instance(child, dataset, batch_size)
    module, hits = child.module(), 0.0
    for start in range(0, len(dataset.test_labels), batch_size):
        batch = slice(start, start + batch_size)
        logits = np.asarray(module(jnp.asarray(dataset.test_images[batch])))
        if not np.isfinite(logits).all():
            hits = math.nan
        hits += int((logits.argmax(-1) == dataset.test_labels[batch]).sum())
    return {"test_accuracy": hits / len(dataset.test_labels), "images": len(dataset.test_labels)}


def _evaluate_instance(child: SavedInstance, dataset: Dataset, batch_size: int) -> dict[str, Any]:
    module, count = child.module(), len(dataset.test_labels)
    correct, latency, chosen = [], [], []
    for start in range(0, count, batch_size):
        # The last batch is filled up, so that one program serves all.
        rows = np.minimum(start + np.arange(batch_size), count - 1)
        used = min(batch_size, count - start)
        found = module(jnp.asarray(dataset.test_images[rows]))
        logits = np.asarray(found.logits)[:used]
        right = logits.argmax(-1) == dataset.test_labels[rows[:used]]
        correct.append(right & np.isfinite(logits).all(-1))
        latency.append(np.asarray(found.latency)[:used])
        chosen.append(np.asarray(found.architectures)[:used])
    return {
        "test_accuracy": float(np.concatenate(correct).mean()),
        "latency": float(np.concatenate(latency).mean()),
        "latency_unit": child.table.unit,
        "unique_architectures": count_unique(np.concatenate(chosen)),
        "images": count,
    }


def _check_fits(description: dict[str, Any], dataset: Dataset) -> None:
    if list(dataset.image_shape) != description["image_shape"]:
        raise DataError(
            f"{dataset.name} has images of shape {list(dataset.image_shape)}; the child takes "
            f"{description['image_shape']}."
        )
    if dataset.num_classes > description["num_classes"]:
        raise DataError(
            f"{dataset.name} has labels up to {dataset.num_classes - 1}; the child knows "
            f"{description['num_classes']} classes."
        )
