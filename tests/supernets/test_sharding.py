"""Children on meshes of 1, 2, 4 and 8 devices and in 2 processes equal those on one device."""

import os
import pathlib
import socket
import subprocess
import sys

import jax
import numpy as np
import pytest
from jax.sharding import Mesh

import jaxnas
from jaxnas.supernets import Supernet, chain

SCRIPT = pathlib.Path(__file__).with_name("sharded_children.py")


def start(*arguments):
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    # The package under test, also where another one is installed.
    environment = os.environ | {"PYTHONPATH": str(pathlib.Path(jaxnas.__file__).parents[1])}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )


def output(process):
    text, _ = process.communicate(timeout=240)
    assert process.returncode == 0, text
    return text


@pytest.mark.slow
def test_children_are_the_same_on_any_mesh_of_one_process():
    assert "equal on 6 meshes" in output(start("-", 1, 0))


@pytest.mark.slow
def test_children_are_the_same_in_two_processes():
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"
    processes = [start(address, 2, i) for i in range(2)]
    assert all("equal on 2 meshes" in output(process) for process in processes)


def test_a_mesh_with_other_axes_is_refused():
    network = chain(image_shape=(2, 2, 1), num_classes=2, layers=1, reductions=())
    mesh = Mesh(np.array(jax.devices()[:1]), ("model",))
    with pytest.raises(ValueError, match=r"the mesh has axes \['model'\]"):
        Supernet(network, mesh=mesh)
