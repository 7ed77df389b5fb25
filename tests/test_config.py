"""Configurations: values that make no sense are refused when they are made."""

import math

import pytest

from jaxnas import config


@pytest.mark.parametrize(
    ("kind", "field", "value", "message"),
    [
        ("SearchConfig", "epochs", 0, r"search\.epochs is 0: give a whole number of 1 or more"),
        ("SearchConfig", "epochs", 1.5, r"search\.epochs is 1\.5: give a whole number"),
        ("SearchConfig", "epochs", "3", r"search\.epochs is '3': give a whole number"),
        ("SearchConfig", "epochs", None, r"search\.epochs is None"),
        ("SearchConfig", "epochs", True, r"search\.epochs is True"),
        ("SearchConfig", "children", 0, r"search\.children is 0"),
        ("SearchConfig", "batch_size", 0, r"search\.batch_size is 0"),
        ("SearchConfig", "warmup_epochs", -1, r"search\.warmup_epochs is -1"),
        (
            "SearchConfig",
            "interleave",
            "batch",
            r"search\.interleave is 'batch': give one of epoch, step",
        ),
        ("SearchConfig", "executor", "gpu", r"search\.executor is 'gpu': give one of auto, host"),
        ("SearcherConfig", "name", "ppo", r"searcher\.name is 'ppo': give one of reinforce, evol"),
        ("SearcherConfig", "hidden", 0, r"searcher\.hidden is 0"),
        ("SearcherConfig", "learning_rate", 0.0, r"searcher\.learning_rate is 0\.0: .* above 0"),
        ("SearcherConfig", "adam_b1", 1.0, r"searcher\.adam_b1 is 1\.0"),
        ("SearcherConfig", "skip_target", 1.0, r"searcher\.skip_target is 1\.0"),
        ("SearcherConfig", "operation_tanh_constant", 0.0, r"searcher\.operation_tanh_constant is"),
        ("SearcherConfig", "baseline_start", math.nan, r"searcher\.baseline_start is nan"),
        ("DeriveConfig", "retrain", 0, r"derive\.retrain is 0"),
        ("DeriveConfig", "samples", 0, r"derive\.samples is 0"),
        ("DeriveConfig", "random", -1, r"derive\.random is -1: give a whole number of 0 or more"),
        ("TrainConfig", "epochs", 0, r"train\.epochs is 0"),
        ("TrainConfig", "recalibration_batches", 0, r"train\.recalibration_batches is 0"),
        (
            "TrainConfig",
            "drop_path",
            1.0,
            r"train\.drop_path is 1\.0: give a number from 0 to 0\.99",
        ),
        ("OptimizerConfig", "learning_rate", 0, r"optimizer\.learning_rate is 0: .* above 0"),
        ("OptimizerConfig", "clip", math.nan, r"optimizer\.clip is nan: give a number from 0"),
        ("OptimizerConfig", "momentum", 1, r"optimizer\.momentum is 1"),
        ("DataConfig", "train", 0, r"data\.train is 0"),
        ("DataConfig", "validation_fraction", 0.0, r"data\.validation_fraction is 0\.0"),
        ("ChainConfig", "layers", 0, r"network\.layers is 0"),
        ("EnasMicroConfig", "cells", 1, r"network\.cells is 1: give a whole number of 2 or more"),
        ("EnasMacroConfig", "channels", -4, r"network\.channels is -4"),
        ("NasBench201Config", "cells", 0, r"network\.cells is 0"),
        ("ShuffleNasConfig", "channels", 1, r"network\.channels is 1: give a whole number of 2"),
        ("ShuffleNasConfig", "depths", (), r"network\.depths is \(\): give one or more whole"),
        ("ShuffleNasConfig", "depths", (2, 0), r"network\.depths is \(2, 0\): .* of 1 or more"),
        ("ShuffleNasConfig", "depths", 3, r"network\.depths is 3: give one or more whole numbers"),
    ],
)
def test_values_out_of_range(kind, field, value, message):
    with pytest.raises(ValueError, match=message):
        getattr(config, kind)(**{field: value})


def test_open_values_may_stay_open():
    searcher = config.SearcherConfig(temperature=None, population=None)
    assert searcher == config.SearcherConfig()
    assert config.DataConfig(train=None) == config.DataConfig()


@pytest.mark.parametrize(
    ("network", "name"),
    [
        (config.ChainConfig(layers=1, channels=2), "chain"),
        (config.EnasMicroConfig(cells=2, nodes=1, channels=2), "enas_micro"),
        (config.EnasMacroConfig(layers=3, channels=2), "enas_macro"),
        (config.NasBench201Config(cells=1, channels=2), "nasbench201"),
        (config.ShuffleNasConfig(nodes=1, channels=2, depths=[1, 1]), "shufflenas"),
    ],
)
def test_networks_are_built_as_configured(network, name):
    built = network.build((8, 8, 3), 5)
    assert built.name == network.kind == name
    assert built.num_classes == 5
    assert built.image_shape == (8, 8, 3)


def test_final_forms_of_networks():
    micro = config.EnasMicroConfig(cells=2, nodes=1, channels=2, final=True).build((8, 8, 3), 5)
    assert micro.name == "enas_micro_final"
    options = {"layers": 3, "channels": 2, "widen": True, "concatenate": True}
    macro = config.EnasMacroConfig(**options).build((8, 8, 3), 5)
    assert "layer_1/project_own" in macro.operations
    assert macro.operations["classifier"].shapes == ((2, 2, 8),)


def test_configurations_are_hashable():
    made = config.Config(name="a", network=config.ChainConfig())
    assert hash(made) == hash(config.Config(name="a", network=config.ChainConfig()))
