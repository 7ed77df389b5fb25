"""As `test_executors.py`, of networks that compile for longer."""

import jax
import pytest
from executor_cases import EXECUTORS, assert_equal, make

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("exact")]


@pytest.fixture(scope="module", params=["enas_macro", "enas_micro"])
def case(request, exact):
    yield make(request.param)
    jax.clear_caches()  # Four executors of one network compile many programs.


# The other kinds are in the mixed one; each compiles for many seconds.
@pytest.mark.parametrize("kind", ["equal", "mixed"])
@pytest.mark.parametrize("executor", EXECUTORS)
def test_values_and_gradients_equal_stand_alone_children(case, executor, kind):
    case = case.for_dense if executor == "dense" else case
    assert_equal(case.value_and_grad(executor, kind), case.expected(kind))


@pytest.mark.parametrize("case", ["enas_macro"], indirect=True)
@pytest.mark.parametrize("executor", EXECUTORS)
def test_evaluation_gives_the_logits_of_training(case, executor):
    logits = case.supernets[executor].apply(case.params, case.samples["mixed"], case.images)
    assert_equal(logits, case.expected("mixed")[0][1])
