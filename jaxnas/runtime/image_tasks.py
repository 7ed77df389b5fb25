"""Tasks of small images: what their children are trained on, in the search and after it."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxnas.children import SmallImageChildren, towers
from jaxnas.data import Dataset, Tasks, normalize
from jaxnas.engine import DeviceData, device_data
from jaxnas.evaluators import ImageBatches, Population
from jaxnas.tasks_config import SmallImageTasksConfig, TasksConfig


@dataclasses.dataclass(frozen=True, eq=False)
class ImageTasks:
    """The children of a configuration and their data.

    Attributes:
      config: of the experiment.
      tasks: its images.
    """

    config: TasksConfig
    tasks: Tasks

    @functools.cached_property
    def model(self) -> SmallImageChildren:
        """All children, for the largest number of classes."""
        assert isinstance(self.config.children, SmallImageTasksConfig)
        shape = self.images(self.tasks.names[0]).image_shape
        return SmallImageChildren(self.config.children.space, shape, self.tasks.num_classes)

    def population(self, train_size: int) -> Population:
        """What trains children on so many images; one program for each number."""
        validation = self.tasks.smallest("validation")
        batches = ImageBatches(train_size, validation, self.config.search.batch_size)
        return Population(self.model, batches, towers.optimizer)

    def data(self, name: str, train_size: int) -> DeviceData:
        """The training and validation images of a task."""
        images = self.images(name)
        return device_data(images.take(train_size, self.tasks.smallest("validation")))

    def images(self, name: str) -> Dataset:
        """The images of a task."""
        images = self.tasks.sets[name]
        assert isinstance(images, Dataset)
        return images

    def finished(self, trained: Any, data: DeviceData) -> Any:
        """A trained child's parameters."""
        return trained.parameters

    def reference(self, data: DeviceData, rows: int, architecture: np.ndarray) -> Any:
        """The first training images, standardised, `[R, H, W, C]`."""
        return normalize(jnp.asarray(data.train.images[:rows]), data.mean, data.std)

    def describe(self, data: DeviceData) -> dict[str, Any]:
        """What stands in a saved child's file of its inputs."""
        return {
            "input_shape": list(self.model.image_shape),
            "input_dtype": "float32",
            "mean": np.asarray(data.mean).tolist(),
            "std": np.asarray(data.std).tolist(),
        }
