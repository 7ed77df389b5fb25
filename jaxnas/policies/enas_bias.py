"""The preference of ENAS's micro controller for convolutions.

Source: the authors' code of Pham et al. 2018 (arXiv:1802.03268), `micro_controller.py`. The learned
bias of an operation starts at 10 for both separable convolutions, where tanh is flat, so that their
logits hardly move; and in the normal cell 0.25 is added to theirs and taken from the others'.
"""

from __future__ import annotations

from typing import NamedTuple

from jaxnas.spaces import SearchSpace

INITIAL, FIXED = 10.0, 0.25


class EnasBias(NamedTuple):
    """The arguments of `jaxnas.policies.lstm` of the same names."""

    initial_bias: dict[str, tuple[float, ...]]
    fixed_bias: dict[str, tuple[float, ...]]


def enas_bias(space: SearchSpace) -> EnasBias:
    """The biases of ENAS's code for a space of cells.

    They are given to the decisions that have an action called `separable_*`; the fixed ones where
    their name begins with `normal/`.

    Raises:
      ValueError: the space has no such decision.

    Example:
      >>> from jaxnas.policies import lstm
      >>> from jaxnas.spaces import enas_micro
      >>> space = enas_micro(nodes=2)
      >>> enas_bias(space).fixed_bias["normal/2/op_1"]
      (0.25, 0.25, -0.25, -0.25, -0.25)
      >>> policy = lstm(space, tanh_constant=1.1, **enas_bias(space)._asdict())
    """
    initial, fixed = {}, {}
    for decision in space.decisions:
        chosen = [label.startswith("separable_") for label in decision.actions]
        if any(chosen):
            initial[decision.name] = tuple(INITIAL if c else 0.0 for c in chosen)
            if decision.name.startswith("normal/"):
                fixed[decision.name] = tuple(FIXED if c else -FIXED for c in chosen)
    if not initial:
        raise ValueError(
            f"space {space.name!r} has no decision with separable convolutions to prefer: leave "
            "'convolution_bias' out."
        )
    return EnasBias(initial, fixed)
