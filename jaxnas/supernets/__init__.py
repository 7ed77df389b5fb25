"""Shared-weight networks, and the execution of many sampled children at once."""

from jaxnas.supernets import ops, standalone
from jaxnas.supernets.child import (
    child_network,
    children_network,
    count_flops,
    count_parameters,
    inherit,
)
from jaxnas.supernets.executors.over_cores import over_cores
from jaxnas.supernets.executors.statistics import average_moments
from jaxnas.supernets.network import Network, OperationTable, Shared
from jaxnas.supernets.networks import (
    chain,
    enas_macro,
    enas_micro,
    enas_micro_final,
    mobilenet,
    mobilenet_v2,
    nasbench201,
    shufflenas,
    shufflenet_v2,
)
from jaxnas.supernets.noise import Noise
from jaxnas.supernets.plan import Plan, Work, make_plan
from jaxnas.supernets.routing import Routing, make_routing
from jaxnas.supernets.segments import InSegments, Segment
from jaxnas.supernets.supernet import Supernet

__all__ = [
    "InSegments",
    "Network",
    "Noise",
    "OperationTable",
    "Plan",
    "Routing",
    "Segment",
    "Shared",
    "Supernet",
    "Work",
    "average_moments",
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
    "make_routing",
    "mobilenet",
    "mobilenet_v2",
    "nasbench201",
    "ops",
    "over_cores",
    "shufflenas",
    "shufflenet_v2",
    "standalone",
]
