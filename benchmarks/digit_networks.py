"""Small networks for the digits: a loop over layers, and optimisers with their own learning rates.

`make_graph_table.py` trains all of them; `graph_space.py` searches in the table.
"""

from __future__ import annotations

import functools
import pathlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnas.data import Dataset
from jaxnas.spaces import Decision, SearchSpace, branch, compose, loop

TABLE = pathlib.Path(__file__).resolve().parent / "tables" / "digit_networks.npz"

WIDTHS = ("16", "64")
ACTIVATIONS = ("relu", "tanh")
RATES = {
    "sgd": ("0.03", "0.1", "0.3", "1"),
    "momentum": ("0.01", "0.03", "0.1", "0.3"),
    "adam": ("0.001", "0.003", "0.01", "0.03"),
}
LAYERS, CLASSES, PIXELS = 4, 10, 64
BATCH, EPOCHS = 50, 5


def space() -> SearchSpace:
    """The space of (4 + 16 + 64 + 256) * 12 = 4,080 networks with their training."""
    width, activation = Decision("width", WIDTHS), Decision("activation", ACTIVATIONS)
    rates = {name: Decision(f"{name}_rate", labels) for name, labels in RATES.items()}
    layers = loop(width, activation, at_most=LAYERS, more="more_layers")
    return compose("digit_networks", layers, branch("optimizer", rates))


class Child(NamedTuple):
    """One network, or `[N]` of them.

    Attributes:
      depth: `int32 []`, the number of hidden layers.
      width: `int32 [4]`, their widths; 0 past the depth.
      tanh: `bool [4]`, whether their activation is tanh.
      optimizer: `int32 []`, a position in `RATES`.
      rate: `float32 []`.
    """

    depth: Any
    width: Any
    tanh: Any
    optimizer: Any
    rate: Any


def read_children(architectures: np.ndarray) -> Child:
    """What architectures `[N, T]` of the space mean, with leading axes `[N]`."""
    graph, children = space(), []
    for architecture in architectures:
        choices = graph.choices(architecture)
        widths, kinds = choices.visits("width"), choices.visits("activation")
        padding = (0,) * (LAYERS - len(widths))
        optimizer = tuple(RATES)[choices["optimizer"]]
        rate = RATES[optimizer][choices[f"{optimizer}_rate"]]
        children.append(
            Child(
                np.int32(len(widths)),
                np.array([*(int(WIDTHS[w]) for w in widths), *padding], np.int32),
                np.array([*kinds, *padding], bool),
                np.int32(choices["optimizer"]),
                np.float32(rate),
            )
        )
    return Child(*(np.stack(values) for values in zip(*children, strict=True)))


class Digits(NamedTuple):
    """Images `float32 [N, 64]` in [0, 1] and labels `int32 [N]` of the three parts."""

    train: tuple[jax.Array, jax.Array]
    validation: tuple[jax.Array, jax.Array]
    test: tuple[jax.Array, jax.Array]


def flat(dataset: Dataset) -> Digits:
    """The data as rows of numbers."""

    def rows(split):
        images = getattr(dataset, f"{split}_images")
        flat_images = jnp.asarray(images.reshape(len(images), -1), jnp.float32) / 255
        return flat_images, jnp.asarray(getattr(dataset, f"{split}_labels"), jnp.int32)

    return Digits(*(rows(split) for split in Digits._fields))


def correct_answers(child: Child, keys: jax.Array, data: Digits) -> jax.Array:
    """Trains one child with each of `[S]` seeds; `int32 [S, 2]`, right in validation and test."""
    branches = [functools.partial(_train_all, depth) for depth in range(1, LAYERS + 1)]
    return jax.lax.switch(child.depth - 1, branches, child, keys, data)


def _train_all(depth: int, child: Child, keys: jax.Array, data: Digits) -> jax.Array:
    return jax.vmap(lambda key: _train(depth, child, key, data))(keys)


def _train(depth: int, child: Child, key: jax.Array, data: Digits) -> jax.Array:
    images, labels = data.train
    init_key, order_key = jax.random.split(key)
    params = _init(depth, child, init_key)
    zeros = jax.tree.map(jnp.zeros_like, params)
    per_epoch = len(images) // BATCH
    orders = jax.vmap(lambda k: jax.random.permutation(k, len(images))[: per_epoch * BATCH])(
        jax.random.split(order_key, EPOCHS)
    )

    def step(state, inputs):
        params, first, second = state
        count, rows = inputs
        gradient = jax.grad(_loss)(params, depth, child, images[rows], labels[rows])
        return _update(child, count, params, first, second, gradient), None

    steps = (jnp.arange(1, EPOCHS * per_epoch + 1), orders.reshape(-1, BATCH))
    (params, _, _), _ = jax.lax.scan(step, (params, zeros, zeros), steps)
    parts = (data.validation, data.test)
    return jnp.stack([_right(params, depth, child, *part) for part in parts])


def _init(depth: int, child: Child, key: jax.Array):
    """Weights by He et al. 2015 at the widths of the child; padding stays zero, always."""
    widest = max(int(w) for w in WIDTHS)
    sizes = [PIXELS, *[widest] * depth, CLASSES]
    real = [PIXELS, *(child.width[i] for i in range(depth)), CLASSES]
    params = []
    for i, layer_key in enumerate(jax.random.split(key, depth + 1)):
        shape = (sizes[i], sizes[i + 1])
        inside = (jnp.arange(shape[0]) < real[i])[:, None] & (jnp.arange(shape[1]) < real[i + 1])
        drawn = jax.random.normal(layer_key, shape) * jnp.sqrt(2.0 / real[i])
        params.append((jnp.where(inside, drawn, 0.0), jnp.zeros(shape[1])))
    return params


def _logits(params, depth: int, child: Child, x: jax.Array) -> jax.Array:
    for i in range(depth):
        z = x @ params[i][0] + params[i][1]
        act = jnp.where(child.tanh[i], jnp.tanh(z), jax.nn.relu(z))
        x = jnp.where(jnp.arange(z.shape[-1]) < child.width[i], act, 0.0)
    return x @ params[depth][0] + params[depth][1]


def _loss(params, depth: int, child: Child, x: jax.Array, labels: jax.Array) -> jax.Array:
    logits = _logits(params, depth, child, x)
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def _right(params, depth: int, child: Child, x: jax.Array, labels: jax.Array) -> jax.Array:
    """How many answers are right; none of a child that diverged."""
    logits = _logits(params, depth, child, x)
    right = (logits.argmax(-1) == labels) & jnp.isfinite(logits).all(-1)
    return right.sum(dtype=jnp.int32)


def _update(child: Child, count, params, first, second, gradient):
    """One step of the child's own optimiser: SGD, SGD with momentum 0.9, or Adam."""

    def sgd(first, second):
        return first, second, gradient

    def momentum(first, second):
        first = jax.tree.map(lambda m, g: 0.9 * m + g, first, gradient)
        return first, second, first

    def adam(first, second):
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradient)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradient)
        scale = jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        step = jax.tree.map(lambda m, v: scale * m / (jnp.sqrt(v) + 1e-8), first, second)
        return first, second, step

    first, second, step = jax.lax.switch(child.optimizer, [sgd, momentum, adam], first, second)
    return jax.tree.map(lambda p, s: p - child.rate * s, params, step), first, second
