"""Groups of instructions: what stands in one call, and where values lie."""

import jax
import numpy as np

from jaxnas.supernets import chain, make_plan, nasbench201
from jaxnas.supernets.executors.schedule import make_schedule

IMAGE = {"image_shape": (4, 4, 1), "num_classes": 3}


def test_applications_of_one_operation_stand_together_whatever_their_depth():
    network = chain(**IMAGE, layers=3, channels=2, reductions=())
    # Skips (action 4) bring the third layer's convolution to depths 2, 3 and 3.
    plan = make_plan(network, [[4, 4, 0], [0, 4, 0], [4, 1, 0]])
    calls = [(c.instruction.key, len(c.members)) for c in make_schedule(plan).calls]
    assert ("layer_2/conv_3x3", 2) in calls
    assert ("layer_2/conv_3x3", 1) in calls
    assert calls[-2:] == [("classifier", 2), ("classifier", 1)]


def test_calls_read_values_that_are_there():
    network = nasbench201(**IMAGE, cells=1, channels=2)
    plan = make_plan(network, network.space.sample(jax.random.key(0), 12))
    schedule = make_schedule(plan)
    held = {}
    for call in schedule.calls:
        for p, places in enumerate(call.inputs):
            for member, place in zip(call.members, places.tolist(), strict=True):
                value = plan.instructions[member].inputs[p]
                assert held[plan.instructions[value].shape, place] == value
        for member, place in zip(call.members, call.output.tolist(), strict=True):
            held[plan.instructions[member].shape, place] = member
            assert place < schedule.places[plan.instructions[member].shape]
    assert sorted(m for call in schedule.calls for m in call.members) == list(
        range(len(plan.instructions))
    )
    found = [held[(3,), place] for place in schedule.logits.tolist()]
    np.testing.assert_array_equal(found, plan.outputs)
    assert len(schedule.calls) < 0.7 * len(plan.instructions)
