"""Every executor equals stand-alone children one after the other, in double precision.

Networks whose programs are many more have a file of their own, `test_executors_large.py`.
"""

import jax
import numpy as np
import pytest
from executor_cases import EXECUTORS, IMAGE, Case, assert_equal, make

from jaxnas.supernets import Noise, nasbench201

pytestmark = pytest.mark.usefixtures("exact")

# The oldest packages see the others.
SLOW = [pytest.param(executor, marks=pytest.mark.slow) for executor in EXECUTORS[2:]]
LARGER = [pytest.param(name, marks=pytest.mark.slow) for name in ("nasbench201", "shufflenas")]


@pytest.fixture(scope="module", params=["chain", *LARGER])
def case(request, exact):
    yield make(request.param)
    jax.clear_caches()  # Four executors of one network compile many programs.


@pytest.mark.parametrize("kind", ["uniform", "peaked", "equal", "adversarial", "mixed"])
@pytest.mark.parametrize("executor", [*EXECUTORS[:2], *SLOW])
def test_values_and_gradients_equal_stand_alone_children(case, executor, kind):
    case = case.for_dense if executor == "dense" else case
    assert_equal(case.value_and_grad(executor, kind), case.expected(kind))


@pytest.fixture(scope="module")
def not_affine(exact):
    """A network without scale and bias, so that zeros vanish from its plans."""
    yield Case("nasbench201", nasbench201(**IMAGE, cells=1, channels=2, affine=False))
    jax.clear_caches()


@pytest.mark.slow
@pytest.mark.parametrize("executor", EXECUTORS[:-1])
def test_zeros_that_vanish_from_a_plan(not_affine, executor):
    for kind in ("uniform", "adversarial"):
        assert_equal(not_affine.value_and_grad(executor, kind), not_affine.expected(kind))


@pytest.fixture(scope="module")
def short(exact):
    """A network in which noise compiles sooner."""
    yield make("chain_short")
    jax.clear_caches()


@pytest.mark.slow
def test_noise_is_the_same_for_all_executors(short):
    noise = Noise(jax.random.key(7), 0.3)
    expected = short.value_and_grad("reference", "few", noise)
    assert not np.allclose(expected[0][1], short.expected("few")[0][1])
    for executor in EXECUTORS:
        assert_equal(short.value_and_grad(executor, "few", noise), expected)


@pytest.mark.parametrize("executor", ["host"])
def test_a_child_among_others_gives_to_the_last_bit_what_it_gives_alone(case, executor):
    supernet, architectures = case.supernets[executor], case.samples["mixed"]
    together = supernet.apply(case.params, architectures, case.images)
    for architecture, logits in zip(architectures, together, strict=True):
        alone = supernet.apply(case.params, [architecture], case.images)
        np.testing.assert_array_equal(alone[0], logits)


@pytest.mark.parametrize("executor", [*EXECUTORS[:2], *SLOW])
def test_operations_that_no_child_uses_get_no_gradient(case, executor):
    case = case.for_dense if executor == "dense" else case
    network, architectures = case.network, case.samples["equal"]
    used = set(case.supernets["host"].plan(architectures).unique)
    unused = [key for key in network.operations if key not in used]
    assert unused
    _, gradient = case.value_and_grad(executor, "equal")
    for key in unused:
        for leaf in jax.tree.leaves(network.parameters(gradient, key)):
            np.testing.assert_array_equal(leaf, 0)
    trained = [x for key in used for x in jax.tree.leaves(network.parameters(gradient, key))]
    assert any(np.any(leaf) for leaf in trained)
