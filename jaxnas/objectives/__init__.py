"""What a child is worth: losses and rewards."""

from jaxnas.objectives.classification import accuracy, cross_entropy
from jaxnas.objectives.efficiency import Efficiency, child_costs
from jaxnas.objectives.language import perplexity, perplexity_reward
from jaxnas.objectives.latency import (
    LatencyTable,
    flops_table,
    instance_reward,
    latency_reward,
)
from jaxnas.objectives.latency_window import WindowSchedule, published_window

__all__ = [
    "Efficiency",
    "LatencyTable",
    "WindowSchedule",
    "accuracy",
    "child_costs",
    "cross_entropy",
    "flops_table",
    "instance_reward",
    "latency_reward",
    "perplexity",
    "perplexity_reward",
    "published_window",
]
