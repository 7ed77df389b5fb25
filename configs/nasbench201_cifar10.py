"""The cell of NAS-Bench-201 on CIFAR-10, searched with shared weights.

jaxnas search nasbench201_cifar10 --set data=npz:cifar10.npz
"""

from jaxnas.config import (
    Config,
    DataConfig,
    DeriveConfig,
    NasBench201Config,
    OptimizerConfig,
    SearchConfig,
    TrainConfig,
)


def config(variant: str = "") -> Config:
    """The experiment; `smoke` runs every phase once."""
    smoke = variant == "smoke"
    width = 4 if smoke else 16
    return Config(
        name="nasbench201_cifar10",
        paper="Dong & Yang 2020, NAS-Bench-201 (arXiv:2001.00326), with ENAS's alternation",
        expected="the benchmark's best cell has 94.37% test accuracy after 200 epochs (its table); "
        "this recipe trains as long",
        hardware="one GPU or TPU",
        time="not measured",
        data=DataConfig(source="tfds:cifar10"),
        network=NasBench201Config(cells=1 if smoke else 5, channels=width),
        final_network=None if smoke else NasBench201Config(cells=5, channels=16, affine=True),
        search=SearchConfig(
            epochs=1 if smoke else 100,
            batch_size=32 if smoke else 64,
            children=2,
            policy_updates=2 if smoke else 50,
            policy_children=2 if smoke else 20,
            reward_batch_size=32 if smoke else 128,
            random_children=2 if smoke else 20,
            optimizer=OptimizerConfig(
                learning_rate=0.025, final_learning_rate=0.001, weight_decay=5e-4
            ),
        ),
        derive=DeriveConfig(
            samples=4 if smoke else 100, retrain=1 if smoke else 3, random=1 if smoke else 5
        ),
        train=TrainConfig(
            epochs=1 if smoke else 200,
            batch_size=32 if smoke else 256,
            optimizer=OptimizerConfig(
                learning_rate=0.1, final_learning_rate=0.0, weight_decay=5e-4, clip=0
            ),
        ),
    )
