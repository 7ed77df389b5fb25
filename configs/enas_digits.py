"""ENAS micro cells on scikit-learn's digits: the default, a search in minutes without a download.

jaxnas search enas_digits
"""

from jaxnas.config import (
    Augmentation,
    Config,
    DeriveConfig,
    EnasMicroConfig,
    OptimizerConfig,
    SearchConfig,
    TrainConfig,
)

SHIFT = Augmentation(pad=1, flip=False)


def config(variant: str = "") -> Config:
    """The experiment; `smoke` runs every phase once."""
    smoke = variant == "smoke"
    return Config(
        name="enas_digits",
        paper="Pham et al. 2018, ENAS (arXiv:1802.03268), micro search space; our sizes for digits",
        expected="test accuracy of 0.97 or more (ours; the paper has no digits)",
        hardware="2 CPU cores",
        time="under 4 minutes, compilation included",
        network=EnasMicroConfig(cells=2, nodes=2 if smoke else 3, channels=4 if smoke else 8),
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
