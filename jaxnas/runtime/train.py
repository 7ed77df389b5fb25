"""Training one given architecture by a configuration's recipe, without a search."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxnas.config import Config
from jaxnas.engine import Split
from jaxnas.runtime import compilation_cache, saved_child
from jaxnas.runtime.errors import RunError
from jaxnas.runtime.experiment import Experiment
from jaxnas.runtime.files import write_json
from jaxnas.runtime.progress import Progress
from jaxnas.runtime.run_data import load_dataset
from jaxnas.spaces import SearchSpace
from jaxnas.supernets import child_network, count_flops
from jaxnas.training import Trainer


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
      `test_accuracy`, `validation_accuracy`, `parameters`, `flops`, also written to
      `result.json` in the folder.

    Raises:
      SpaceError: an architecture of another space.
    """
    compilation_cache.enable()
    folder = pathlib.Path(folder)
    if (folder / saved_child.CHILD).exists():
        raise RunError(f"{folder} already holds a child: give another folder.")
    dataset = load_dataset(config, data)
    experiment = Experiment(config, dataset)
    row = _array(experiment.network.space, architecture)
    child = child_network(experiment.final_network, row)
    trainer = Trainer(child, config.train, dataset.sizes["train"])
    on_device = experiment.data
    with Progress(config.train.epochs, quiet) as progress:
        progress.phase("train", config.train.epochs)
        trained = trainer.train(experiment.key("train"), on_device, [0], report=progress.advance)
    saved_child.save(folder, experiment, row, trained)
    test = Split(jnp.asarray(dataset.test_images), jnp.asarray(dataset.test_labels))
    result = {
        "test_accuracy": trainer.accuracy(trained, test, on_device, [0]),
        "validation_accuracy": trainer.accuracy(trained, on_device.validation, on_device, [0]),
        "parameters": child.count_parameters(),
        "flops": count_flops(experiment.final_network, row),
        "config": config,
    }
    write_json(folder / "result.json", result)
    return result


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
    file = path / "result.json" if path.is_dir() else path
    try:
        values = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise RunError(f"{file} holds no architecture: {error}.") from error
    encoded = values.get("architecture", values) if isinstance(values, dict) else None
    if not isinstance(encoded, dict) or "walk" not in encoded:
        raise RunError(f"{file} holds no architecture: give a run folder or an exported JSON.")
    return encoded


def evaluate_saved(
    folder: str | pathlib.Path, source: str, batch_size: int = 256
) -> dict[str, Any]:
    """The accuracy of a saved child on the test split of a data source.

    Args:
      folder: of a run, of one of its children, or of `jaxnas train`.
      source: as `jaxnas.data.load` reads it.
      batch_size: images per forward pass.

    Raises:
      RunError: no child there.
      ValueError: images of another shape than the child's.
    """
    from jaxnas.data import load

    child, dataset = saved_child.find(folder), load(source)
    if list(dataset.image_shape) != child.description["image_shape"]:
        raise ValueError(
            f"{source} has images of shape {list(dataset.image_shape)}; the child takes "
            f"{child.description['image_shape']}."
        )
    module, hits = child.module(), 0
    for start in range(0, len(dataset.test_labels), batch_size):
        batch = slice(start, start + batch_size)
        logits = module(jnp.asarray(dataset.test_images[batch]))
        hits += int((np.asarray(logits).argmax(-1) == dataset.test_labels[batch]).sum())
    return {"test_accuracy": hits / len(dataset.test_labels), "images": len(dataset.test_labels)}
