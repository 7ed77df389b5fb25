"""A pytree as one block of bytes and a description of its leaves, and back.

Orbax writes one array in a quarter of the time of two hundred small ones, and one block has one
digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

KEY_TAGS = {"fry": "threefry2x32", "urbg": "unsafe_rbg"}
"""The implementations of PRNG keys that JAX abbreviates in the name of their type."""


class Leaf(NamedTuple):
    """What is known of one leaf without its bytes.

    Attributes:
      path: where it hangs in its tree, as `jax.tree_util.keystr` writes it.
      dtype: of its array; `key<threefry2x32>` and the like for typed PRNG keys.
      shape: of its array.
      weak: whether its type is weak, so that it promotes as a Python scalar does.
    """

    path: str
    dtype: str
    shape: tuple[int, ...]
    weak: bool = False


def describe(state: Any) -> list[Leaf]:
    """The leaves of a tree of arrays, `ShapeDtypeStruct`s or Python numbers, in order."""
    return [_describe(path, leaf) for path, leaf in _leaves(state)]


def pack(state: Any) -> tuple[list[Leaf], np.ndarray]:
    """The leaves of a state and their bytes, one after the other: `uint8 [B]`."""
    blocks = [_to_bytes(leaf) for _, leaf in _leaves(state)]
    return describe(state), np.frombuffer(b"".join(blocks), np.uint8)


def unpack(leaves: list[Leaf], data: np.ndarray, like: Any) -> Any:
    """The state whose bytes are `data`, as a tree like `like`.

    Args:
      leaves: as `pack` returned them; `like` has the same paths, types and shapes.
      data: `uint8 [B]`, as `pack` returned it.
      like: tells for each leaf whether it is a JAX array (and where it lives), a NumPy array or a
        Python number.
    """
    restored, offset = [], 0
    for leaf, (_, target) in zip(leaves, _leaves(like), strict=True):
        array, offset = _from_bytes(leaf, data, offset)
        restored.append(_as_target(leaf, array, target))
    return jax.tree.unflatten(jax.tree.structure(like), restored)


def digest_of(leaves: list[Leaf], data: np.ndarray) -> str:
    """SHA-256 over paths, types, shapes and bytes of all leaves: 64 hexadecimal digits."""
    total = hashlib.sha256()
    for leaf in leaves:
        total.update(f"{leaf.path}\0{leaf.dtype}\0{list(leaf.shape)}\n".encode())
    total.update(data.data)
    return total.hexdigest()


def digest(state: Any) -> str:
    """A digest of a state, equal exactly where all its leaves are equal bit for bit.

    It covers the paths, types, shapes and bytes of all leaves (typed PRNG keys through
    `jax.random.key_data`), not the devices on which they live. A run that was killed and resumed
    ends with the digest of one that never was.

    Args:
      state: a tree of arrays or Python numbers.

    Returns:
      SHA-256 as 64 hexadecimal digits.
    """
    return digest_of(*pack(state))


def _leaves(state: Any) -> Iterator[tuple[str, Any]]:
    for path, leaf in jax.tree_util.tree_flatten_with_path(state)[0]:
        yield jax.tree_util.keystr(path), leaf


def _is_key(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _describe(path: str, leaf: Any) -> Leaf:
    if _is_key(leaf):
        tag = str(leaf.dtype).removeprefix("key<").removesuffix(">")
        return Leaf(path, f"key<{KEY_TAGS.get(tag, tag)}>", tuple(leaf.shape))
    array = leaf if hasattr(leaf, "dtype") else np.asarray(leaf)
    if np.dtype(array.dtype) == object:
        raise TypeError(f"leaf {path} is {type(leaf).__name__}, neither an array nor a number.")
    weak = bool(getattr(leaf, "weak_type", False))
    return Leaf(path, np.dtype(array.dtype).name, tuple(array.shape), weak)


def _to_bytes(leaf: Any) -> bytes:
    return np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf).tobytes()


def _from_bytes(leaf: Leaf, data: np.ndarray, offset: int) -> tuple[Any, int]:
    if leaf.dtype.startswith("key<"):
        name = leaf.dtype[4:-1]
        words = jax.random.key_data(jax.random.key(0, impl=name)).shape
        raw, end = _cut(data, offset, np.dtype(np.uint32), (*leaf.shape, *words))
        return jax.random.wrap_key_data(jnp.asarray(raw), impl=name), end
    return _cut(data, offset, jnp.dtype(leaf.dtype), leaf.shape)


def _cut(
    data: np.ndarray, offset: int, dtype: np.dtype, shape: tuple[int, ...]
) -> tuple[np.ndarray, int]:
    end = offset + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    # Copied, so that no leaf keeps the whole block alive, and NumPy leaves can be written.
    return np.frombuffer(data[offset:end].tobytes(), dtype).reshape(shape).copy(), end


def _as_target(leaf: Leaf, array: Any, target: Any) -> Any:
    if isinstance(target, (np.ndarray, np.generic)):
        return array if isinstance(target, np.ndarray) else array[()]
    if isinstance(target, (bool, int, float, complex)):
        return type(target)(array)
    placed = _weak(array) if leaf.weak else jnp.asarray(array)
    if getattr(target, "committed", False):
        placed = jax.device_put(placed, target.sharding)
    return placed


def _weak(array: np.ndarray) -> jax.Array:
    """Gives an array back the weak type of a Python scalar, which decides how it promotes."""
    scalar = jnp.asarray(array.dtype.type(0).item())
    if not scalar.weak_type or scalar.dtype != array.dtype:
        return jnp.asarray(array)
    return jnp.broadcast_to(scalar, array.shape).at[...].set(array)
