"""Overrides from text, and configurations from plain values."""

import dataclasses

import pytest
from tiny_search import tiny_config

from jaxnas.config import ChainConfig
from jaxnas.instance.config import InstanceConfig
from jaxnas.runtime.configs import load_config
from jaxnas.runtime.errors import ConfigError
from jaxnas.runtime.overrides import from_values, network_config, override


@pytest.mark.parametrize(
    ("assignment", "read", "value"),
    [
        ("search.epochs=3", lambda c: c.search.epochs, 3),
        ("epochs=3", lambda c: c.search.epochs, 3),
        ("data=npz:a=b.npz", lambda c: c.data.source, "npz:a=b.npz"),
        ("data.train=none", lambda c: c.data.train, None),
        ("data.train=7", lambda c: c.data.train, 7),
        ("searcher.name=random", lambda c: c.searcher.name, "random"),
        ("searcher.learning_rate=1e-2", lambda c: c.searcher.learning_rate, 0.01),
        ("searcher.share_heads=True", lambda c: c.searcher.share_heads, True),
        ("searcher.share_heads=0", lambda c: c.searcher.share_heads, False),
        ("train.optimizer.clip=0", lambda c: c.train.optimizer.clip, 0.0),
        ("search.augmentation.pad=2", lambda c: c.search.augmentation.pad, 2),
        ("network.layers=5", lambda c: c.network.layers, 5),
        ("seed=9", lambda c: c.seed, 9),
        ("name=none", lambda c: c.name, "none"),
    ],
)
def test_values(assignment, read, value):
    changed = override(tiny_config(), [assignment])
    assert read(changed) == value
    assert type(read(changed)) is type(value)


def test_only_what_is_named_changes_and_the_last_wins():
    changed = override(tiny_config(), ["train.epochs=5", "train.epochs=6"])
    train = dataclasses.replace(tiny_config().train, epochs=6)
    assert changed == dataclasses.replace(tiny_config(), train=train)


@pytest.mark.parametrize("turn", [1, -1])
def test_values_that_need_each_other_are_set_in_any_order(turn):
    assignments = ["controller.baseline=others", "controller.samples=2"][::turn]
    published = InstanceConfig("published")
    controller = override(published, assignments).controller
    assert (controller.baseline, controller.samples) == ("others", 2)
    with pytest.raises(ConfigError, match=r"controller\.samples is 1"):
        override(published, ["controller.baseline=others", "seed=3"])


def test_several_numbers_stand_between_commas():
    config = load_config("shufflenas_digits")
    assert override(config, ["network.depths=1,2,3"]).network.depths == (1, 2, 3)
    for text, message in (
        ("1,two", "network.depths=1,two: give int values with commas between them"),
        ("1,0", r"network\.depths is \(1, 0\): give one or more whole numbers of 1 or more"),
    ):
        with pytest.raises(ConfigError, match=message):
            override(config, [f"network.depths={text}"])


def test_a_final_network_can_be_left_out():
    config = load_config("enas_micro_cifar10")
    assert override(config, ["final_network=none"]).final_network is None
    assert override(config, ["final_network.channels=8"]).final_network.channels == 8


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("search.epochs", "--set search.epochs: write KEY=VALUE"),
        ("serch.epochs=1", r"no key 'serch.epochs' \(did you mean 'search.epochs'\?\)"),
        ("search.epoch=1", r"did you mean 'search.epochs'\?"),
        ("batch_size=1", r"did you mean 'search.batch_size' or 'train.batch_size'\?"),
        ("lr=1", "there is no key 'lr'"),
        ("learning_rat=1", "or 'search.optimizer.learning_rate' or"),
        ("seed.x=1", "there is no key 'seed.x'"),
        ("final_network.channels=1", r"did you mean 'network.channels'"),
        ("search=1", "--set search: set one of its parts: search.epochs, "),
        ("search.epochs=many", "--set search.epochs=many: give int"),
        ("search.epochs=1.5", "give int"),
        ("data.train=x", "give int or none"),
        ("searcher.share_heads=maybe", "give bool"),
        ("train.optimizer.clip=high", "give float"),
        ("search.interleave=batch", "give one of epoch, step"),
        ("network.kind=enas_micro", "give one of chain"),
        ("search.epochs=0", r"--set search.epochs: search\.epochs is 0: give a whole number"),
        ("search.augmentation.pad=-1", "--set search.augmentation.pad: pad is -1 pixels"),
        ("search.optimizer.learning_rate=nan", "give a number above 0"),
    ],
)
def test_bad_assignments(assignment, message):
    with pytest.raises(ConfigError, match=message):
        override(tiny_config(), [assignment])


def test_plain_values_of_another_version():
    values = dataclasses.asdict(tiny_config())
    with pytest.raises(ConfigError, match=r"config has unknown keys \['new'\]"):
        from_values(values | {"new": 1})
    with pytest.raises(ConfigError, match=r"config\.search has unknown keys \['old'\]"):
        from_values(values | {"search": values["search"] | {"old": 1}})
    with pytest.raises(ConfigError, match=r"config: .*missing 1 required .*'network'"):
        from_values({"name": "a"})
    with pytest.raises(ConfigError, match=r"config\.search: search\.epochs is 0"):
        from_values(values | {"search": {"epochs": 0}})


def test_networks_by_kind():
    config = ChainConfig(layers=3)
    assert network_config(dataclasses.asdict(config)) == config
    with pytest.raises(ConfigError, match="network is of the unknown kind 'resnet'"):
        network_config({"kind": "resnet"})
