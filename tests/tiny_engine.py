"""A search small enough to be computed by hand: two layers, two operations, images of 4 x 4."""

import jax.numpy as jnp
import numpy as np

from jaxnas.config import Augmentation, OptimizerConfig, SearchConfig
from jaxnas.engine import DeviceData, Engine, Split
from jaxnas.searchers import random
from jaxnas.supernets import Supernet, chain, ops

PLAIN = Augmentation(pad=0, flip=False)
CLASSES = 3


def tiny_network(**options):
    operations = {
        "conv": lambda inputs, channels, stride: ops.relu_conv_bn(channels, 1, stride),
        "skip": lambda inputs, channels, stride: ops.Identity(),
    }
    sizes = {"layers": 2, "channels": 2, "reductions": ()} | options
    return chain(image_shape=(4, 4, 1), num_classes=CLASSES, operations=operations, **sizes)


def tiny_data(train=12, validation=8, seed=0):
    rng = np.random.default_rng(seed)

    def split(size):
        images = rng.integers(0, 256, (size, 4, 4, 1), dtype=np.uint8)
        return Split(jnp.asarray(images), jnp.asarray(rng.integers(0, CLASSES, size), jnp.int32))

    return DeviceData(split(train), split(validation), jnp.array([0.5]), jnp.array([0.3]))


def standardised(images):
    return (jnp.asarray(images, jnp.float32) / 255 - 0.5) / 0.3


def tiny_engine(make_searcher=random, train=12, validation=8, network=None, **options):
    network = tiny_network() if network is None else network
    given = {
        "epochs": 2,
        "batch_size": 4,
        "children": 3,
        "policy_updates": 2,
        "policy_children": 4,
        "reward_batch_size": 4,
        "random_children": 3,
        "augmentation": PLAIN,
        "optimizer": OptimizerConfig(learning_rate=0.1, final_learning_rate=0.01),
    }
    config = SearchConfig(**(given | options))
    searcher = make_searcher(network.space)
    return Engine(Supernet(network), searcher, config, train, validation)
