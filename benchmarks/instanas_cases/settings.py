"""The experiments of the benchmark: a reduced meta-graph on CIFAR-10, and a tiny one on digits.

Chosen on validation images of seed 100, which is none of the benchmark's. The published weight of
the entropy outweighs the rewards of so few bits, and a window must start above what the first
policy costs, or all rewards are 0.
"""

from __future__ import annotations

import dataclasses

from jaxnas.config import Augmentation, OptimizerConfig, TrainConfig
from jaxnas.data import Dataset, load
from jaxnas.instance.config import (
    ControllerConfig,
    InstanceConfig,
    InstanceSearchConfig,
    LatencyConfig,
    PretrainConfig,
    StageConfig,
)
from jaxnas.network_configs import MobileNetConfig
from jaxnas.runtime.configs import load_config
from jaxnas.spaces.mobilenet import MODULES

WIDTHS = (0.5, 1.0, 1.4)
SIZES = {"train": 5000, "validation": 2000, "test": 4000}
PRETRAIN, SEARCH, FINETUNE = 4, 4, 7
"""Epochs of the three stages; the baselines have as many as all together."""


def cifar() -> InstanceConfig:
    """Seven blocks behind a stem of stride 2."""
    crop = Augmentation(pad=2, flip=True)
    return InstanceConfig(
        name="instanas_benchmark",
        network=MobileNetConfig(
            # Blocks that may be skipped, as most of the paper's 17.
            stages=((16, 1, 1), (24, 3, 2), (48, 3, 2)),
            stem=16,
            stem_stride=2,
            head=128,
            modules=MODULES[:2],
            default="inverted_residual_3x3_3",
        ),
        controller=ControllerConfig("large_kernels", (8, 8, 16), 3, 2e-3, entropy=0.05),
        latency=LatencyConfig("FLOPs", start=0.7, end=0.55),
        pretrain=PretrainConfig(PRETRAIN, 64, OptimizerConfig(0.1, 0.05), crop),
        search=InstanceSearchConfig(
            SEARCH,
            64,
            OptimizerConfig(0.05, 0.05),
            crop,
            policy_updates=150,
            reward_batch_size=64,
            points=2,
            recalibration_batches=6,
        ),
        finetune=StageConfig(FINETUNE, 64, OptimizerConfig(0.1, 0.0005), crop),
        widths=WIDTHS,
        train=TrainConfig(PRETRAIN + SEARCH + FINETUNE, 64, OptimizerConfig(0.1, 0.0005), crop),
    )


def quick() -> InstanceConfig:
    """The smoke variant of the digits, with one block."""
    config = load_config("instanas_digits:smoke")
    assert isinstance(config, InstanceConfig)
    network = dataclasses.replace(config.network, stages=((8, 1, 1),))
    return dataclasses.replace(config, network=network, widths=(1.0,))


def dataset(path: str | None) -> Dataset:
    """The images: of an npz file, or digits."""
    if path is None:
        return load("digits").take(200, 100, 100)
    loaded = load(f"npz:{path}", validation=SIZES["validation"])
    return loaded.take(SIZES["train"], SIZES["validation"], SIZES["test"])
