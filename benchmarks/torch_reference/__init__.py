"""PyTorch as the opponent of benchmarks: any network of jaxnas, with the same shared weights."""

try:
    import torch
except ImportError as error:
    raise SystemExit(
        "this benchmark needs PyTorch: python -m pip install 'jaxnas[bench]'"
    ) from error

from torch_reference import child, per_image, same_plan
from torch_reference.controller import Controller
from torch_reference.weights import SharedWeights, to_images

__all__ = ["Controller", "SharedWeights", "child", "per_image", "same_plan", "to_images", "torch"]
