"""Children of two layers on a few numbers, with noise and a carry: all that there can be."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces import chain

SPACE = chain(2, ("tanh", "square", "boom"))
ROWS, BATCH, STEPS = 12, 3, 4


@dataclasses.dataclass(frozen=True)
class TinyChildren:
    """`y = w2 f2(w1 f1(x))`; "boom" makes the loss infinite in the third step of an epoch."""

    space: Any = SPACE

    def for_layout(self, layout):
        return self

    def init(self, key, architecture):
        first, second = jax.random.normal(key, (2, 3, 3)) / 2
        return {"first": first, "second": second[:, 0]}

    def initial_carry(self, batch_size):
        return jnp.zeros((batch_size,))

    def loss(self, parameters, architecture, carry, batch, key):
        x, y = batch
        noisy = x + 0.1 * jax.random.normal(key, x.shape)
        hidden = self.apply(architecture[0], noisy, carry) @ parameters["first"]
        output = self.apply(architecture[1], hidden, carry) @ parameters["second"]
        # The carry counts steps, and is part of the loss.
        return ((output - y - 0.1 * carry) ** 2).mean(), carry + 1

    def apply(self, action, x, carry):
        boom = lambda x: jnp.where(carry[0] >= 2, jnp.inf, 1.0) * x  # noqa: E731
        return jax.lax.switch(action, [jnp.tanh, lambda x: x * x, boom], x)

    def score(self, parameters, architecture, carry, batch):
        x, y = batch
        hidden = self.apply(architecture[0], x, jnp.zeros(1)) @ parameters["first"]
        output = self.apply(architecture[1], hidden, jnp.zeros(1)) @ parameters["second"]
        return {"square": ((output - y) ** 2).sum(), "count": jnp.asarray(len(y), x.dtype)}, carry

    def value(self, sums):
        return -sums["square"] / sums["count"]


@dataclasses.dataclass(frozen=True)
class TinyBatches:
    batch_size: int = BATCH
    epoch_steps: int = STEPS
    score_batch_size: int = ROWS // 2
    score_steps: int = 2

    def start_epoch(self, data, key, epoch):
        return jax.random.permutation(jax.random.fold_in(key, epoch), ROWS)

    def training_batch(self, data, order, key, step):
        rows = jax.lax.dynamic_slice_in_dim(order, step * BATCH, BATCH)
        return data[0][rows] + 0.01 * jax.random.normal(key, (BATCH, 3)), data[1][rows]

    def score_batch(self, data, step):
        return tuple(jax.lax.dynamic_slice_in_dim(part, step * 6, 6) for part in data)


def tiny_data():
    random = np.random.default_rng(0)
    return jnp.asarray(random.normal(size=(ROWS, 3))), jnp.asarray(random.normal(size=ROWS))
