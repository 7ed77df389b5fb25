"""NAS-RL's convolutional children compute what the paper says, in both forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference_conv import logits as reference

from jaxnas.children import NasRLConv, nasrl_conv
from jaxnas.evaluators import ChildModel

pytestmark = pytest.mark.usefixtures("exact")

SIZES = {"heights": (1, 3), "widths": (3,), "filters": (2, 3)}
PLAIN = nasrl_conv((4, 5, 1), 10, layers=3, most_classes=2, **SIZES)
STRIDED = nasrl_conv((4, 5, 1), 10, layers=3, strides=(1, 2), most_classes=2, **SIZES)
POOLED = nasrl_conv((5, 6, 1), 10, layers=2, block=2, pools=(1, 3), most_classes=2, **SIZES)
MODELS = [
    pytest.param(PLAIN, id="plain"),
    pytest.param(STRIDED, id="strided", marks=pytest.mark.slow),
    pytest.param(POOLED, id="pooled", marks=pytest.mark.slow),
]


def child(model, architecture):
    """Weights that are all drawn, and images."""
    parameters = model.init(jax.random.key(1), architecture)
    layers = parameters["layers"]
    random = np.random.default_rng(0)
    for name in ("scale", "bias"):
        layers[name] = jnp.asarray(random.normal(size=layers[name].shape))
    images = random.normal(size=(3, *model.settings.image_shape))
    return parameters, jnp.asarray(images)


def architectures(model):
    drawn = np.array(model.space.sample(jax.random.key(0), 4))
    # One of fewer layers: what is past its depth is padding.
    last = f"layer_{model.settings.layers - 1}/height"
    drawn[-1, model.space.vertex_index[last] :] = -1
    return drawn


@pytest.fixture(scope="module", params=MODELS)
def results(request):
    """Logits and gradients of some children in both forms."""
    model = request.param
    forms = [model.for_layout(layout) for layout in ("one_by_one", "side_by_side")]

    @jax.jit
    def both(parameters, architecture, images):
        def one(form):
            def loss(parameters):
                logits = form.logits(parameters, architecture, images)
                return (logits**2).sum(), logits

            return jax.value_and_grad(loss, has_aux=True)(parameters)

        return [one(form) for form in forms]

    return model, [
        (a, *child(model, a), both(*swap(a, *child(model, a)))) for a in architectures(model)
    ]


def swap(architecture, parameters, images):
    return parameters, jnp.asarray(architecture), images


def test_logits_equal_the_slow_reference(results):
    model, children = results
    for architecture, parameters, images, forms in children:
        expected = reference(model.settings, parameters, architecture, np.asarray(images))
        for (_, logits), _ in forms:
            np.testing.assert_allclose(logits, expected, rtol=1e-9, atol=1e-11)


def test_the_gradient_by_hand_equals_the_derived_one(results):
    _, children = results
    for *_, ((_, exact), (_, masked)) in children:
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10), exact, masked
        )


@pytest.mark.parametrize("model", MODELS)
def test_the_gradient_by_images_equals_the_derived_one(model):
    architecture = architectures(model)[0]
    parameters, images = child(model, architecture)

    def gradient(layout):
        logits = model.for_layout(layout).logits
        loss = lambda x: (logits(parameters, jnp.asarray(architecture), x) ** 2).sum()  # noqa: E731
        return jax.jit(jax.grad(loss))(images)

    one, side = gradient("one_by_one"), gradient("side_by_side")
    assert np.abs(side).max() > 0
    np.testing.assert_allclose(one, side, rtol=1e-8, atol=1e-11)


def test_first_weights_are_zero_where_nothing_is_used(results):
    model, children = results
    assert isinstance(model, ChildModel)
    for architecture, parameters, *_ in children:
        kernel = np.asarray(parameters["layers"]["kernel"])
        used = (kernel != 0).sum((1, 2, 3, 4))
        there = architecture[model.settings.columns("height")] >= 0
        there = np.repeat(there, model.settings.block)
        np.testing.assert_array_equal(used > 0, there)
        scale = 2 * 2 * there.sum()
        counted = model.count_parameters(architecture)
        assert used.sum() < counted < used.sum() + 4 * scale * 10


def test_moments_of_the_batch_give_the_logits_of_the_batch(results):
    model, children = results
    architecture, parameters, images, forms = children[0]
    measure = jax.jit(lambda *arguments: model.moments(*arguments))
    apply = jax.jit(lambda *arguments: model.logits_by(*arguments))
    moments = measure(parameters, architecture, images)
    logits = apply(moments, parameters, architecture, images)
    np.testing.assert_allclose(logits, forms[0][0][1], rtol=1e-9, atol=1e-11)
    # One image alone gets the same logits: they do not depend on the batch.
    alone = apply(moments, parameters, architecture, images[:1])
    np.testing.assert_allclose(alone, logits[:1], rtol=1e-9, atol=1e-11)


def test_scores_count_right_answers():
    class Fixed(NasRLConv):
        def logits(self, parameters, architecture, images):
            return parameters

    labels, logits = jnp.array([0, 1, 2]), jnp.eye(3).at[2, 2].set(-1)
    model = Fixed(PLAIN.settings)
    sums, _ = model.score(logits, None, (), (logits, labels))
    assert model.value(sums) == pytest.approx(2 / 3)
    broken = logits.at[0, 0].set(jnp.inf)
    assert jnp.isnan(model.value(model.score(broken, None, (), (logits, labels))[0]))


def test_input_channels_are_sums_or_rounded_up():
    exact = nasrl_conv((4, 5, 1), 10, layers=3, **SIZES).settings
    assert exact.input_classes == (1, 2, 3, 4, 5, 6)
    assert STRIDED.settings.input_classes == (1, 6)
    large = nasrl_conv((32, 32, 3), 10, layers=6).settings
    assert large.input_classes[0] == 3
    assert large.input_classes[-1] == 5 * 64
    assert len(large.input_classes) <= 8


def test_bad_sizes_are_refused():
    with pytest.raises(ValueError, match="num_classes 0"):
        nasrl_conv((4, 4, 1), 0)
    with pytest.raises(ValueError, match="block 0"):
        nasrl_conv((4, 4, 1), 10, block=0)
    with pytest.raises(ValueError, match="numbers from 1 to 5"):
        nasrl_conv((4, 4, 1), 10, layers=2, block=3, pools=(6,))
    with pytest.raises(ValueError, match="'heights' is"):
        nasrl_conv((4, 4, 1), 10, heights=(2,))
