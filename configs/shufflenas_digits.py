"""ShuffleNASNets on scikit-learn's digits: searched units in minutes without a download.

jaxnas search shufflenas_digits
"""

from jaxnas.config import (
    Augmentation,
    Config,
    DeriveConfig,
    OptimizerConfig,
    SearchConfig,
    ShuffleNasConfig,
    TrainConfig,
)

SHIFT = Augmentation(pad=1, flip=False)


def config(variant: str = "") -> Config:
    """The experiment; `smoke` runs every phase once."""
    smoke = variant == "smoke"
    return Config(
        name="shufflenas_digits",
        paper="Laube & Zell 2018, ShuffleNASNets (arXiv:1812.02975), our reading of its space; our "
        "sizes for digits",
        expected="test accuracy of 0.96 or more (ours; the paper has no digits)",
        hardware="2 CPU cores",
        time="under 6 minutes on a busy machine, compilation included",
        network=ShuffleNasConfig(
            nodes=2 if smoke else 4,
            channels=4 if smoke else 16,
            depths=(1, 1, 1) if smoke else (1, 2, 2),
        ),
        search=SearchConfig(
            epochs=1 if smoke else 30,
            warmup_epochs=0 if smoke else 18,
            batch_size=40,
            children=2,
            policy_updates=2 if smoke else 6,
            policy_children=4 if smoke else 10,
            reward_batch_size=128,
            random_children=4 if smoke else 10,
            optimizer=OptimizerConfig(learning_rate=0.15, final_learning_rate=0.001),
            augmentation=SHIFT,
        ),
        derive=DeriveConfig(
            samples=8 if smoke else 50, retrain=1 if smoke else 3, random=2 if smoke else 5
        ),
        train=TrainConfig(
            epochs=1 if smoke else 30,
            batch_size=100,
            optimizer=OptimizerConfig(
                learning_rate=0.3, final_learning_rate=0.0001, weight_decay=1e-3
            ),
            augmentation=SHIFT,
            label_smoothing=0.1,
        ),
    )
