"""Train shared weights in a loop of your own: `python examples/supernet_optax.py`."""

import jax
import numpy as np
import optax
from sklearn.datasets import load_digits

from jaxnas.supernets import Supernet, chain


def main(steps: int = 200, children: int = 4, layers: int = 3) -> np.ndarray:
    """Returns the validation accuracy `[16]` of sampled children."""
    images, labels = load_digits(return_X_y=True)
    images = (images.reshape(-1, 8, 8, 1) / 16).astype(np.float32)
    network = chain(image_shape=(8, 8, 1), num_classes=10, layers=layers, channels=8)
    supernet, optimiser = Supernet(network), optax.adam(2e-2)
    params = supernet.init(jax.random.key(0))
    state, update = optimiser.init(params), jax.jit(optimiser.update)

    def loss(logits, labels):  # logits [children, batch, classes]
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels[None]).mean(), None

    value_and_grad = supernet.value_and_grad(loss)
    for step, key in enumerate(jax.random.split(jax.random.key(1), steps)):
        sample_key, batch_key = jax.random.split(key)
        architectures = network.space.sample(sample_key, children)
        rows = np.asarray(jax.random.choice(batch_key, 1200, (64,)))
        (value, _), grads = value_and_grad(params, architectures, images[rows], labels[rows])
        updates, state = update(grads, state)
        params = optax.apply_updates(params, updates)
        if step % 50 == 0:
            print(f"step {step}: loss {value:.3f}")
    architectures = network.space.sample(jax.random.key(2), 16)
    logits = supernet.apply(params, architectures, images[1200:])
    return np.asarray((logits.argmax(-1) == labels[1200:]).mean(1))


if __name__ == "__main__":
    print("validation accuracy of 16 children:", main().round(3))
