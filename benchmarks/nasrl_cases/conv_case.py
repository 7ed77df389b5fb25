"""Convolutional children trained: a population in one program against PyTorch, one by one.

Both sides train the same children from the same first weights on the same batches in the same
order. Losses are compared before anything is timed. `tuned` is PyTorch with channels last, `plain`
its default order; the better of the two is the opponent of the summary.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import numpy as np
import torch
from measuring import cpu_seconds, interleave, ratio
from torch_reference.compiling import first_call
from torch_reference.nasrl_conv import ConvChild, train
from torch_reference.weights import to_images

from jaxnas.children import NasRLConv, nasrl_conv
from jaxnas.data import normalize
from jaxnas.engine import DeviceData, Split, device_data
from jaxnas.evaluators import ImageBatches, Population
from nasrl_cases import digit_convs

CIFAR = {"layers": 6, "most_classes": 8, "heights": (1, 3), "widths": (1, 3), "filters": (24, 48)}
"""Children of the paper's first depth, on images of random numbers of CIFAR-10's size.

A CPU's program has a convolution for each choice of a layer, here 64; with all of the paper's, 512
with as many numbers of input channels, XLA compiles for minutes.
"""


class Work(NamedTuple):
    """What is trained.

    Attributes:
      trainer: the population.
      data: on the device.
      state: the children before their training.
    """

    trainer: Population
    data: DeviceData
    state: Any


def digits_work(number: int, seed: int) -> Work:
    """Children of the digits, four layers deep, drawn uniformly; one epoch is 20 steps."""
    dataset = digit_convs.digits()
    trainer = digit_convs.population(dataset, digit_convs.children(digit_convs.LAYERS))
    return _work(trainer, device_data(dataset), number, seed)


def cifar_work(number: int, seed: int, size: int = 16, steps: int = 2) -> Work:
    """Children of `CIFAR` on `size x size` images of noise; one epoch is `steps` steps."""
    random = np.random.default_rng(seed)
    rows = steps * digit_convs.BATCH
    images = random.integers(0, 256, (rows, size, size, 3)).astype(np.uint8)
    split = Split(jax.numpy.asarray(images), jax.numpy.asarray(random.integers(0, 10, rows)))
    data = DeviceData(split, split, jax.numpy.full(3, 0.5), jax.numpy.full(3, 0.3))
    batches = ImageBatches(rows, rows, digit_convs.BATCH)
    model = nasrl_conv((size, size, 3), 10, **CIFAR)
    trainer = Population(model, batches, digit_convs.make_optimizer)
    return _work(trainer, data, number, seed)


def _work(trainer: Population, data: DeviceData, number: int, seed: int) -> Work:
    key = jax.random.key(seed)
    architectures = trainer.model.space.sample(key, number)
    arguments = jax.random.split(key, number), architectures, digit_convs.rates(number)
    return Work(trainer, data, trainer.init(*arguments))


class TorchWork:
    """The same work in PyTorch: the same weights, images and orders."""

    def __init__(self, work: Work, *, channels_last: bool):
        self.work, self.channels_last = work, channels_last
        images = normalize(work.data.train.images, work.data.mean, work.data.std)
        self.images = to_images(images, channels_last=channels_last)
        self.labels = torch.from_numpy(np.array(work.data.train.labels)).long()
        self.parameters = jax.tree.map(np.asarray, work.state.parameters)
        self.orders = [self._order(i) for i in range(len(work.state.value))]

    def child(self, i: int) -> ConvChild:
        """The module of one child with its first weights."""
        model: NasRLConv = self.work.trainer.model
        parameters = jax.tree.map(lambda leaf: leaf[i], self.parameters)
        architecture = np.asarray(self.work.state.architecture[i])
        return ConvChild(model.settings, parameters, architecture, channels_last=self.channels_last)

    def train(self, child: ConvChild, i: int, forward: Any = None) -> torch.Tensor:
        """Trains one child for an epoch, and returns its losses."""
        recipe = digit_convs.LEARNING_RATE, digit_convs.MOMENTUM, digit_convs.WEIGHT_DECAY
        forward = child if forward is None else forward
        return train(child, forward, self.images, self.labels, self.orders[i], *recipe)

    def train_all(self) -> np.ndarray:
        """The mean losses `[N]` of an epoch of all children, one after the other."""
        number = len(self.orders)
        return np.array([float(self.train(self.child(i), i).mean()) for i in range(number)])

    def _order(self, i: int) -> torch.Tensor:
        batches, data = self.work.trainer.batches, self.work.data
        key = jax.random.fold_in(self.work.state.key[i], 1)
        order = np.array(batches.start_epoch(data, key, 0))
        steps = batches.epoch_steps
        return torch.from_numpy(order[: steps * batches.batch_size]).long().reshape(steps, -1)


def compare(name: str, work: Work, seconds: float, quick: bool) -> dict[str, Any]:
    """The row of a population: children trained per second, ratios to PyTorch with intervals."""
    start = cpu_seconds()
    trained = _epoch(work)
    compiling = cpu_seconds() - start
    peers = {
        "tuned": TorchWork(work, channels_last=True),
        "plain": TorchWork(work, channels_last=False),
    }
    ours, difference = np.asarray(trained.loss), 0.0
    for peer, torch_work in peers.items():
        difference = float(np.abs(torch_work.train_all() / ours - 1).max())
        if not difference < 0.02:
            raise SystemExit(f"{name}: {peer} PyTorch's losses are apart by {difference:.2g}.")
    runs = {"jaxnas": lambda: _epoch(work)} | {p: w.train_all for p, w in peers.items()}
    times = interleave(runs, seconds=seconds, **({"least": 2, "most": 2} if quick else {}))
    cpu = {contender: t.cpu for contender, t in times.items()}
    number, steps = len(ours), work.trainer.batches.epoch_steps
    best = min(peers, key=lambda peer: np.median(cpu[peer]))
    return {
        "part": "conv",
        "case": name,
        "children": number,
        "steps": steps,
        "child_steps_per_second": number * steps / float(np.median(cpu["jaxnas"])),
        "torch_child_steps_per_second": number * steps / float(np.median(cpu[best])),
        **{f"ratio_{peer}": ratio(cpu[peer], cpu["jaxnas"]) for peer in peers},
        "ratio": ratio(cpu[best], cpu["jaxnas"]),
        "compile_seconds": compiling - float(np.median(cpu["jaxnas"])),
        "largest_difference": difference,
        "repeats": len(cpu["jaxnas"]),
    }


def with_compilation(work: Work, row: dict[str, Any], steps: int, compiled: int) -> dict[str, Any]:
    """Different children, each trained for `steps`, from nothing: what does compilation change?

    Rates and seconds of compilation are measured; what they make of so many steps is computed.

    Args:
      work: as many different children as the figure is for.
      row: what `compare` measured of them.
      steps: of one child's training.
      compiled: how many children `torch.compile` is measured on; each has programs of its own.
    """
    number = len(np.unique(np.asarray(work.state.architecture), axis=0))
    peer = TorchWork(work, channels_last=True)
    spent, rate, failure = [], [], ""
    for i in range(compiled):
        torch.compiler.reset()
        child = peer.child(i)
        forward = torch.compile(child, fullgraph=True)  # or else an error, never eager unnoticed
        first, failure = first_call(functools.partial(peer.train, child, i, forward))
        if failure:
            break
        start = cpu_seconds()
        peer.train(child, i, forward)
        rate.append((cpu_seconds() - start) / row["steps"])
        spent.append(first - row["steps"] * rate[-1])
    ours = row["compile_seconds"] + number * steps / row["child_steps_per_second"]
    eager = number * steps / row["torch_child_steps_per_second"]
    result = {
        "part": "conv_compiled",
        "case": row["case"],
        "children": number,
        "steps": steps,
        "seconds": ours,
        "torch_seconds": eager,
        "ratio": eager / ours,
    }
    if failure:
        result["torch_compile_failed"] = failure
    elif compiled:
        total = number * (float(np.median(spent)) + steps * float(np.median(rate)))
        result |= {
            "torch_compile_seconds_per_child": float(np.median(spent)),
            "torch_compiled_child_steps_per_second": 1 / float(np.median(rate)),
            "torch_compile_seconds": total,
            "ratio_torch_compile": total / ours,
        }
    return result


def _epoch(work: Work) -> Any:
    return jax.block_until_ready(work.trainer.run(work.state, work.data, 1, scored=0))
