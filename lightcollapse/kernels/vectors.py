"""Eight float64 as one value, and thirty-two float64 or words of 64 bits: what kernels hold in registers at once.

Loops over lanes are vectorised only where the compiler sees that arrays do not overlap, or checks it each time; here
nothing is left to see. Eight numbers fill one register, or two. Thirty-two are four of them side by side: a chain of
operations, each of which waits for the one before, then goes on in all four while each waits. Without compilation a
value is a NumPy array, with the same bits.
"""

from __future__ import annotations

import math
import operator
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightcollapse.compiler import extension

EIGHT, MANY = 8, 32
_LINE = 8  # numbers of a cache line


def load(x: Any, at: Any) -> Any:
    """Eight numbers of x, flat, from `at` on, within its bounds."""
    return x[int(at) : int(at) + EIGHT].copy()


def load_many(x: Any, at: Any) -> Any:
    """Thirty-two numbers, or words, of x in C order from `at` on, within its bounds."""
    return x.reshape(-1)[int(at) : int(at) + MANY].copy()


def store(x: Any, at: Any, value: Any) -> None:
    """Write eight numbers into x, flat, from `at` on, within its bounds."""
    x[int(at) : int(at) + EIGHT] = value


def keep(x: Any, at: Any, value: Any, count: Any) -> None:
    """Write the first `count` of thirty-two numbers, all or none where it is out of range, into x in C order from `at`
    on.
    """
    count = max(0, min(int(count), MANY))
    x.reshape(-1)[int(at) : int(at) + count] = value[:count]


def weave(x: Any, at: Any, one: Any, other: Any, count: Any) -> None:
    """Write the first `count` of one[0], other[0], one[1], other[1], .. as `keep` does."""
    woven = np.stack((one, other), axis=1).reshape(-1)
    keep(x, at, woven[:MANY], count)
    keep(x, at + MANY, woven[MANY:], int(count) - MANY)


def eight(value: Any) -> Any:
    """A number, eight times."""
    return np.full(EIGHT, value)


def many(value: Any) -> Any:
    """A float64, or a uint64, thirty-two times."""
    return np.full(MANY, value)


def upwards(first: Any) -> Any:
    """The words first, first + 1, .. first + 31, of a uint64."""
    return np.arange(MANY, dtype=np.uint64) + first


def root(value: Any) -> Any:
    """Square roots."""
    return np.sqrt(value)


def fused(a: Any, b: Any, c: Any) -> Any:
    """a * b + c, rounded once: of values, or of single numbers.

    Without compilation: the exact sum of four numbers, of which the last two are rounded to odd; one by one where a
    part of it may leave the range of floats.
    Source: Boldo and Melquiond 2008.
    """
    if np.ndim(a) == 0:
        return _fused_exactly(a, b, c)
    a, b, c = np.broadcast_arrays(a, b, c)
    with np.errstate(all="ignore"):
        product = a * b
        (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
        rest = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
        third, rest = _exact_sum(c, rest)
        first, second = _exact_sum(product, third)
        second, lost = _exact_sum(rest, second)
        even = second.view(np.int64) & 1 == 0
        second = np.where((lost != 0.0) & even, np.nextafter(second, np.where(lost > 0.0, np.inf, -np.inf)), second)
        value = first + second
        for i in np.flatnonzero(~((np.abs(product) > 1e-280) & np.isfinite(value))):
            value[i] = _fused_exactly(a[i], b[i], c[i])
    return value


def _fused_exactly(a: Any, b: Any, c: Any) -> Any:
    """`fused` of single numbers, by fractions."""
    if not np.isfinite([a, b, c]).all():
        return np.float64(a) * b + c
    exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
    try:
        return np.float64(exact) if exact else np.float64(a) * b + c
    except OverflowError:
        return np.float64(math.copysign(math.inf, exact))


def _halves(x: Any) -> tuple[Any, Any]:
    """Two numbers of 26 bits each whose sum is x."""
    high = 134217729.0 * x
    high = high - (high - x)
    return high, x - high


def _exact_sum(x: Any, y: Any) -> tuple[Any, Any]:
    """x + y, and what rounding took from it."""
    whole = x + y
    part = whole - x
    return whole, (x - (whole - part)) + (y - part)


def sum_of(value: Any) -> Any:
    """The sum of thirty-two numbers: one half is added to the other, and so on."""
    while len(value) > 1:
        value = value[: len(value) // 2] + value[len(value) // 2 :]
    return value[0]


def signed(value: Any, sign: Any) -> Any:
    """The sizes of `value` with the signs of `sign`, eight of them."""
    return np.copysign(value, sign)


def larger(a: Any, b: Any, x: Any, y: Any) -> Any:
    """x where a > b, else y."""
    return np.where(a > b, x, y)


def chosen(flag: Any, x: Any, y: Any) -> Any:
    """x where the word `flag` is not 0, else y, thirty-two of them."""
    return np.where(flag != 0, x, y)


def as_numbers(words: Any) -> Any:
    """The same bits as float64."""
    return words.view(np.float64)


def as_words(numbers: Any) -> Any:
    """The same bits as words."""
    return numbers.view(np.uint64)


def room(*shape: int) -> NDArray[np.float64]:
    """Zeros, float64 of that shape, of which no vector in a register lies in two cache lines."""
    size = int(np.prod(shape))
    whole = np.zeros(size + _LINE)
    start = -(whole.ctypes.data // whole.itemsize) % _LINE
    return whole[start : start + size].reshape(shape)


_TYPES: dict[str, Any] = {}  # of numba's, by their names


def _type_of(name: str) -> Any:
    return _TYPES[name]


@extension
def register() -> None:
    """Teach numba the values and what is done with them. None of them crosses the boundary of a kernel."""
    from llvmlite import ir
    from numba.core import cgutils, types
    from numba.core.typing.templates import AbstractTemplate, infer_global, signature
    from numba.extending import lower_builtin, models, register_model

    short, long, double = ir.IntType(32), ir.IntType(64), ir.DoubleType()
    vectors: dict[Any, Any] = {}

    def value(name: str, vector: Any) -> Any:
        class Value(types.Type):
            def __reduce__(self) -> Any:  # numba keeps types with its machine code, for other processes
                return _type_of, (self.name,)

        @register_model(Value)
        class Model(models.PrimitiveModel):
            def __init__(self, manager: Any, found: Any) -> None:
                super().__init__(manager, found, vector)

        made = Value(name=name)
        _TYPES[name] = made
        vectors[made] = vector
        return made

    numbers = value("EightNumbers", ir.VectorType(double, EIGHT))
    wide = value("ManyNumbers", ir.VectorType(double, MANY))
    words = value("ManyWords", ir.VectorType(long, MANY))

    def place(context: Any, builder: Any, sig: Any, array: Any, at: Any, vector: Any) -> Any:
        data = context.make_array(sig.args[0])(context, builder, array).data
        return builder.bitcast(builder.gep(data, [at]), vector.as_pointer())

    def loaded(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(place(context, builder, sig, args[0], args[1], vectors[sig.return_type]), align=8)

    def stored(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[2], place(context, builder, sig, args[0], args[1], args[2].type), align=8)
        return context.get_dummy_value()

    def put(context: Any, builder: Any, sig: Any, array: Any, at: Any, vector: Any, count: Any) -> None:
        with builder.if_else(builder.icmp_signed(">=", count, long(MANY)), likely=True) as (whole, part):
            with whole:
                builder.store(vector, place(context, builder, sig, array, at, vector.type), align=8)
            with part:
                held = cgutils.alloca_once(builder, vector.type)
                builder.store(vector, held)
                source = builder.bitcast(held, double.as_pointer())
                target = context.make_array(sig.args[0])(context, builder, array).data
                with cgutils.for_range(builder, count) as loop:
                    one = builder.load(builder.gep(source, [loop.index]))
                    builder.store(one, builder.gep(target, [builder.add(at, loop.index)]))

    def kept(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        put(context, builder, sig, *args)
        return context.get_dummy_value()

    def woven(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        array, at, one, other, count = args
        for first in (0, MANY // 2):
            order = [side + i for i in range(first, first + MANY // 2) for side in (0, MANY)]
            half = builder.shuffle_vector(one, other, ir.Constant(ir.VectorType(short, MANY), order))
            done = long(2 * first)
            put(context, builder, sig, array, builder.add(at, done), half, builder.sub(count, done))
        return context.get_dummy_value()

    def filled(builder: Any, scalar: Any, vector: Any) -> Any:
        one = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, short(0))
        mask = ir.Constant(ir.VectorType(short, vector.count), [0] * vector.count)
        return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), mask)

    def spread(builder: Any, vector: Any, args: Any) -> Any:
        return [each if each.type == vector else filled(builder, each, vector) for each in args]

    def repeated(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return filled(builder, args[0], vectors[sig.return_type])

    def counted(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.add(filled(builder, args[0], vectors[words]), ir.Constant(vectors[words], list(range(MANY))))

    def called(name: str) -> Any:
        def build(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            vector = vectors[sig.return_type]
            function = ir.FunctionType(vector, [vector] * len(args))
            intrinsic = builder.module.declare_intrinsic(f"{name}.v{vector.count}f64", [], function)
            return builder.call(intrinsic, spread(builder, vector, args))

        return build

    def summed(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        value, count = args[0], MANY
        while count > 1:
            count //= 2
            one, other = (
                builder.shuffle_vector(
                    value,
                    ir.Constant(value.type, ir.Undefined),
                    ir.Constant(ir.VectorType(short, count), list(range(first, first + count))),
                )
                for first in (0, count)
            )
            value = builder.fadd(one, other)
        return builder.extract_element(value, short(0))

    def greater(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", args[0], args[1]), args[2], args[3])

    def flagged(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        none = ir.Constant(vectors[words], [0] * MANY)
        return builder.select(builder.icmp_unsigned("!=", args[0], none), args[1], args[2])

    def cast(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.bitcast(args[0], vectors[sig.return_type])

    def define(function: Any, build: Any, returned: Any, *taken: Any) -> None:
        """What a function returns of such arguments: a type, or one found of an array's elements."""

        @infer_global(function)
        class Template(AbstractTemplate):
            key = function

            def generic(self, args: Any, kws: Any) -> Any:
                if len(args) != len(taken) or not all(map(_fits, args, taken)):
                    return None
                return signature(returned[args[0].dtype] if isinstance(returned, dict) else returned, *args)

        lower_builtin(function, *taken)(build)

    define(load, loaded, numbers, types.Array, types.Integer)
    define(load_many, loaded, {types.float64: wide, types.uint64: words}, types.Array, types.Integer)
    define(store, stored, types.none, types.Array, types.Integer, numbers)
    define(keep, kept, types.none, types.Array, types.Integer, wide, types.int64)
    define(weave, woven, types.none, types.Array, types.Integer, wide, wide, types.int64)
    define(eight, repeated, numbers, types.float64)
    define(many, repeated, wide, types.float64)
    define(many, repeated, words, types.uint64)
    define(upwards, counted, words, types.uint64)
    define(root, called("llvm.sqrt"), numbers, numbers)
    define(root, called("llvm.sqrt"), wide, wide)
    define(sum_of, summed, types.float64, wide)
    define(signed, called("llvm.copysign"), numbers, numbers, numbers)
    define(larger, greater, numbers, numbers, numbers, numbers, numbers)
    define(larger, greater, wide, wide, wide, wide, wide)
    define(chosen, flagged, wide, words, wide, wide)
    define(as_numbers, cast, wide, words)
    define(as_words, cast, words, wide)

    def fused_numbers(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.fma(*args)

    define(fused, fused_numbers, types.float64, types.float64, types.float64, types.float64)
    for kind in (numbers, wide):
        for b in (kind, types.float64):
            for c in (kind, types.float64):
                define(fused, called("llvm.fma"), kind, kind, b, c)

    def combined(name: str) -> Any:
        def build(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return getattr(builder, name)(*spread(builder, vectors[sig.return_type], args))

        return build

    for sign, on_numbers, on_words in (
        (operator.add, "fadd", "add"),
        (operator.sub, "fsub", "sub"),
        (operator.mul, "fmul", "mul"),
        (operator.truediv, "fdiv", None),
        (operator.and_, None, "and_"),
        (operator.or_, None, "or_"),
        (operator.xor, None, "xor"),
        (operator.lshift, None, "shl"),
        (operator.rshift, None, "lshr"),
    ):
        for kind, scalar, name in (
            (numbers, types.float64, on_numbers),
            (wide, types.float64, on_numbers),
            (words, types.uint64, on_words),
        ):
            if name is not None:
                for taken in ((kind, kind), (kind, scalar), (scalar, kind)):
                    define(sign, combined(name), kind, *taken)


def _fits(found: Any, wanted: Any) -> bool:
    """Whether a type of numba's is of the class, or the very type, that is wanted."""
    return isinstance(found, wanted) if isinstance(wanted, type) else bool(found == wanted)
