"""The certificate: what is declared, what is measured, and that a stranger's text stays text."""

from __future__ import annotations

import gzip
import hashlib
import html.parser
import importlib.util
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightcollapse.certificate import FORMATS, Certificate, certify, validate
from lightcollapse.certificate.croissant import jsonld
from lightcollapse.certificate.declared import plain
from lightcollapse.cli import main
from lightcollapse.errors import CardError, DataError
from tests.test_check import documents

QUICK: dict[str, Any] = {"order": 1, "bootstrap": 20}
FAST = ["--order", "1", "--bootstrap", "20"]
EVIL = "a<script>alert(1)</script>|`x`.jsonl".replace("/", "")  # no file's name holds a slash


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Human text, a generation of the same law, a collapsed one, and records that declare themselves."""
    made = tmp_path_factory.mktemp("texts")
    for name, text in {"human": documents(1, 400), "alike": documents(2, 400), "poor": documents(3, 25)}.items():
        (made / f"{name}.txt").write_text(text)
    records = [("one two three", "human"), ("four five", "GPT"), ("six", "mixed"), ("one", "<b>martian</b>\x1b[31m")]
    lines = [json.dumps({"text": text, "source": source}) for text, source in records]
    (made / EVIL).write_text("\n".join([*lines, json.dumps({"text": "seven eight nine ten"})]))
    return made


def paths(folder: Path, *names: str) -> list[str]:
    return [str(folder / name) for name in names]


def made_of(folder: Path, *names: str, **options: Any) -> Certificate:
    return certify(paths(folder, *names), **(QUICK | options))


def test_a_certificate_holds_hashes_sizes_and_what_is_declared(folder: Path) -> None:
    made = made_of(folder, "human.txt", "poor.txt", declare={"human.txt": "human", "poor.txt": "synthetic"})
    raw = (folder / "human.txt").read_bytes()
    first, second = jsonld(made)["distribution"]
    assert first["sha256"] == hashlib.sha256(raw).hexdigest()
    assert first["contentSize"] == f"{len(raw)} B"
    assert first["description"] == "120 documents, 4800 words; generation 0; declared human"
    assert first["digitalSourceType"].endswith("/digitalCreation")
    assert second["digitalSourceType"].endswith("/trainedAlgorithmicMedia")
    whole = jsonld(made)["declared"]["all"]
    assert whole["human"] == {"documents": 120, "tokens": 4800, "share": 0.5}
    assert jsonld(made)["digitalSourceType"].endswith("/compositeSynthetic")


def test_records_declare_themselves_before_their_file_does(folder: Path) -> None:
    made = made_of(folder, EVIL, declare={EVIL: "synthetic"}, labels={"gpt": "synthetic"})
    tally = made.declared.whole
    assert tally.documents == {"human": 1, "synthetic": 3, "mixed": 1, "unknown": 0}
    assert tally.tokens == {"human": 3, "synthetic": 7, "mixed": 1, "unknown": 0}
    assert any("martian" in warning and "\x1b" not in warning for warning in made.warnings)
    assert any("2 documents declare another kind" in warning for warning in made.warnings)
    bare = made_of(folder, EVIL).declared.whole
    assert bare.documents == {"human": 1, "synthetic": 0, "mixed": 1, "unknown": 3}
    assert "digitalSourceType" not in jsonld(made_of(folder, EVIL))


def test_parents_and_generations_are_as_declared_and_never_guessed(folder: Path) -> None:
    names = ("human.txt", "alike.txt", "poor.txt")
    assert all("prov:wasDerivedFrom" not in file for file in jsonld(made_of(folder, *names))["distribution"])
    chained = made_of(folder, *names, chain=True, parents=[("human.txt", "a library")])
    first, second, third = jsonld(chained)["distribution"]
    assert first["prov:wasDerivedFrom"] == {"@type": "prov:Entity", "prov:label": "a library"}
    assert (second["prov:wasDerivedFrom"], third["prov:wasDerivedFrom"]) == ({"@id": "file-1"}, {"@id": "file-2"})
    parents = [("poor.txt", "human.txt"), ("poor.txt", "alike.txt")]
    assert made_of(folder, *names, parents=parents).declared.files[2].parents == ("file-1", "file-2")


def test_record_sets_hold_the_counts_and_name_the_columns_that_were_read(folder: Path, tmp_path: Path) -> None:
    lines = [json.dumps({"body": f"one two {i}", "generation": i % 2, "by": "GPT", "id": i}) for i in range(40)]
    (tmp_path / "both.jsonl").write_text("\n".join(lines))
    (tmp_path / "packed.jsonl").write_bytes(gzip.compress("\n".join(lines).encode()))
    fields: dict[str, Any] = {"text_field": "body", "source_field": "by", "by": "generation"}
    made = certify([str(tmp_path / "both.jsonl")], labels={"gpt": "synthetic"}, **QUICK, **fields)
    counts, records = jsonld(made)["recordSet"]
    kinds = {"human": 0, "synthetic": 60, "mixed": 0, "unknown": 0}
    assert counts["data"] == [
        {f"generations/{name}": value for name, value in ({"generation": str(g), "documents": 20} | kinds).items()}
        for g in (0, 1)
    ]
    assert [field["@id"] for field in counts["field"]] == list(counts["data"][0])
    columns = {field["source"]["extract"]["column"]: field["dataType"] for field in records["field"]}
    assert columns == {"generation": "sc:Integer", "by": "sc:Text", "body": "sc:Text"}
    assert {field["source"]["fileObject"]["@id"] for field in records["field"]} == {"file-1"}
    packed = certify([str(tmp_path / "packed.jsonl")], **QUICK, **fields)
    assert [each["@id"] for each in jsonld(packed)["recordSet"]] == ["generations"]  # not what its name says
    assert [each["@id"] for each in jsonld(made_of(folder, "human.txt"))["recordSet"]] == ["generations"]


def verdicts(made: Certificate) -> list[str]:
    return [finding.verdict for finding in made.findings]


def test_consistency_says_what_can_be_said(folder: Path) -> None:
    names = ("human.txt", "alike.txt", "poor.txt")
    human = {name: "human" for name in names}
    made = made_of(folder, *names, declare=human, bootstrap=100)
    assert verdicts(made) == ["cannot say", "consistent", "questionable"]
    assert "less entropy" in made.findings[2].why
    as_synthetic = made_of(folder, *names, declare=human | {"poor.txt": "synthetic"}, bootstrap=100)
    assert verdicts(as_synthetic) == ["cannot say", "consistent", "consistent"]
    assert verdicts(made_of(folder, *names)) == ["cannot say"] * 3
    no_baseline = made_of(folder, *names, declare=human | {"human.txt": "synthetic"})
    assert verdicts(no_baseline) == ["cannot say"] * 3


def test_a_text_that_is_declared_two_ways_is_a_contradiction(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "same.txt").write_text((folder / "human.txt").read_text())
    files = [str(folder / "human.txt"), str(tmp_path / "same.txt")]
    made = certify(files, declare={"human.txt": "human", "same.txt": "synthetic"}, **QUICK)
    assert made.findings[0].verdict == "contradictory" and made.findings[0].why.startswith("120 texts")
    assert made.declared.twice == 120


@pytest.fixture(scope="module")
def twice(folder: Path) -> tuple[Certificate, Certificate]:
    """The same certificate, made two times."""
    return tuple(made_of(folder, "human.txt", "poor.txt", EVIL) for _ in range(2))  # type: ignore[return-value]


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_repeats_to_the_byte_and_says_that_authorship_cannot_be_proven(
    twice: tuple[Certificate, Certificate], folder: Path, form: str
) -> None:
    texts = [FORMATS[form](made) for made in twice]
    assert texts[0] == texts[1]
    assert "Authorship cannot be proven" in texts[0]
    assert str(folder) not in texts[0] and os.uname().nodename not in texts[0]
    assert "\x1b" not in texts[0]
    assert not re.search(r"\b20\d\d-\d\d-\d\d\b", texts[0])


class Tags(html.parser.HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_runs_nothing_and_loads_nothing(folder: Path) -> None:
    page = FORMATS["html"](made_of(folder, EVIL, name="<img src=x onerror=alert(1)>", parents=[(EVIL, "<iframe>")]))
    read = Tags()
    read.feed(page)
    assert {tag for tag, _ in read.tags} <= TAGS
    assert not {name for _, attrs in read.tags for name, _ in attrs} & {"src", "href", "style", "onerror", "onload"}
    policy = next(dict(attrs)["content"] for tag, attrs in read.tags if tag == "meta" and len(attrs) == 2)
    assert policy is not None and policy.startswith("default-src 'none'") and "unsafe" not in policy
    assert "<img src=x onerror=alert(1)>" in read.text and EVIL in read.text


TAGS = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "div", "table", "tr", "th", "td"}


@settings(max_examples=40, deadline=None)
@given(text=st.text(max_size=40))
def test_whatever_a_name_holds_is_text_on_the_page_and_in_the_card(
    twice: tuple[Certificate, Certificate], text: str
) -> None:
    made = replace(twice[0], name=text, about={"license": text}, warnings=(text,))
    read = Tags()
    read.feed(FORMATS["html"](made))
    assert {tag for tag, _ in read.tags} <= TAGS
    assert json.loads(FORMATS["croissant"](made))["license"] == text
    head = FORMATS["hf-card"](made).splitlines()
    assert json.loads(head[1].removeprefix("pretty_name: ")) == plain(text)
    assert json.loads(head[2].removeprefix("license: ")) == plain(text) and "---" in head[3:20]


def test_the_card_leaves_no_markup_of_strangers(folder: Path) -> None:
    card = FORMATS["hf-card"](made_of(folder, EVIL, name='x"\n---\n<b> [a](https://evil.example)'))
    head, body = card.removeprefix("---\n").split("\n---\n", 1)
    assert json.loads(head.splitlines()[0].removeprefix("pretty_name: ")) == 'x" --- <b> [a](https://evil.example)'
    assert "<" not in body and not re.search(r"(?<!\\)\]\(", body) and "https://evil" not in body
    tables = [line for line in body.splitlines() if line.startswith("|")]
    assert all(len(re.findall(r"(?<!\\)\|", line)) in (5, 6, 7, 4) for line in tables)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"declare": {"nobody.txt": "human"}}, "did you mean 'human.txt'|none of the files"),
        ({"declare": {"human.txt": "robot"}}, "a kind must be one of"),
        ({"labels": {"gpt": "robot"}}, "a kind must be one of"),
        ({"parents": [("human.txt", "human.txt")]}, "its own parent"),
        ({"parents": [("human.txt", "file-9")]}, "no such file"),
        ({"about": {"date": "yesterday"}}, "2026-01-31"),
        ({"about": {"url": "javascript:alert(1)"}}, "https://"),
    ],
)
def test_bad_declarations_are_told(folder: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(CardError, match=said):
        made_of(folder, "human.txt", **options)


def test_what_is_no_file_is_refused(folder: Path) -> None:
    with pytest.raises(CardError, match="standard input"):
        certify(["-"], **QUICK)
    with pytest.raises(CardError, match="not counts"):
        certify(["some.counts"], **QUICK)
    with pytest.raises(DataError):
        made_of(folder, "nowhere.txt")


def test_the_verb_writes_once_and_replaces_only_when_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, card = str(folder / "human.txt"), tmp_path / "card.json"
    assert main(["certify", text, "-o", str(card), *FAST]) == 0
    first = card.read_bytes()
    assert main(["certify", text, "-o", str(card), *FAST]) == 2
    assert "--force" in capsys.readouterr().err and card.read_bytes() == first
    assert main(["certify", text, "-o", str(card), "--force", "--date", "2026-01-31", *FAST]) == 0
    assert json.loads(card.read_bytes())["datePublished"] == "2026-01-31"
    assert main(["certify", text, "-o", text, "--force", *FAST]) == 2
    assert (folder / "human.txt").read_text() == documents(1, 400)
    assert os.listdir(tmp_path) == ["card.json"]
    assert main(["certify", text, "-o", str(tmp_path / "no" / "card.json"), *FAST]) == 1
    assert "cannot write" in capsys.readouterr().err
    assert main(["certify", text, "--format", "word", *FAST]) == 2
    assert main(["certify", text, "--declare", "human", *FAST]) == 2
    capsys.readouterr()
    assert main(["certify", text, *FAST]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(first)


def test_validation_needs_its_extra_and_says_the_pip_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "mlcroissant", None)
    assert main(["certify", str(folder / "human.txt"), "--validate", *FAST]) == 5
    assert 'pip install "lightcollapse[certificate]"' in capsys.readouterr().err


@pytest.mark.skipif(importlib.util.find_spec("mlcroissant") is None, reason="mlcroissant is not installed")
@pytest.mark.parametrize("wrong", [{"@type": "cr:Nothing"}, {"distribution": [{"@type": "cr:FileObject"}]}])
def test_mlcroissant_rejects_a_wrong_certificate(
    folder: Path, wrong: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = importlib.import_module("lightcollapse.certificate.croissant")
    right = module.jsonld
    monkeypatch.setattr(module, "jsonld", lambda made: right(made) | wrong)
    assert main(["certify", str(folder / "human.txt"), "--validate", *FAST]) == 3
    assert "0 errors" not in capsys.readouterr().err


@pytest.mark.skipif(importlib.util.find_spec("mlcroissant") is None, reason="mlcroissant is not installed")
def test_mlcroissant_finds_no_error(folder: Path) -> None:
    made = made_of(folder, "human.txt", "poor.txt", EVIL, chain=True)
    assert validate(made)[1] == []


@pytest.mark.skipif(importlib.util.find_spec("mlcroissant") is None, reason="mlcroissant is not installed")
def test_mlcroissant_reads_the_records(tmp_path: Path) -> None:
    library = importlib.import_module("mlcroissant")
    texts = [{"text": f"one, two {i}", "generation": i % 2} for i in range(40)]
    (tmp_path / "both.jsonl").write_text("\n".join(map(json.dumps, texts)))
    made = certify([str(tmp_path / "both.jsonl")], **QUICK)
    (tmp_path / "card.json").write_text(FORMATS["croissant"](made))
    found = library.Dataset(jsonld=str(tmp_path / "card.json"))
    read = [{key.split("/")[1]: value for key, value in record.items()} for record in found.records("file-1-records")]
    assert [record["generation"] for record in read] == [text["generation"] for text in texts]
    assert [record["text"].decode() for record in read] == [text["text"] for text in texts]
    assert [record["generations/documents"] for record in found.records("generations")] == [20, 20]


def test_a_file_that_changes_meanwhile_is_told(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import lightcollapse.certificate as home

    text = tmp_path / "text.txt"
    text.write_text((folder / "human.txt").read_text())
    real = home.measure

    def late(*arguments: Any, **options: Any) -> Any:
        text.write_text(documents(9, 400))
        return real(*arguments, **options)

    monkeypatch.setattr(home, "measure", late)
    with pytest.raises(DataError, match="changed while it was read"):
        certify([str(text)], **QUICK)
