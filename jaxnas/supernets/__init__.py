"""Shared-weight networks, and the execution of many sampled children at once."""

from jaxnas.supernets import ops, standalone
from jaxnas.supernets.child import (
    child_network,
    children_network,
    count_flops,
    count_parameters,
    inherit,
)
from jaxnas.supernets.network import Network, OperationTable, Shared
from jaxnas.supernets.networks import (
    chain,
    enas_macro,
    enas_micro,
    enas_micro_final,
    nasbench201,
    shufflenas,
    shufflenet_v2,
)
from jaxnas.supernets.noise import Noise
from jaxnas.supernets.plan import Plan, Work, make_plan
from jaxnas.supernets.supernet import Supernet

__all__ = [
    "Network",
    "Noise",
    "OperationTable",
    "Plan",
    "Shared",
    "Supernet",
    "Work",
    "chain",
    "child_network",
    "children_network",
    "count_flops",
    "count_parameters",
    "enas_macro",
    "enas_micro",
    "enas_micro_final",
    "inherit",
    "make_plan",
    "nasbench201",
    "ops",
    "shufflenas",
    "shufflenet_v2",
    "standalone",
]
