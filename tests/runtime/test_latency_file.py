"""Measured latency tables and their files."""

import dataclasses
import json

import pytest

from jaxnas.policies import instance
from jaxnas.runtime import latency
from jaxnas.runtime.errors import ConfigError
from jaxnas.supernets import mobilenet

pytestmark = pytest.mark.usefixtures("quick_compilation")


@pytest.fixture(scope="module")
def network():
    return mobilenet(
        image_shape=(4, 4, 1), num_classes=3, stages=((2, 2, 1),), stem=2, head=2,
        modules=("inverted_residual_3x3_3", "basic_block"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def table(network, quick_compilation):
    policy = instance(network.space, network.image_shape, "large_kernels")
    return latency.measure_latency(network, policy)


def test_every_operation_is_measured(network, table):
    table.check(network)
    assert table.unit == "seconds"
    assert all(0 < cost < 10 for cost in [*table.costs.values(), table.controller])
    assert all(width >= 0 for width in table.spread.values())
    # Blocks of one signature share a measurement.
    assert table.costs["block_0/basic_block"] == table.costs["block_1/basic_block"]


def test_a_table_survives_its_file(network, table, tmp_path):
    latency.save_latency(tmp_path / "table.json", table)
    loaded = latency.load_latency(tmp_path / "table.json", network)
    assert dataclasses.asdict(loaded) == dataclasses.asdict(table)


def test_a_table_of_another_device_or_network_is_refused(network, table, tmp_path):
    path = tmp_path / "table.json"
    values = table.to_json()
    values["machine"] = {**values["machine"], "processor": "an abacus"}
    path.write_text(json.dumps(values))
    with pytest.raises(ConfigError, match="measured on processor 'an abacus'"):
        latency.load_latency(path, network)
    path.write_text(json.dumps({**table.to_json(), "network": "chain"}))
    with pytest.raises(ConfigError, match="of network 'chain', not of this 'mobilenet'"):
        latency.load_latency(path, network)
    path.write_text("[]")
    with pytest.raises(ConfigError, match="no latency table but a list"):
        latency.load_latency(path, network)
    path.write_text(json.dumps({**table.to_json(), "controller": "0.1"}))
    with pytest.raises(ConfigError, match=r"holds '0\.1' for 'controller': measure it again"):
        latency.load_latency(path, network)
    path.write_text(json.dumps({**table.to_json(), "costs": [1]}))
    with pytest.raises(ConfigError, match="costs is no object"):
        latency.load_latency(path, network)
    path.write_text("{")
    with pytest.raises(ConfigError, match=r"table\.json"):
        latency.load_latency(path, network)
    with pytest.raises(ConfigError, match="repeats is 5: give at least 50"):
        latency.measure_latency(network, repeats=5)
