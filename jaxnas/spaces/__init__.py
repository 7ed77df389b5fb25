"""What can be chosen: search spaces as graphs of decisions."""

from jaxnas.spaces.chain import chain
from jaxnas.spaces.compose import compose
from jaxnas.spaces.enas_macro import enas_macro
from jaxnas.spaces.enas_micro import enas_micro
from jaxnas.spaces.encoding import Choices
from jaxnas.spaces.errors import SpaceError
from jaxnas.spaces.graph import END, Decision, SearchSpace
from jaxnas.spaces.mobilenet import mobilenet
from jaxnas.spaces.nasbench201 import nasbench201
from jaxnas.spaces.nasrl_conv import nasrl_conv
from jaxnas.spaces.parts import branch, loop, optional, sequence, within
from jaxnas.spaces.ranking import rank, unrank
from jaxnas.spaces.recurrent import recurrent
from jaxnas.spaces.shufflenas import shufflenas
from jaxnas.spaces.small_images import SmallImageOptions, small_images
from jaxnas.spaces.text import TextOptions, text
from jaxnas.spaces.unroll import Unrolled, unroll
from jaxnas.spaces.walks import Walk

__all__ = [
    "Choices",
    "Decision",
    "END",
    "SearchSpace",
    "SmallImageOptions",
    "SpaceError",
    "TextOptions",
    "Unrolled",
    "Walk",
    "branch",
    "chain",
    "compose",
    "enas_macro",
    "enas_micro",
    "loop",
    "mobilenet",
    "nasbench201",
    "nasrl_conv",
    "optional",
    "rank",
    "recurrent",
    "sequence",
    "shufflenas",
    "small_images",
    "text",
    "unrank",
    "unroll",
    "within",
]
