"""Items as TOML tables: a paper, its cards, and the numbers it prints."""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from lightcollapse.errors import CardError, DataError, nearest, require
from lightcollapse.presets import merged
from lightcollapse.reproduce.derived import DERIVED
from lightcollapse.reproduce.statistics import STATISTICS
from lightcollapse.scenario import Scenario

Table = TypeVar("Table", bound=msgspec.Struct)

Kind = Literal["pub", "exact", "ref", "ran", "bound"]
LEAST = ("least", "least mean")  # statistics of a sweep: where its mean square, or its mean, is least
_MAXIMUM_BYTES = 2**20


class Size(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number for `--quick` and one for a full run."""

    quick: float
    full: float

    def of(self, quick: bool) -> float:
        return self.quick if quick else self.full


class Theory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A closed form of `lightcollapse.predictions` where no theorem speaks about card and statistic.

    Attributes:
        of: "module.function".
        arguments, options: what it is called with.
        take: which number of what it returns; none: the number itself.
        about: whether it is an approximation, so that no verdict rests on it.
    """

    of: str
    arguments: tuple[Any, ...] = ()
    options: dict[str, Any] = {}
    take: tuple[int, ...] = ()
    about: bool = False


class Sweep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cards that differ in one field, AXIS.NAME, from `start` to `stop`: the number is where the statistic is least."""

    field: str
    start: float
    stop: float
    step: float

    def values(self) -> list[float]:
        count = round((self.stop - self.start) / self.step) + 1
        return [round(self.start + i * self.step, 12) for i in range(count)]


class Random(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A field, AXIS.NAME, that every replicate draws anew: `rows` lists of `columns` uniforms in (low, high)."""

    field: str
    rows: int
    columns: int
    low: float
    high: float


class Corpus(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Text that the user gives.

    Attributes:
        about: which text the paper used.
        sha256: of that text; none: any text will do.
        unigrams: whether the law of the text's words takes the place of the card's source, instead of the text.
        lowercase: whether capital letters are folded before words are counted.
    """

    about: str
    sha256: str = ""
    unigrams: bool = False
    lowercase: bool = False


class Number(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One published number.

    Attributes:
        metric: of a record, or of DERIVED.
        published: the number, or the least and largest of several; one end of a bound is infinite.
        kind: "pub" printed, stored or drawn by the authors, "exact" a closed form, "ref" a large reference simulation,
            "ran" the authors' code, run again, "bound" what they prove that ours must lie below or above.
        generation: in our count, where 0 is the source.
        statistic: a name of STATISTICS, or of LEAST for where a sweep is least.
        at: what the statistic needs beside the values.
        card: which of the item's cards.
        scale: what ours is multiplied by.
        over: generation whose value each replicate's is divided by.
        chains: how many chains the published number rests on: how far it may stray by chance.
        error: one standard error of the published number, where it is known.
        within: what the number may differ by besides, for the reason that `note` gives.
        rounding: half a unit of the last digit printed; taken from the digits of `published`.
        label: what a table calls the row.
        note: said beside the row.
        off: why the published number is off, where it is.
        untestable: why it cannot be tested here.
        theory: a closed form where no theorem speaks.
        sweep: cards to look for the least among.
        quick: whether a quick run includes it.
    """

    metric: str
    published: float | tuple[float, float]
    kind: Kind
    generation: int = 0
    statistic: str = "mean"
    at: float = math.nan
    card: str = ""
    scale: float = 1.0
    over: int | None = None
    chains: int | None = None
    error: float = 0.0
    within: float = 0.0
    rounding: float = 0.0
    label: str = ""
    note: str = ""
    off: str = ""
    untestable: str = ""
    theory: Theory | None = None
    sweep: Sweep | None = None
    quick: bool = True

    @property
    def lowest(self) -> float:
        return self.published[0] if isinstance(self.published, tuple) else self.published

    @property
    def highest(self) -> float:
        return self.published[1] if isinstance(self.published, tuple) else self.published


class Race(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the published code's own loop took on one core of a two-core machine.

    Attributes:
        seconds: for so many `chains` of the same setting.
        card: which of the item's cards; empty: all of them together.
        about: in words.
    """

    seconds: float
    chains: int = 1
    card: str = ""
    about: str = ""


class Variant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of an item's cards: what it changes of `card`, and of the numbers of replicates."""

    title: str = ""
    change: dict[str, Any] = {}
    replicates: Size | None = None


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One published experiment.

    Attributes:
        name: the file's.
        title: what happens, in a line.
        paper: authors and year.
        arxiv: number of the paper; or `claim` where there is none.
        setting: sizes, regime, estimator, in a line.
        generations: how the paper's generations become ours.
        card: a card as data; `cards` change it.
        replicates: chains a card.
        seconds: what to expect on two cores.
        numbers: the rows.
        races: what the published code's own loop takes.
    """

    title: str
    paper: str
    setting: str
    card: dict[str, Any]
    replicates: Size
    seconds: Size
    numbers: tuple[Number, ...]
    name: str = ""
    arxiv: str = ""
    claim: str = ""
    generations: str = ""
    races: tuple[Race, ...] = ()
    cards: dict[str, Variant] = {}
    random: Random | None = None
    corpus: Corpus | None = None

    @property
    def source(self) -> str:
        """Where the numbers come from."""
        return f"{self.paper} ({self.arxiv})" if self.arxiv else self.paper

    def variants(self) -> dict[str, Variant]:
        """The cards by name; an item of one card calls it by the empty name."""
        return self.cards or {"": Variant()}

    def data(self, name: str) -> dict[str, Any]:
        """A card as data."""
        return merged(self.card, self.variants()[name].change)

    def size(self, name: str, quick: bool) -> int:
        """Replicates of a card."""
        return int((self.variants()[name].replicates or self.replicates).of(quick))

    def race(self, card: str) -> Race | None:
        """The published code's time for a card, where it is known."""
        return next((race for race in self.races if race.card in ("", card)), None)

    def check(self) -> None:
        """Raise CardError where a table breaks a rule, or a card does not build."""
        require(bool(self.arxiv or self.claim), f"{self.name}: arxiv or claim must be given", self.arxiv)
        for name in self.variants():
            card = Scenario.from_dict(self.data(name))
            for number in self.numbers:
                if number.card == name:
                    _check_number(self.name, number, card)
        for named in (*(number.card for number in self.numbers), *(race.card for race in self.races if race.card)):
            if named not in self.variants():
                raise CardError(f"{self.name}: unknown card {named!r}; {nearest(named, self.variants())}")


def _check_number(item: str, number: Number, card: Scenario) -> None:
    derived = [name for name, metric in DERIVED.items() if set(metric.needs) <= set(card.metrics)]
    known = (*card.metrics, *derived)
    if number.metric not in known:
        raise CardError(f"{item}: unknown metric {number.metric!r}; {nearest(number.metric, known)}")
    if number.statistic not in (*STATISTICS, *LEAST):
        raise CardError(f"{item}: unknown statistic {number.statistic!r}; {nearest(number.statistic, STATISTICS)}")
    require(math.isfinite(number.lowest) or math.isfinite(number.highest), f"{item}: published must have an end",
            number.published)  # fmt: skip
    for generation in (number.generation, number.over or 0):
        require(0 <= generation <= card.generations, f"{item}: generation must lie on the card", generation)
    if number.statistic in LEAST:
        require(number.sweep is not None, f"{item}: statistic {number.statistic} needs a sweep", number.metric)
    elif STATISTICS[number.statistic].needs_at:
        require(math.isfinite(number.at), f"{item}: statistic {number.statistic} needs `at`", number.at)


def item_names() -> list[str]:
    """Names of the items that come with the package."""
    names = [entry.name for entry in (files("lightcollapse.reproduce") / "items").iterdir()]
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def load_item(given: str) -> Item:
    """An item by name, or from a TOML file of your own.

    Raises CardError on an unknown name or a table that breaks a rule, DataError where the file cannot be read.
    """
    if given in item_names():
        text = (files("lightcollapse.reproduce") / "items" / f"{given}.toml").read_text(encoding="utf-8")
        return parse_item(given, text)
    path = Path(given)
    if path.suffix != ".toml":
        raise CardError(f"unknown item {given!r}; {_alike(given)}, or a file that ends in .toml")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read the item {path}: {error.strerror}") from None
    require(len(raw) <= _MAXIMUM_BYTES, f"{path} must hold at most {_MAXIMUM_BYTES} bytes", len(raw))
    try:
        return parse_item(path.stem, raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(f"{path}, byte {error.start}: invalid UTF-8") from None


def _alike(given: str) -> str:
    """The clause that ends the error about an unknown item: the names most like it, and how to see all."""
    close = difflib.get_close_matches(given, item_names(), n=3, cutoff=0.4)
    guess = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    return f"{guess}`lightcollapse reproduce` lists all {len(item_names())}"


def parse_item(name: str, text: str) -> Item:
    """An item from TOML, checked. Raises CardError."""
    item = converted(name, text, Item)
    item.check()
    return item


def converted(name: str, text: str, kind: type[Table]) -> Table:
    """A table from TOML as `kind`, whose numbers are rounded as they are printed. Raises CardError."""
    try:
        data = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise CardError(f"{name}: not valid TOML: {error}") from None
    for number in data.get("numbers", []):
        if isinstance(number, dict):
            number.setdefault("rounding", _rounding(number.get("published")))
    try:
        return msgspec.convert({**_floats(data), "name": name}, kind)
    except msgspec.ValidationError as error:
        raise CardError(f"{name}: {error}") from None


def _rounding(published: Any) -> Decimal:
    """Half a unit of the last digit of a number as it is printed; 0 for a whole number or a range."""
    if not isinstance(published, Decimal) or not published.is_finite():
        return Decimal(0)
    exponent = published.as_tuple().exponent
    return Decimal("0.5").scaleb(int(exponent))


def _floats(data: Any) -> Any:
    """The data with Python's floats for decimals."""
    if isinstance(data, Mapping):
        return {key: _floats(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_floats(value) for value in data]
    return float(data) if isinstance(data, Decimal) else data
