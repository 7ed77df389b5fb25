"""ENAS micro on CIFAR-10: the paper's search and a short final training.

jaxnas search enas_micro_cifar10 --set data=npz:cifar10.npz
"""

from jaxnas.config import (
    Augmentation,
    Config,
    DataConfig,
    DeriveConfig,
    EnasMicroConfig,
    OptimizerConfig,
    SearchConfig,
    SearcherConfig,
    TrainConfig,
)


def config(variant: str = "") -> Config:
    """The experiment; `smoke` runs every phase once."""
    smoke = variant == "smoke"
    width = 4 if smoke else 20
    return Config(
        name="enas_micro_cifar10",
        paper="Pham et al. 2018, ENAS (arXiv:1802.03268), section 3.2, micro search space",
        expected="the paper reports 3.54% test error, 2.89% with cutout (Table 2), for 630 epochs "
        "of final training at 36 channels; this recipe's 100 epochs are not expected to reach it",
        hardware="one GPU or TPU",
        time="not measured",
        data=DataConfig(source="tfds:cifar10"),
        network=EnasMicroConfig(cells=2 if smoke else 6, nodes=2 if smoke else 5, channels=width),
        final_network=None
        if smoke
        else EnasMicroConfig(cells=15, nodes=5, channels=36, dropout=0.2, final=True),
        searcher=SearcherConfig(tanh_constant=2.5),
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
            drop_path=0.4,
        ),
    )
