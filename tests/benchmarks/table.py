"""The benchmarks, and how their rows are printed. To add one: a file with `rows(setting)` beside this, and a line."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

from .race import Row
from .setting import Setting

BENCHMARKS: dict[str, str] = {
    "gaussian_points": "Gaussian chains, every point drawn",
    "gaussian_sums": "Gaussian chains by sufficient statistics",
    "multivariate": "Gaussians in 10 and 50 dimensions, every point and by Bartlett's decomposition",
    "mixture": "expectation and maximisation, sampling included",
    "wright_fisher": "drift of many types",
    "ngram_fit": "count and fit n-grams of characters",
    "ngram_generation": "write text; a whole generation of it",
    "ngram_score": "score held-out text",
    "transformer": "train a small transformer; write with it",
    "distinct": "distinct 4-grams of ten million tokens",
    "divergences": "entropy and divergences of a million types",
    "wasserstein": "Wasserstein-1 of two samples",
    "processes": "whole processes, warm and cold",
    "compilation": "compile kernels anew",
    "published": "published experiments against loops like their authors'",
}
WIDTH = 80
_UNITS = (("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9))
HEAD = f"{'':29}{'ours':>8}{'peer':>9}{'ratio':>7}{'goal':>8}{'limit':>7}{'MiB':>6}{'peer':>6}"
FOOT = """\
Times are medians of alternating runs: one thread by processor time, two threads
and whole processes by the clock. ratio: the peer's time over ours. goal: the
least ratio, or the most seconds; ! where it is missed. limit: our time over the
least that this machine could take for what the line `limit:` names. MiB: memory
added at the peak, ours and the peer's."""


def rows(name: str, setting: Setting) -> Iterator[Row]:
    """The rows of a benchmark as they are measured."""
    yield from import_module(f".{name}", __package__).rows(setting)


def lines(found: Iterable[Row]) -> Iterator[str]:
    """Each row as lines of at most 80 characters; what rows have in common is said once."""
    benchmark, said = "", set[Any]()
    for row in found:
        if not row.peer:  # a work of its own on each line
            if row.benchmark != benchmark:
                yield f"{row.benchmark}: {BENCHMARKS[row.benchmark]}"
            benchmark = row.benchmark
            yield line(row)
            yield from wrapped(row.note, "    ", "    ")
            continue
        benchmark = row.benchmark
        for text, first in (
            (f"{row.benchmark}: {row.work}{_each(row)}", ""),
            (f"limit: {row.limit_of}, {seconds(row.limit)}" if row.limit_of else "", "  "),
        ):
            if text and text not in said:
                yield from wrapped(text, first, first + "  ")
            said.add(text)
        yield line(row)
        if row.note and (row.work, row.note) not in said:
            yield from wrapped(row.note, "    ", "    ")
        said.add((row.work, row.note))


def line(row: Row) -> str:
    """The numbers of a row."""
    ratio = _figures(row.ratio)
    missed = "!" if row.met is False else " "
    goal = f"<= {row.most:g}" if row.most is not None else "-" if row.goal is None else f">= {row.goal:g}"
    distance = _figures(row.distance)
    name = (row.peer or row.work)[:27]
    return (
        f"  {name:27}{seconds(row.ours):>8}{seconds(row.theirs):>9}{ratio:>7}{goal:>7}{missed}{distance:>7}"
        f"{_mebibytes(row.memory):>6}{_mebibytes(row.memory_theirs):>6}"
    ).rstrip()


def seconds(value: float | None) -> str:
    """Seconds in the unit that suits them."""
    if value is None:
        return "-"
    unit, size = next((pair for pair in _UNITS if value >= pair[1]), _UNITS[-1])
    return f"{_figures(value / size)} {unit}"


def _figures(value: float | None) -> str:
    """Three digits, and as many as there are before the point."""
    return "-" if value is None else f"{value:,.0f}" if value >= 1000.0 else f"{value:.3g}"


def _each(row: Row) -> str:
    if not row.count or row.ours is None or row.unit in ("process", "kernel"):
        return ""
    return f"; {seconds(row.ours / row.count)} a {row.unit}"


def _mebibytes(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value / 2**20:.0f}" if value < 2**33 else f"{value / 2**30:.0f}G"


def wrapped(text: str, first: str = "", later: str = "  ") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=later, break_on_hyphens=False)


def as_json(
    machine: dict[str, Any], setting: Setting, found: Iterable[Row], cost: list[dict[str, Any]]
) -> dict[str, Any]:
    """Everything of one run."""
    from dataclasses import asdict

    limits = asdict(setting.limits) | {"normal": setting.limits.normal}
    made: dict[str, Any] = {
        "schema": "lightcollapse/benchmarks/1",
        "quick": setting.quick,
        "machine": machine,
        "limits": limits,
        "rows": [row.as_dict() for row in found],
        "cost": cost,
    }
    return made | {name: _short(made[name]) for name in ("limits", "rows", "cost")}


def _short(value: Any) -> Any:
    """Numbers to four digits, which is more than a machine repeats."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {str(name): _short(one) for name, one in value.items()}
    return [_short(one) for one in value] if isinstance(value, list | tuple) else value
