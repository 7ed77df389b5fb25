"""Configurations by name, from files, and from the folder of a run."""

import dataclasses
import json
import math

import pytest

from jaxnas.config import Config
from jaxnas.objectives import LatencyTable
from jaxnas.objectives.latency_window import published_window
from jaxnas.population_config import PopulationConfig
from jaxnas.runtime import RunFolder
from jaxnas.runtime.configs import config_names, config_of_run, load_config
from jaxnas.runtime.errors import ConfigError
from jaxnas.runtime.json_values import to_json
from jaxnas.runtime.overrides import from_values
from jaxnas.tasks_config import PPOConfig, TasksConfig, TextTasksConfig
from jaxnas.text_population_config import TextPopulationConfig

SHIPPED = [
    "enas_digits",
    "enas_macro_cifar10",
    "enas_micro_cifar10",
    "instanas_cifar10",
    "instanas_digits",
    "mnms_digits",
    "mnms_text",
    "nasbench201_cifar10",
    "nasrl_cell_characters",
    "nasrl_cell_ptb",
    "nasrl_conv_cifar10",
    "nasrl_conv_cifar10_cpu",
    "nasrl_conv_digits",
    "shufflenas_cifar10",
    "shufflenas_digits",
]


def test_what_is_shipped():
    assert set(config_names()) >= set(SHIPPED)


@pytest.mark.parametrize("name", config_names())
def test_every_config_says_what_it_is(name):
    config = load_config(name)
    assert config.name == name
    for field in ("paper", "expected", "hardware", "time"):
        assert len(getattr(config, field)) > 5, field


@pytest.mark.parametrize("name", [n + v for n in config_names() for v in ("", ":smoke")])
def test_every_config_survives_json(name):
    config = load_config(name)
    assert from_values(dataclasses.asdict(config), type(config)) == config
    stored = json.loads(json.dumps(dataclasses.asdict(config)))
    assert config_of_run(stored | {"data_digest": "0"}) == config


@pytest.mark.parametrize("name", config_names())
def test_smoke_variants_are_smaller_and_their_networks_fit_their_data(name):
    whole, smoke = load_config(name), load_config(f"{name}:smoke")
    if isinstance(whole, TextPopulationConfig):
        assert smoke.search.samples < whole.search.samples
        sizes = [c.children.build(50).count_parameters() for c in (smoke, whole)]
        assert sizes[0] < sizes[1]
        return
    if isinstance(whole, TasksConfig):
        assert smoke.search.samples < whole.search.samples
        assert len(smoke.data.tasks) < len(whole.data.tasks)
        assert smoke.children.space.space.count() < whole.children.space.space.count()
        return
    if isinstance(whole, PopulationConfig):
        assert smoke.search.samples < whole.search.samples
        assert smoke.final.epochs <= 2 < whole.final.epochs
        children = [c.children.build((8, 8, 1), 10).space for c in (smoke, whole)]
        assert children[0].count() < children[1].count()
        return
    assert smoke.search.epochs == smoke.train.epochs == 1 < whole.search.epochs
    shape = (8, 8, 1) if "digits" in name else (32, 32, 3)
    network = smoke.network.build(shape, 10)
    assert network.count_parameters() < whole.network.build(shape, 10).count_parameters()
    if getattr(whole, "final_network", None) is not None:
        assert whole.final_network.build(shape, 10).space == whole.network.build(shape, 10).space


def test_config_of_a_run_folder(tmp_path):
    config = load_config("enas_digits:smoke")
    with RunFolder.create(tmp_path / "run", name="a", seed=0, config=config) as folder:
        assert config_of_run(folder.config) == config


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("enas_digit", r"there is no config 'enas_digit': did you mean 'enas_digits'\?"),
        ("nothing_alike", "There are enas_digits, enas_macro_cifar10"),
        ("enas_digits:tiny", "the variant 'tiny' is unknown; there is 'smoke'"),
        ("missing/file.py", "there is no config 'missing/file.py'"),
    ],
)
def test_unknown_configs(name, message):
    with pytest.raises(ConfigError, match=message):
        load_config(name)


def test_a_users_own_file(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from jaxnas.config import ChainConfig, Config\n"
        "def config(variant=''):\n"
        "    return Config(name='mine' + variant, network=ChainConfig())\n"
    )
    assert load_config(str(file)).name == "mine"
    assert load_config(f"{file}:smoke").name == "minesmoke"
    assert isinstance(load_config(str(file)), Config)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("import nothing_there", "cannot be loaded: No module named"),
        ("x = 1", r"has no function config\(variant: str\) -> Config"),
        ("def config(variant): return 3", r"config\(\) returned int, not a Config"),
        ("def config(): return 3", r"config\(''\) failed: .* positional argument"),
        (
            "from jaxnas.config import SearchConfig\ndef config(variant): SearchConfig(epochs=0)",
            r"config\(''\) failed: search\.epochs is 0",
        ),
    ],
)
def test_files_that_are_no_config(tmp_path, content, message):
    file = tmp_path / "bad.py"
    file.write_text(content + "\n")
    with pytest.raises(ConfigError, match=message):
        load_config(str(file))


def test_a_stored_config_with_an_infinite_value_is_read_back():
    searcher = PPOConfig(entropy_target=math.inf)
    config = TasksConfig(name="fixed", children=TextTasksConfig(), searcher=searcher)
    assert config_of_run(json.loads(json.dumps(to_json(config)))) == config


def test_the_smoke_form_on_cifar10_has_a_window_whatever_its_clock_says():
    config = load_config("instanas_cifar10:smoke")
    network = config.network.build((32, 32, 3), 10)
    # Every operation takes the same: no child is faster than half of the baseline.
    table = LatencyTable(network.name, "seconds", dict.fromkeys(network.operations, 1e-4))
    options = dataclasses.asdict(config.latency)
    options.pop("table")
    assert published_window(table, network, **options).lower == 0
    with pytest.raises(ValueError, match="window is empty at the end"):
        published_window(table, network, **(options | {"lower": None, "end": 0.5}))
