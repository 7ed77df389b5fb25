import logging
import os

import jax
import jax.numpy as jnp
import pytest
from jax.experimental.compilation_cache import compilation_cache as jax_cache

from jaxnas.runtime import compilation_cache

OPTIONS = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")


@pytest.fixture(autouse=True)
def restored_settings(monkeypatch):
    monkeypatch.delenv(compilation_cache.VARIABLE, raising=False)
    before = {name: getattr(jax.config, name) for name in OPTIONS}
    jax.config.update("jax_compilation_cache_dir", None)
    yield
    for name, value in before.items():
        jax.config.update(name, value)
    jax_cache.reset_cache()


def compiled_files(folder):
    return [name for name in os.listdir(folder) if name.endswith("-cache")]


def test_programs_are_kept_however_short(tmp_path):
    # A compilation before the cache is on must not keep it off.
    jax.jit(lambda x: x + 1)(jnp.ones(3))
    folder = compilation_cache.enable(tmp_path)
    assert folder.parent == tmp_path
    assert jax.config.jax_compilation_cache_dir == str(folder)
    jax.jit(lambda x: jnp.sin(x) * 3)(jnp.ones(3)).block_until_ready()
    assert compiled_files(folder)


@pytest.mark.parametrize("value", ["off", "OFF", "0", "no", "false"])
def test_it_can_be_turned_off(tmp_path, monkeypatch, value):
    monkeypatch.setenv(compilation_cache.VARIABLE, value)
    assert compilation_cache.enable(tmp_path) is None
    assert jax.config.jax_compilation_cache_dir is None


def test_the_folder_is_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert compilation_cache.enable().parent == tmp_path / "home" / ".cache" / "jaxnas"
    jax.config.update("jax_compilation_cache_dir", None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert compilation_cache.enable().parent == tmp_path / "xdg" / "jaxnas"
    jax.config.update("jax_compilation_cache_dir", None)
    monkeypatch.setenv(compilation_cache.VARIABLE, str(tmp_path / "chosen"))
    assert compilation_cache.enable().parent == tmp_path / "chosen"


def test_a_cache_that_the_user_has_set_stays(tmp_path):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "mine"))
    assert compilation_cache.enable() == tmp_path / "mine"
    assert jax.config.jax_compilation_cache_dir == str(tmp_path / "mine")


def test_each_type_of_processor_has_its_own(tmp_path, monkeypatch):
    first = compilation_cache.enable(tmp_path)
    assert compilation_cache.enable(tmp_path) == first
    monkeypatch.setattr(compilation_cache, "processor_features", lambda: "avx1024")
    assert compilation_cache.enable(tmp_path) != first


def test_it_never_raises(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING):
        assert compilation_cache.enable(tmp_path / "file") is None
    assert "no compilation cache" in caplog.text
    assert jax.config.jax_compilation_cache_dir is None
