"""Who chooses: distributions over architectures, as pure functions."""

from jaxnas.policies.base import Evaluation, Policy, Sample
from jaxnas.policies.enas_bias import enas_bias
from jaxnas.policies.instance import InstancePolicy, instance
from jaxnas.policies.lstm import lstm
from jaxnas.policies.masked import masked
from jaxnas.policies.tasks import new_task, with_tasks
from jaxnas.policies.uniform import uniform

__all__ = [
    "Evaluation",
    "InstancePolicy",
    "Policy",
    "Sample",
    "enas_bias",
    "instance",
    "lstm",
    "masked",
    "new_task",
    "uniform",
    "with_tasks",
]
