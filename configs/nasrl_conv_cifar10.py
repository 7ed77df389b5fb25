r"""NAS-RL's convolutional networks on CIFAR-10, every child trained from scratch, as in the paper.

The paper's three searches; the third has no depth schedule here, since 13 blocks are predicted:

    jaxnas search nasrl_conv_cifar10 --set data=npz:FILE
    jaxnas search nasrl_conv_cifar10 --set data=npz:FILE --set children.strides=1,2,3
    jaxnas search nasrl_conv_cifar10 --set data=npz:FILE --set children.depth=none \
        --set children.layers=13 --set children.block=3 --set children.pools=13,24 \
        --set children.filters=6,12,24,36
"""

from jaxnas.config import DataConfig
from jaxnas.data.augment import Augmentation
from jaxnas.population_config import (
    ChildTrainingConfig,
    DepthConfig,
    FinalConfig,
    NasRLConvConfig,
    PopulationConfig,
    PopulationSearchConfig,
)
from jaxnas.searcher_config import SearcherConfig


def config(variant: str = "") -> PopulationConfig:
    """The experiment; `smoke` runs every phase once on a few images."""
    smoke = variant == "smoke"
    return PopulationConfig(
        name="nasrl_conv_cifar10",
        paper="Zoph & Le 2017, NAS-RL (arXiv:1611.01578), sections 3 and 4.1: from 6 layers on, "
        "2 more after every 1,600 children",
        expected="the paper's best network, of 15 layers, reaches 5.50% test error (as recalled); "
        "nothing was measured by us at this size",
        hardware="accelerators: the paper used 800 GPUs for 12,800 children",
        time="about a month on the paper's hardware (as others quote it); not measured by us",
        data=DataConfig(source="tfds:cifar10", train=64 if smoke else None),
        children=NasRLConvConfig(
            layers=2 if smoke else 20,
            depth=None if smoke else DepthConfig(),
            heights=(1, 3) if smoke else (1, 3, 5, 7),
            widths=(1, 3) if smoke else (1, 3, 5, 7),
            filters=(2, 4) if smoke else (24, 36, 48, 64),
            most_classes=2 if smoke else 4,
        ),
        searcher=SearcherConfig(
            learning_rate=0.0006,
            hidden=35,
            layers=2,
            accumulate=10,
            entropy_weight=0.0,
            normalize_advantage=False,
        ),
        search=PopulationSearchConfig(
            samples=4 if smoke else 12_800, batch=2 if smoke else 8, random=2 if smoke else 8
        ),
        training=ChildTrainingConfig(
            epochs=1 if smoke else 50,
            scored=1 if smoke else 5,
            batch_size=32 if smoke else 128,
            augmentation=Augmentation(pad=4, flip=True),
        ),
        final=FinalConfig(
            best=1 if smoke else 3, random=1 if smoke else 3, epochs=1 if smoke else 200
        ),
    )
