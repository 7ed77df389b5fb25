"""How a controller learns to tell images apart before it chooses for them (ours).

A controller with random weights says nearly the same of all images, while what all images have in
common is learnt within a few updates: a search then ends with one architecture for all. With
`controller.start = "classifier"` it first learns the classes of the training images, while the
shared weights are pretrained. Its logits are read as classes through a fixed random matrix, so it
has no layer that the search would throw away. Then its logits are standardised, as layers are that
start from data (Salimans & Kingma 2016, arXiv:1602.07868, section 3): every bit is open on average,
and which images it is on for depends on what they show.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.objectives import cross_entropy
from jaxnas.optimizers import apply_gradient
from jaxnas.policies.controllers import affine_logits

_EPSILON = 1e-6


def class_code(decisions: int, classes: int) -> jax.Array:
    """The fixed matrix `[T, K]` through which the logits of bits are read as those of classes."""
    code = jax.random.normal(jax.random.key(decisions), (decisions, classes))
    return code / jnp.sqrt(decisions)


@functools.partial(jax.jit, static_argnums=(0, 1, 5))
def classify(policy, optimizer, state, images, labels, classes: int):
    """One step of a controller towards the classes of images.

    Args:
      policy: the policy.
      optimizer: its optimiser.
      state: parameters, state of the optimiser.
      images: `[B, H, W, C]`.
      labels: `int [B]`.
      classes: how many there are.

    Returns:
      The new parameters and state of the optimiser, and the accuracy `[]` before the step.
    """
    code = class_code(len(policy.space.decisions), classes)

    def loss(params):
        logits = policy.logits(params, images) @ code
        return cross_entropy(logits, labels), (logits.argmax(-1) == labels).mean()

    params, optimizer_state = state
    gradient, accuracy = jax.grad(loss, has_aux=True)(params)
    return *apply_gradient(optimizer, params, optimizer_state, gradient), accuracy


@functools.partial(jax.jit, static_argnums=0)
def standardize(policy, params: Any, images: jax.Array) -> Any:
    """Parameters with which each logit has mean 0 and deviation 1 over images `[B, H, W, C]`."""
    logits = policy.logits(params, images)
    scale = 1 / (logits.std(0) + _EPSILON)
    return affine_logits(params, scale, -logits.mean(0) * scale)
