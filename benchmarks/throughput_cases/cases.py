"""Which cases there are, which peers each one meets, and in which process it runs."""

from __future__ import annotations

import dataclasses
import itertools

SUMMARY = (
    "chain_forward_peaked_64",
    "chain_forward_uniform_32",
    "nb201_forward_uniform_64",
    "nb201_forward_peaked_64",
    "micro_forward_peaked_64",
    "chain_grad_peaked_64",
    "chain_grad_uniform_32",
    "nb201_grad_uniform_16",
    "instance_forward_64",
    "controller_update",
    "update_20",
)
"""The cases whose ratios to tuned PyTorch are the benchmark's figures."""


@dataclasses.dataclass(frozen=True)
class Case:
    """One line of the table.

    Attributes:
      name: its key.
      group: the cases of one group run in one process.
      mode: `forward`, `grad`, or the kind of a case of its own.
      network: a name of `networks.make_network`.
      sample: `uniform` or `peaked`.
      children: `A`.
      samples: how many samples of children, of one seed each; what they share varies.
    """

    name: str
    group: str
    mode: str
    network: str
    sample: str = "uniform"
    children: int = 0
    samples: int = 1

    @property
    def seconds(self) -> float:
        """The time for the repeats of one sample, of which there are 5 at least and 15 at most."""
        return 6.0 if self.samples == 1 else 3.0

    @property
    def untuned(self) -> bool:
        """Whether untuned PyTorch, which is slow, runs too: at `A = 8` only."""
        return self.children == 8

    @property
    def threads(self) -> tuple[int, ...]:
        """1 thread for all cases, 2 for the summary's as well."""
        return (1, 2) if self.name in SUMMARY else (1,)


def _searched(network: str, mode: str, sample: str, children: int) -> Case:
    name = f"{network}_{mode}_{sample}_{children}"
    several = 3 if network == "micro" or sample == "uniform" else 5
    samples = several if name in SUMMARY else 1
    return Case(name, f"{network}_{mode}", mode, network, sample, children, samples)


_BOTH = ("uniform", "peaked")
CASES = (
    *(_searched("chain", "forward", s, a) for s, a in itertools.product(_BOTH, (8, 32, 64))),
    *(_searched("nb201", "forward", s, a) for s, a in itertools.product(_BOTH, (8, 32, 64))),
    _searched("nb201_5", "forward", "uniform", 8),
    _searched("nb201_5", "forward", "peaked", 32),
    _searched("micro", "forward", "uniform", 8),
    _searched("micro", "forward", "uniform", 32),
    _searched("micro", "forward", "peaked", 64),
    _searched("macro", "forward", "uniform", 8),
    _searched("macro", "forward", "peaked", 32),
    _searched("chain", "grad", "uniform", 8),
    _searched("chain", "grad", "uniform", 32),
    _searched("chain", "grad", "peaked", 64),
    _searched("nb201", "grad", "uniform", 8),
    _searched("nb201", "grad", "uniform", 16),
    _searched("nb201", "grad", "peaked", 32),
    _searched("micro", "grad", "uniform", 8),
    Case("instance_forward_64", "instance", "instance", "instance"),
    Case("instance_forward_64_batch_statistics", "instance", "instance", "instance"),
    Case("controller_update", "controller", "controller", "nb201"),
    Case("update_20", "controller", "update", "nb201", children=20),
)


def select(only: str | None, quick: bool = False) -> tuple[Case, ...]:
    """The cases whose name contains `only`; without it all, or the summary's in quick form."""
    if only is not None:
        return tuple(case for case in CASES if only in case.name)
    return tuple(case for case in CASES if not quick or case.name in SUMMARY)
