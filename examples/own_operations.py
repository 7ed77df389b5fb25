"""Search over operations that are functions of your own: `python examples/own_operations.py`."""

import jax
import jax.numpy as jnp
import optax
from sklearn.datasets import load_digits

from jaxnas.supernets import Supernet, chain
from jaxnas.supernets.ops import Function


def draw(key, shape):
    """The matrix `[C, C]` of an operation on images `[H, W, C]`."""
    return jax.random.normal(key, (shape[-1], shape[-1])) / shape[-1] ** 0.5


FUNCTIONS = {
    "sine": lambda w, x: jnp.sin(x @ w),
    "rows": lambda w, x: x + jax.nn.relu((x - jnp.roll(x, 1, axis=1)) @ w),
    "columns": lambda w, x: x + jax.nn.relu((x - jnp.roll(x, 1, axis=2)) @ w),
}
OPERATIONS = {name: Function(name, draw, apply) for name, apply in FUNCTIONS.items()}


def main(steps: int = 300, layers: int = 3) -> tuple[dict, float]:
    """Trains shared weights on random children; returns the best of 32 and its accuracy."""
    x, y = (jnp.asarray(a, jnp.float32) for a in load_digits(return_X_y=True))
    x, y = x.reshape(-1, 8, 8, 1) / 16, y.astype(int)
    own = {name: lambda *_, name=name: OPERATIONS[name] for name in OPERATIONS}
    sizes = {"image_shape": (8, 8, 1), "num_classes": 10, "layers": layers}
    network = chain(**sizes, operations=own, reductions=())
    supernet, optimiser = Supernet(network), optax.adam(2e-2)
    params = supernet.init(jax.random.key(0))
    state, update = optimiser.init(params), jax.jit(optimiser.update)
    cross_entropy = optax.softmax_cross_entropy_with_integer_labels
    gradient = supernet.value_and_grad(lambda z, y: (cross_entropy(z, y[None]).mean(), None))
    for key in jax.random.split(jax.random.key(1), steps):
        rows = jax.random.choice(key, 1200, (64,))
        _, grads = gradient(params, network.space.sample(key, 4), x[rows], y[rows])
        updates, state = update(grads, state)
        params = optax.apply_updates(params, updates)
    children = network.space.sample(jax.random.key(2), 32)
    accuracy = (supernet.apply(params, children, x[1200:]).argmax(-1) == y[1200:]).mean(1)
    return network.space.encode(children[accuracy.argmax()]), float(accuracy.max())


if __name__ == "__main__":
    print(main())
