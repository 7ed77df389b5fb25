"""Text children compute what a network of their own would, and learn nothing they lack."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference_text import choices_of
from reference_text import logits as reference

from jaxnas.children import TextChildren, towers
from jaxnas.evaluators import ChildModel, LabelledTextBatch
from jaxnas.spaces.text import TextOptions

pytestmark = pytest.mark.usefixtures("exact")

OPTIONS = TextOptions(
    embeddings=("scratch-2", "scratch-3", "words-4"),
    filters=("3", "5"),
    conv_dropouts=("0",),
    embedding_dropouts=("0",),
    layers=("0", "1", "2"),
    widths=("3", "4"),
    dropouts=("0",),
    epochs=("1", "3"),
)
MODEL = TextChildren(OPTIONS, num_classes=3, vocabulary_size=9, pairs=7)
ROWS, LENGTH = 4, 5


@functools.cache
def batch():
    random = np.random.default_rng(0)
    tokens = random.integers(1, 9, (4, ROWS, LENGTH))
    lengths = random.integers(1, LENGTH + 1, (4, ROWS, 1))
    tokens = np.where(np.arange(LENGTH) < lengths, tokens, 0)
    tables = np.zeros((1, 9, 4))
    tables[0, 1:] = random.normal(size=(8, 4))
    mask = jnp.array([True, True, False])
    return LabelledTextBatch(
        jnp.asarray(tokens, jnp.int32),
        jnp.array([0, 1, 1, 0]),
        jnp.ones(ROWS),
        mask,
        jnp.asarray(tables),
    )


@functools.cache
def functions():
    """`init` and the loss with gradient and logits, one program for all children."""

    @jax.jit
    def both(parameters, architecture, batch):
        def loss(parameters):
            value, _ = MODEL.loss(parameters, architecture, (), batch, jax.random.key(5))
            return value, MODEL.logits(parameters, architecture, batch, None)

        return jax.value_and_grad(loss, has_aux=True)(parameters)

    return jax.jit(MODEL.init), both


def filled(parameters, seed=1):
    """Every weight that is not 0 drawn, and the wide ones, scales and biases too."""
    random = np.random.default_rng(seed)

    def draw(path, x):
        name = path[-1].key
        drawn = random.normal(size=x.shape)
        always = "bias" in name or "scale" in name or path[0].key == "wide"
        return jnp.asarray(drawn if always else np.where(np.asarray(x) == 0, 0, drawn))

    return jax.tree_util.tree_map_with_path(draw, parameters)


def children(number=24):
    """As many of each depth: most walks are through the deepest networks."""
    drawn = np.array(OPTIONS.space.sample(jax.random.key(3), 4000))
    depths = [choices_of(OPTIONS, architecture)["layers"] for architecture in drawn]
    of_depth = [drawn[np.array(depths) == depth][: number // 3] for depth in OPTIONS.layers]
    return np.concatenate(of_depth)


@pytest.mark.slow
def test_logits_equal_those_of_a_network_built_alone():
    init, both = functions()
    seen = set()
    for architecture in children(48):
        parameters = filled(init(jax.random.key(1), architecture))
        (_, logits), _ = both(parameters, architecture, batch())
        expected = reference(MODEL, parameters, architecture, batch())
        np.testing.assert_allclose(logits, expected, rtol=1e-10, atol=1e-12)
        seen |= set(choices_of(OPTIONS, architecture).items())
    # The sample meets every action.
    for name, field in OPTIONS.decision_fields.items():
        if not name.endswith(("rate", "regularization")):
            assert {label for n, label in seen if n == name} == set(getattr(OPTIONS, field))


def test_what_a_child_lacks_is_zero_and_gets_no_gradient():
    init, both = functions()
    for architecture in children(12):
        parameters = init(jax.random.key(1), architecture)
        labels = choices_of(OPTIONS, architecture)
        deep = parameters["deep"]
        width = int(labels["embedding"].split("-")[1])
        assert not deep["embedding"][:, width:].any()
        assert not deep["kernels"][int(labels["layers"]) :].any()
        _, gradient = both(filled(parameters), architecture, batch())
        of = gradient["deep"]
        for name in ("embedding", "kernels", "head", "filters"):
            lacking = np.asarray(deep[name] == 0)
            if name == "embedding" and labels["embedding"] in OPTIONS.tables:
                lacking = np.full(lacking.shape, labels["fine_tune"] == "no")
            assert not np.asarray(of[name])[lacking].any()
        assert bool(gradient["wide"]["kernel"].any()) == (labels["wide"] == "yes")


def test_the_gradient_is_that_of_the_reference_by_differences():
    init, both = functions()
    for architecture in children(3):
        labels = choices_of(OPTIONS, architecture)
        parameters = filled(init(jax.random.key(1), architecture))
        (loss, _), gradient = both(parameters, architecture, batch())

        def value(parameters, architecture=architecture, labels=labels):
            logits = reference(MODEL, parameters, architecture, batch())
            shifted = logits - logits.max(1, keepdims=True)
            log_probs = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
            entropy = -log_probs[np.arange(ROWS), np.asarray(batch().labels)].mean()
            deep, wide = parameters["deep"], parameters["wide"]
            squares = sum((np.asarray(deep[n]) ** 2).sum() for n in ("kernels", "head", "filters"))
            penalty = float(labels["deep_regularization"]) * squares
            if labels["wide"] == "yes":
                factor = float(labels["wide_regularization"])
                penalty += factor * (np.asarray(wide["kernel"]) ** 2).sum()
            return entropy + penalty

        assert value(parameters) == pytest.approx(float(loss), rel=1e-10)
        direction = jax.tree.map(lambda x: x * 0 + jnp.where(x == 0, 0.0, 1.0), parameters)
        step = 1e-6
        ahead, behind = (
            value(jax.tree.map(lambda p, d, s=s: p + s * d, parameters, direction))
            for s in (step, -step)
        )
        slope = sum(
            float((g * d).sum())
            for g, d in zip(jax.tree.leaves(gradient), jax.tree.leaves(direction), strict=True)
        )
        if labels.get("fine_tune") != "no":
            assert (ahead - behind) / (2 * step) == pytest.approx(slope, rel=1e-5, abs=1e-8)


def test_rows_that_fill_up_count_for_nothing():
    init, _ = functions()
    architecture = children(3)[0]
    parameters = filled(init(jax.random.key(1), architecture))
    weights = jnp.array([1.0, 1.0, 1.0, 0.0])
    part = batch()._replace(weights=weights)
    logits = MODEL.logits(parameters, architecture, part, None)
    right = (logits.argmax(-1) == part.labels)[:3].sum()
    sums, _ = MODEL.score(parameters, architecture, (), part)
    assert (sums["right"], sums["count"]) == (right, 3)
    assert MODEL.value(sums) == pytest.approx(float(right) / 3)


def test_dropout_keeps_the_mean_and_is_off_without_a_key():
    x = jnp.ones((200, 200))
    dropped = towers.drop(jax.random.key(0), x, jnp.asarray(0.4))
    assert set(np.unique(dropped).round(6)) == {0, round(1 / 0.6, 6)}
    assert float(dropped.mean()) == pytest.approx(1, abs=0.02)
    assert towers.drop(None, x, jnp.asarray(0.4)) is x


def test_hyperparameters_are_those_of_the_architecture():
    assert isinstance(MODEL, ChildModel)
    drawn = children()
    numbers = towers.hyperparameters(OPTIONS, drawn)
    for i, architecture in enumerate(drawn):
        labels = choices_of(OPTIONS, architecture)
        assert numbers["deep_rate"][i] == pytest.approx(float(labels["deep_rate"]))
        assert numbers["epochs"][i] == int(labels["epochs"])
        if labels["wide"] == "yes":
            assert numbers["wide_rate"][i] == pytest.approx(float(labels["wide_rate"]))


def test_bad_sizes_are_refused():
    with pytest.raises(ValueError, match="num_classes is 1"):
        TextChildren(OPTIONS, num_classes=1, vocabulary_size=9)


def test_predictions_are_normalised_by_the_reference_alone():
    """Batch normalisation in the convolution and in a layer, embeddings from a table."""
    drawn = np.array(OPTIONS.space.sample(jax.random.key(4), 4000))
    wanted = {
        "convolution": "yes",
        "conv_normalization": "batch",
        "normalization": "batch",
        "embedding": "words-4",
    }
    row = next(a for a in drawn if wanted.items() <= choices_of(OPTIONS, a).items())
    of, init = batch(), functions()[0]
    tokens = of.tokens[0]
    same = of._replace(
        tokens=jnp.broadcast_to(tokens, of.tokens.shape), class_mask=jnp.ones(3, bool)
    )
    parameters = filled(init(jax.random.key(0), row))
    (_, expected), _ = functions()[1](parameters, row, same)
    whole = MODEL.with_tables(parameters, row, of.tables)
    assert towers.needs_reference(OPTIONS, row)
    predict = jax.jit(MODEL.logits_by)
    np.testing.assert_allclose(predict(tokens, whole, row, tokens), expected, atol=1e-12)
    for i in range(2):
        alone = predict(tokens, whole, row, tokens[i : i + 1])
        np.testing.assert_allclose(alone, expected[i : i + 1], atol=1e-12)
