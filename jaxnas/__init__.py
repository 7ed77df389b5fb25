"""Neural architecture search in JAX."""

from jaxnas import children, data, evaluators, objectives, policies, searchers, spaces, supernets
from jaxnas.asynchronous_search import AsynchronousSearch
from jaxnas.config import Config
from jaxnas.derive import derive
from jaxnas.engine import Engine, SearchState
from jaxnas.instance.config import InstanceConfig
from jaxnas.instance.engine import InstanceEngine, InstanceState
from jaxnas.population_config import PopulationConfig
from jaxnas.runtime.api import SearchResult, load_result, search
from jaxnas.runtime.configs import load_config
from jaxnas.runtime.saved import find as load_child
from jaxnas.runtime.train import train
from jaxnas.tasks_config import TasksConfig
from jaxnas.text_population_config import TextPopulationConfig
from jaxnas.training import Trainer
from jaxnas.version import __version__

__all__ = [
    "AsynchronousSearch",
    "Config",
    "Engine",
    "InstanceConfig",
    "InstanceEngine",
    "InstanceState",
    "PopulationConfig",
    "SearchResult",
    "SearchState",
    "TasksConfig",
    "TextPopulationConfig",
    "Trainer",
    "__version__",
    "children",
    "data",
    "derive",
    "evaluators",
    "load_child",
    "load_config",
    "load_result",
    "objectives",
    "policies",
    "search",
    "searchers",
    "spaces",
    "supernets",
    "train",
]
