"""Eight float64 as one value: what kernels hold in one register, or in two, and add and multiply at once.

Loops over lanes are vectorised only where the compiler sees that arrays do not overlap, or checks it each time; here
nothing is left to see. Without compilation a value is a NumPy array of eight, with the same bits.
"""

from __future__ import annotations

import operator
from typing import Any, ClassVar

import numpy as np

from lightcollapse.compiler import extension

EIGHT = 8


def load(x: Any, at: Any) -> Any:
    """Eight numbers of x, flat, from `at` on, within its bounds."""
    return x[int(at) : int(at) + EIGHT].copy()


def store(x: Any, at: Any, value: Any) -> None:
    """Write eight numbers into x, flat, from `at` on, within its bounds."""
    x[int(at) : int(at) + EIGHT] = value


def eight(value: Any) -> Any:
    """A number, eight times."""
    return np.full(EIGHT, value)


def root(value: Any) -> Any:
    """Square roots."""
    return np.sqrt(value)


def signed(value: Any, sign: Any) -> Any:
    """The sizes of `value` with the signs of `sign`."""
    return np.copysign(value, sign)


def larger(a: Any, b: Any, x: Any, y: Any) -> Any:
    """x where a > b, else y."""
    return np.where(a > b, x, y)


@extension
def register() -> None:
    """Teach numba the value and what is done with it. No such value crosses the boundary of a kernel."""
    from llvmlite import ir
    from numba.core import types
    from numba.core.typing.templates import AbstractTemplate, ConcreteTemplate, infer_global, signature
    from numba.extending import lower_builtin, models, register_model

    double, short = ir.DoubleType(), ir.IntType(32)
    vector = ir.VectorType(double, EIGHT)

    class Eight(types.Type):
        pass

    kind = Eight(name="Eight")

    @register_model(Eight)
    class Model(models.PrimitiveModel):
        def __init__(self, manager: Any, found: Any) -> None:
            super().__init__(manager, found, vector)

    def place(context: Any, builder: Any, sig: Any, array: Any, at: Any) -> Any:
        data = context.make_array(sig.args[0])(context, builder, array).data
        return builder.bitcast(builder.gep(data, [at]), vector.as_pointer())

    def loaded(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(place(context, builder, sig, *args), align=8)

    def stored(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[2], place(context, builder, sig, *args[:2]), align=8)
        return context.get_dummy_value()

    def filled(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        one = builder.insert_element(ir.Constant(vector, ir.Undefined), args[0], short(0))
        mask = ir.Constant(ir.VectorType(short, EIGHT), [0] * EIGHT)
        return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), mask)

    def called(name: str) -> Any:
        def build(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            function = ir.FunctionType(vector, [vector] * len(args))
            return builder.call(builder.module.declare_intrinsic(f"{name}.v{EIGHT}f64", [], function), args)

        return build

    def chosen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", args[0], args[1]), args[2], args[3])

    def define(function: Any, build: Any, returned: Any, *taken: Any) -> None:
        @infer_global(function)
        class Template(AbstractTemplate):
            key = function

            def generic(self, args: Any, kws: Any) -> Any:
                return signature(returned, *args)

        lower_builtin(function, *taken)(build)

    define(load, loaded, kind, types.Array, types.Integer)
    define(store, stored, types.none, types.Array, types.Integer, Eight)
    define(eight, filled, kind, types.float64)
    define(root, called("llvm.sqrt"), kind, Eight)
    define(signed, called("llvm.copysign"), kind, Eight, Eight)
    define(larger, chosen, kind, Eight, Eight, Eight, Eight)
    for sign, name in (
        (operator.add, "fadd"),
        (operator.sub, "fsub"),
        (operator.mul, "fmul"),
        (operator.truediv, "fdiv"),
    ):

        @infer_global(sign)
        class Operator(ConcreteTemplate):
            key = sign
            cases: ClassVar[list[Any]] = [signature(kind, kind, kind)]

        lower_builtin(sign, Eight, Eight)(lambda context, builder, sig, args, name=name: getattr(builder, name)(*args))
