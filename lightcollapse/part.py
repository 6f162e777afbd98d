"""The parts of a card: small frozen structures whose fields are checked when they are built."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from lightcollapse.errors import CardError, nearest


class Part(msgspec.Struct, frozen=True):
    """One part of a card. Fields get the types they declare: lists become tuples, NumPy's numbers Python's, paths text.

    Attributes:
        kind: the part's name on a card.
    """

    kind: ClassVar[str]

    def __post_init__(self) -> None:
        for name, hint in _fields(type(self)).items():
            value = getattr(self, name)
            msgspec.structs.force_setattr(self, name, _checked(_builtin(value), hint, f"{self.kind}.{name}"))
        self.validate()

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        """Small instances, one for each of its forms: what a table of all that fits is made of."""
        return (cls(),)

    def validate(self) -> None:
        """Raise CardError where a value breaks a rule of this part."""


P = TypeVar("P", bound=Part)


@functools.cache
def _fields(part: type[Part]) -> dict[str, Any]:
    """Name and type of each field."""
    hints = get_type_hints(part)
    return {name: hints[name] for name in part.__struct_fields__}


def _builtin(value: Any) -> Any:
    """A NumPy number or array, or a path, as Python's own; also inside a list or a tuple."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, list | tuple):
        return tuple(map(_builtin, value))
    return value.tolist() if hasattr(value, "tolist") else value


def _checked(value: Any, hint: Any, path: str) -> Any:
    """`value` as the declared type, or CardError naming the path."""
    if get_origin(hint) is Literal and value not in get_args(hint):
        raise CardError(f"{path}: unknown name {value!r}; {nearest(str(value), map(str, get_args(hint)))}")
    try:
        return msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        raise CardError(f"{path}: {error}, got {value!r}") from None


def by_kind(parts: Sequence[type[P]]) -> dict[str, type[P]]:
    """The table of an axis by its names on a card."""
    return {part.kind: part for part in parts}


def build(axis: str, parts: Sequence[type[P]], data: Any) -> P:
    """A part from the data of a card: a name alone, or an object with `kind` and the part's fields.

    Raises CardError, with the path of the field, on an unknown name, an unknown key, a missing or a wrong value.
    """
    table = by_kind(parts)
    if isinstance(data, str):
        data = {"kind": data}
    if not isinstance(data, dict):
        raise CardError(f"{axis}: expected a name or a table of fields, got {data!r}")
    fields = dict(data)
    kind = fields.pop("kind", None)
    if kind is None:
        raise CardError(f"{axis}.kind is missing; known: {', '.join(sorted(table))}")
    if kind not in table:
        raise CardError(f"{axis}.kind: unknown name {kind!r}; {nearest(str(kind), table)}")
    part = table[kind]
    for name in fields:
        if name not in part.__struct_fields__:
            known = nearest(name, part.__struct_fields__) if part.__struct_fields__ else f"{kind} takes no fields"
            raise CardError(f"unknown key {axis}.{name}; {known}")
    needed = part.__struct_fields__[: len(part.__struct_fields__) - len(part.__struct_defaults__)]
    for name in needed:
        if name not in fields:
            raise CardError(f"{axis}.{name} is missing: {kind} needs {', '.join(needed)}")
    try:
        return part(**fields)
    except CardError as error:
        raise CardError(f"{axis}: {error}") from None


def plain(part: Part) -> dict[str, Any]:
    """The data of a part as a card holds it: `kind` first, tuples as lists, nothing that is None."""
    data = {name: msgspec.to_builtins(getattr(part, name)) for name in part.__struct_fields__}
    return {"kind": part.kind} | {name: value for name, value in data.items() if value is not None}
