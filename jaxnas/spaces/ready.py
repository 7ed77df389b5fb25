"""The ready spaces by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from jaxnas.spaces.chain import chain
from jaxnas.spaces.enas_macro import enas_macro
from jaxnas.spaces.enas_micro import enas_micro
from jaxnas.spaces.graph import SearchSpace
from jaxnas.spaces.mobilenet import mobilenet
from jaxnas.spaces.nasbench201 import nasbench201
from jaxnas.spaces.nasrl_conv import nasrl_conv
from jaxnas.spaces.recurrent import recurrent
from jaxnas.spaces.shufflenas import shufflenas
from jaxnas.spaces.small_images import small_images
from jaxnas.spaces.text import text

READY: Mapping[str, Callable[[], SearchSpace]] = {
    "chain": chain,
    "enas_macro": enas_macro,
    "enas_micro": enas_micro,
    "mobilenet": mobilenet,
    "nasbench201": nasbench201,
    "nasrl_conv": nasrl_conv,
    "recurrent": recurrent,
    "shufflenas": shufflenas,
    "small_images": small_images,
    "text": text,
}
"""Makes each ready space at the size of its paper."""
