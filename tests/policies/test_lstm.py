"""The LSTM policy: a distribution, and the one that its definition says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from reference_lstm import reference
from small_spaces import all_spaces, branching_space, everything, loop_space, pointing_space

from jaxnas.policies import lstm
from jaxnas.spaces import Decision, SearchSpace, chain, enas_macro


@pytest.mark.parametrize("space", all_spaces(), ids=lambda s: s.name)
def test_is_a_distribution_and_teacher_forcing_agrees(space):
    policy = lstm(space, hidden=8, init_scale=1.0)
    params = policy.init(jax.random.key(0))
    every = everything(space)
    total = jnp.exp(policy.log_prob(params, every)).sum()
    np.testing.assert_allclose(total, 1.0, rtol=1e-5)

    sample = policy.sample(params, jax.random.key(1), len(every))
    space.validate(sample.architectures)
    evaluation = policy.evaluate(params, sample.architectures)
    np.testing.assert_allclose(evaluation.log_prob, sample.log_prob, rtol=1e-6)
    np.testing.assert_allclose(evaluation.entropy, sample.entropy, rtol=1e-6)


OPTIONS = (
    {"share_heads": True},
    {"temperature": 5.0, "tanh_constant": 2.5},
    {"context_size": 3},
    {"visit_inputs": False},
    {"skip_connection": True},
    {"layers": 2},
)


@pytest.mark.parametrize(
    ("space", "options"),
    [(space, {}) for space in all_spaces()]
    + [(space, options) for space in (loop_space(), pointing_space()) for options in OPTIONS],
    ids=lambda value: getattr(value, "name", str(value)),
)
@pytest.mark.usefixtures("float64")
def test_equals_slow_reference(space, options):
    policy = lstm(space, hidden=4, init_scale=1.0, **options)
    params = policy.init(jax.random.key(3))
    architectures = everything(space)[:: max(1, space.count() // 12)]
    context = None
    if policy.context_size:
        context = np.random.default_rng(0).normal(size=(len(architectures), policy.context_size))
    evaluation = policy.evaluate(params, architectures, context)
    assert evaluation.log_prob.dtype == jnp.float64
    for i, architecture in enumerate(architectures):
        row = None if context is None else context[i]
        log_prob, entropy, probabilities = reference(space, params, architecture, row, **options)
        np.testing.assert_allclose(evaluation.log_prob[i], log_prob, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(evaluation.entropy[i], entropy, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(evaluation.probabilities[i], probabilities, atol=1e-12)


@pytest.mark.parametrize("space", [loop_space(), pointing_space()], ids=lambda s: s.name)
def test_samples_have_the_frequencies_of_log_prob(space):
    policy = lstm(space, hidden=8, init_scale=1.0)
    params = policy.init(jax.random.key(0))
    every = everything(space)
    probabilities = np.exp(policy.log_prob(params, every))
    num = 20_000
    sampled = np.asarray(policy.sample(params, jax.random.key(5), num).architectures)
    counts = (sampled[:, None] == every).all(-1).sum(0)
    expected = probabilities * num
    # A chi-square variable lies below its mean plus six standard deviations, seed fixed.
    statistic = ((counts - expected) ** 2 / expected).sum()
    assert statistic < len(every) + 6 * (2 * len(every)) ** 0.5


def test_fresh_policy_without_weights_is_uniform_at_each_decision():
    space = loop_space()
    policy = lstm(space, hidden=4)
    params = jax.tree.map(jnp.zeros_like, policy.init(jax.random.key(0)))
    evaluation = policy.evaluate(params, [[1, 0, -1, -1, -1, -1], [0, 1, 1, 1, 0, 0]])
    # layer, more: two choices each; the third `more` is at its cap and has one way out.
    np.testing.assert_allclose(evaluation.entropy, [2 * np.log(2), 5 * np.log(2)], rtol=1e-6)
    np.testing.assert_allclose(evaluation.log_prob, -evaluation.entropy, rtol=1e-6)
    expected = np.zeros((2, 6, 2))
    expected[0, :2] = 0.5
    expected[1] = 0.5
    expected[1, 5] = [1, 0]
    np.testing.assert_allclose(evaluation.probabilities, expected, rtol=1e-6)


def test_skip_bits_have_opposite_logits():
    policy = lstm(enas_macro(3, ("a",)), hidden=4, init_scale=1.0)
    params = policy.init(jax.random.key(0))
    evaluation = policy.evaluate(params, [[0, 0, 1, 0, 0, 1]])
    p = np.asarray(evaluation.probabilities[0, 2])
    q = np.log(p[1] / p[0]) / 2
    # The one pointing logit is q by hand; see `reference_lstm` for the whole walk.
    np.testing.assert_allclose(p, np.exp([-q, q]) / np.exp([-q, q]).sum(), rtol=1e-5)
    assert abs(q) > 1e-4


def test_squashing_bounds_the_logits():
    policy = lstm(chain(2, ("a", "b")), hidden=8, tanh_constant=0.1, init_scale=5.0)
    params = policy.init(jax.random.key(0))
    p = policy.evaluate(params, [[0, 0], [1, 1]]).probabilities
    assert float(p.max()) <= 1 / (1 + np.exp(-0.2)) + 1e-6


def test_context_changes_the_distribution_and_its_gradient_reaches_the_projection():
    space = branching_space()
    policy = lstm(space, hidden=8, context_size=2, init_scale=1.0)
    params = policy.init(jax.random.key(0))
    architectures = np.repeat(everything(space)[:1], 2, axis=0)
    log_prob = policy.log_prob(params, architectures, jnp.eye(2))
    assert log_prob[0] != log_prob[1]
    sample = policy.sample(params, jax.random.key(0), 4, jnp.ones((4, 2)))
    again = policy.log_prob(params, sample.architectures, jnp.ones((4, 2)))
    np.testing.assert_allclose(sample.log_prob, again, rtol=1e-6)
    gradient = jax.grad(lambda p: policy.log_prob(p, architectures, jnp.eye(2)).sum())(params)
    assert np.abs(gradient["context_kernel"]).min() > 0


@pytest.mark.parametrize("space", [loop_space(), pointing_space()], ids=lambda s: s.name)
def test_gradients_are_finite(space):
    policy = lstm(space, hidden=4, init_scale=1.0, tanh_constant=2.5)
    params = policy.init(jax.random.key(0))

    def loss(params):
        evaluation = policy.evaluate(params, everything(space)[:8])
        return (evaluation.log_prob + evaluation.entropy).sum()

    assert all(np.isfinite(g).all() for g in jax.tree.leaves(jax.grad(loss)(params)))


def test_closed_actions_have_log_prob_minus_infinity():
    policy = lstm(loop_space(), hidden=4)
    params = policy.init(jax.random.key(0))
    assert policy.log_prob(params, [[0, 1, 0, 1, 0, 1]])[0] == -jnp.inf
    assert policy.log_prob(params, [[7, 0, -1, -1, -1, -1]])[0] == -jnp.inf


def test_shared_heads_have_one_head_per_group():
    space = chain(5, ("a", "b"))
    shapes = [
        lstm(space, hidden=4, share_heads=share).init(jax.random.key(0))["head_kernel"].shape
        for share in (False, True)
    ]
    assert shapes == [(5, 4, 2), (1, 4, 2)]


def test_equal_arguments_give_the_same_policy():
    assert lstm(loop_space(), hidden=8) is lstm(loop_space(), hidden=8)
    assert lstm(loop_space(), hidden=8) is not lstm(loop_space(), hidden=9)


def test_init_and_sample_can_be_vmapped_over_seeds():
    space = pointing_space()
    policy = lstm(space, hidden=4, init_scale=1.0)
    keys = jax.random.split(jax.random.key(0), 3)

    def run(key):
        return policy.sample(policy.init(key), key, 5)

    together = jax.vmap(run)(keys)
    for i, key in enumerate(keys):
        alone = run(key)
        np.testing.assert_array_equal(together.architectures[i], alone.architectures)
        np.testing.assert_allclose(together.log_prob[i], alone.log_prob, rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": 0}, "'hidden' is 0"),
        ({"temperature": 0.0}, "'temperature' is 0.0"),
        ({"tanh_constant": -1.0}, "'tanh_constant' is -1.0"),
        ({"context_size": -1}, "'context_size' is -1"),
        ({"hidden": 8, "embedding": 4}, "must be equal"),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        lstm(pointing_space(), **options)


def test_wrong_context_is_named():
    plain, conditioned = lstm(loop_space(), hidden=4), lstm(loop_space(), hidden=4, context_size=2)
    key = jax.random.key(0)
    with pytest.raises(ValueError, match="takes no context"):
        plain.sample(plain.init(key), key, 3, jnp.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"needs a context of shape \[3, 2\]"):
        conditioned.sample(conditioned.init(key), key, 3)
    with pytest.raises(ValueError, match=r"shape \[3, 5\], not \[3, 2\]"):
        conditioned.sample(conditioned.init(key), key, 3, jnp.zeros((3, 5)))


def test_embedding_may_differ_from_hidden_without_pointers():
    space = SearchSpace("two", (Decision("x", ("a", "b")), Decision("y", ("a", "b", "c"))))
    policy = lstm(space, hidden=8, embedding=3, init_scale=1.0)
    params = policy.init(jax.random.key(0))
    total = jnp.exp(policy.log_prob(params, everything(space))).sum()
    np.testing.assert_allclose(total, 1.0, rtol=1e-5)


@pytest.mark.parametrize("make_space", [loop_space, pointing_space])
def test_without_head_weights_every_open_action_is_equally_likely(make_space):
    space = make_space()
    policy = lstm(space, hidden=4, init_scale=1.0, head_scale=0.0)
    evaluation = policy.evaluate(policy.init(jax.random.key(0)), everything(space)[:8])
    probabilities = np.asarray(evaluation.probabilities)
    is_open = probabilities > 0
    even = is_open / np.maximum(is_open.sum(-1, keepdims=True), 1)
    np.testing.assert_allclose(probabilities, even, atol=1e-6)
    default = lstm(space, hidden=4, init_scale=1.0)
    other = default.evaluate(default.init(jax.random.key(0)), everything(space)[:8])
    assert not np.allclose(other.probabilities, even, atol=1e-4)
