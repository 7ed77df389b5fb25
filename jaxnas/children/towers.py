"""The deep and the wide tower of a classifier, for children of any depth and width.

Every array has the largest size that the space allows. What lies past a child's own widths is 0,
in weights and in values, so it adds nothing and gets no gradient; layers past its depth are not
computed.

Source: Cheng et al. 2016, "Wide & deep learning for recommender systems" (arXiv:1606.07792), for
the sum of both towers' logits and for their separate optimisers.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnas.spaces.towers import TowerOptions

Choices = dict[str, jax.Array]
"""The action `int32 []` of every decision of one child, by its name."""

NEVER = -1e9
"""The logit of a class that the task does not have."""

_ACTIVATIONS = {
    "relu": jax.nn.relu,
    "relu6": jax.nn.relu6,
    "leaky_relu": jax.nn.leaky_relu,
    "swish": jax.nn.swish,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
}
_EPSILON = 1e-5


def activate(labels: tuple[str, ...], action: jax.Array, x: jax.Array) -> jax.Array:
    """The chosen activation of `x`; where it was not chosen (-1), the first."""
    functions = [_ACTIVATIONS[label] for label in labels]
    if len(functions) == 1:
        return functions[0](x)
    return jax.lax.switch(jnp.maximum(action, 0), functions, x)


def batch_normalize(x: jax.Array, weights: jax.Array) -> jax.Array:
    """Normalises the columns of `x` `[B, W]` by the rows that count, `weights` `[B]`."""
    total = weights.sum()
    mean = weights @ x / total
    variance = weights @ (x - mean) ** 2 / total
    return (x - mean) / jnp.sqrt(variance + _EPSILON)


def layer_normalize(x: jax.Array, used: jax.Array) -> jax.Array:
    """Normalises the rows of `x` `[B, W]` over the columns that are used, `[W]`."""
    total = used.sum()
    mean = ((x * used).sum(-1) / total)[:, None]
    variance = (((x - mean) ** 2 * used).sum(-1) / total)[:, None]
    return (x - mean) / jnp.sqrt(variance + _EPSILON)


def normalize(
    labels: tuple[str, ...], action: jax.Array, x: jax.Array, weights: jax.Array, used: jax.Array
) -> jax.Array:
    """The chosen normalisation of `x` `[B, W]`, without scale and shift."""
    functions = {
        "none": lambda x: x,
        "batch": lambda x: batch_normalize(x, weights),
        "layer": lambda x: layer_normalize(x, used),
    }
    chosen = [functions[label] for label in labels]
    if len(chosen) == 1:
        return chosen[0](x)
    return jax.lax.switch(jnp.maximum(action, 0), chosen, x)


def drop(key: jax.Array | None, x: jax.Array, rate: jax.Array) -> jax.Array:
    """Dropout at a rate that is data; none without a key. No numbers are drawn for rate 0."""
    if key is None:
        return x

    def dropped(x: jax.Array) -> jax.Array:
        kept = jax.random.uniform(key, x.shape) >= rate
        return jnp.where(kept, x / (1 - rate), 0.0)

    return jax.lax.cond(rate > 0, dropped, lambda x: x, x)


def init_deep(
    options: TowerOptions, choices: Choices, key: jax.Array, inputs: jax.Array, classes: int
) -> dict[str, jax.Array]:
    """The first weights of a deep tower, by He et al. 2015 at the sizes of the child.

    Args:
      options: the actions of each decision.
      choices: of the child.
      key: a PRNG key.
      inputs: `bool [D]`, the features that the child has.
      classes: `K`.
    """
    depth, width = _sizes(options, choices)
    wide = max(options.most("widths"), len(inputs))
    used = jnp.arange(wide) < width
    first = jnp.zeros(wide, bool).at[: len(inputs)].set(inputs)
    keys = jax.random.split(key, options.most("layers") + 1)
    kernels = [
        _kernel(keys[i + 1], first if i == 0 else used, used) * (i < depth)
        for i in range(options.most("layers"))
    ]
    last = jnp.where(depth > 0, used, first)
    layers = len(kernels)
    return {
        "kernels": jnp.stack(kernels) if kernels else jnp.zeros((0, wide, wide)),
        "scales": jnp.ones((layers, wide)),
        "biases": jnp.zeros((layers, wide)),
        "head": _kernel(keys[0], last, jnp.ones(classes, bool)),
        "head_bias": jnp.zeros(classes),
    }


def deep_logits(
    options: TowerOptions,
    parameters: dict[str, jax.Array],
    choices: Choices,
    features: jax.Array,
    weights: jax.Array,
    key: jax.Array | None,
) -> jax.Array:
    """The logits `[B, K]` of a deep tower.

    Args:
      options: the actions of each decision.
      parameters: of `init_deep`.
      choices: of the child.
      features: `[B, D]`, 0 where the child has none.
      weights: `[B]`, 0 for rows that only fill the batch up.
      key: of the dropout; `None` for none.
    """
    depth, width = _sizes(options, choices)
    rate = options.number(choices, "dropout")
    wide = parameters["head"].shape[0]
    used = (jnp.arange(wide) < width).astype(features.dtype)
    x = jnp.pad(features, ((0, 0), (0, wide - features.shape[1])))

    def layer(x: jax.Array, i: int) -> jax.Array:
        x = drop(_fold(key, i), x, rate) @ parameters["kernels"][i]
        x = normalize(options.normalizations, choices["normalization"], x, weights, used)
        x = x * parameters["scales"][i] + parameters["biases"][i]
        return activate(options.activations, choices["activation"], x) * used

    for i in range(options.most("layers")):
        x = jax.lax.cond(i < depth, lambda x, i=i: layer(x, i), lambda x: x, x)
    x = drop(_fold(key, options.most("layers")), x, rate)
    return x @ parameters["head"] + parameters["head_bias"]


def penalty(options: TowerOptions, parameters: dict[str, Any], choices: Choices) -> jax.Array:
    """The regularisation `[]` of both towers: factors times sums of squared weights."""
    deep, wide = parameters["deep"], parameters["wide"]
    squares = {
        "deep": sum((deep[name] ** 2).sum() for name in ("kernels", "head", "filters")),
        "wide": (wide["kernel"] ** 2).sum(),
    }
    deep_factor = options.number(choices, "deep_regularization")
    wide_factor = options.number(choices, "wide_regularization")
    is_wide = options.is_yes(choices, "wide")
    return deep_factor * squares["deep"] + jnp.where(is_wide, wide_factor * squares["wide"], 0.0)


def hyperparameters(options: TowerOptions, architectures: Any) -> dict[str, jax.Array]:
    """What the trainer needs to know of children `[N, T]`: learning rates and epochs, each `[N]`.

    Example:
      >>> numbers = hyperparameters(options, architectures)  # doctest: +SKIP
      >>> epochs = numbers.pop("epochs")  # doctest: +SKIP
    """

    def one(architecture: jax.Array) -> dict[str, jax.Array]:
        choices = options.read(architecture)
        names = ("deep_rate", "wide_rate", "epochs")
        return {name: options.number(choices, name) for name in names}

    return jax.vmap(one)(jnp.asarray(architectures, jnp.int32))


def optimizer(numbers: dict[str, jax.Array]) -> optax.GradientTransformation:
    """AdaGrad with each tower's own learning rate, `deep_rate` and `wide_rate`."""
    rates = {
        "deep": optax.adagrad(numbers["deep_rate"]),
        "wide": optax.adagrad(numbers["wide_rate"]),
    }
    return optax.partition(rates, {"deep": "deep", "wide": "wide"})


def needs_reference(options: TowerOptions, architecture: Any) -> bool:
    """Whether a child `[T]` normalises by the batch, so that its predictions need one."""
    choices = options.read(jnp.asarray(architecture, jnp.int32))

    def is_batch(name: str) -> bool:
        action = int(choices[name])
        return action >= 0 and getattr(options, options.decision_fields[name])[action] == "batch"

    return is_batch("normalization") or is_batch("conv_normalization")


def count_right(logits: jax.Array, labels: jax.Array, weights: jax.Array) -> dict[str, jax.Array]:
    """The weights of the right answers and of all; not a number where a logit is not finite."""
    right = ((logits.argmax(-1) == labels) * weights).sum()
    right = jnp.where(jnp.isfinite(logits).all(), right, jnp.nan)
    return {"right": right, "count": weights.sum()}


def mean_loss(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """The mean cross-entropy `[]` of logits `[B, K]`."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def _sizes(options: TowerOptions, choices: Choices) -> tuple[jax.Array, jax.Array]:
    depth = options.number(choices, "layers").astype(jnp.int32)
    return depth, options.number(choices, "width").astype(jnp.int32)


def _kernel(key: jax.Array, rows: jax.Array, columns: jax.Array) -> jax.Array:
    """Normal weights of variance 2 / inputs where both ends are used, else 0."""
    inside = rows[:, None] & columns
    drawn = jax.random.normal(key, inside.shape)
    return jnp.where(inside, drawn * jnp.sqrt(2.0 / jnp.maximum(rows.sum(), 1)), 0.0)


def _fold(key: jax.Array | None, number: int) -> jax.Array | None:
    return None if key is None else jax.random.fold_in(key, np.uint32(number))
