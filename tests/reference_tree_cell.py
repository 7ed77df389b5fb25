"""The tree cell of NAS-RL written a second time: one node, one step at a time, by name.

It reads a cell's choices from its encoding, never from the order of its actions. `numpy` or
`jax.numpy` computes; with the latter it is the plain form whose gradient JAX takes itself.
"""

from __future__ import annotations

import numpy as np


def combine(name, left, right, np=np):
    return {"add": left + right, "elem_mult": left * right, "max": np.maximum(left, right)}[name]


def activate(name, value, np=np):
    if name == "sigmoid":
        return 1 / (1 + np.exp(-value))
    if name == "relu":
        return np.where(value > 0, value, 0 * value)
    return {"identity": value, "tanh": np.tanh(value), "sin": np.sin(value)}[name]


def step(space, architecture, x, z, cell, np=np):
    """`h_t` and `c_t` of one step from the leaves' maps `x` and `z`, `[B, base, H]`."""
    choices = dict(space.encode(architecture)["walk"])
    base = x.shape[1]
    values = []
    for i in range(2 * base - 1):
        child = 2 * (i - base)
        left, right = (x[:, i], z[:, i]) if i < base else values[child : child + 2]
        before = combine(choices[f"node_{i}/combination"], left, right, np)
        if i == int(choices["cell/node"]):
            new_cell = before
        value = activate(choices[f"node_{i}/activation"], before, np)
        if i == int(choices["inject/node"]):
            value = combine(choices["inject/combination"], value, cell, np)
            value = activate(choices["inject/activation"], value, np)
        values.append(value)
    return values[-1], new_cell


def run(space, architecture, weights, inputs, hidden, cell, mask=1.0, np=np):
    """All `h_t` `[T, B, H]` and the last `c_t`, from maps `[T, B, base, H]` of the inputs."""
    hiddens = []
    for x in inputs:
        z = np.einsum("bh,hkj->bkj", hidden * mask, weights)
        hidden, cell = step(space, architecture, x, z, cell, np)
        hiddens.append(hidden)
    return np.stack(hiddens), cell
