"""Shared-weight networks, one file per published search space."""

from jaxnas.supernets.networks.chain import chain
from jaxnas.supernets.networks.enas_macro import enas_macro
from jaxnas.supernets.networks.enas_micro import enas_micro
from jaxnas.supernets.networks.enas_micro_final import enas_micro_final
from jaxnas.supernets.networks.mobilenet import mobilenet
from jaxnas.supernets.networks.mobilenet_v2 import mobilenet_v2
from jaxnas.supernets.networks.nasbench201 import nasbench201
from jaxnas.supernets.networks.shufflenas import shufflenas
from jaxnas.supernets.networks.shufflenet_v2 import shufflenet_v2

__all__ = [
    "chain",
    "enas_macro",
    "enas_micro",
    "enas_micro_final",
    "mobilenet",
    "mobilenet_v2",
    "nasbench201",
    "shufflenas",
    "shufflenet_v2",
]
