"""ShuffleNASNets on CIFAR-10: ENAS's search over ShuffleNet V2's units.

jaxnas search shufflenas_cifar10 --set data=npz:cifar10.npz
"""

from jaxnas.config import (
    Augmentation,
    Config,
    DataConfig,
    DeriveConfig,
    OptimizerConfig,
    SearchConfig,
    ShuffleNasConfig,
    TrainConfig,
)


def config(variant: str = "") -> Config:
    """The experiment; `smoke` runs every phase once."""
    smoke = variant == "smoke"
    return Config(
        name="shufflenas_cifar10",
        paper="Laube & Zell 2018, ShuffleNASNets (arXiv:1812.02975), our reading of its space, "
        "with the alternation and recipe of ENAS (arXiv:1802.03268)",
        expected="the paper's abstract reports 2.85% test error, and below 5% with 236 thousand "
        "parameters; this recipe is shorter than ENAS's 630 epochs and is not expected to reach it",
        hardware="one GPU or TPU",
        time="not measured",
        data=DataConfig(source="tfds:cifar10"),
        network=ShuffleNasConfig(
            nodes=2 if smoke else 4,
            channels=4 if smoke else 64,
            depths=(1, 1, 1) if smoke else (2, 3, 3),
        ),
        final_network=None
        if smoke
        else ShuffleNasConfig(channels=192, depths=(5, 6, 6), dropout=0.2),
        search=SearchConfig(
            epochs=1 if smoke else 150,
            batch_size=32 if smoke else 160,
            children=2,
            policy_updates=2 if smoke else 30,
            policy_children=2 if smoke else 10,
            reward_batch_size=32 if smoke else 160,
            random_children=2 if smoke else 10,
            optimizer=OptimizerConfig(restart_epochs=0 if smoke else 10),
        ),
        derive=DeriveConfig(
            samples=4 if smoke else 200, retrain=1 if smoke else 3, random=1 if smoke else 5
        ),
        train=TrainConfig(
            epochs=1 if smoke else 100,
            batch_size=32 if smoke else 144,
            augmentation=Augmentation(cutout=16),
            drop_path=0.2,
        ),
    )
