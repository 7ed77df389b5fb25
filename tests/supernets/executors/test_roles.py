"""Children as coefficients of one static form, and the networks that have none."""

import dataclasses
import itertools

import numpy as np
import pytest

from jaxnas.supernets import chain
from jaxnas.supernets.executors.roles import IMAGES, LOGITS, Edge, child_edges, dense_form

IMAGE = {"image_shape": (4, 4, 1), "num_classes": 3}


@pytest.fixture(scope="module")
def network():
    return chain(**IMAGE, layers=2, channels=2, reductions=())


def test_the_edges_of_a_child_by_hand(network):
    edges = child_edges(network, network.space.choices([4, 0]))
    skip, conv = ("operation", "layer_0/skip"), ("operation", "layer_1/conv_3x3")
    stem, classifier = ("operation", "stem"), ("operation", "classifier")
    path = [IMAGES, stem, skip, conv, classifier, LOGITS]
    assert dict(edges) == {Edge(a, b, 0): 1 for a, b in itertools.pairwise(path)}


def test_one_form_serves_all_children(network):
    form = dense_form(network)
    children = [child_edges(network, network.space.choices(a)) for a in ([4, 0], [1, 3])]
    assert all(set(child) <= set(form.edges) for child in children)
    # From the stem, between two layers of five operations, to the classifier and to the logits.
    assert len(form.edges) == 1 + 5 + 25 + 5 + 1
    np.testing.assert_array_equal(form.coefficients(children).sum(0), [5, 5])
    position = {role: i for i, role in enumerate(form.order)}
    assert all(position[e.source] < position[e.target] for e in form.edges)


def describe_with(network, describe):
    return dataclasses.replace(network, describe=describe)


def test_an_operation_applied_twice_has_no_dense_form(network):
    def describe(build, choices):
        x = build.apply("stem", build.images)
        x = build.apply("layer_0/conv_3x3", build.apply("layer_0/conv_3x3", x))
        return build.apply("classifier", x)

    with pytest.raises(ValueError, match="applies 'layer_0/conv_3x3' more than once"):
        dense_form(describe_with(network, describe))


def test_contrary_orders_have_no_dense_form(network):
    def describe(build, choices):
        x, names = build.apply("stem", build.images), ["layer_0/conv_3x3", "layer_1/conv_3x3"]
        for name in names if choices["layer_0"] else reversed(names):
            x = build.apply(name, x)
        return build.apply("classifier", x)

    with pytest.raises(ValueError, match="contrary orders"):
        dense_form(describe_with(network, describe))
