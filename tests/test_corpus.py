"""Reading text, cutting it, and parting it."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import lzma
import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightcollapse.corpus import human, padding, reading, shuffle, units
from lightcollapse.errors import CardError, DataError, LimitError, MissingExtra
from lightcollapse.families import NGram
from lightcollapse.loop import run
from lightcollapse.scenario import Scenario
from lightcollapse.sources import Text

TEXT = "".join(f"Paragraph {i} tells of näive {'cats' if i % 3 else 'dogs'}.\nIt ends.\n\n" for i in range(30))


def write(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


# --- Reading -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", [lambda data: data, gzip.compress, lzma.compress])
def test_reads_plain_and_compressed_text(tmp_path: Path, pack) -> None:
    raw = pack(TEXT.encode())
    corpus = reading.read(write(tmp_path / "text", raw))
    assert "".join(corpus.documents) == TEXT
    assert len(corpus.documents) == 30
    assert corpus.name == "text"
    assert corpus.sha256 == hashlib.sha256(raw).hexdigest()


def test_reads_json_lines(tmp_path: Path) -> None:
    records = [{"text": f"document {i}\u2028is one", "id": i} for i in range(12)]
    data = "\n".join(map(json.dumps, records)).encode() + b"\n"
    for name in ("a.jsonl", "a.txt", "a.ndjson"):
        corpus = reading.read(write(tmp_path / name, data))
        assert corpus.documents == tuple(record["text"] for record in records)
    assert reading.read(write(tmp_path / "b.jsonl.gz", gzip.compress(data))).documents == corpus.documents


def test_a_text_that_begins_with_a_brace_is_text(tmp_path: Path) -> None:
    assert "".join(reading.read(write(tmp_path / "a", b"{x} is a set.\n\nSo it is.")).documents).startswith("{x}")


def test_a_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    assert "".join(reading.read(write(tmp_path / "a", b"\xef\xbb\xbf" + TEXT.encode())).documents) == TEXT


def test_the_embedded_corpus_is_pythons_manual() -> None:
    corpus = reading.read(None)
    assert corpus.name == "pydoc_data.topics"
    assert len(corpus.documents) > 50
    assert any("lambda" in document for document in corpus.documents)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b" \n\n ", "is empty"),
        (b"one\ntwo \xff\xfe three", r"line 2, byte 8: invalid UTF-8 \(invalid start byte, 0xff\)"),
        (b"\xef\xbb\xbfone\n\xe9", r"line 2, byte 7: invalid UTF-8"),
        (b"one\ntwo\xe2\x82", r"line 2, byte 7: invalid UTF-8 \(unexpected end of data"),
        ("one".encode("utf-16"), "line 1, byte 0: this is UTF-16"),
        (b"one\ntw\x00o", "line 2, byte 6: a NUL byte"),
        (b"\x1f\x8b\x08broken", "cannot decompress"),
        (gzip.compress(TEXT.encode())[:-20], "cannot decompress"),
        (lzma.compress(TEXT.encode())[:-20], "cannot decompress|is empty"),
        (b'{"text": "one"}\n{"txt": "two"}\n', r"line 2: each line must be a JSON object"),
        (b'{"text": "one"}\n\n{"text": 3}\n', r"line 3: each line must be a JSON object"),
        (b'{"text": "one"}\n' + b"[" * 100_000, r"line 2: each line must be a JSON object"),
        (b'{"text": "one"}\n{"text": "\\u0000"}', "line 2: a NUL character"),
        (b'{"text": "one"}\n{"text": "\\ud800"}', "line 2: each line must be"),
    ],
)
def test_what_is_not_text_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        reading.read(write(tmp_path / "bad", data))
    assert "bad" in str(caught.value)
    assert caught.value.exit_code == 4


def test_what_is_no_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"no such file: .*nowhere"):
        Text(str(tmp_path / "nowhere")).corpus()
    with pytest.raises(DataError, match="is a directory"):
        Text(str(tmp_path)).corpus()
    with pytest.raises(DataError, match="cannot read"):
        Text("a\x00b").corpus()
    path = write(tmp_path / "locked", b"text")

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(DataError, match=r"cannot read .*locked': Permission denied"):
        Text(path).corpus()


def test_decompression_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 1000)
    with pytest.raises(LimitError, match="more than 1000 bytes"):
        reading.read(write(tmp_path / "bomb", gzip.compress(b"a" * 5000)))


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    source = Text(write(tmp_path / "a", TEXT.encode()))
    size = source.resolve_sample_size(1)
    write(tmp_path / "a", TEXT.encode() * 2)
    assert source.resolve_sample_size(1) > 1.5 * size


@given(st.text(alphabet="ab \n\r\t", max_size=200))
@settings(deadline=None, derandomize=True)
def test_pieces_join_to_the_text(text: str) -> None:
    assert "".join(reading.paragraphs(text)) == text
    assert "".join(reading.equal_runs(text)) == text


def test_a_text_without_paragraphs_is_cut_into_runs(tmp_path: Path) -> None:
    documents = reading.read(write(tmp_path / "a", b"some words, and more words " * 200)).documents
    assert len(documents) == 20
    assert max(map(len, documents)) - min(map(len, documents)) < 12
    assert not any(a[-1].isalpha() and b[0].isalpha() for a, b in itertools.pairwise(documents))
    assert len(reading.equal_runs("x" * 1000)) == 20  # no word ends anywhere


# --- Random orders -----------------------------------------------------------------------------------------------


def test_philox_has_its_published_bits() -> None:
    """The known answers that come with Random123."""
    zeros = shuffle.philox(np.zeros(1, dtype=np.uint64), 0, 0, 0, 0)
    assert [int(word[0]) for word in zeros] == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    ones = shuffle.philox(np.array([2**32 - 1], dtype=np.uint64), *[2**32 - 1] * 3, 2**64 - 1)
    assert [int(word[0]) for word in ones] == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]


def test_orders_are_uniform() -> None:
    counts = Counter(tuple(shuffle.permutation(3, 0, r, 4, 7).tolist()) for r in range(6000))
    assert len(counts) == 6
    assert max(abs(count - 1000) for count in counts.values()) < 6 * 29  # six standard deviations
    assert sorted(shuffle.permutation(1001, 1, 2, 3, 2**64 - 1).tolist()) == list(range(1001))


@pytest.mark.parametrize("size", [0, 1, 2, 7, 32])
def test_orders_of_many_replicates_are_those_of_each(size: int) -> None:
    replicates = np.array([5, 0, 2**32 - 1], dtype=np.uint64)
    for numbers in (replicates, replicates[:0]):
        found = shuffle.permutations(size, 1, numbers, 3, 9)
        assert found.shape == (len(numbers), size)
        for row, replicate in zip(found, numbers, strict=True):
            assert row.tolist() == shuffle.permutation(size, 1, int(replicate), 3, 9).tolist()
            assert sorted(row.tolist()) == list(range(size))
    assert size < 7 or len(set(map(tuple, shuffle.permutations(size, 1, replicates, 3, 9)))) == 3


# --- Padding -----------------------------------------------------------------------------------------------------


def test_padding_and_its_inverses() -> None:
    text = padding.pad(np.arange(1, 8, dtype=np.int32), 3)
    assert text.tolist() == [0, 1, 2, 3, 0, 4, 5, 6, 0, 7, 0]
    assert padding.size(text) == 7
    assert [x.tolist() for x in padding.runs(text)] == [[1, 5, 9], [3, 3, 1]]
    assert padding.take(text, np.array([2, 0, 1]), 5).tolist() == [0, 7, 0, 1, 2, 3, 0, 4, 0]
    assert padding.take(text, np.array([1, 0, 2]), 3).tolist() == [0, 4, 5, 6, 0]
    assert padding.take(text, np.array([1, 0, 2]), 0).tolist() == [0]
    assert padding.head(text, 4).tolist() == [0, 1, 2, 3, 0, 4, 0]
    assert padding.head(text, 3).tolist() == [0, 1, 2, 3, 0]
    assert padding.head(text, 0).tolist() == [0]
    assert padding.head(text, 7).tolist() == text.tolist()
    assert padding.join([text, padding.EMPTY, text]).tolist() == [*text.tolist(), *text.tolist()[1:]]


# --- Parting -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(tmp_path_factory.mktemp("text") / "text.txt", TEXT.encode())


@pytest.mark.parametrize("unit", units.UNITS)
def test_the_parts_are_the_documents(path: str, unit: str) -> None:
    source = Text(path, unit=unit, held_out=0.3, document_length=7)
    parted = source.human(5)
    symbols = units.UNITS[unit].encode(TEXT)
    held = padding.size(parted.held_out)
    assert padding.size(parted.training) == parted.size == parted.counts.sum()
    assert parted.size + held == len(symbols)
    assert 0.3 <= held / len(symbols) < 0.4
    assert source.resolve_sample_size(5) == parted.size
    _, lengths = padding.runs(parted.training)
    assert np.all(lengths[:-1] == 7)
    training = parted.decode(parted.training)
    pieces = [document for document in source.corpus().documents if parted_text(document, unit) in training]
    assert training == parted_text("".join(pieces), unit)
    assert len(parted.rare) == held


def parted_text(text: str, unit: str) -> str:
    return " ".join(re.findall(r"\w+", text)) if unit == "words" else text


def test_one_large_document_does_not_swell_the_held_out_part(tmp_path: Path) -> None:
    documents = ["word " * 10 + "\n\n"] * 30 + ["word " * 200 + "\n\n"]
    source = Text(write(tmp_path / "a", "".join(documents).encode()))
    total = len("".join(documents))
    held = {total - source.resolve_sample_size(seed) for seed in range(30)}
    assert 0.1 * total <= min(held) <= max(held) <= 0.15 * total
    two = human.part(
        reading.Corpus("two", "", ("a b" * 50, "c d" * 60)),
        unit="chars", lowercase=False, held_out=0.1, rare_share=0.5, document_length=9, seed=1,
    )  # fmt: skip
    assert padding.size(two.held_out) == 150


def test_the_seed_parts_the_text(path: str) -> None:
    source = Text(path)
    assert source.human(1) is source.human(1)
    texts = {source.human(seed).decode(source.human(seed).held_out) for seed in range(4)}
    assert len(texts) == 4


def test_symbols_the_training_part_lacks_are_unknown(tmp_path: Path) -> None:
    documents = [f"document {chr(945 + i)} of many\n\n" for i in range(20)]
    parted = Text(write(tmp_path / "a", "".join(documents).encode())).human(3)
    assert parted.held_out.max() == parted.alphabet + 1
    assert parted.training.max() == parted.alphabet
    assert parted.values.tolist() == sorted(set(map(ord, parted.decode(parted.training))))


def test_rare_words_are_the_rarest_of_the_training_part() -> None:
    tokens = Counter({"a": 10, "d": 1, "c": 1, "b": 2, "e": 6})
    assert human.rare_words(tokens, 0.05) == {"c"}
    assert human.rare_words(tokens, 0.10) == {"c", "d"}
    assert human.rare_words(tokens, 0.20) == {"c", "d", "b"}
    assert human.rare_words(tokens, 0.99) == {"c", "d", "b", "e"}


@pytest.mark.parametrize(("unit", "inside"), [("chars", "0111001110"), ("bytes", "01111001110"), ("words", "11")])
def test_rare_symbols_lie_inside_rare_words(unit: str, inside: str) -> None:
    text = "/näh-/cat."  # 1, 1 2 1, 1, 1, 1 1 1, 1 bytes
    mask = units.UNITS[unit].inside(text, units.letters(text), {"näh", "cat"})
    assert "".join(str(int(x)) for x in mask) == inside


def test_words_are_runs_of_letters() -> None:
    text = "Don't, naïve x2 über_all"
    pattern = units.letters(text)
    assert pattern.findall(text) == ["Don", "t", "naïve", "x", "über", "all"]
    assert units.Words.words(text, pattern) == ["Don", "t", "naïve"]
    assert units.letters("12 3").findall("ab") == []


def test_lower_case(path: str) -> None:
    assert "P" not in Text(path, lowercase=True).human(0).decode(Text(path, lowercase=True).human(0).training)


def test_a_text_too_short_to_part_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="too short to hold a part of it out"):
        Text(write(tmp_path / "a", b"x")).human(0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"unit": "char"}, "did you mean 'chars'"),
        ({"held_out": 0.0}, r"held_out must lie in \(0, 1\), got 0.0"),
        ({"held_out": 1.0}, "held_out must lie"),
        ({"held_out": float("nan")}, "held_out must lie"),
        ({"rare_share": 1.5}, r"rare_share must lie in \(0, 1\), got 1.5"),
        ({"document_length": 0}, "document_length must be at least 1 symbol, got 0"),
    ],
)
def test_cards_are_checked(fields: dict, message: str) -> None:
    with pytest.raises(CardError, match=message):
        Text(**fields)


def test_provenance_names_the_text_without_its_directory(path: str) -> None:
    assert Text(path).provenance() == {
        "corpus": "text.txt",
        "corpus_sha256": hashlib.sha256(TEXT.encode()).hexdigest(),
    }


# --- Pieces of byte-pair encoding ------------------------------------------------------------------------------------


def test_pieces_join_up_to_the_text_and_are_learned_alike() -> None:
    pytest.importorskip("tokenizers", reason='unit "bpe" needs: pip install "lightcollapse[tokenizers]"')
    texts = [TEXT, "the cat sat on the mat\n" * 9, "näh, näh"]
    first, again = (units.cutter("bpe", texts, 300) for _ in range(2))
    for text in (*texts, "words that were never seen: Žluťoučký"):
        symbols = first.encode(text)
        assert list(symbols) == list(again.encode(text))
        assert first.decode(symbols) == text and len(symbols) <= len(text.encode())
    assert len(first.encode(texts[1])) < len(texts[1]) / 2
    words = first.words(texts[1], units.letters(texts[1]))
    assert "Ġthe" in words and not any("\n" in first.decode(np.array([word], dtype=object)) for word in words)
    assert first.inside("the cat, the mat", units.letters("the"), {"Ġthe"}).sum() == 1


def test_a_family_runs_on_pieces(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers", reason='unit "bpe" needs: pip install "lightcollapse[tokenizers]"')
    source = Text(str(Path(__file__).parent / "data/tiny.txt"), unit="bpe", pieces=300, document_length=32)
    human = source.human(1)
    assert human.alphabet <= 300 and human.rare.any()
    record = run(Scenario(source, NGram(2), sample_size=400, generations=2), 1, 2)
    assert not any(np.isnan(values).any() for values in record.metrics.values()) and len(record.excerpts) == 3
    assert Scenario.from_toml(record.scenario.to_toml()) == record.scenario


def test_pieces_need_their_package_and_their_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtra, match=r'pip install "lightcollapse\[tokenizers\]"'):
        units.cutter("bpe", ["a"], 300)
    for fields, said in (({"pieces": 300}, 'pieces belong to unit "bpe"'), ({"unit": "bpe", "pieces": 9}, "256")):
        with pytest.raises(CardError, match=said):
            Text(**fields)  # type: ignore[arg-type]
