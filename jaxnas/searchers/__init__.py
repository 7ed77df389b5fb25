"""How to choose better: search algorithms behind `ask` and `tell`."""

from jaxnas.searchers.base import Searcher
from jaxnas.searchers.evolution import EvolutionState, evolution
from jaxnas.searchers.mutation import mutate
from jaxnas.searchers.random import RandomState, random
from jaxnas.searchers.reinforce import reinforce
from jaxnas.searchers.reinforce_state import ReinforceSettings, ReinforceState
from jaxnas.searchers.rewards import RewardRecord

__all__ = [
    "EvolutionState",
    "RandomState",
    "ReinforceSettings",
    "ReinforceState",
    "RewardRecord",
    "Searcher",
    "evolution",
    "mutate",
    "random",
    "reinforce",
]
