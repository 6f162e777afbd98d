"""Check a measurement against limits: pass, fail, or unsure, which is neither."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lightcollapse.errors import CardError, DataError, nearest, require

if TYPE_CHECKING:
    from lightcollapse.text import Measurement, Row
    from lightcollapse.text.inputs import Name

PASS, FAIL, UNSURE = "PASS", "FAIL", "UNSURE"
_COPIED = 0.05  # share of copied documents at which a measurement warns


@dataclass(frozen=True)
class Criterion:
    """A limit that a user can set.

    Attributes:
        name: `max-...` must stay at or below the limit, `min-...` at or above.
        metric: of the measurement; `{n}` stands for the length of the n-grams.
        of: what is held against the limit: `share` of the baseline's value, `excess` over the noise floor, or the
            `value` itself.
        help: what it says, for the help text.
        orders: lengths of n-grams it can be asked for, as a digit behind its name; empty where it has none.
        order: the length that the name without a digit means; 0 the longest.
        fooled: whether the baseline's own documents, copied, make a generation look better than what it writes.
    """

    name: str
    metric: str
    of: str
    help: str
    orders: tuple[int, ...] = ()
    order: int = 1
    fooled: bool = False

    @property
    def upper(self) -> bool:
        """Whether the limit is one from above."""
        return self.name.startswith("max-")


CRITERIA = (
    Criterion("max-kl", "kl_source_model_{n}", "excess", "KL human to it, nats.", (1, 2, 3), fooled=True),
    Criterion("max-kl-reverse", "kl_model_source_{n}", "excess", "KL it to human, nats.", (1, 2, 3), fooled=True),
    Criterion("max-js", "js_{n}", "excess", "Jensen-Shannon divergence, nats.", (1, 2, 3), fooled=True),
    Criterion("min-distinct", "distinct_{n}", "share", "Distinct n-grams, equal sizes.", (1, 2, 3, 4, 5, 6, 7, 8), 0),
    Criterion("min-support", "support_{n}", "share", "Types in all, where sizes are alike.", (1, 2, 3, 4)),
    Criterion("min-entropy", "entropy_{n}", "share", "Entropy.", (1, 2, 3, 4)),
    Criterion("min-heterozygosity", "heterozygosity_{n}", "share", "Heterozygosity.", (1, 2, 3, 4)),
    Criterion(
        "min-rare-retention", "rare_retention_{n}", "share", "Rare types that are left.", (1, 2, 3, 4), fooled=True
    ),
    Criterion("max-perplexity", "perplexity", "share", "Perplexity of human text.", fooled=True),
    Criterion("max-rare-perplexity", "rare_perplexity", "share", "Rare-token perplexity.", fooled=True),
    Criterion("max-repeated", "repeated_{n}", "value", "Share of repeated n-grams.", (1, 2, 3, 4, 5, 6, 7, 8), 0),
    Criterion("max-duplicates", "duplicates", "value", "Share of duplicate documents."),
    Criterion("max-copied", "copied", "value", "Share of documents that are the baseline's."),
    Criterion("max-compression", "compression", "share", "Compression ratio."),
    Criterion("min-length", "length", "share", "Symbols a document."),
    Criterion("max-length", "length", "share", "The same."),
)


@dataclass(frozen=True)
class Limit:
    """A criterion with the limit that was set.

    Attributes:
        name: as it was asked for, with its digit.
        metric: of the measurement.
        of: as of the criterion.
        upper: whether the limit is one from above.
        limit: in the units of what is compared.
        fooled: as of the criterion.
    """

    name: str
    metric: str
    of: str
    upper: bool
    limit: float
    fooled: bool = False


@dataclass(frozen=True)
class Verdict:
    """One limit held against one generation.

    Attributes:
        generation: as it is called.
        criterion: name of the limit.
        metric: of the measurement.
        of: `share`, `excess` or `value`.
        value: what was compared; None where it could not be measured.
        ci_low, ci_high: its 95 % interval; None without one.
        limit: what it was compared with.
        verdict: PASS, FAIL, or UNSURE where the interval covers the limit or the measurement does not allow it.
        note: why it is unsure, or what to know.
    """

    generation: Name
    criterion: str
    metric: str
    of: str
    value: float | None
    ci_low: float | None
    ci_high: float | None
    limit: float
    verdict: str
    note: str = ""


def names() -> dict[str, tuple[Criterion, int]]:
    """Every name a limit can have, with its criterion and its length of n-grams; -1 the longest measured."""
    known: dict[str, tuple[Criterion, int]] = {}
    for criterion in CRITERIA:
        known[criterion.name] = criterion, criterion.order or -1
        for n in criterion.orders:
            known[f"{criterion.name}{n}"] = criterion, n
    return known


def limits(asked: Mapping[str, float], order: int) -> tuple[Limit, ...]:
    """The limits that were asked for, name -> limit, of a measurement up to n-grams of length `order`.

    Raises CardError on an unknown name, a limit that is no number, or n-grams longer than those measured.
    """
    known = names()
    require(bool(asked), "no limit given", dict(asked), "for example max-kl=0.1 or min-distinct4=0.9")
    made = []
    for name, limit in asked.items():
        if name not in known:
            raise CardError(f"no criterion {name!r}; {nearest(name, known)}")
        require(math.isfinite(limit) and limit >= 0, f"{name} must be a number of at least 0", limit)
        criterion, n = known[name]
        n = order if n < 0 else n
        require(not criterion.orders or n <= order, f"{name} needs n-grams of length {n}: order must be {n} or more",
                order)  # fmt: skip
        made.append(
            Limit(name, criterion.metric.format(n=n), criterion.of, criterion.upper, float(limit), criterion.fooled)
        )
    return tuple(made)


def check(found: Measurement, asked: Mapping[str, float], generation: str | None = None) -> tuple[Verdict, ...]:
    """Hold limits, name -> limit, against every generation but the baseline, or against one.

    Each verdict is about one 95 % interval; many limits make it likelier that some interval misses.

    Raises CardError where a limit is unknown or no generation is there to check, DataError where a text is too short.
    """
    chosen = [name for name in found.generations[1:] if generation is None or str(name) == generation]
    if not chosen and generation is not None:
        raise CardError(
            f"no generation {generation!r} to check; {nearest(generation, map(str, found.generations[1:]))}"
        )
    require(bool(chosen), "nothing to check: a baseline and at least one generation are needed",
            [str(name) for name in found.generations])  # fmt: skip
    wanted = limits(asked, found.recipe["order"])
    for limit in wanted:
        if limit.metric not in found.metrics:
            raise DataError(f"{limit.name} needs {limit.metric!r}, and a generation is too short to measure it")
    return tuple(_verdict(found, limit, name) for name in chosen for limit in wanted)


def _verdict(found: Measurement, limit: Limit, generation: Name) -> Verdict:
    row = found[limit.metric, generation]
    base = found[limit.metric, found.generations[0]]
    value, half_open, missing = _OF[limit.of](row, base)
    low, high = half_open
    doubts = [note for note in (*_doubts(row), missing) if note]
    verdict = UNSURE
    if value is not None and not doubts:
        if low is None or high is None:
            if found.recipe["bootstrap"]:
                doubts.append("no interval: too few documents")
            else:
                verdict = _beside(value, value, limit)
                doubts.append("no resamples: by the value alone")
        else:
            verdict = _beside(low, high, limit)
            if verdict == UNSURE:
                doubts.append("its interval covers the limit")
        if verdict == PASS and limit.fooled and _copied(found, generation) > _COPIED:
            verdict = UNSURE
            doubts.append("many of its documents are the baseline's own: it looks better than it writes")
    return Verdict(generation, limit.name, limit.metric, limit.of, value, low, high, limit.limit, verdict,
                   "; ".join(dict.fromkeys(doubts)))  # fmt: skip


def _copied(found: Measurement, generation: Name) -> float:
    return (found["copied", generation].value or 0.0) if "copied" in found.metrics else 0.0


def _beside(low: float, high: float, limit: Limit) -> str:
    if limit.upper:
        return PASS if high <= limit.limit else FAIL if low > limit.limit else UNSURE
    return PASS if low >= limit.limit else FAIL if high < limit.limit else UNSURE


def _doubts(row: Row) -> Iterator[str]:
    if row.note and (row.value is None or row.doubtful):
        yield row.note


_Compared = tuple[float | None, tuple[float | None, float | None], str]


def _value(row: Row, base: Row) -> _Compared:
    return row.value, (row.ci_low, row.ci_high), ""


def _excess(row: Row, base: Row) -> _Compared:
    if row.change is None:
        return row.value, (None, None), "no noise floor to compare with" if row.value is not None else ""
    return row.change, (row.change_low, row.change_high), ""


def _share(row: Row, base: Row) -> _Compared:
    """Value over the baseline's; its interval by the delta method, from those of both and of their difference."""
    if row.value is None:
        return None, (None, None), ""
    if base.value is None or base.value <= 0:
        return None, (None, None), f"the baseline has none: {base.note}" if base.note else "the baseline has none"
    share = row.value / base.value
    spreads = [_half(row.ci_low, row.ci_high), _half(base.ci_low, base.ci_high),
               _half(row.change_low, row.change_high)]  # fmt: skip
    if any(spread is None for spread in spreads):
        return share, (None, None), ""
    own, other, between = (spread**2 for spread in spreads if spread is not None)
    half = math.sqrt(max(0.0, own + share**2 * other - share * (own + other - between))) / base.value
    return share, (share - half, share + half), ""


def _half(low: float | None, high: float | None) -> float | None:
    return None if low is None or high is None else (high - low) / 2.0


_OF = {"value": _value, "excess": _excess, "share": _share}
