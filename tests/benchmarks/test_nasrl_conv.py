"""The figures of `nasrl.py` by hand, and PyTorch's convolutional children equal ours."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.children import nasrl_conv


def test_means_and_gaps_by_hand():
    from nasrl_cases import search_case

    values = np.linspace(0, 1, 101)
    found = {
        "random": np.stack([np.arange(100), np.arange(100)]),
        "policy": np.stack([np.full(100, 80), np.arange(1, 101)]),
    }
    assert search_case.top_means(values, found["policy"][0]) == {1: 0.8, 5: 0.8, 15: 0.8}
    tops = search_case.top_means(values, found["random"][0])
    assert tops[1] == pytest.approx(0.99)
    assert tops[5] == pytest.approx(0.97)
    summary = search_case.make_summary(values, found, "")
    assert set(summary) == {"mean_gap", "top1_gap", "top5_gap", "top15_gap"}
    # The last 50 of random search have mean 0.745; those of the policy 0.8 and 0.755.
    assert summary["mean_gap"]["value"] == pytest.approx((0.055 + 0.01) / 2)
    assert summary["top1_gap"]["value"] == pytest.approx((-0.19 + 0.01) / 2)
    rows = search_case.make_rows(values, found, (50, 100))
    assert [row["samples"] for row in rows] == [50, 100, 50, 100]
    assert rows[3]["different"] == (1 + 100) / 2


def test_a_missing_table_is_said(tmp_path):
    from nasrl_cases import digit_convs

    with pytest.raises(SystemExit, match=r"run benchmarks/make_nasrl_conv_table\.py"):
        digit_convs.read_table(tmp_path / "none.npz")


@pytest.mark.extra
@pytest.mark.usefixtures("exact")
def test_pytorch_children_equal_ours():
    torch = pytest.importorskip("torch")
    from torch_reference.nasrl_conv import ConvChild

    sizes = {"heights": (1, 3), "widths": (3,), "filters": (2, 3)}
    model = nasrl_conv((4, 5, 1), 10, layers=3, **sizes).for_layout("side_by_side")
    images = np.random.default_rng(0).normal(size=(3, 4, 5, 1))
    logits_of = jax.jit(model.logits)
    for architecture in np.asarray(model.space.sample(jax.random.key(0), 3)):
        parameters = model.init(jax.random.key(1), architecture)
        child = ConvChild(model.settings, parameters, architecture)
        theirs = child(torch.from_numpy(images).permute(0, 3, 1, 2)).detach().numpy()
        ours = logits_of(parameters, architecture, jnp.asarray(images))
        np.testing.assert_allclose(theirs, ours, rtol=1e-9, atol=1e-11)
