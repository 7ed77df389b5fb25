"""What architectures are worth: functions from architectures `[N, T]` to rewards `[N]`."""

from jaxnas.evaluators.child_model import Batches, ChildModel
from jaxnas.evaluators.child_training import ChildState
from jaxnas.evaluators.chunks import children_within, in_chunks
from jaxnas.evaluators.halving import Rung, successive_halving
from jaxnas.evaluators.image_batches import ImageBatches
from jaxnas.evaluators.labelled_text_batches import (
    LabelledTextBatch,
    LabelledTextBatches,
    LabelledTextData,
)
from jaxnas.evaluators.lengths import run_lengths
from jaxnas.evaluators.population import Population
from jaxnas.evaluators.ray import ClusterError, RayEvaluator
from jaxnas.evaluators.shared import shared
from jaxnas.evaluators.tabular import tabular
from jaxnas.evaluators.text_data import text_data
from jaxnas.spaces import rank

__all__ = [
    "Batches",
    "ChildModel",
    "ChildState",
    "ClusterError",
    "ImageBatches",
    "Population",
    "RayEvaluator",
    "Rung",
    "LabelledTextBatch",
    "LabelledTextBatches",
    "LabelledTextData",
    "children_within",
    "in_chunks",
    "rank",
    "run_lengths",
    "shared",
    "successive_halving",
    "tabular",
    "text_data",
]
