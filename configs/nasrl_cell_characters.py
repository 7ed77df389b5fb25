"""NAS-RL's recurrent cells on characters: small, and by default on a text that Python carries.

jaxnas search nasrl_cell_characters [--set data=ptb:FOLDER | --set data=text:FILE]
"""

from jaxnas.searcher_config import SearcherConfig
from jaxnas.text_population_config import (
    RecurrentConfig,
    TextFinalConfig,
    TextPopulationConfig,
    TextSearchConfig,
    TextTrainingConfig,
)


def config(variant: str = "") -> TextPopulationConfig:
    """The experiment; `smoke` runs every phase once."""
    smoke = variant == "smoke"
    return TextPopulationConfig(
        name="nasrl_cell_characters",
        paper="Zoph & Le 2017, NAS-RL (arXiv:1611.01578), the search of recurrent cells; base 2, "
        "sizes and recipe are ours",
        expected="test perplexity of 4.61 on the text that Python 3.11 carries, the random arm's "
        "4.64 to 4.86 (ours, seed 0, one run; texts differ between versions of Python)",
        hardware="1 CPU core",
        time="8.5 minutes of CPU time; 28 minutes by the clock on a core shared with others",
        children=RecurrentConfig(base=2, hidden=4 if smoke else 32, layers=1, init_scale=0.1),
        searcher=SearcherConfig(
            learning_rate=0.01,
            hidden=8 if smoke else 35,
            layers=2,
            entropy_weight=0.0,
            normalize_advantage=False,
        ),
        search=TextSearchConfig(
            samples=4 if smoke else 400, batch=2 if smoke else 8, random=2 if smoke else 8
        ),
        training=TextTrainingConfig(
            epochs=1,
            epoch_steps=3 if smoke else 300,
            score_steps=2 if smoke else 20,
            optimizer="adam",
            learning_rate=0.01,
            clip=1.0,
        ),
        final=TextFinalConfig(
            best=1 if smoke else 3, random=1 if smoke else 3, epochs=2 if smoke else 10
        ),
    )
