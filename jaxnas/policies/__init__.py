"""Who chooses: distributions over architectures, as pure functions."""

from jaxnas.policies.base import Evaluation, Policy, Sample
from jaxnas.policies.enas_bias import enas_bias
from jaxnas.policies.lstm import lstm
from jaxnas.policies.uniform import uniform

__all__ = ["Evaluation", "Policy", "Sample", "enas_bias", "lstm", "uniform"]
