"""The experiments of the benchmark: a reduced meta-graph on CIFAR-10, and a tiny one on digits."""

from __future__ import annotations

import dataclasses

from jaxnas.config import Augmentation, OptimizerConfig, TrainConfig
from jaxnas.data import Dataset, load
from jaxnas.instance_config import (
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
SIZES = {"train": 3000, "validation": 2000, "test": 4000}
PRETRAIN, SEARCH, FINETUNE = 10, 8, 6
"""Epochs of the three stages; the baselines have as many as all together."""


def cifar() -> InstanceConfig:
    """Five blocks of four modules behind a stem of stride 2."""
    crop = Augmentation(pad=4, flip=True)
    return InstanceConfig(
        name="instanas_benchmark",
        network=MobileNetConfig(
            stages=((16, 1, 1), (24, 2, 2), (48, 2, 2)),
            stem=16,
            stem_stride=2,
            head=128,
            # Without the costliest, so that five seeds fit the budget.
            modules=tuple(label for label in MODULES if label != "inverted_residual_5x5_6"),
            default="inverted_residual_3x3_3",
        ),
        controller=ControllerConfig("large_kernels", (8, 16, 32), 3, 2e-3),
        latency=LatencyConfig("FLOPs", start=0.2, end=0.42),
        pretrain=PretrainConfig(PRETRAIN, 64, OptimizerConfig(0.1, 0.001), crop, 0.3),
        search=InstanceSearchConfig(
            SEARCH,
            64,
            OptimizerConfig(0.02, 0.005),
            crop,
            policy_updates=62,
            reward_batch_size=32,
            points=2,
            recalibration_batches=6,
        ),
        finetune=StageConfig(FINETUNE, 64, OptimizerConfig(0.05, 0.0005), crop),
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
