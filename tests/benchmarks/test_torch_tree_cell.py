"""The recurrent child in PyTorch is the child of jaxnas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.children.recurrent import LanguageModel, TreeCell

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.extra, pytest.mark.usefixtures("exact")]

BATCH = np.random.default_rng(0).integers(0, 5, (2, 4))


@pytest.fixture
def small_and_large(monkeypatch):
    """Whether the embedding is mapped before tokens are looked up."""

    def choose(large):
        for module in ("jaxnas.children.recurrent.language_model", "torch_reference.tree_cell"):
            monkeypatch.setattr(f"{module}.ONE_HOT_ROWS", 0 if large else 256)

    return choose


@pytest.mark.parametrize("large", [False, True])
def test_losses_and_gradients_are_equal(small_and_large, large):
    from torch_reference.tree_cell import TreeLanguageModel

    small_and_large(large)
    model = LanguageModel(vocabulary=5, hidden=3, cell=TreeCell(4), init_scale=0.8)

    @jax.jit
    def evaluate(parameters, architecture):
        loss = jax.value_and_grad(model.loss, has_aux=True)
        (value, state), gradient = loss(
            parameters, architecture, model.initial_carry(2), jnp.array(BATCH), jax.random.key(0)
        )
        return value, state[0], gradient

    for architecture in np.asarray(model.space.sample(jax.random.key(1), 6)):
        parameters = model.init(jax.random.key(0), architecture)
        value, state, gradient = evaluate(parameters, architecture)
        child = TreeLanguageModel(model.space, architecture, parameters)
        zeros = torch.zeros(2, 3, dtype=torch.float64)
        tokens = torch.tensor(BATCH.T)
        loss, theirs = child.loss(tokens[:-1], tokens[1:], (zeros, zeros))
        loss.backward()
        np.testing.assert_allclose(loss.item(), value, rtol=1e-9)
        np.testing.assert_allclose(theirs[0], state.hidden, rtol=1e-9)
        np.testing.assert_allclose(theirs[1], state.cell, rtol=1e-9)
        for weight in child.weights.values():
            with torch.no_grad():
                weight.copy_(torch.zeros_like(weight) if weight.grad is None else weight.grad)
        jax.tree.map(
            lambda ours, torchs: np.testing.assert_allclose(torchs, ours, rtol=1e-8, atol=1e-12),
            gradient,
            child.parameters(),
        )
