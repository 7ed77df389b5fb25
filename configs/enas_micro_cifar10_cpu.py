"""ENAS micro on 10,000 images of CIFAR-10, scaled down to two CPU cores.

jaxnas search enas_micro_cifar10_cpu --set data=npz:cifar10.npz
"""

from jaxnas.config import (
    Augmentation,
    Config,
    DataConfig,
    DeriveConfig,
    EnasMicroConfig,
    OptimizerConfig,
    SearchConfig,
    TrainConfig,
)


def config(variant: str = "") -> Config:
    """The experiment; `smoke` runs every phase once."""
    smoke = variant == "smoke"
    return Config(
        name="enas_micro_cifar10_cpu",
        paper="Pham et al. 2018, ENAS (arXiv:1802.03268), micro search space; our sizes for a CPU",
        expected="the policy's children pass the random ones within the search (ours); accuracies "
        "are far from the paper's, which trains 360 times as long on five times the images",
        hardware="2 CPU cores",
        time="13 minutes, of which the search 4.5",
        data=DataConfig(source="tfds:cifar10", train=9000, validation=1000, test=5000),
        network=EnasMicroConfig(cells=2, nodes=2, channels=4 if smoke else 10),
        search=SearchConfig(
            epochs=1 if smoke else 9,
            warmup_epochs=0 if smoke else 3,
            batch_size=32,
            children=3,
            policy_updates=2 if smoke else 25,
            policy_children=2 if smoke else 10,
            reward_batch_size=32 if smoke else 128,
            random_children=2 if smoke else 20,
            optimizer=OptimizerConfig(learning_rate=0.1, final_learning_rate=0.001),
        ),
        derive=DeriveConfig(
            samples=4 if smoke else 50, retrain=1 if smoke else 3, random=1 if smoke else 5
        ),
        train=TrainConfig(
            epochs=1 if smoke else 6,
            batch_size=64,
            optimizer=OptimizerConfig(learning_rate=0.1, final_learning_rate=0.0001),
            augmentation=Augmentation(),
        ),
    )
