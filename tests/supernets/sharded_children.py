"""Run by `test_sharding.py`: children on meshes of several devices and processes equal one device.

Arguments: the address of the coordinator or `-`, the number of processes, the number of this one.
"""

import sys

import jax

ADDRESS, PROCESSES, PROCESS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
jax.config.update("jax_num_cpu_devices", 8 // PROCESSES if PROCESSES == 1 else 2)
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_disable_most_optimizations", True)
if PROCESSES > 1:
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(ADDRESS, PROCESSES, PROCESS)

import numpy as np  # noqa: E402
from jax.sharding import Mesh  # noqa: E402

from jaxnas.supernets import Noise, Supernet, chain, ops  # noqa: E402

OPERATIONS = {
    "conv": lambda inputs, channels, stride: ops.relu_conv_bn(channels, 1),
    "skip": lambda inputs, channels, stride: ops.Identity(),
}
ONE_PROCESS = [("host", (1, 1)), ("host", (2, 1)), ("host", (2, 2)), ("host", (2, 4))]
ONE_PROCESS += [("compiled", (2, 1)), ("grouped", (1, 2))]
MESHES = ONE_PROCESS if PROCESSES == 1 else [("host", (2, 2)), ("host", (1, 4))]


def main():
    image = {"image_shape": (2, 2, 1), "num_classes": 2}
    network = chain(**image, layers=2, channels=2, operations=OPERATIONS, reductions=())
    params = jax.tree.map(np.asarray, network.init(jax.random.key(0)))
    random = np.random.default_rng(0)
    images, weights = random.normal(size=(8, 2, 2, 1)), random.normal(size=(5, 8, 2))
    architectures = np.array([[0, 1], [1, 1], [0, 0], [1, 0], [0, 1]])

    def loss(logits):
        return (logits * weights).sum() ** 2, logits

    def run(executor, mesh):
        supernet = Supernet(network, executor, mesh=mesh)
        noise = Noise(jax.random.key(1), 0.3)
        step = supernet.value_and_grad(loss)(params, architectures, images, noise=noise)
        return jax.tree.map(local, (step, supernet.apply(params, architectures, images)))

    expected = run("host", None)
    for executor, shape in MESHES:
        devices = np.array(jax.devices()[: shape[0] * shape[1]]).reshape(shape)
        ours = run(executor, Mesh(devices, ("child", "data")))
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9), ours, expected)
    print("equal on", len(MESHES), "meshes")


def local(array):
    """What this process has of an array that is everywhere."""
    return np.asarray(array.addressable_shards[0].data)


main()
