"""ENAS micro on CIFAR-10 with the paper's final training of 630 epochs.

jaxnas search enas_micro_final_cifar10 --set data=npz:cifar10.npz
jaxnas train ARCHITECTURE enas_micro_final_cifar10 --out DIR --set data=npz:cifar10.npz

The search is that of `enas_micro_cifar10`. Six cosine cycles of 10 to 320 epochs, drop-path that
grows to 0.4, cutout, and an auxiliary classifier, which the authors' code leaves at its initial
weights and which is trained here.
"""

import dataclasses

from jaxnas.config import Augmentation, Config, EnasMicroConfig, OptimizerConfig, TrainConfig
from jaxnas.runtime.configs import load_config


def config(variant: str = "") -> Config:
    """The experiment; `smoke` runs every phase once."""
    smoke = variant == "smoke"
    search = load_config("enas_micro_cifar10:smoke" if smoke else "enas_micro_cifar10")
    width, cells, nodes = (4, 2, 2) if smoke else (36, 15, 5)
    return dataclasses.replace(
        search,
        name="enas_micro_final_cifar10",
        expected="the paper reports 3.54% test error, 2.89% with cutout (Table 2), at 36 channels",
        hardware="one GPU or TPU",
        time="not measured",
        final_network=EnasMicroConfig(
            cells=cells, nodes=nodes, channels=width, dropout=0.2, final=True
        ),
        train=TrainConfig(
            epochs=1 if smoke else 630,
            batch_size=32 if smoke else 144,
            optimizer=OptimizerConfig(final_learning_rate=0.0001, restart_epochs=10),
            augmentation=Augmentation(cutout=16),
            drop_path=0.4,
            auxiliary_weight=0.4,
        ),
    )
