"""Every space of the package, at its own size and small enough to enumerate.

A space joins the battery by one line here.
"""

from __future__ import annotations

from typing import NamedTuple

from jaxnas.spaces import (
    Decision,
    SearchSpace,
    branch,
    chain,
    compose,
    enas_macro,
    enas_micro,
    loop,
    mobilenet,
    nasbench201,
    nasrl_conv,
    optional,
    shufflenas,
)

AB = ("a", "b")


class Sizes(NamedTuple):
    full: SearchSpace
    small: SearchSpace


def iterative(rounds: int) -> SearchSpace:
    """Loops in loops around a branch and a conditional decision."""
    kind = branch("kind", {"conv": Decision("size", ("3", "5")), "skip": None})
    layers = loop(kind, at_most=2, more="more_layers")
    return compose(
        "iterative",
        loop(layers, at_most=rounds, more="more_stages"),
        optional("dropout", Decision("rate", ("0.1", "0.5"))),
    )


SPACES = {
    "chain": Sizes(chain(), chain(3, AB)),
    "enas_macro": Sizes(enas_macro(), enas_macro(3, AB)),
    "enas_micro": Sizes(enas_micro(), enas_micro(2, AB, ("normal",))),
    "iterative": Sizes(iterative(8), iterative(2)),
    "mobilenet": Sizes(mobilenet(), mobilenet(2, AB)),
    "nasbench201": Sizes(nasbench201(), nasbench201()),
    "nasrl_conv": Sizes(nasrl_conv(), nasrl_conv(2, heights=(1, 3), widths=(3,), filters=(4, 8))),
    "shufflenas": Sizes(shufflenas(), shufflenas(2, AB)),
}
