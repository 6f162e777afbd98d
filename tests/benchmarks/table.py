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
    "distinct": "distinct 4-grams of ten million tokens",
    "divergences": "entropy and divergences of a million types",
    "wasserstein": "Wasserstein-1 of two samples",
    "processes": "whole processes, warm and cold",
    "compilation": "compile kernels anew",
    "published": "published experiments against loops like their authors'",
}
WIDTH = 80
HEAD = f"{'':31}{'ours':>8}{'peer':>9}{'ratio':>7}{'goal':>8}{'limit':>7}{'MiB':>5}{'peer':>5}"
FOOT = """\
Times are medians of alternating runs; one thread by processor time, two threads and
whole processes by the clock. ratio: peer's time over ours. goal: the least ratio, or
the most seconds; ! marks one that is missed. limit: our time over the least that this
machine could take for the part of the work named below it. MiB: memory added at the
peak, ours and the peer's."""


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
    ratio = "-" if row.ratio is None else f"{row.ratio:.3g}"
    missed = "!" if row.met is False else " "
    goal = f"<= {row.most:g}" if row.most is not None else "-" if row.goal is None else f">= {row.goal:g}"
    distance = "-" if row.distance is None else f"{row.distance:.3g}"
    name = (row.peer or row.work)[:29]
    return (
        f"  {name:29}{seconds(row.ours):>8}{seconds(row.theirs):>9}{ratio:>7}{goal:>7}{missed}{distance:>7}"
        f"{_mebibytes(row.memory):>5}{_mebibytes(row.memory_theirs):>5}"
    ).rstrip()


def seconds(value: float | None) -> str:
    """Seconds in the unit that suits them."""
    if value is None:
        return "-"
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}" if value < 1e4 else f"{value:,.0f} s"
    return f"{value / 1e-9:.3g} ns"


def _each(row: Row) -> str:
    if not row.count or row.ours is None or row.unit in ("process", "kernel"):
        return ""
    return f"; {seconds(row.ours / row.count)} a {row.unit}"


def _mebibytes(value: float | None) -> str:
    return "-" if value is None else f"{value / 2**20:.0f}"


def wrapped(text: str, first: str = "", later: str = "  ") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=later, break_on_hyphens=False)


def as_json(
    machine: dict[str, Any], setting: Setting, found: Iterable[Row], cost: list[dict[str, Any]]
) -> dict[str, Any]:
    """Everything of one run."""
    from dataclasses import asdict

    limits = asdict(setting.limits) | {"normal": setting.limits.normal}
    return {
        "schema": "lightcollapse/benchmarks/1",
        "quick": setting.quick,
        "machine": machine,
        "limits": limits,
        "rows": [row.as_dict() for row in found],
        "cost": cost,
    }
