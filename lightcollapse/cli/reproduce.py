"""`lightcollapse reproduce`: published numbers beside ours, each with a verdict."""

from __future__ import annotations

import difflib
import json
import math
import textwrap
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from lightcollapse.cli import claims, table
from lightcollapse.cli.failure import talk
from lightcollapse.cli.output import envelope, or_none, write
from lightcollapse.cli.progress import Progress

if TYPE_CHECKING:
    from lightcollapse.reproduce import Item, Limits, Number, Row
    from lightcollapse.reproduce.claim import Claim

    Subject = Item | Claim

FAILED, LIMIT, INTERRUPTED = 3, 6, 130
_EPILOG = """\b
Examples:
  lightcollapse reproduce
  lightcollapse reproduce koyejo-gaussian-replace shumailov-w2 --quick
  lightcollapse reproduce suresh-bernoulli --quick --json
  lightcollapse reproduce mle-conservatism data-debt --quick

\b
Kinds of published numbers: pub printed, stored or drawn by the authors;
exact a closed form of their setting; ref a large reference simulation;
ran their code, run again; bound what they prove ours lies below or above.
Exit codes: 6 --max-seconds was hit, 130 interrupted; rows so far are shown.
"""
_LABEL = 28
_SHORT = {"published value is off": "off", "not testable here": "-"}


def _complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in ("all", *_names()) if name.startswith(incomplete)]


def _names() -> list[str]:
    """Papers' items, then an article's claims."""
    from lightcollapse.reproduce import item_names
    from lightcollapse.reproduce.claim import claim_names

    return [*item_names(), *claim_names()]


def _load(name: str) -> Subject:
    from lightcollapse.reproduce import item_names, load_item
    from lightcollapse.reproduce.claim import claim_names, load_claim

    known = claim_names()
    like_a_claim = name not in item_names() and difflib.get_close_matches(name, known, cutoff=0.8)
    return load_claim(name) if like_a_claim else load_item(name)


class _View(NamedTuple):
    """How a subject is run, printed and kept."""

    run: Callable[..., Any]
    shown: Callable[..., list[str]]
    data: Callable[..., dict[str, Any]]
    listed: Callable[..., dict[str, Any]]
    restored: Callable[..., list[Any]] | None = None  # rows from what is kept of them; None: they are run again


def _view(subject: Subject) -> _View:
    from lightcollapse.reproduce import Item, reproduce
    from lightcollapse.reproduce.audit import audit

    if isinstance(subject, Item):
        return _View(reproduce, _shown, _row, _listed, _restored)
    return _View(audit, claims.shown, claims.data, claims.listed, claims.restored)


@click.command(epilog=_EPILOG)
@click.argument("items", nargs=-1, metavar="[ITEM|CLAIM|FILE.toml ...|all]", shell_complete=_complete)
@click.option("--quick", is_flag=True, help="Fewer replicates: all items in under a minute.")
@click.option("--seed", type=int, default=1, metavar="N", show_default=True, help="Whole number in [0, 2^64).")
@click.option("--corpus", metavar="FILE", help="The text of items that need one; claims have theirs.")
@click.option("--max-seconds", type=click.FloatRange(0.0), metavar="S", help="Wait for nothing later; exit code 6.")
@click.option("--check", is_flag=True, help="Exit code 3 where a closed form differs.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, a row a number.")
@click.option("-o", "--output", metavar="DIR", help="Keep the rows of each item there; go on there.")
@click.pass_context
def command(
    ctx: click.Context,
    items: tuple[str, ...],
    quick: bool,
    seed: int,
    corpus: str | None,
    max_seconds: float | None,
    check: bool,
    as_json: bool,
    output: str | None,
) -> None:
    """Run published experiments again: a row a number, ours with its interval of 4 standard errors, the theory's, and a
    verdict. Claims of an article are audited: what it says, ours, and the range over what it leaves open. Without ITEM
    and CLAIM: list them.
    """
    from lightcollapse.reproduce import Limits

    names = _names() if not items or "all" in items else list(dict.fromkeys(items))
    chosen = [_load(name) for name in names]
    if not items:
        rows = [_view(one).listed(one) for one in chosen]
        write(envelope("reproduce", rows) if as_json else "\n".join(_listing(chosen)))
        return
    if not 0 <= seed < 2**64:
        raise click.BadParameter("seed must lie in [0, 2^64)", ctx, param_hint="--seed")
    if corpus is not None:
        _check_corpus(corpus, chosen)
    until = math.inf if max_seconds is None else time.monotonic() + max_seconds
    limits = Limits(quick, seed, corpus, until)
    folder = None if output is None else _Folder(Path(output), chosen, limits)
    rows, interrupted = _run(chosen, limits, folder, as_json)
    if limits.reached:
        talk("the time asked for was over; --max-seconds says how long a run may take")
    if interrupted:
        talk(f"interrupted after {len(rows)} numbers" + (f"; the same command goes on in {output}" if output else ""))
    wrong = [row for row in rows if row.get("kind") == "exact" and row["verdict"] == "differs"]
    if as_json:
        ok = not (limits.reached or interrupted or (check and wrong))
        write(envelope("reproduce", rows, _recipe(chosen, limits), ok=ok))
    elif len(chosen) > 1:
        write(_summary(rows))
    ctx.exit(INTERRUPTED if interrupted else LIMIT if limits.reached else FAILED if check and wrong else 0)


def _uses_corpus(subject: Subject) -> bool:
    return getattr(subject, "corpus", None) is not None


def _check_corpus(corpus: str, chosen: Sequence[Subject]) -> None:
    """Say at once that the text cannot be read, or that nothing chosen reads it. Raises DataError."""
    from lightcollapse.corpus import read

    read(corpus)
    if not any(map(_uses_corpus, chosen)):
        talk("--corpus is not used: nothing here needs a text of yours, and claims bring their own")


def _run(
    chosen: Sequence[Subject], limits: Limits, folder: _Folder | None, quiet: bool
) -> tuple[list[dict[str, Any]], bool]:
    """All rows as data, and whether Ctrl-C came before the last; each item is shown and kept as soon as it is done."""
    out: list[dict[str, Any]] = []
    for subject in chosen:
        view = _view(subject)
        held = None if folder is None else folder.load(subject)
        rows, interrupted = (held, False) if held is not None else _rows_so_far(subject, limits)
        data = [view.data(row) for row in rows]
        out += data
        if rows and not quiet:
            write("\n".join(view.shown(subject, rows, limits.quick)) + "\n")
        if interrupted:
            return out, True
        if folder is not None and held is None and not limits.reached:
            folder.save(subject, data)
    return out, False


def _rows_so_far(subject: Subject, limits: Limits) -> tuple[list[Any], bool]:
    """The rows of an item or a claim, and whether Ctrl-C came before the last."""
    rows: list[Any] = []
    with Progress() as progress:
        progress.say(subject.name)
        try:
            rows.extend(_view(subject).run(subject, limits, progress.count))
        except KeyboardInterrupt:
            return rows, True
    return rows, False


# The list.


def _listed(item: Item) -> dict[str, Any]:
    return {
        "item": item.name,
        "title": item.title,
        "paper": item.paper,
        "arxiv": item.arxiv or None,
        "setting": item.setting,
        "numbers": len(item.numbers),
        "seconds_quick": item.seconds.quick,
        "seconds": item.seconds.full,
        "needs_corpus": item.corpus is not None,
    }


def _listing(subjects: Sequence[Subject]) -> list[str]:
    from lightcollapse.reproduce import Item

    chosen = [one for one in subjects if isinstance(one, Item)]
    others = [one for one in subjects if not isinstance(one, Item)]
    lines = [f"{'item':56} {'numbers':>7} {'--quick':>7} {'full':>7}"]
    for item in chosen:
        lines.append(f"{item.name:56} {len(item.numbers):7d} {item.seconds.quick:5.1f} s {item.seconds.full:5.0f} s")
        lines += table.wrapped(f"{item.source}: {item.setting}", "    ")
    papers = {item.arxiv for item in chosen if item.arxiv}
    numbers = sum(len(item.numbers) for item in chosen)
    quick, full = (sum(size) for size in zip(*((i.seconds.quick, i.seconds.full) for i in subjects), strict=True))
    text = (
        f"{len(chosen)} items, {numbers} numbers, {len(papers)} papers, {len(others)} claims; all in about "
        f"{full / 60:.0f} min on two cores, with --quick in {quick:.0f} s."
    )
    return [*lines, *claims.listing(others), "", *table.wrapped(text)]


# One item.


def _shown(item: Item, rows: Sequence[Row], quick: bool) -> list[str]:
    """The table of an item."""
    lines = [item.name, *table.wrapped(f"{item.title}. {item.source}: {item.setting}.")]
    if item.generations:
        lines += table.wrapped(f"Generations: {item.generations}.")
    lines += ["", _HEAD]
    card = None
    for row in rows:
        if row.number.card != card and item.cards:
            card = row.number.card
            count = f", {row.replicates:,} replicates" if row.replicates else ""
            lines.append(f"{item.cards[card].title or card}{count}")
        elif card is None:
            card = row.number.card
            lines += [f"{row.replicates:,} replicates"] if row.replicates else []
        lines.append(_line(row))
        if row.why:
            lines += table.wrapped(row.why if row.verdict == "agrees" else f"{row.verdict}: {row.why}", "    ")
    return lines


_HEAD = f"{'number':{_LABEL - 1}} {'published':>9} {'kind':5} {'ours':>8} {'+-4 s.e.':>8} {'theory':>9}"


def _line(row: Row) -> str:
    number, ours, half = row.number, "", ""
    if row.ours is not None:
        wide = max(row.ours.value - row.ours.low, row.ours.high - row.ours.value)
        decimals = None if 0.0 < abs(row.ours.value) < 1e-4 else table.decimals_of(wide)
        ours = table.number(row.ours.value, decimals)
        half = table.number(wide, decimals)
    theory = "" if row.exact is None else table.number(row.exact)
    about = "~" if row.exact is not None and not str(row.exact_kind).startswith("exact") else ""
    label = textwrap.shorten(row.label, _LABEL, placeholder="..")
    verdict = _SHORT.get(row.verdict, row.verdict)
    return (
        f"{label:{_LABEL}} {_published(number):>8} {number.kind:5} {ours:>8} {half:>8} {about + theory:>9} {verdict}"
    ).rstrip()


def _published(number: Number) -> str:
    """With the digits that were printed."""
    if not math.isfinite(number.lowest):
        return f"<{number.highest:g}"
    if not math.isfinite(number.highest):
        return f">{number.lowest:g}"
    if isinstance(number.published, tuple):
        return "-".join(f"{end:g}".lstrip("0") for end in number.published)
    if not number.rounding or number.published < 1e-3:
        return f"{number.published:g}"
    return f"{number.published:.{max(0, round(-math.log10(2.0 * number.rounding)))}f}"


def _summary(rows: Sequence[dict[str, Any]]) -> str:
    from lightcollapse.reproduce import VERDICTS

    rows = [row for row in rows if row["verdict"]]
    counts = [(verdict, sum(row["verdict"] == verdict for row in rows)) for verdict in VERDICTS]
    text = f"{len(rows)} numbers: " + ", ".join(f"{count} {verdict}" for verdict, count in counts) + "."
    names = sorted({row["item"] for row in rows if row["verdict"] == "differs"})
    return "\n".join(table.wrapped(text + (f" Differs: {', '.join(names)}." if names else "")))


# Data.


def _row(row: Row) -> dict[str, Any]:
    number, ours, race = row.number, row.ours, row.item.race(row.number.card)
    low, high = or_none(number.lowest), or_none(number.highest)
    return {
        "item": row.item.name,
        "paper": row.item.paper,
        "arxiv": row.item.arxiv or None,
        "card": number.card or None,
        "label": row.label,
        "metric": number.metric,
        "statistic": number.statistic,
        "generation": number.generation,
        "published": low if low == high else [low, high],
        "kind": number.kind,
        "replicates": row.replicates,
        "ours": None if ours is None else or_none(ours.value),
        "ci_low": None if ours is None else or_none(ours.low),
        "ci_high": None if ours is None else or_none(ours.high),
        "theory": None if row.exact is None else or_none(row.exact),
        "theory_kind": row.exact_kind,
        "verdict": row.verdict,
        "why": row.why or None,
        "seconds": row.seconds,
        "published_seconds": None if race is None else race.seconds,
        "published_chains": None if race is None else race.chains,
    }


def _restored(item: Item, rows: Sequence[dict[str, Any]]) -> list[Row]:
    """An item's rows from what `_row` made of them. Raises ValueError, KeyError or TypeError where they are others."""
    numbers = [number for name in item.variants() for number in item.numbers if number.card == name]
    return [_restored_row(item, number, row) for number, row in zip(numbers, rows, strict=True)]


def _restored_row(item: Item, number: Number, data: dict[str, Any]) -> Row:
    from lightcollapse.reproduce import Estimate, Row

    ours = None
    if data["replicates"]:
        value, low, high = (data[end] for end in ("ours", "ci_low", "ci_high"))
        ours = Estimate(
            math.inf if value is None else value,
            -math.inf if low is None else low,
            math.inf if high is None else high,
        )
    return Row(
        item,
        number,
        label=data["label"],
        replicates=data["replicates"],
        ours=ours,
        exact=data["theory"],
        exact_kind=data["theory_kind"],
        verdict=data["verdict"],
        why=data["why"] or "",
        seconds=data["seconds"],
    )


def _recipe(chosen: Sequence[Subject], limits: Limits) -> dict[str, Any]:
    """What makes the rows: the items with their cards, the seed, and whether it was a quick run."""
    return {
        "items": {item.name: {name: item.data(name) for name in item.variants()} for item in chosen},
        "seed": limits.seed,
        "quick": limits.quick,
        "corpus": _text(limits.corpus) if limits.corpus and any(map(_uses_corpus, chosen)) else None,
    }


def _text(corpus: str) -> dict[str, str]:
    """Which text it was: the name of its file, without the folders, and what is in it."""
    from lightcollapse.corpus import read

    return {"name": Path(corpus).name, "sha256": read(corpus).sha256}


class _Folder:
    """Where rows are kept: a file an item. Raises CardError at once where it holds other runs."""

    def __init__(self, path: Path, chosen: Sequence[Subject], limits: Limits) -> None:
        from lightcollapse.errors import CardError

        self.path, self.limits = path, limits
        if path.exists() and not path.is_dir():
            raise CardError(f"{path} is a file; choose a folder with -o")
        for item in chosen:
            held = path / f"{item.name}.json"
            if held.exists() and self._recipe_of(held) != _recipe([item], limits):
                raise CardError(f"{held} holds another run; choose another folder with -o")

    @staticmethod
    def _recipe_of(path: Path) -> Any:
        try:
            return json.loads(path.read_text(encoding="utf-8"))["recipe"]
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def load(self, subject: Subject) -> list[Any] | None:
        """The rows that are there already; None where they are not, or what is published has changed since."""
        path, restored = self.path / f"{subject.name}.json", _view(subject).restored
        if restored is None or not path.exists():
            return None
        try:
            rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
            found = restored(subject, rows)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return found if [_view(subject).data(row) for row in found] == rows else None

    def save(self, item: Subject, rows: Sequence[dict[str, Any]]) -> None:
        """Write one item; it takes the place of the same run. Raises LightcollapseError."""
        from lightcollapse.errors import LightcollapseError
        from lightcollapse.replacing import replacing

        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LightcollapseError(f"cannot write {self.path}: {error.strerror}") from None
        with replacing(self.path / f"{item.name}.json") as temporary:
            temporary.write_text(envelope("reproduce", rows, _recipe([item], self.limits)) + "\n", encoding="utf-8")
