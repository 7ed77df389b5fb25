"""Inference grouped by architecture gives what the one routed program gives."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.instance import InstanceModule, Point
from jaxnas.objectives import LatencyTable
from jaxnas.policies.controllers import affine_logits, large_kernels
from jaxnas.policies.instance import InstancePolicy
from jaxnas.runtime import child_programs
from jaxnas.runtime.batch_pieces import SIZES, pieces
from jaxnas.runtime.child_programs import ChildPrograms
from jaxnas.runtime.instance_predictor import InstancePredictor
from jaxnas.supernets import Supernet, mobilenet

pytestmark = pytest.mark.usefixtures("quick_compilation")

SHAPE, COUNT = (4, 4, 1), 12
MEAN, STD = np.float32([0.5]), np.float32([0.3])


@pytest.fixture(scope="module")
def images():
    random = np.random.default_rng(1)
    return random.integers(0, 256, (COUNT, *SHAPE)).astype(np.uint8)


@pytest.fixture(scope="module")
def parts(images, quick_compilation):
    """A network of two bits whose images choose all four architectures, some of them rarely."""
    network = mobilenet(
        image_shape=SHAPE,
        num_classes=3,
        stages=((4, 2, 1),),
        stem=4,
        head=8,
        modules=("inverted_residual_3x3_3",),
        default="inverted_residual_3x3_3",
    )
    costs = {key: float(i + 1) for i, key in enumerate(network.operations)}
    table = LatencyTable(network.name, "seconds", costs, controller=0.5)
    policy = InstancePolicy(network.space, SHAPE, large_kernels(2, (4,), 3))
    keys = jax.random.split(jax.random.key(0))
    params, policy_params = network.init(keys[0]), policy.init(keys[1])
    standard = (images / np.float32(255) - MEAN) / STD
    every = np.ones((len(images), 2), np.int32)
    moments, _ = Supernet(network).measure_moments_each(params, every, standard)
    logits = np.asarray(policy.logits(policy_params, standard))
    # The first bit is on for six images of ten, the second for three.
    shift = -np.array([np.quantile(logits[:, 0], 0.4), np.quantile(logits[:, 1], 0.7)])
    policy_params = affine_logits(policy_params, np.ones(2, np.float32), np.float32(shift))
    return network, policy, table, Point(params, moments, policy_params), MEAN, STD


@pytest.fixture(scope="module")
def expected(parts, images):
    """What the routed program says, as arrays."""
    found = jax.jit(InstanceModule(*parts).__call__)(images)
    distinct, counts = np.unique(found.architectures, axis=0, return_counts=True)
    assert len(distinct) >= 3
    assert counts.min() <= 5
    return found


@pytest.fixture(scope="module")
def make(parts):
    """Predictors by their options; one for each, since their programs are costly."""
    return functools.cache(lambda **options: InstancePredictor(InstanceModule(*parts), **options))


def check(found, expected, rows):
    assert [type(each) for each in found] == [type(each) for each in expected]
    assert [each.dtype for each in found] == [each.dtype for each in expected]
    np.testing.assert_allclose(found.logits, expected.logits[rows], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found.architectures, expected.architectures[rows])
    np.testing.assert_array_equal(found.latency, expected.latency[rows])


@pytest.mark.parametrize("rows", [slice(0, 1), slice(2, 5), slice(0, COUNT)])
def test_children_give_what_the_routed_program_gives_in_order(make, images, expected, rows):
    predictor = make(compile_after=1)
    check(predictor(images[rows]), expected, rows)
    distinct = np.unique(expected.architectures[rows], axis=0)
    assert all(row.tobytes() in predictor.children for row in distinct)


def test_images_on_the_device_and_floats_are_taken_too(make, images, expected):
    predictor = make(compile_after=1)
    check(predictor(jnp.asarray(images[:1])), expected, slice(0, 1))
    check(predictor(images[:1] / np.float32(255)), expected, slice(0, 1))


def test_a_batch_of_one_architecture_is_one_program(make, images, expected):
    check(make(compile_after=1)(np.repeat(images[:1], 64, axis=0)), expected, np.zeros(64, int))


@pytest.mark.slow
def test_without_children_all_images_share_the_routed_program(make, images, expected):
    predictor = make(compiled_architectures=0)
    for rows in (slice(0, 1), slice(0, COUNT), slice(2, 5)):
        check(predictor(images[rows]), expected, rows)
    assert not len(predictor.children)


@pytest.mark.slow
def test_frequent_architectures_are_compiled_and_rare_ones_share_the_routed_program(
    make, images, expected
):
    _, counts = np.unique(expected.architectures, axis=0, return_counts=True)
    predictor = make(compile_after=int(np.sort(counts)[-2]))
    for time in (1, 2):
        check(predictor(images), expected, slice(0, COUNT))
        assert len(predictor.children) == (counts * time >= np.sort(counts)[-2]).sum()


@pytest.mark.slow
def test_the_least_recently_used_architecture_makes_room(make, images, expected):
    predictor = make(compiled_architectures=1, compile_after=1)
    for _ in range(2):
        check(predictor(images), expected, slice(0, COUNT))
        assert len(predictor.children) == 1


@pytest.mark.slow
def test_what_is_prepared_is_all_that_is_compiled(parts, images, expected):
    predictor = InstancePredictor(
        InstanceModule(*parts), compiled_architectures=2, compile_after=None
    )
    predictor.prepare(images, sizes=(1,))
    assert len(predictor.children) == 2
    commonest = np.unique(expected.architectures, axis=0, return_counts=True)
    kept = commonest[0][np.argsort(-commonest[1])[:2]]
    made = {row.tobytes(): predictor.children.find(row, 1) is not None for row in commonest[0]}
    assert {key for key, found in made.items() if found} == {row.tobytes() for row in kept}
    for i in range(4):
        check(predictor(images[i : i + 1]), expected, slice(i, i + 1))
    assert len(predictor.children) == 2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((0, *SHAPE), np.uint8), "there are no images: give at least one"),
        (np.zeros(SHAPE, np.uint8), r"images have shape \[4, 4, 1\]; this network takes \[B, 4"),
        (np.zeros((2, 4, 4, 3), np.uint8), r"shape \[2, 4, 4, 3\]; this network takes \[B, 4, 4"),
    ],
)
def test_images_that_do_not_fit_are_named(make, given, message):
    for call in (make(compiled_architectures=0), make(compiled_architectures=0).prepare):
        with pytest.raises(ValueError, match=message):
            call(given)


def test_the_module_names_the_shape_too(parts):
    with pytest.raises(
        ValueError, match=r"shape \[2, 4, 4, 3\]; this network takes \[B, 4, 4, 1\]"
    ):
        InstanceModule(*parts)(jnp.zeros((2, 4, 4, 3)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"compiled_architectures": -1}, "compiled_architectures is -1: give"),
        ({"compile_after": 0}, "compile_after is 0: give images, 1 or more"),
    ],
)
def test_options_out_of_range_are_named(parts, options, message):
    with pytest.raises(ValueError, match=message):
        InstancePredictor(InstanceModule(*parts), **options)


def test_batches_are_of_few_sizes_with_little_filling():
    for count in range(1, 300):
        found = pieces(count)
        assert sum(used for used, _ in found) == count
        assert {size for _, size in found} <= set(SIZES)
        assert all(used == size for used, size in found[:-1])
        assert found[-1][0] >= 0.75 * found[-1][1]


def programs(most, after):
    made = []
    kept = ChildPrograms(lambda row: made.append(int(row[0])) or made[-1], most, after)
    return made, lambda number, images=1: kept.find(np.array([number], np.int32), images)


def test_programs_are_made_when_enough_images_chose_them_and_go_when_out_of_use():
    made, find = programs(most=2, after=3)
    assert [find(0), find(0), find(0)] == [None, None, 0]
    assert (find(1, 5), find(0)) == (1, 0)
    # There is no room, until 1 was used 6 images ago.
    assert (find(2, 3), find(0), find(2), find(2)) == (None, 0, 2, 2)
    # 1 is counted from nothing again.
    assert (find(0), find(1)) == (0, None)
    assert made == [0, 1, 2]


def test_few_architectures_are_counted(monkeypatch):
    monkeypatch.setattr(child_programs, "COUNTED", 2)
    _, find = programs(most=8, after=2)
    assert [find(0), find(1), find(2), find(0), find(2)] == [None, None, None, None, 2]


def test_without_room_nothing_is_compiled_again_and_again():
    made, find = programs(most=4, after=8)
    for _ in range(40):
        for number in range(8):
            find(number)
    assert made == [0, 1, 2, 3]
