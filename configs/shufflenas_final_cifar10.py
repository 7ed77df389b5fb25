"""ShuffleNASNets on CIFAR-10 with ENAS's final training of 630 epochs.

jaxnas search shufflenas_final_cifar10 --set data=npz:cifar10.npz

The search and the networks are those of `shufflenas_cifar10`; the recipe is that of ENAS's final
networks without an auxiliary classifier. What the paper's own recipe was is not known to us.
"""

import dataclasses

from jaxnas.config import Augmentation, Config, OptimizerConfig, TrainConfig
from jaxnas.runtime.configs import load_config


def config(variant: str = "") -> Config:
    """The experiment; `smoke` runs every phase once."""
    smoke = variant == "smoke"
    return dataclasses.replace(
        load_config("shufflenas_cifar10:smoke" if smoke else "shufflenas_cifar10"),
        name="shufflenas_final_cifar10",
        expected="the paper's abstract reports 2.85% test error, and below 5% with 236 thousand "
        "parameters",
        train=TrainConfig(
            epochs=1 if smoke else 630,
            batch_size=32 if smoke else 144,
            optimizer=OptimizerConfig(final_learning_rate=0.0001, restart_epochs=10),
            augmentation=Augmentation(cutout=16),
            drop_path=0.2,
        ),
    )
