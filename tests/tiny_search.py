"""A whole search on a very small configuration: one layer, 128 digits, one epoch."""

from jaxnas.config import (
    Augmentation,
    ChainConfig,
    Config,
    DataConfig,
    DeriveConfig,
    SearchConfig,
    SearcherConfig,
    TrainConfig,
)

SHIFT = Augmentation(pad=1, flip=False)


def tiny_config(**changes):
    given = {
        "name": "tiny",
        "network": ChainConfig(layers=1, channels=2, dropout=0.1),
        "data": DataConfig(train=128, validation=64, test=50),
        "searcher": SearcherConfig(hidden=4),
        "search": SearchConfig(
            epochs=1,
            batch_size=32,
            children=2,
            policy_updates=2,
            policy_children=2,
            reward_batch_size=32,
            random_children=2,
            augmentation=SHIFT,
        ),
        "derive": DeriveConfig(samples=2, retrain=1, random=1),
        "train": TrainConfig(epochs=2, batch_size=32, augmentation=SHIFT, drop_path=0.1),
    }
    return Config(**(given | changes))
