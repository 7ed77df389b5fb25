"""ENAS macro on CIFAR-10: layers with skip connections.

jaxnas search enas_macro_cifar10 --set data=npz:cifar10.npz
"""

from jaxnas.config import (
    Augmentation,
    Config,
    DataConfig,
    DeriveConfig,
    EnasMacroConfig,
    OptimizerConfig,
    SearchConfig,
    SearcherConfig,
    TrainConfig,
)


def config(variant: str = "") -> Config:
    """The experiment; `smoke` runs every phase once."""
    smoke = variant == "smoke"
    return Config(
        name="enas_macro_cifar10",
        paper="Pham et al. 2018, ENAS (arXiv:1802.03268), section 3.2, macro search space",
        expected="the paper reports 4.23% test error (Table 2) for 310 epochs of final training at "
        "24 layers and 96 channels; this recipe trains the 12 searched layers for 100 epochs and "
        "is not expected to reach it",
        hardware="one GPU or TPU",
        time="not measured",
        data=DataConfig(source="tfds:cifar10"),
        network=EnasMacroConfig(layers=3 if smoke else 12, channels=4 if smoke else 36),
        final_network=None
        if smoke
        else EnasMacroConfig(layers=12, channels=96, widen=True, concatenate=True, dropout=0.5),
        searcher=SearcherConfig(
            learning_rate=0.001,
            entropy_weight=0.0001,
            entropy_in_reward=True,
            # The code decays by 0.99 after each of the 20 children of an update.
            baseline_decay=0.99**20,
            baseline_start=0.0,
            normalize_advantage=False,
            tanh_constant=1.5,
            share_heads=True,
            adam_b1=0.0,
            adam_epsilon=0.001,
            skip_weight=0.8,
            skip_target=0.4,
        ),
        search=SearchConfig(
            epochs=1 if smoke else 310,
            batch_size=32 if smoke else 128,
            children=2,
            policy_updates=2 if smoke else 50,
            policy_children=2 if smoke else 20,
            reward_batch_size=32 if smoke else 128,
            random_children=2 if smoke else 20,
            optimizer=OptimizerConfig(
                weight_decay=5e-4, final_learning_rate=0.001, restart_epochs=0 if smoke else 10
            ),
        ),
        derive=DeriveConfig(
            samples=4 if smoke else 200, retrain=1 if smoke else 3, random=1 if smoke else 5
        ),
        train=TrainConfig(
            epochs=1 if smoke else 100,
            batch_size=32 if smoke else 100,
            augmentation=Augmentation(cutout=16),
        ),
    )
