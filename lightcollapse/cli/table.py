"""Tables for a terminal of 80 columns."""

from __future__ import annotations

import functools
import math
import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import click

WIDTH = 80
_GAP = 2


@dataclass(frozen=True)
class Column:
    """A column under a head it may share with its neighbours.

    Attributes:
        head: what all columns of the block measure.
        title: what this one says of it.
        cells: one a row.
        tint: colour on a terminal.
    """

    head: str
    title: str
    cells: tuple[str, ...]
    tint: str | None = None

    @functools.cached_property
    def width(self) -> int:
        return max(len(text) for text in (self.title, *self.cells))


Block = tuple[Column, ...]


def width(blocks: Sequence[Block]) -> int:
    """Characters in a line of the table."""
    return sum(_block_width(block) for block in blocks) + _GAP * (len(blocks) - 1)


def render(blocks: Sequence[Block]) -> str:
    """The table as text: heads, titles, and a line a row; no blanks at line ends."""
    heads = [_wrap(block[0].head, _block_width(block)) for block in blocks]
    depth = max(len(head) for head in heads)
    lines = []
    for level in range(depth):
        lines.append(
            _join(
                [
                    (lines_of[level - depth + len(lines_of)] if level >= depth - len(lines_of) else "").rjust(
                        _block_width(block)
                    )
                    for block, lines_of in zip(blocks, heads, strict=True)
                ]
            )
        )
    titles = _join([_row(block, [column.title for column in block]) for block in blocks])
    if titles.strip():
        lines.append(titles)
    lines = [click.style(line, bold=True) for line in lines]
    for row in range(len(blocks[0][0].cells)):
        lines.append(_join([_row(block, [column.cells[row] for column in block], tinted=True) for block in blocks]))
    return "\n".join(lines)


def _block_width(block: Block) -> int:
    inner = sum(column.width for column in block) + _GAP * (len(block) - 1)
    return max(inner, max(map(len, block[0].head.split()), default=0))


def _row(block: Block, cells: Sequence[str], tinted: bool = False) -> str:
    padded = [cell.rjust(column.width) for column, cell in zip(block, cells, strict=True)]
    indent = " " * (_block_width(block) - sum(map(len, padded)) - _GAP * (len(block) - 1))
    if tinted:
        padded = [
            click.style(cell, fg=column.tint) if column.tint and cell.strip() else cell
            for column, cell in zip(block, padded, strict=True)
        ]
    return indent + (" " * _GAP).join(padded)


def _join(parts: Sequence[str]) -> str:
    return (" " * _GAP).join(parts).rstrip()


def _wrap(text: str, limit: int) -> list[str]:
    """Words of a head on as many lines as the width of its block asks for."""
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".strip()
        if len(joined) <= limit or not lines[-1]:
            lines[-1] = joined
        else:
            lines.append(word)
    return lines


def number(value: float, decimals: int | None = None) -> str:
    """A number as a table shows it: with so many decimals, or to four significant digits."""
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if math.isnan(value):
        return "-"
    size = abs(value)
    if size != 0 and (size < 10.0 ** -(decimals or 4) / 2 or size >= 1e7):
        return f"{value:.2e}"
    if decimals is not None:
        return f"{value:.{decimals}f}"
    return f"{value:.0f}" if value == round(value) or size >= 1e4 else f"{value:.4g}"


def decimals_of(half: float, digits: int = 2) -> int | None:
    """Decimals that show so many digits of an interval's half width; None where it has no size."""
    if not math.isfinite(half) or half <= 0:
        return None
    return min(6, max(0, digits - 1 - math.floor(math.log10(half))))


def shorten(text: str, limit: int) -> str:
    """The text cut to so many columns of a terminal; wide letters take two."""
    out: list[str] = []
    used = 0
    for c in text:
        used += 2 if unicodedata.east_asian_width(c) in "WF" else 1
        if used > limit:
            return "".join(out).rstrip()
        out.append(c)
    return "".join(out)


def wrapped(text: str, indent: str = "") -> list[str]:
    """The lines of a text, each indented."""
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
