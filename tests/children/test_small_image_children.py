"""Children on small images compute what a network of their own would."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference_text import ACTIVATIONS, choices_of, tower
from test_text_children import filled

from jaxnas.children import SmallImageChildren, towers
from jaxnas.evaluators import ChildModel
from jaxnas.spaces.small_images import SmallImageOptions

pytestmark = pytest.mark.usefixtures("exact")

OPTIONS = SmallImageOptions(
    filters=("2", "3"),
    kernels=("1", "3"),
    conv_activations=("relu", "tanh"),
    conv_dropouts=("0",),
    layers=("0", "1"),
    widths=("3", "4"),
    activations=("swish",),
    normalizations=("none", "layer"),
    dropouts=("0",),
    deep_rates=("0.1",),
    deep_regularizations=("0.01",),
    wide_rates=("0.1",),
    wide_regularizations=("0.01",),
)
MODEL = SmallImageChildren(OPTIONS, (5, 4, 2), 3)


def reference(parameters, architecture, images):
    labels = choices_of(OPTIONS, architecture)
    parameters = {t: {n: np.asarray(x) for n, x in of.items()} for t, of in parameters.items()}
    deep, pixels = parameters["deep"], images.reshape(len(images), -1)
    x = convolution(labels, deep, images) if labels["convolution"] == "yes" else pixels
    logits = tower(labels, deep, x, np.ones(len(images)), rows(labels, deep))
    if labels["wide"] == "yes":
        logits = logits + pixels @ parameters["wide"]["kernel"]
    return logits


def rows(labels, deep):
    """Where the features of a child stand among the largest number of them."""
    if labels["convolution"] == "no":
        return np.arange(5 * 4 * 2)
    maps, number = 2 * 2, int(labels["filters"])
    return (np.arange(maps)[:, None] * 3 + np.arange(number)).reshape(-1)


def convolution(labels, deep, images):
    size, number = int(labels["kernel"]), int(labels["filters"])
    first = 1 - size // 2
    kernel = deep["filters"][first : first + size, first : first + size, :, :number]
    edge = size // 2
    padded = np.pad(images, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
    out = np.zeros((len(images), 5, 4, number))
    for y, x in np.ndindex(5, 4):
        patch = padded[:, y : y + size, x : x + size]
        out[:, y, x] = np.einsum("bijc,ijcf->bf", patch, kernel)
    if labels["conv_normalization"] == "batch":
        out = (out - out.mean((0, 1, 2))) / np.sqrt(out.var((0, 1, 2)) + 1e-5)
    out = out * deep["filter_scales"][:number] + deep["filter_biases"][:number]
    out = ACTIVATIONS[labels["conv_activation"]](out)
    squares = [out[:, y : y + 2, x : x + 2].max((1, 2)) for y in (0, 2) for x in (0, 2)]
    return np.concatenate(squares, 1)


def test_logits_equal_those_of_a_network_built_alone():
    assert isinstance(MODEL, ChildModel)
    images = np.random.default_rng(0).normal(size=(3, 5, 4, 2))
    drawn = np.array(OPTIONS.space.sample(jax.random.key(3), 2000))
    kinds = {}
    for architecture in drawn:
        labels = choices_of(OPTIONS, architecture)
        kinds.setdefault((labels["convolution"], labels["layers"], labels["wide"]), architecture)
    assert len(kinds) == 8
    init = jax.jit(MODEL.init)
    logits = jax.jit(lambda p, a, x: MODEL.logits(p, a, x, None))
    for architecture in [*kinds.values(), *drawn[:12]]:
        parameters = filled(init(jax.random.key(1), architecture))
        expected = reference(parameters, architecture, images)
        result = logits(parameters, architecture, images)
        np.testing.assert_allclose(result, expected, rtol=1e-10, atol=1e-12)
    gradient = jax.jit(jax.grad(lambda p, a: MODEL.loss(p, a, (), batch, jax.random.key(0))[0]))
    batch = (jnp.asarray(images), jnp.array([0, 1, 2]))
    for architecture in kinds.values():
        # Reweighting what a child lacks would change it: it must get no gradient.
        parameters = init(jax.random.key(1), architecture)
        of = gradient(filled(parameters), architecture)
        for name in ("kernels", "head", "filters"):
            lacking = np.asarray(parameters["deep"][name]) == 0
            assert not np.asarray(of["deep"][name])[lacking].any()
    sums, _ = MODEL.score(parameters, architecture, (), batch)
    assert sums["count"] == 3


def test_bad_sizes_are_refused():
    with pytest.raises(ValueError, match=r"image_shape is \(1, 4, 1\)"):
        SmallImageChildren(OPTIONS, (1, 4, 1), 3)


def test_predictions_are_normalised_by_the_reference_alone():
    images = np.random.default_rng(0).normal(size=(3, 5, 4, 2))
    drawn = np.array(OPTIONS.space.sample(jax.random.key(3), 500))
    rows_of = [a for a in drawn if choices_of(OPTIONS, a)["convolution"] == "yes"]
    batch = next(a for a in rows_of if choices_of(OPTIONS, a)["conv_normalization"] == "batch")
    plain = next(a for a in rows_of if choices_of(OPTIONS, a)["conv_normalization"] == "none")
    assert towers.needs_reference(OPTIONS, batch)
    assert not towers.needs_reference(OPTIONS, plain)
    parameters = filled(jax.jit(MODEL.init)(jax.random.key(0), batch))
    expected = jax.jit(lambda p, a, x: MODEL.logits(p, a, x, None))(parameters, batch, images)
    alone = jax.jit(MODEL.logits_by)(images, parameters, batch, images[1:2])
    np.testing.assert_allclose(alone, expected[1:2], atol=1e-12)
