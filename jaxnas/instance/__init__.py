"""Search where every image has its own architecture: InstaNAS."""

from jaxnas.instance.arms import best_static, independent, permuted
from jaxnas.instance.config import InstanceConfig
from jaxnas.instance.engine import InstanceEngine, InstanceState
from jaxnas.instance.evaluation import Evaluation, evaluate
from jaxnas.instance.export import InstanceModule
from jaxnas.instance.prediction import Prediction
from jaxnas.instance.schedule import InstanceSchedule
from jaxnas.instance.search import InstanceSearch
from jaxnas.instance.states import InstanceSearchState, Point

__all__ = [
    "Evaluation",
    "InstanceConfig",
    "InstanceEngine",
    "InstanceModule",
    "InstanceSchedule",
    "InstanceSearch",
    "InstanceSearchState",
    "InstanceState",
    "Point",
    "Prediction",
    "best_static",
    "evaluate",
    "independent",
    "permuted",
]
