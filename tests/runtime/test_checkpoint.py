import errno
import logging
import os
import pathlib
import shutil
import warnings
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
import pytest

from jaxnas.runtime import CheckpointError, Checkpoints, RunError, digest


class State(NamedTuple):
    params: Any
    opt_state: Any
    key: jax.Array
    step: int
    extra: Any


def make_state(seed=0, size=4):
    params = {
        "w": jax.random.normal(jax.random.key(seed), (size, 3)),
        "half": jnp.asarray([1.5, -0.0, float("nan")], jnp.bfloat16),
        "empty": jnp.zeros((0, 2)),
    }
    extra = {
        "none": None,
        "weak": jnp.asarray(0.1),
        "weak_vector": jnp.broadcast_to(jnp.asarray(3), (2,)),
        "mask": jnp.asarray([True, False]),
        "keys": jax.random.split(jax.random.key(1, impl="rbg"), 3),
        "numpy": np.arange(5, dtype=np.int64),
        "python": (7, 0.1, True),
    }
    return State(params, optax.adam(1e-3).init(params), jax.random.key(seed + 7), seed, extra)


def files(folder):
    return sorted(path for path in pathlib.Path(folder).rglob("*") if path.is_file())


def content(leaf):
    is_key = hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(leaf) if is_key else leaf).tobytes()


def test_round_trip_is_exact(tmp_path):
    state = make_state()
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    assert checkpoints.restore(state) is None
    checkpoints.save(12, state)
    like = make_state(seed=5)
    step, restored = Checkpoints(tmp_path / "checkpoints").restore(like)
    assert step == 12
    assert jax.tree.structure(restored) == jax.tree.structure(state)
    for left, right in zip(jax.tree.leaves(state), jax.tree.leaves(restored), strict=True):
        assert type(left) is type(right)
        assert content(left) == content(right)
        assert getattr(left, "dtype", None) == getattr(right, "dtype", None)
        assert getattr(left, "weak_type", None) == getattr(right, "weak_type", None)
    assert digest(restored) == digest(state)
    restored.extra["numpy"][0] = 9  # NumPy leaves can be written.
    np.testing.assert_array_equal(
        jax.random.uniform(restored.key, (3,)), jax.random.uniform(state.key, (3,))
    )


def test_a_program_goes_on_without_compiling_again(tmp_path):
    @jax.jit
    def step(state):
        return {"x": state["x"] * 1.5, "count": state["count"] + 1}

    state = step({"x": jnp.ones(3), "count": jnp.asarray(0)})
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, state)
    expected = step(state)
    compiled = step._cache_size()
    _, restored = checkpoints.restore(state)
    assert digest(step(restored)) == digest(expected)
    assert step._cache_size() == compiled


def test_the_abstract_state_is_enough(tmp_path):
    state = {"w": jnp.arange(3.0), "key": jax.random.key(3), "keys": jax.random.key(1, impl="rbg")}
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(0, state)
    step, restored = checkpoints.restore(jax.eval_shape(lambda: state))
    assert step == 0
    assert digest(restored) == digest(state)


def test_leaves_go_back_to_their_devices(tmp_path):
    if jax.device_count() < 2:
        pytest.skip("needs two devices")
    devices = np.array(jax.devices()[:2])
    types = (jax.sharding.AxisType.Auto,)
    mesh = jax.sharding.Mesh(devices, ("data",), axis_types=types)
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))
    state = {"sharded": jax.device_put(jnp.arange(4.0), sharding), "free": jnp.ones(2)}
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(0, state)
    _, restored = checkpoints.restore(state)
    assert restored["sharded"].sharding == sharding
    assert not restored["free"].committed
    assert digest(restored) == digest(state)


def test_the_last_ones_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step in (1, 5, 12):
        checkpoints.save(step, {"x": jnp.asarray(step)})
    assert checkpoints.steps() == [5, 12]
    # A run that fell back to an earlier step leaves its abandoned future behind.
    checkpoints.save(7, {"x": jnp.asarray(70)})
    assert checkpoints.steps() == [5, 7]
    assert int(checkpoints.restore({"x": jnp.asarray(0)})[1]["x"]) == 70
    with pytest.raises(ValueError, match="keep is 0"):
        Checkpoints(tmp_path, keep=0)


def test_saving_a_step_again(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(3, {"x": jnp.arange(2)})
    before = [(path, path.stat().st_mtime_ns) for path in files(tmp_path)]
    checkpoints.save(3, {"x": jnp.arange(2)})
    assert before == [(path, path.stat().st_mtime_ns) for path in files(tmp_path)]
    checkpoints.save(3, {"x": jnp.arange(2) + 1})
    assert checkpoints.restore({"x": jnp.arange(2)})[1]["x"].tolist() == [1, 2]


def two_checkpoints(folder):
    """Checkpoints of steps 1 and 2; compresses badly, so that most bytes are data."""
    checkpoints = Checkpoints(folder)
    state = {"x": jax.random.bits(jax.random.key(0), (5000,)), "y": jnp.ones(3)}
    checkpoints.save(1, state)
    checkpoints.save(2, jax.tree.map(lambda x: x + 1, state))
    return checkpoints, state


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "delete"])
def test_every_damaged_file_is_survived(tmp_path, damage):
    checkpoints, state = two_checkpoints(tmp_path / "good")
    newest = digest(jax.tree.map(lambda x: x + 1, state))
    passed_over = 0
    for path in files(checkpoints.folder / "00000002"):
        where = path.relative_to(checkpoints.folder)
        shutil.copytree(checkpoints.folder, tmp_path / "bad", dirs_exist_ok=True)
        harm(tmp_path / "bad" / where, damage)
        restored = restore_quietly(tmp_path / "bad", state)
        # Either the damage does not matter, or it is found and the one before is used.
        if digest(restored[1]) != newest:
            assert (restored[0], digest(restored[1])) == (1, digest(state)), where
            passed_over += 1
        shutil.rmtree(tmp_path / "bad")
    assert passed_over >= 2


def harm(path, damage):
    data = path.read_bytes()
    if damage == "delete":
        path.unlink()
    elif damage == "flip":
        middle = len(data) // 2
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 0x10]) + data[middle + 1 :])
    else:
        path.write_bytes(data[: len(data) // 2] if damage == "truncate" else b"")


def restore_quietly(folder, like):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = Checkpoints(folder).restore(like)
    messages = [str(warning.message) for warning in caught]
    assert all("is damaged" in message for message in messages)
    assert bool(messages) == (result[0] == 1)
    return result


def test_damage_is_warned_of(tmp_path):
    checkpoints, state = two_checkpoints(tmp_path)
    data = max(files(checkpoints.folder / "00000002"), key=lambda path: path.stat().st_size)
    harm(data, "flip")
    with pytest.warns(UserWarning, match="checkpoint .*00000002 is damaged .* the one before it"):
        step, restored = checkpoints.restore(state)
    assert (step, digest(restored)) == (1, digest(state))
    # The run goes on and writes the damaged one anew.
    checkpoints.save(2, state)
    assert checkpoints.restore(state)[0] == 2


def test_bytes_that_changed_silently_are_found(tmp_path):
    checkpoints, state = two_checkpoints(tmp_path)
    path = checkpoints.folder / "00000002"
    with ocp.Checkpointer(ocp.CompositeCheckpointHandler()) as checkpointer:
        manifest = checkpointer.restore(
            path, args=ocp.args.Composite(manifest=ocp.args.JsonRestore())
        ).manifest
        # A whole and readable checkpoint, but of other bytes than its manifest says.
        block = {"data": np.zeros(manifest["bytes"] + 1, np.uint8)}
        arguments = ocp.args.Composite(
            state=ocp.args.StandardSave(block), manifest=ocp.args.JsonSave(manifest)
        )
        checkpointer.save(path, args=arguments, force=True)
    with pytest.warns(UserWarning, match="digest"):
        assert checkpoints.restore(state)[0] == 1


def test_nothing_is_left_of_damaged_ones(tmp_path):
    checkpoints, state = two_checkpoints(tmp_path)
    for folder in checkpoints.folder.iterdir():
        for path in files(folder):
            path.write_bytes(b"")
    with pytest.warns(UserWarning, match="is damaged") as caught:
        assert checkpoints.restore(state) is None
    assert len(caught) == 2


def test_a_writer_that_was_killed_half_way(tmp_path):
    checkpoints, state = two_checkpoints(tmp_path)
    # As Orbax leaves it: everything under a temporary name, moved only when it is whole.
    unfinished = checkpoints.folder / "00000003.orbax-checkpoint-tmp"
    shutil.copytree(checkpoints.folder / "00000002", unfinished)
    (checkpoints.folder / "00000004").mkdir()
    with pytest.warns(UserWarning, match="00000004 is damaged") as caught:
        assert checkpoints.restore(state)[0] == 2
    assert len(caught) == 1
    checkpoints.save(3, state)
    assert not unfinished.exists()
    assert checkpoints.steps() == [1, 2, 3]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: {**s, "x": s["x"][:2]}, r"leaf \['x'\] is uint32 \[5000\] there, .* \[2\] is"),
        (lambda s: {**s, "y": s["y"].astype(int)}, r"leaf \['y'\] is float32 \[3\] .* int32 \[3\]"),
        (lambda s: {"x": s["x"], "z": s["y"]}, r"has leaf \['y'\] where \['z'\] is wanted"),
        (lambda s: {"x": s["x"]}, r"has leaf \['y'\], unknown here"),
        (lambda s: {**s, "z": s["y"]}, r"has no leaf \['z'\]"),
        (lambda s: {**s, "y": jax.random.key(0)}, r"key<threefry2x32> \[\] is wanted"),
    ],
)
def test_checkpoints_of_another_config_name_the_leaf(tmp_path, change, message):
    checkpoints, state = two_checkpoints(tmp_path)
    with pytest.raises(CheckpointError, match="of another config") as error:
        checkpoints.restore(change(state))
    assert error.match(message)
    assert isinstance(error.value, RunError)


def test_a_full_disk_keeps_what_was_saved_and_is_said_once(tmp_path, monkeypatch, caplog):
    checkpoints, state = two_checkpoints(tmp_path)
    absl = logging.getLogger("absl")
    level = absl.level

    def fail(*_, **__):
        absl.error("a traceback of a hundred lines")
        raise ValueError("RESOURCE_EXHAUSTED: Error writing: No space left on device")

    monkeypatch.setattr(ocp.Checkpointer, "save", fail)
    with pytest.raises(RunError, match="is full"):
        checkpoints.save(3, state)
    monkeypatch.undo()
    assert checkpoints.restore(state)[0] == 2
    assert not caplog.records
    assert absl.level == level


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        Checkpoints(tmp_path / "file" / "checkpoints").save(0, {"x": jnp.ones(1)})

    def fail(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(pathlib.Path, "mkdir", fail)
    with pytest.raises(RunError, match="Read-only file system"):
        Checkpoints(tmp_path / "checkpoints").save(0, {"x": jnp.ones(1)})


def test_leaves_that_are_no_arrays_are_refused(tmp_path):
    with pytest.raises(TypeError, match=r"leaf \['f'\] is object"):
        Checkpoints(tmp_path).save(0, {"f": object()})


def test_digest_sees_every_difference():
    base = {"a": jnp.zeros(2), "key": jax.random.key(0)}
    others = [
        {"a": jnp.zeros(2), "key": jax.random.key(1)},
        {"a": -jnp.zeros(2), "key": jax.random.key(0)},
        {"a": jnp.zeros((2, 1)), "key": jax.random.key(0)},
        {"a": jnp.zeros(2, jnp.int32), "key": jax.random.key(0)},
        {"b": jnp.zeros(2), "key": jax.random.key(0)},
    ]
    assert len({digest(state) for state in [base, *others]}) == 6
    assert digest(base) == digest({"a": np.zeros(2, np.float32), "key": jax.random.key(0)})
    assert len(digest(base)) == 64
    # Pinned: digests of one state agree between versions of JAX and jaxnas.
    assert digest({"x": np.arange(3, dtype=np.int32)}).startswith("8f1867b3d91e")
