"""The certificate for people: a dataset card for the Hugging Face Hub, and one page of HTML."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lightcollapse.certificate.consistency import LIMITS, words
from lightcollapse.certificate.declared import KINDS, SYNTHETIC, Tally, plain

if TYPE_CHECKING:
    from lightcollapse.certificate import Certificate

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1b;
  background: #fff; }
h1 { font-size: 1.6rem; margin-bottom: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2rem 0 .3rem; }
p { margin: .4rem 0; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; margin: .5rem 0; }
th, td { text-align: left; vertical-align: top; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid #d5d5d5; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.hash { font-family: ui-monospace, monospace; font-size: .75rem; overflow-wrap: anywhere; min-width: 18rem; }
.limits { border-left: 4px solid #b35900; padding: .5rem 1rem; background: #fff6ec; }
@media (prefers-color-scheme: dark) {
  body { color: #eee; background: #1a1a1a; }
  th, td { border-color: #444; }
  .limits { background: #33261a; }
}
"""
_NUMBER = re.compile(r"(-?[-+0-9.,e %]+( to -?[-+0-9.,e]+)?|not measured)?")
_HASH = re.compile(r"[0-9a-f]{64}")
_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"),
          (10**8, "10M<n<100M"), (10**9, "100M<n<1B"))  # fmt: skip


@dataclass(frozen=True)
class Section:
    """A part of the certificate, not yet escaped.

    Attributes:
        title: of the part.
        lines: paragraphs.
        head, rows: a table; empty where there is none.
    """

    title: str
    lines: tuple[str, ...]
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def sections(made: Certificate) -> tuple[Section, ...]:
    """The certificate in the order of reading: declaration, whether the measurement agrees, measurement, files, how."""
    keys = {file.key: file.name for file in made.declared.files}
    files = tuple(
        (file.name, ", ".join(map(str, file.generations)), f"{sum(file.declared.documents.values()):,}",
         f"{sum(file.declared.tokens.values()):,}", words(file.declared),
         ", ".join(keys.get(parent, parent) for parent in file.parents) or "none declared")
        for file in made.declared.files
    )  # fmt: skip
    unit = made.recipe["unit"]
    shares = [
        ("all", made.declared.whole),
        *((f"generation {name}", t) for name, t in made.declared.generations.items()),
    ]
    about = "; ".join(
        f"{key}: {value['name'] if isinstance(value, dict) else value}" for key, value in made.about.items()
    )
    how = ", ".join(f"{key} {value}" for key, value in made.recipe.items() if key != "tool")
    return (
        Section("Declared", ("What somebody said of the data. It was not checked.",),
                ("file", "generation", "documents", unit, "declared", "made from"), files),
        Section("Declared shares of the tokens", (), ("", *KINDS),
                tuple((what, *_shares(tally)) for what, tally in shares)),
        Section("Consistency", ("What the measurement says about the declaration.",),
                ("generation", "declared", "verdict", "why"),
                tuple(("all" if one.generation is None else str(one.generation), one.declared, one.verdict, one.why)
                      for one in made.findings)),
        Section("Measured", ("In the texts, whatever is declared of them. Each value with its 95 % interval over "
                             "documents; change: against the baseline, of divergences against the noise floor.",),
                ("metric", "generation", "value", "95 % interval", "change", "note"),
                tuple(_measured(row) for row in made.rows)),
        Section("Files", ("SHA-256 of the raw bytes.",), ("file", "bytes", "SHA-256"),
                tuple((file.name, f"{file.size:,}", file.sha256) for file in made.declared.files)),
        Section("How", (*((about,) if about else ()), f"lightcollapse: {how}.",
                        *(f"Warning: {warning}" for warning in made.warnings))),
    )  # fmt: skip


def _shares(tally: Tally) -> list[str]:
    return [f"{100 * tally.share(kind):.3g} %" for kind in KINDS]


def _measured(row: dict[str, Any]) -> tuple[str, ...]:
    interval = "" if row["ci_low"] is None else f"{row['ci_low']:.4g} to {row['ci_high']:.4g}"
    change = "" if row["change"] is None else f"{row['change']:+.4g}"
    value = "not measured" if row["value"] is None else f"{row['value']:.4g}"
    return row["metric"], str(row["generation"]), value, interval, change, row["note"]


def hf_card(made: Certificate) -> str:
    """Markdown with the YAML head of a dataset card.

    Source: DatasetCardData of huggingface_hub, for the names of the fields and the classes of sizes.
    """
    documents = sum(made.declared.whole.documents.values())
    kinds = made.declared.whole.kinds
    head = ["---", f"pretty_name: {json.dumps(plain(made.name), ensure_ascii=False)}"]
    if "license" in made.about:
        head.append(f"license: {json.dumps(plain(made.about['license']), ensure_ascii=False)}")
    if kinds == (SYNTHETIC,):
        head += ["language_creators:", "- machine-generated"]
    size = next((label for most, label in _SIZES if documents < most), "n>1T")
    head += ["size_categories:", f"- {size}", "tags:", "- provenance"]
    head += [f"- declared-{kind}" for kind in kinds]
    parts = ["\n".join([*head, "---"]), f"# {_markdown(made.name)}", _markdown(made.description),
             f"> {_markdown(LIMITS)}"]  # fmt: skip
    for section in sections(made):
        parts.append(f"## {section.title}")
        parts += [_markdown(line) for line in section.lines]
        if section.head:
            lines = [section.head, tuple("---" for _ in section.head), *section.rows]
            parts.append("\n".join(f"| {' | '.join(_markdown(cell) for cell in line)} |" for line in lines))
    return "\n\n".join(parts) + "\n"


def _markdown(text: str) -> str:
    """Text that Markdown and the HTML in it leave as it is."""
    if re.fullmatch(r"-+", text):
        return text
    escaped = re.sub(r"([\\`*_{}\[\]#|~!])", r"\\\1", plain(text))
    escaped = escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"(?i)\b(https?|ftp|mailto|www)([:.])", r"\1&#8203;\2", escaped)


def html_page(made: Certificate) -> str:
    """One page that loads nothing and runs nothing: its policy lets in its own style and no more."""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    body = [f"<h1>{_html(made.name)}</h1>", f"<p>{_html(made.description)}</p>",
            f'<p class="limits">{_html(LIMITS)}</p>']  # fmt: skip
    for section in sections(made):
        body.append(f"<h2>{_html(section.title)}</h2>")
        body += [f"<p>{_html(line)}</p>" for line in section.lines]
        if section.head:
            body.append(_html_table(section.head, section.rows))
    return "\n".join([
        "<!DOCTYPE html>", '<html lang="en">', "<head>", '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_html(made.name)}: provenance certificate</title>", f"<style>{_STYLE}</style>", "</head>", "<body>",
        *body, "</body>", "</html>", "",
    ])  # fmt: skip


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    numbers = [all(_NUMBER.fullmatch(row[k]) for row in rows) for k in range(len(head))]
    heads = [_cell(text, "th", "number" if right else "") for text, right in zip(head, numbers, strict=True)]
    lines = ['<div class="table"><table>', f"<tr>{''.join(heads)}</tr>"]
    for row in rows:
        cells = [_cell(text, "td", "hash" if _HASH.fullmatch(text) else "number" if right else "")
                 for text, right in zip(row, numbers, strict=True)]  # fmt: skip
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return "\n".join([*lines, "</table></div>"])


def _cell(text: str, tag: str, kind: str) -> str:
    return f'<{tag} class="{kind}">{_html(text)}</{tag}>' if kind else f"<{tag}>{_html(text)}</{tag}>"


def _html(text: str) -> str:
    return html.escape(plain(text))
