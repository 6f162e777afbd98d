"""Write `RESULTS.md`: published numbers against ours, from what `lightcollapse reproduce` kept.

lightcollapse reproduce all --corpus TEXT -o kept
python figures/_results.py kept

A file that `lightcollapse reproduce all --json` printed will do as well.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from lightcollapse.cli import table
from lightcollapse.reproduce import VERDICTS, load_item

Rows = list[dict[str, Any]]
HERE = Path(__file__).parent
PERFORMANCE = HERE / "performance.json"
_TOP = """# Published numbers against ours

Made by `python figures/_results.py kept` from what `lightcollapse reproduce all --corpus TEXT -o kept` kept there; TEXT
is the text that two items name. Ours is with its interval of 4 standard errors, theory is the exact value where there
is one (`~`: an approximation). Kinds: `pub` printed, stored or drawn by the authors, `exact` a closed form of their
setting, `ref` a large reference simulation, `ran` their code run again, `bound` what they prove ours must lie below or
above.
"""
_TIMES = """## Time a chain

Milliseconds a chain of the published code's own loop on one core, and of processor time of ours over all cores of the
machine that made this page.
"""


_SIDE = """## Side by side

The published loops written again, one chain at a time, and ours with every metric it has: processor time of both on one
thread, in turns in one process, medians, on the machine of [performance](README.md) (`python -m tests.benchmarks
published`).
"""


def main(given: str) -> None:
    path = Path(given)
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    kept = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    (HERE / "RESULTS.md").write_text(page(kept), encoding="utf-8")


def page(kept: Sequence[dict[str, Any]]) -> str:
    """The page, from JSON objects of `reproduce`."""
    rows: Rows = [row | {"quick": one["recipe"]["quick"]} for one in kept for row in one["rows"]]
    papers = [row for row in rows if "published" in row]
    claims = [row for row in rows if "published" not in row]
    parts = [_TOP, _summary(papers)]
    parts += [_item(name, mine) for name, mine in _by_item(papers)]
    raced = [row for row in papers if row["published_seconds"] is not None and row["replicates"]]
    if raced:
        parts.append(_race(raced))
    if PERFORMANCE.exists():
        parts.append(_side_by_side(json.loads(PERFORMANCE.read_text(encoding="utf-8"))["rows"]))
    if claims:
        parts.append(
            "## Claims of an article\n\nRange: least and largest of ours over all settings of what it leaves open."
        )
        parts += [_claim(name, mine) for name, mine in _by_item(claims)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _by_item(rows: Rows) -> list[tuple[str, Rows]]:
    names = sorted({row["item"] for row in rows})
    return [(name, [row for row in rows if row["item"] == name]) for name in names]


def _summary(rows: Rows) -> str:
    counts = ", ".join(f"{sum(row['verdict'] == verdict for row in rows)} {verdict}" for verdict in VERDICTS)
    sources = {row["arxiv"] for row in rows if row["arxiv"]}
    items = {row["item"] for row in rows}
    text = f"{len(rows)} numbers of {len(items)} items over {len(sources)} papers: {counts}."
    lines = [f"- [{row['item']}](#{row['item']}), {row['label']}: {row['verdict']}; {row['why']}" for row in rows
             if row["verdict"] != "agrees"]  # fmt: skip
    return "\n".join([text, "", *lines])


def _item(name: str, rows: Rows) -> str:
    item = load_item(name)
    link = f"[{item.paper}](https://arxiv.org/abs/{item.arxiv})" if item.arxiv else item.paper
    text = [f"### {name}", "", f"{item.title}. {link}: {item.setting}."]
    if item.generations:
        text += ["", f"Generations: {item.generations}."]
    if rows[0]["quick"]:
        text += ["", "With the few replicates of `--quick`."]
    text += ["", *_table(("number", "published", "kind", "ours", "theory", "verdict"), map(_cells, rows))]
    notes = [f"- {row['label']}: {row['why']}" for row in rows if row["why"]]
    return "\n".join([*text, "", *notes])


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    item = load_item(row["item"])
    card = item.cards[row["card"]].title if row["card"] else ""
    theory = "" if row["theory"] is None else table.number(row["theory"])
    about = "~" if theory and not str(row["theory_kind"]).startswith("exact") else ""
    label = f"{card}: {row['label']}" if card else row["label"]
    return label, _published(row["published"]), row["kind"], _ours(row), about + theory, row["verdict"]


def _published(value: Any) -> str:
    if not isinstance(value, list):
        return f"{value:g}"
    low, high = value
    return f"< {high:g}" if low is None else f"> {low:g}" if high is None else f"{low:g} to {high:g}"


def _ours(row: dict[str, Any]) -> str:
    if row["ours"] is None:
        return ""
    ends = [row[end] for end in ("ci_low", "ci_high") if row[end] is not None]
    half = max((abs(end - row["ours"]) for end in ends), default=math.inf)
    decimals = None if 0.0 < abs(row["ours"]) < 1e-4 else table.decimals_of(half)
    spread = "" if len(ends) < 2 else f" ± {table.number(half, decimals)}"
    return f"{table.number(row['ours'], decimals)}{spread}"


def _race(rows: Rows) -> str:
    """Times of published loops beside ours, a line for each that they timed: one card, or all of an item."""
    timed: dict[tuple[str, float], dict[str | None, float]] = {}
    for row in rows:
        if row["seconds"] > 0.0:
            theirs = row["published_seconds"] / row["published_chains"]
            timed.setdefault((row["item"], theirs), {})[row["card"]] = row["seconds"] / row["replicates"]
    lines = []
    for (item, theirs), cards in timed.items():
        ours, alone = sum(cards.values()), load_item(item).races[0].card
        name = f"{item}, {next(iter(cards))}" if alone else item
        lines.append((name, f"{1e3 * theirs:.3g}", f"{1e3 * ours:.3g}", f"{theirs / ours:,.0f}"))
    return _TIMES + "\n" + "\n".join(_table(("item", "published", "ours", "times faster"), lines))


def _side_by_side(rows: Rows) -> str:
    lines = [
        (row["work"], row["peer"], *(f"{1e3 * row[side]:,.3g}" for side in ("theirs", "ours")), f"{row['ratio']:,.3g}")
        for row in rows
        if row["benchmark"] == "published" and row["ratio"] is not None
    ]
    return _SIDE + "\n" + "\n".join(_table(("work", "loop", "loop, ms", "ours, ms", "times faster"), lines))


def _claim(name: str, rows: Rows) -> str:
    cells = (
        (row["label"], row["article"] or "", _ours(row), _range(row), row["verdict"] or "", row["why"] or "")
        for row in rows
    )
    return "\n".join([f"### {name}", "", *_table(("claim", "article", "ours", "range", "verdict", "why"), cells)])


def _range(row: dict[str, Any]) -> str:
    if row["range_low"] is None or row["range_high"] is None:
        return ""
    return f"{row['range_low']:.3g} to {row['range_high']:.3g}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
