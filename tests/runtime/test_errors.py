"""Failures of the machine become one clear error."""

import jax
import jax.numpy as jnp
import pytest

from jaxnas.runtime import RunError
from jaxnas.runtime.configs import load_config
from jaxnas.runtime.errors import memory_errors
from jaxnas.runtime.overrides import batch_sizes


def test_too_little_memory_names_what_to_lower():
    sizes = batch_sizes(load_config("nasrl_conv_digits"))
    assert sizes == ["search.chunk", "training.batch_size", "training.score_batch_size"]
    message = "start again with a smaller search.chunk or .* What was saved before is intact"
    with pytest.raises(RunError, match=message), memory_errors(sizes):
        jax.block_until_ready(jnp.ones(2**46, jnp.int8))


@pytest.mark.parametrize(
    ("sizes", "remedy"),
    [(["size"], "start again with a smaller size or smaller networks, or use a"), ([], "use a")],
)
def test_what_cannot_be_resumed_does_not_speak_of_it(sizes, remedy):
    message = rf"too little memory \(no bytes: Out of memory\): {remedy} device with more\.$"
    with pytest.raises(RunError, match=message), memory_errors(sizes, resumable=False):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: no bytes: Out of memory.")


def test_other_failures_stay_what_they_are():
    with pytest.raises(jax.errors.JaxRuntimeError, match="device"), memory_errors(["x"]):
        raise jax.errors.JaxRuntimeError("INTERNAL: the device was lost")
