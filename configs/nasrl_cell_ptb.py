"""NAS-RL's recurrent cells on the words of Penn Treebank, every child trained from scratch.

jaxnas search nasrl_cell_ptb --set data=ptb:FOLDER
"""

from jaxnas.children.recurrent import Dropout
from jaxnas.searcher_config import SearcherConfig
from jaxnas.text_population_config import (
    RecurrentConfig,
    TextDataConfig,
    TextFinalConfig,
    TextPopulationConfig,
    TextSearchConfig,
    TextTrainingConfig,
)


def config(variant: str = "") -> TextPopulationConfig:
    """The experiment; `smoke` runs every phase once on the characters of an embedded text."""
    smoke = variant == "smoke"
    data = TextDataConfig(source="ptb:ptb", level="word")
    return TextPopulationConfig(
        name="nasrl_cell_ptb",
        paper="Zoph & Le 2017, NAS-RL (arXiv:1611.01578), sections 3.4 and 4.2: base 8, two layers "
        "of the medium size; learning rate, its cosine and the shares of dropout are ours",
        expected="the paper's cell reaches a test perplexity of 67.9 at 32M parameters after a "
        "grid search of its training (as recalled); nothing was measured by us at this size",
        hardware="accelerators: the paper used 400 CPUs for 15,000 children",
        time="not measured",
        data=TextDataConfig() if smoke else data,
        children=RecurrentConfig(
            base=2 if smoke else 8,
            hidden=4 if smoke else 740,
            layers=2,
            dropout=Dropout(embedding=0.2, inputs=0.5, hidden=0.2, output=0.5),
        ),
        searcher=SearcherConfig(
            learning_rate=0.0005,
            hidden=8 if smoke else 35,
            layers=2,
            accumulate=10,
            entropy_weight=0.0,
            normalize_advantage=False,
        ),
        search=TextSearchConfig(
            samples=4 if smoke else 15_000, batch=2 if smoke else 8, random=2 if smoke else 8
        ),
        training=TextTrainingConfig(
            epochs=1 if smoke else 35,
            epoch_steps=3 if smoke else None,
            score_steps=2 if smoke else None,
        ),
        final=TextFinalConfig(
            best=1 if smoke else 3, random=1 if smoke else 3, epochs=1 if smoke else 55
        ),
    )
