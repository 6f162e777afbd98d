"""Scenario: the card that decides a run, but for the seed."""

from __future__ import annotations

import hashlib
import json
import tomllib
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from lightcollapse.curation import CURATIONS, Curation, metrics_of
from lightcollapse.errors import CardError, nearest, require
from lightcollapse.families import FAMILIES, Family
from lightcollapse.families.base import ISLANDS
from lightcollapse.kernels.draws import STEPS
from lightcollapse.part import build, plain
from lightcollapse.regimes import REGIMES, Regime, Replace
from lightcollapse.schedule import Schedule
from lightcollapse.sources import SOURCES, Source

_MAXIMUM_SIZE = 2**40


class Growth(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sample size that grows with the generation s = 1, 2, ...

    linear: start + rate (s - 1); quadratic: start (1 + rate (s - 1))^2; geometric: start rate^(s - 1); rounded down.
    """

    start: int
    growth: Literal["linear", "quadratic", "geometric"]
    rate: float

    def sizes(self, generations: int) -> NDArray[np.int64]:
        """Sample sizes, int64 (generations,)."""
        s = np.arange(generations, dtype=np.float64)
        with np.errstate(over="ignore"):
            grown = {
                "linear": self.start + self.rate * s,
                "quadratic": self.start * (1.0 + self.rate * s) ** 2,
                "geometric": self.start * self.rate**s,
            }[self.growth]
        largest = float(grown.max())
        require(largest <= _MAXIMUM_SIZE, f"a sample size must be at most {_MAXIMUM_SIZE}", largest)
        return np.floor(grown * (1 + 1e-12)).astype(np.int64)


class Scenario(msgspec.Struct, frozen=True):
    """A frozen card: source, family, regime, curation, sample size, generations. With a seed it decides every bit.

    Args:
        source: the law of real data.
        family: what is fitted and sampled.
        regime: what the next training set holds.
        curation: steps between sampling and training, in order.
        sample_size: points per training sample (symbols, for text): a number, one number a generation, or
            {"start": n, "growth": "linear" | "quadratic" | "geometric", "rate": r}. None: the source's own (for text,
            the size of the training part).
        generations: how many models are fitted, one after another.

    Raises:
        CardError: a value breaks a rule, or the family cannot execute the regime; the message says what is possible.
    """

    source: Source
    family: Family
    regime: Regime = Replace()
    curation: tuple[Curation, ...] = ()
    sample_size: int | tuple[int, ...] | Growth | None = None
    generations: int = 10

    def __post_init__(self) -> None:
        for name, base in (("source", Source), ("family", Family), ("regime", Regime)):
            require(isinstance(getattr(self, name), base), f"{name} must be a {base.__name__}", getattr(self, name))
        object_setattr = msgspec.structs.force_setattr
        require(isinstance(self.curation, tuple | list), "curation must be a list of Curation", self.curation)
        object_setattr(self, "curation", tuple(self.curation))
        for step in self.curation:
            require(isinstance(step, Curation), "curation must be a list of Curation", step)
        object_setattr(self, "generations", _whole("generations", self.generations))
        object_setattr(self, "sample_size", _sample_size(self.sample_size))
        require(self.generations >= 1, "generations must be at least 1", self.generations)
        require(len(self.curation) <= STEPS, f"curation must hold at most {STEPS} steps", len(self.curation))
        for step in self.curation[1:]:
            require(not step.first, f"curation {step.kind} must be the first of the list", self.curation.index(step))
        self.family.check(self.source, self.schedule(), self.curation)

    @property
    def metrics(self) -> tuple[str, ...]:
        """What a run of this card measures: the family's metrics, those of islands, those of the curation."""
        islands = ISLANDS if int(self.schedule()["labs"].max()) > 1 else ()
        return self.family.metrics + islands + metrics_of(self.curation)

    def sample_sizes(self, seed: int = 0) -> NDArray[np.int64]:
        """Points in the sample of each generation, int64 (generations,). `seed` matters to texts of no stated size."""
        size = self.sample_size if self.sample_size is not None else self.source.resolve_sample_size(seed)
        if size is None:
            raise CardError(f"sample_size is needed: source {self.source.kind} has no size of its own")
        if isinstance(size, Growth):
            sizes = size.sizes(self.generations)
        elif isinstance(size, tuple):
            require(
                len(size) == self.generations,
                f"a list of sample sizes must hold one for each of {self.generations} generations",
                len(size),
            )
            sizes = np.array(size, dtype=np.int64)
        else:
            sizes = np.full(self.generations, size, dtype=np.int64)
        require(int(sizes.min()) >= 1, "sample_size must be at least 1 point", int(sizes.min()))
        return sizes

    def schedule(self, seed: int = 0) -> Schedule:
        """What each training set holds: a structured array of dtype RECIPE, one row a generation."""
        return self.regime.rows(self.family.points(self.source, self.sample_sizes(seed)))

    def resolved(self, seed: int) -> Scenario:
        """The same card with its sample size written out."""
        if self.sample_size is not None:
            return self
        return msgspec.structs.replace(self, sample_size=self.source.resolve_sample_size(seed))

    def to_dict(self) -> dict[str, Any]:
        """The card as plain data."""
        data: dict[str, Any] = {
            "source": plain(self.source),
            "family": plain(self.family),
            "regime": plain(self.regime),
            "curation": [plain(step) for step in self.curation],
            "sample_size": msgspec.to_builtins(self.sample_size),
            "generations": self.generations,
        }
        return {name: value for name, value in data.items() if value is not None and value != []}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Scenario:
        """A card from plain data, as TOML or JSON hold it. Raises CardError with the path of what is wrong."""
        for name in data:
            if name not in cls.__struct_fields__:
                raise CardError(f"unknown key {name}; {nearest(str(name), cls.__struct_fields__)}")
        for name in ("source", "family"):
            if name not in data:
                raise CardError(f"{name} is missing: a card needs source and family")
        steps = data.get("curation", [])
        if not isinstance(steps, list | tuple):
            raise CardError(f"curation must be a list, got {steps!r}")
        return cls(
            source=build("source", SOURCES, data["source"]),
            family=build("family", FAMILIES, data["family"]),
            regime=build("regime", REGIMES, data.get("regime", "replace")),
            curation=tuple(build(f"curation[{i}]", CURATIONS, step) for i, step in enumerate(steps)),
            sample_size=data.get("sample_size"),
            generations=data.get("generations", 10),
        )

    def to_json(self) -> str:
        """The card as JSON, keys in a fixed order."""
        return json.dumps(self.to_dict(), allow_nan=False, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Scenario:
        """A card from JSON."""
        try:
            data = msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            raise CardError(f"not valid JSON: {error}") from None
        return cls.from_dict(_table(data))

    def to_toml(self) -> str:
        """The card as TOML."""
        data = self.to_dict()
        lines = [f"{name} = {_toml(value)}" for name, value in data.items() if name in ("sample_size", "generations")]
        for name in ("source", "family", "regime"):
            lines += ["", f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in data[name].items())]
        for step in data.get("curation", []):
            lines += ["", "[[curation]]", *(f"{key} = {_toml(value)}" for key, value in step.items())]
        return "\n".join(lines) + "\n"

    @classmethod
    def from_toml(cls, text: str) -> Scenario:
        """A card from TOML."""
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise CardError(f"not valid TOML: {error}") from None
        return cls.from_dict(data)

    @property
    def hash(self) -> str:
        """SHA-256 of the card's content, in hexadecimal: equal for equal cards."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True, allow_nan=False).encode()).hexdigest()


def _table(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise CardError(f"a card must be a table of fields, got {type(data).__name__}")
    return data


def _whole(name: str, value: Any) -> int:
    """`value` as a Python int, or CardError."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise CardError(f"{name} must be a whole number, got {value!r}")
    if value > _MAXIMUM_SIZE:
        raise CardError(f"{name} must be at most {_MAXIMUM_SIZE}, got {value}")
    return int(value)


def _sample_size(value: Any) -> int | tuple[int, ...] | Growth | None:
    """A sample size in any of its spellings, checked."""
    if value is None or isinstance(value, Growth):
        return value
    if isinstance(value, dict):
        try:
            return msgspec.convert(value, Growth)
        except msgspec.ValidationError as error:
            raise CardError(
                f"sample_size: {error}; it takes start, growth (linear, quadratic, geometric), rate"
            ) from None
    if isinstance(value, list | tuple | np.ndarray):
        return tuple(_whole("sample_size", size) for size in value)
    return _whole("sample_size", value)


def _toml(value: Any) -> str:
    """A scalar, list or flat table as TOML: its strings, numbers and lists are written as in JSON."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(value, allow_nan=False, ensure_ascii=False).replace("\x7f", "\\u007f")  # JSON lets it stand
