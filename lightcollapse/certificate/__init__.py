"""A provenance certificate of texts: what is declared of them, and apart from it what is measured."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightcollapse.certificate.consistency import Finding, findings
from lightcollapse.certificate.croissant import croissant, validate
from lightcollapse.certificate.declared import Declared, declared, plain
from lightcollapse.certificate.pages import hf_card, html_page
from lightcollapse.errors import CardError, DataError, require
from lightcollapse.text import Measurement, measure
from lightcollapse.text.tables import prepared, saved

__all__ = ["FORMATS", "Certificate", "certify", "validate"]

FORMATS: dict[str, Callable[[Certificate], str]] = {"croissant": croissant, "hf-card": hf_card, "html": html_page}
_DIGITS = 6  # more would be those of the machine
_RECIPE = ("unit", "order", "bootstrap", "entropy", "errors", "seed")


@dataclass(frozen=True)
class Certificate:
    """What a certificate holds.

    Attributes:
        name, description: of the data.
        about: license, url, creator, datePublished, version, as far as they were given.
        declared: who is said to have written what.
        rows: measured metrics, six significant digits, as the JSON holds them.
        findings: what the measurement says of the declaration.
        recipe: how it was measured, and by which version.
        warnings: of the declaration and of the measurement.
    """

    name: str
    description: str
    about: dict[str, Any]
    declared: Declared
    rows: list[dict[str, Any]]
    findings: tuple[Finding, ...]
    recipe: dict[str, Any]
    warnings: tuple[str, ...]


def certify(
    files: Sequence[str],
    *,
    declare: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    parents: Sequence[tuple[str, str]] = (),
    chain: bool = False,
    name: str = "",
    about: Mapping[str, str] | None = None,
    **options: Any,
) -> Certificate:
    """Certify files of text: read them for what is declared, and measure them.

    `declare`, `labels`, `parents` and `chain` are those of `declared`; `about` holds license, url, creator, version
    or date (an ISO date; none is written unless it is given). `options` are those of `lightcollapse.measure`.

    Raises CardError on an argument that breaks a rule, DataError where a file cannot be read or changes meanwhile.
    """
    require(not saved(list(files)), "a certificate needs the texts, not counts of them", list(map(os.fspath, files)))
    reading = {key: value for key, value in options.items() if key not in ("bootstrap", "entropy")}
    inputs, how, cut = prepared(list(files), **reading)
    said = declared(inputs, how, cut, files=declare or {}, labels=labels or {}, parents=parents, chain=chain)
    found = measure(list(files), **options)
    for one, other in zip(said.files, found.recipe["files"], strict=True):
        if one.sha256 != other["sha256"]:
            raise DataError(f"{one.name!r} changed while it was read; try again")
    total = said.whole
    description = (
        f"{sum(total.documents.values()):,} documents, {sum(total.tokens.values()):,} {found.recipe['unit']}, in "
        f"{len(said.files)} files and {len(said.generations)} generations, with their declared provenance and, apart "
        "from it, what was measured. Authorship cannot be proven from text."
    )
    warned = (*said.warnings, *map(plain, found.warnings))
    return Certificate(plain(name) or "texts", description, _about(about or {}), said, _rows(found),
                       findings(said, found), _recipe(found), warned)  # fmt: skip


_ABOUT = ("license", "url", "creator", "version", "date")


def _about(given: Mapping[str, str]) -> dict[str, Any]:
    from datetime import date

    made: dict[str, Any] = {}
    for key in _ABOUT:
        value = plain(given.get(key) or "").strip()
        if not value:
            continue
        if key == "date":
            try:
                made["datePublished"] = date.fromisoformat(value).isoformat()
            except ValueError:
                raise CardError(f"a date must be written as 2026-01-31, got {value!r}") from None
        elif key == "creator":
            made[key] = {"@type": "sc:Organization", "name": value}
        elif key == "url":
            require(value.startswith(("http://", "https://")), "a url must begin with https:// or http://", value)
            made[key] = value
        else:
            made[key] = value
    return made


def _rows(found: Measurement) -> list[dict[str, Any]]:
    order, rare = found.recipe["order"], found.recipe["rare_order"]
    chosen = (f"distinct_{order}", "support_1", "entropy_1", f"rare_retention_{rare}", "kl_source_model_1",
              "kl_model_source_1", "js_1", "perplexity", f"repeated_{order}", "duplicates", "copied",
              "compression")  # fmt: skip
    numbers = ("value", "ci_low", "ci_high", "change", "change_low", "change_high")
    return [
        {"metric": row.metric, "generation": row.generation}
        | {number: _rounded(getattr(row, number)) for number in numbers}
        | {"note": plain(row.note)}
        for row in found.rows
        if row.metric in chosen
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.{_DIGITS}g}")


def _recipe(found: Measurement) -> dict[str, Any]:
    from importlib.metadata import PackageNotFoundError, version

    try:
        own = version("lightcollapse")
    except PackageNotFoundError:
        own = "unknown"
    return {"tool": "lightcollapse", "version": own} | {key: found.recipe[key] for key in _RECIPE}
