"""FLOPs of an operation, counted from its program.

Convolutions and matrix products are counted, two per multiply-accumulate; elementwise work is
not, as in the literature. The count reads the form that an operation has on accelerators, so it
does not depend on the device (`cost_analysis` would count a CPU's shift-and-add form).
"""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp

from jaxnas.supernets.ops.operation import Operation, Shape


@functools.lru_cache(maxsize=4096)
def operation_flops(operation: Operation, shapes: tuple[Shape, ...]) -> int:
    """FLOPs of one application for one image.

    Args:
      operation: the operation.
      shapes: the shapes of its inputs, without a batch axis.
    """
    key = jax.random.key(0)
    params = jax.eval_shape(lambda k: operation.init(k, *shapes), key)
    inputs = [jax.ShapeDtypeStruct((1, *shape), jnp.result_type(float)) for shape in shapes]
    return _count(jax.make_jaxpr(lambda p, *x: operation(p, *x))(params, *inputs).jaxpr)


def _count(jaxpr) -> int:
    return sum(_equation(equation) for equation in jaxpr.eqns)


def _equation(equation) -> int:
    name, params = equation.primitive.name, equation.params
    if name == "dot_general":
        return _dot(equation)
    if name == "conv_general_dilated":
        return _convolution(equation)
    if name == "cond":
        return _count(_default_branch(params).jaxpr)
    repeats = params.get("length", 1) if name == "scan" else 1
    inner = [v for v in params.values() if hasattr(v, "eqns") or hasattr(v, "jaxpr")]
    return repeats * sum(_count(getattr(v, "jaxpr", v)) for v in inner)


def _default_branch(params):
    """The branch of `lax.platform_dependent` for accelerators; the costliest of any other."""
    branches = params["branches"]
    platforms = params.get("branches_platforms")
    if platforms and None in platforms:
        return branches[platforms.index(None)]
    return max(branches, key=lambda branch: _count(branch.jaxpr))


def _dot(equation) -> int:
    (contracted, _), _ = equation.params["dimension_numbers"]
    left = equation.invars[0].aval.shape
    depth = math.prod(left[axis] for axis in contracted)
    return 2 * depth * math.prod(equation.outvars[0].aval.shape)


def _convolution(equation) -> int:
    kernel = equation.invars[1].aval.shape
    output_axis = equation.params["dimension_numbers"].rhs_spec[0]
    taps = math.prod(kernel) // kernel[output_axis]
    return 2 * taps * math.prod(equation.outvars[0].aval.shape)
