"""ENAS micro on CIFAR-10: the paper's search and a short final training.

jaxnas search enas_micro_cifar10 --set data=npz:cifar10.npz

The searcher has the values of the authors' code, whose bounds keep the policy from settling: no
operation is chosen with a probability above 0.46. This package's own values are the defaults of
`SearcherConfig`.
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
        searcher=SearcherConfig(
            learning_rate=0.0035,
            entropy_weight=0.0001,
            entropy_in_reward=True,
            # The code decays by 0.99 after each of the 10 children of an update.
            baseline_decay=0.99**10,
            baseline_start=0.0,
            normalize_advantage=False,
            tanh_constant=1.1,
            operation_tanh_constant=0.44,
            convolution_bias=True,
            share_heads=True,
            adam_b1=0.0,
            adam_epsilon=0.001,
        ),
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
