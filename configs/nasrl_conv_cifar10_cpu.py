"""NAS-RL's convolutional networks on 2,000 images of CIFAR-10, for one CPU core.

Five updates show that everything runs on real images, but the policy hardly moves in them. A search
that learns, in some 10 times as long:

    jaxnas search nasrl_conv_cifar10_cpu --set data=npz:FILE --set search.samples=400
"""

from jaxnas.config import DataConfig
from jaxnas.data.augment import Augmentation
from jaxnas.population_config import (
    ChildTrainingConfig,
    FinalConfig,
    NasRLConvConfig,
    PopulationConfig,
    PopulationSearchConfig,
)
from jaxnas.searcher_config import SearcherConfig


def config(variant: str = "") -> PopulationConfig:
    """The experiment; `smoke` runs every phase once."""
    smoke = variant == "smoke"
    return PopulationConfig(
        name="nasrl_conv_cifar10_cpu",
        paper="Zoph & Le 2017, NAS-RL (arXiv:1611.01578), convolutional search; our sizes for a "
        "CPU",
        expected="test accuracy of 0.400 (the three best 0.362 to 0.400), the random arm's 0.325 "
        "to 0.346 (ours, seed 0, one run of 40 children in each arm, whose policy is still nearly "
        "uniform: chance)",
        hardware="1 CPU core",
        time="12 minutes of CPU time",
        data=DataConfig(
            source="tfds:cifar10", train=64 if smoke else 2000, validation=500, test=2000
        ),
        children=NasRLConvConfig(
            layers=2 if smoke else 4,
            heights=(1, 3),
            widths=(1, 3),
            filters=(2,) if smoke else (8, 16),
            most_classes=2 if smoke else 8,
        ),
        searcher=SearcherConfig(
            learning_rate=0.01,
            hidden=8 if smoke else 35,
            layers=2,
            entropy_weight=0.0,
            normalize_advantage=False,
        ),
        search=PopulationSearchConfig(
            samples=4 if smoke else 40, batch=2 if smoke else 8, random=2 if smoke else 8
        ),
        training=ChildTrainingConfig(
            epochs=1 if smoke else 2,
            scored=1,
            batch_size=32 if smoke else 50,
            augmentation=Augmentation(pad=4, flip=True),
        ),
        final=FinalConfig(
            best=1 if smoke else 3, random=1 if smoke else 3, epochs=2 if smoke else 15
        ),
    )
