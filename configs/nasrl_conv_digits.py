"""NAS-RL's convolutional networks on scikit-learn's digits, every child trained from scratch.

jaxnas search nasrl_conv_digits
"""

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
        name="nasrl_conv_digits",
        paper="Zoph & Le 2017, NAS-RL (arXiv:1611.01578), convolutional search; our sizes for "
        "digits",
        expected="test accuracy of 0.990, the random arm's 0.980 to 0.985 (ours, seed 0, one run; "
        "the paper has no digits)",
        hardware="1 CPU core",
        time="9 minutes of CPU time; 21 minutes by the clock on a core shared with others",
        children=NasRLConvConfig(
            layers=2 if smoke else 4,
            heights=(1, 3),
            widths=(1, 3),
            filters=(2,) if smoke else (4, 16),
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
            samples=4 if smoke else 400, batch=2 if smoke else 8, random=2 if smoke else 8
        ),
        training=ChildTrainingConfig(
            epochs=1 if smoke else 5, scored=1 if smoke else 2, batch_size=50
        ),
        final=FinalConfig(
            best=1 if smoke else 3, random=1 if smoke else 3, epochs=2 if smoke else 40
        ),
    )
