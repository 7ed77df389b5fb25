"""How to choose better: search algorithms behind `ask` and `tell`."""

from jaxnas.searchers.base import Searcher
from jaxnas.searchers.evolution import EvolutionState, evolution
from jaxnas.searchers.mutation import mutate
from jaxnas.searchers.ppo import ppo
from jaxnas.searchers.ppo_state import PPOSettings, PPOState
from jaxnas.searchers.random import RandomState, random
from jaxnas.searchers.reinforce import reinforce
from jaxnas.searchers.reinforce_state import ReinforceSettings, ReinforceState
from jaxnas.searchers.rewards import RewardRecord
from jaxnas.searchers.run import History, run
from jaxnas.searchers.transfer import transfer, transfer_optimizer

__all__ = [
    "EvolutionState",
    "History",
    "PPOSettings",
    "PPOState",
    "RandomState",
    "ReinforceSettings",
    "ReinforceState",
    "RewardRecord",
    "Searcher",
    "evolution",
    "mutate",
    "ppo",
    "random",
    "reinforce",
    "run",
    "transfer",
    "transfer_optimizer",
]
