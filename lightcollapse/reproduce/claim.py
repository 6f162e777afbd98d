"""Claims of an article as TOML tables: what it says, which cards test it, and over which unknowns."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib.resources import files
from typing import Any, Literal

import msgspec

from lightcollapse.errors import CardError, nearest, require
from lightcollapse.presets import preset_cards
from lightcollapse.reproduce.debt import Debt
from lightcollapse.reproduce.item import Size, converted
from lightcollapse.reproduce.measures import COMPARISONS, MEASURES
from lightcollapse.scenario import Scenario

Relation = Literal["=", ">", "<", ">=", "<="]
Shape = Literal["linear", "power", "exponential", "not linear", "super-linear"]
Data = dict[str, Any]


class Unknown(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that the article leaves open: a dial, the values it is given, and which cards it is on (none: all)."""

    dial: str
    quick: tuple[Any, ...]
    full: tuple[Any, ...]
    cards: tuple[str, ...] = ()

    def values(self, quick: bool) -> tuple[Any, ...]:
        return self.quick if quick else self.full


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One number or law of the article, and what of our cards it is held against.

    Attributes:
        label: what a table calls the row.
        measure, generation, over, at: of MEASURES, on the mean curve of `metric`.
        metric: of a record, or of CURVES.
        card: of the preset; `against`, `comparison`: compared with the same measure of another card.
        published: the article's number, or the bound of a law.
        relation: what the article says our number is to it.
        everywhere: whether all settings must hold it (the default for a law), or one is enough (for a number).
        together: numbers of one name must come from one setting.
        rounding: half a unit of the last digit printed.
        off: why the published number cannot be right; it is off where theory and ours both speak against it.
        note: said beside the row.
        untestable: why it cannot be tested here.
        quick: whether a quick run includes it.
    """

    label: str
    metric: str
    published: float
    measure: str = "level"
    generation: int = 0
    over: int = 0
    at: float = math.nan
    card: str = ""
    against: str | None = None
    comparison: str = "times"
    relation: Relation = "="
    everywhere: bool | None = None
    together: str = ""
    rounding: float = 0.0
    off: str = ""
    note: str = ""
    untestable: str = ""
    quick: bool = True

    @property
    def cards(self) -> tuple[str, ...]:
        return (self.card,) if self.against is None else (self.card, self.against)

    @property
    def needs_all(self) -> bool:
        return self.relation != "=" if self.everywhere is None else self.everywhere


class Quantity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number that the article prints, or that follows from what it prints.

    Attributes:
        curve: a name of the claim's curves; or `value`, the number itself.
        of: how it follows, a name of FOLLOWS.
    """

    curve: str = ""
    value: float = math.nan
    of: str = "last"


class Contradiction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two numbers of the article that cannot both be right.

    Attributes:
        says: what it says in one place; `table`: what follows from another.
        relation: what the first would have to be to the second.
        within: how far apart they may be, beside their digits.
        why: what is said where they are not.
    """

    label: str
    says: Quantity
    table: Quantity
    why: str
    relation: Relation = "="
    within: float = 0.0


class Shaped(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The shape that the article gives to one of its curves: held to its points, and to our curve of `metric`."""

    curve: str
    says: Shape
    metric: str
    first: int = 0
    card: str = ""


class Sizes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Replicates of the preset's own setting, and of each other one."""

    base: Size
    each: Size


class Inverse(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Look for the card whose curves come closest.

    Attributes:
        curves: which curve of the article (key) is which metric, and how it is compared: "ratio" or "level".
        card: of the preset; `unknowns`: what is turned.
        replicates: of each setting.
        steps: of the search between the settings, from the best of them on.
    """

    curves: dict[str, str]
    card: str
    unknowns: tuple[Unknown, ...]
    replicates: Size
    steps: Size


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an article claims about one scenario.

    Attributes:
        name: the file's.
        title: the claim in a line.
        setting: what we run, in a line.
        generations: how the article's generations become ours.
        preset: the set of cards.
        replicates: of cards that `sizes` does not name.
        seconds: what to expect on two cores.
        within: name of numbers that belong together -> how far each may be off at their common setting.
    """

    title: str
    setting: str
    preset: str
    replicates: Sizes
    seconds: Size
    name: str = ""
    generations: str = ""
    sizes: dict[str, Sizes] = {}
    unknowns: tuple[Unknown, ...] = ()
    within: dict[str, float] = {}
    numbers: tuple[Asked, ...] = ()
    curves: dict[str, tuple[float, ...]] = {}
    contradictions: tuple[Contradiction, ...] = ()
    shapes: tuple[Shaped, ...] = ()
    inverse: Inverse | None = None
    debt: Debt | None = None

    def cards(self) -> dict[str, Data]:
        """The preset's cards as data."""
        return preset_cards(self.preset)

    def variants(self) -> dict[str, Data]:
        """The cards by name, the preset's first one under the empty name."""
        return self.cards()

    def data(self, name: str) -> Data:
        """A card as data."""
        return self.cards()[name]

    def size(self, cards: tuple[str, ...], quick: bool, base: bool) -> int:
        """Replicates of cards that are compared: the least that any of them has."""
        sizes = [self.sizes.get(card, self.replicates) for card in cards]
        return min(int((size.base if base else size.each).of(quick)) for size in sizes)

    def dials(self, cards: tuple[str, ...]) -> tuple[Unknown, ...]:
        """The unknowns that turn any of these cards."""
        return tuple(one for one in self.unknowns if not one.cards or set(one.cards) & set(cards))

    def check(self) -> None:
        """Raise CardError where a table breaks a rule, or a card does not build."""
        cards = self.cards()
        built = {name: Scenario.from_dict(data) for name, data in cards.items()}
        for number in self.numbers:
            for name, known in (("measure", MEASURES), ("comparison", COMPARISONS)):
                given = getattr(number, name)
                if given not in known:
                    raise CardError(f"{self.name}: unknown {name} {given!r}; {nearest(given, known)}")
            for card in number.cards:
                if card not in cards:
                    raise CardError(f"{self.name}: unknown card {card!r}; {nearest(card, cards)}")
                last = built[card].generations
                for generation in (number.generation, number.over):
                    require(0 <= generation <= last, f"{self.name}: generation must lie on the card", generation)
            together = number.together
            require(not together or together in self.within, f"{self.name}: within needs an entry", together)
        for unknown in self.unknowns:
            for name in unknown.cards:
                if name not in cards:
                    raise CardError(f"{self.name}: unknown card {name!r}; {nearest(name, cards)}")
            for value in unknown.values(False):
                for name in unknown.cards or cards:
                    Scenario.from_dict(turned(cards[name], unknown.dial, value))
        for one in self.contradictions:
            for quantity in (one.says, one.table):
                follow(self, quantity)


# What is turned: dials that are more than a field.


def _temperature(data: Data, value: Any) -> Data:
    """Sharper or flatter writing, the first step of the curation; 1 is none."""
    rest = [step for step in data.get("curation", []) if step["kind"] != "decoding"]
    first = [] if value == 1 else [{"kind": "decoding", "temperature": value}]
    return data | {"curation": first + rest}


def _fresh(data: Data, value: Any) -> Data:
    return data | {"regime": {"kind": "fresh-fraction", "fraction": value} if value else {"kind": "replace"}}


def _sample_size(data: Data, value: Any) -> Data:
    """Points of each training sample; "all": what the source holds."""
    kept = {name: one for name, one in data.items() if name != "sample_size"}
    return kept if value == "all" else kept | {"sample_size": value}


DIALS: dict[str, Callable[[Data, Any], Data]] = {
    "fresh fraction": _fresh,
    "order": lambda data, value: turned(data, "family.order", value),
    "sample size": _sample_size,
    "synthetic share": lambda data, value: _fresh(data, round(1.0 - value, 12)),
    "temperature": _temperature,
}


def turned(data: Data, dial: str, value: Any) -> Data:
    """A card with one dial turned: a name of DIALS, or a field such as regime.own or curation.0.rate."""
    if dial in DIALS:
        return DIALS[dial](data, value)
    first, _, rest = dial.partition(".")
    if not rest:
        return data | {first: value}
    held = data.get(first, {})
    if isinstance(held, list):
        place, _, field = rest.partition(".")
        if not place.isdecimal() or int(place) >= len(held) or not field:
            raise CardError(f"a card has no field {dial!r}; name a step's as curation.0.FIELD")
        return data | {first: [step | {field: value} if i == int(place) else step for i, step in enumerate(held)]}
    return data | {first: held | {rest: value}}


# What follows from the article's own numbers.

FOLLOWS: dict[str, Callable[[tuple[float, ...]], float]] = {
    "last": lambda values: values[-1],
    "ratio": lambda values: values[-1] / values[0],
    "drop": lambda values: 1.0 - values[-1] / values[0],
    "nats": lambda values: math.log(values[-1] / values[0]),
    "complement": lambda values: 1.0 - values[-1],
}


def follow(claim: Claim, quantity: Quantity) -> float:
    """A number of the article. Raises CardError where there is none."""
    if quantity.of not in FOLLOWS:
        raise CardError(f"{claim.name}: unknown quantity {quantity.of!r}; {nearest(quantity.of, FOLLOWS)}")
    if quantity.curve and quantity.curve not in claim.curves:
        raise CardError(f"{claim.name}: unknown curve {quantity.curve!r}; {nearest(quantity.curve, claim.curves)}")
    return FOLLOWS[quantity.of](claim.curves[quantity.curve] if quantity.curve else (quantity.value,))


# Reading.


def claim_names() -> list[str]:
    """Names of the claims that come with the package."""
    names = [entry.name for entry in (files("lightcollapse.reproduce") / "claims").iterdir()]
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def load_claim(name: str) -> Claim:
    """A claim by name. Raises CardError on an unknown one, or a table that breaks a rule."""
    if name not in claim_names():
        raise CardError(f"unknown claim {name!r}; {nearest(name, claim_names())}")
    return parse_claim(name, (files("lightcollapse.reproduce") / "claims" / f"{name}.toml").read_text(encoding="utf-8"))


def parse_claim(name: str, text: str) -> Claim:
    """A claim from TOML, checked. Raises CardError."""
    claim = converted(name, text, Claim)
    claim.check()
    return claim
