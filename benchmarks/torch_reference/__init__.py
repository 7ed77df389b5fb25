"""PyTorch as the opponent of benchmarks: any network of jaxnas, with the same shared weights."""

from torch_reference import child, per_image, same_plan
from torch_reference.controller import Controller
from torch_reference.weights import SharedWeights, to_images

__all__ = ["Controller", "SharedWeights", "child", "per_image", "same_plan", "to_images"]
