"""PyTorch as the opponent of benchmarks: any network of jaxnas, with the same shared weights."""

import os

# Seconds of `torch.compile` are those of a first run: what an earlier one left on disk is not read.
os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"

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
