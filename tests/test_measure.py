"""Measuring generations of text: counts against a Counter, estimators against brute force, readers on bad input."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import lzma
import math
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import lightcollapse as lc
from lightcollapse import corpus, native
from lightcollapse.cli import main
from lightcollapse.cli.measure import cell
from lightcollapse.errors import CardError, DataError, LimitError, MissingExtra
from lightcollapse.glossary import MEASURED
from lightcollapse.kernels import packing
from lightcollapse.kernels import words as kernel_words
from lightcollapse.kernels.ngram import Model
from lightcollapse.predictions import divergence, estimators
from lightcollapse.text import blocks, counting, entries, estimates, inputs, judging, reading, saving, texts
from lightcollapse.text.measuring import measured
from lightcollapse.text.tables import LONGEST
from lightcollapse.text.tokens import Words, _wordlike, tokens

Documents = list[list[int]]
Float = NDArray[np.float64]


def made(generations: Sequence[Documents], order: int = 3, chunk: int = texts.CHUNK) -> texts.Texts:
    """Texts of documents of numbered words; symbols are numbered by first sight."""
    gatherer = texts.Gatherer(Words(), order, 0, chunk)
    for name, documents in enumerate(generations):
        for document in documents:
            gatherer.add(name, " ".join(map(str, document)))
    gatherer.finish()
    return gatherer.close(range(len(generations)), [])


def padded(documents: Documents, order: int) -> tuple[NDArray[np.int32], int]:
    """Documents as the kernels take them, and the largest symbol."""
    flat = [0]
    for document in documents:
        flat += [*document, 0]
    return np.array(flat + [0] * order, dtype=np.int32), max(map(max, documents))


def drawn(law: Float, documents: int, length: int, generator: np.random.Generator) -> Documents:
    """Documents of independent symbols 1, 2, ..."""
    found: Documents = (generator.choice(len(law), size=(documents, length), p=law) + 1).tolist()
    return found


def zipf(size: int) -> Float:
    law = 1.0 / np.arange(1, size + 1)
    return np.asarray(law / law.sum())


def ngrams(documents: Documents, n: int) -> Counter[tuple[int, ...]]:
    return Counter(tuple(d[i : i + n]) for d in documents for i in range(len(d) - n + 1))


def frequencies(counts: counting.Counts, row: int, lane: int) -> dict[int, int]:
    """Number of types by count."""
    found = Counter({c: int(k) for c, k in enumerate(counts.types[row, :, lane]) if c and k})
    found.update(int(c) for c in counts.frequent[:, row, lane] if c)
    return dict(found)


# --- Counting ----------------------------------------------------------------------------------------------------


@given(st.lists(st.lists(st.integers(1, 60), min_size=1, max_size=12), min_size=1, max_size=14), st.integers(9, 64))
@settings(max_examples=60)
def test_places_sort_as_their_symbols_do(documents: Documents, key_bits: int) -> None:
    text, alphabet = padded(documents, 4)
    places, bounds = packing.cut_parts(text, 7)
    assert sorted(places.tolist()) == np.flatnonzero(text).tolist()
    for begin, end in itertools.pairwise(bounds.tolist()):
        part = places[begin:end]
        if not len(part):
            continue
        shared = packing.sort_places(text, part, 4, alphabet, max(key_bits, 8))
        keys = []
        for place in part:
            key = text[place : place + 4].tolist()
            gap = key.index(0) if 0 in key else 4
            keys.append(tuple(key[:gap] + [0] * (4 - gap)))
        assert keys == sorted(keys)
        for j in range(1, len(keys)):
            same = next((k for k in range(4) if keys[j][k] != keys[j - 1][k]), 4)
            assert shared[j] == same


def dealt(documents: Documents, generation: int) -> list[int]:
    """The block of each document."""
    return blocks.deal(0, len(documents), generation, 0).tolist()


@given(
    st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=7), min_size=10, max_size=12),
    st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=7), min_size=10, max_size=12),
    st.sampled_from([texts.CHUNK, 17]),
    st.sampled_from([64, 0]),
)
@settings(max_examples=8)
def test_counts_are_those_of_a_counter_in_every_lane(
    human: Documents, other: Documents, chunk: int, owners: int
) -> None:
    held = counting.LIMIT, counting._MOST_OWNERS
    try:
        counting.LIMIT, counting._MOST_OWNERS = 5, owners * 1024  # so that frequent n-grams are met too
        text = made([human, other], chunk=chunk)
        include = blocks.halves(text.documents, 20, 3)
        counts = [counting.count(text, n, include, n < 3) for n in (1, 2, 3)]
    finally:
        counting.LIMIT, counting._MOST_OWNERS = held
    split = [human, other]
    owner = [dealt(human, 0), [64 + block for block in dealt(other, 1)]]
    for each, lane, g in itertools.product(counts, (0, 7), (0, 1)):
        chosen = [d for d, o in zip(split[g], owner[g], strict=True) if include[o, lane]]
        truth = ngrams(chosen, each.order)
        assert frequencies(each, g, lane) == dict(Counter(truth.values()))
        assert each.sizes[g, lane] == truth.total()
    first_half = [d for d, o in zip(human, owner[0], strict=True) if o % 2 == 0]
    for each in counts:
        first = ngrams(first_half, each.order)
        rare = {gram for gram, count in first.items() if count <= each.cut}
        held_by_rare = sum(first[gram] for gram in rare)
        assert each.rare == len(rare) and (each.cut == 1 or held_by_rare <= 0.05 * first.total())
        found = Counter(ngrams(other, each.order)[gram] for gram in rare)
        rows = (each.frequent_half >= 1) & (each.frequent_half <= each.cut)
        kept = Counter({c: int(k) for c, k in enumerate(each.survivors[1, :, 0]) if c and k})
        kept.update(int(c) for c in each.frequent[rows, 1, 0] if c)
        assert kept == Counter({c: k for c, k in found.items() if c})
        again = np.zeros(128, dtype=np.int64)
        for d, o in zip(human + other, owner[0] + owner[1], strict=True):
            again[o] += sum(c - 1 for c in ngrams([d], each.order).values())
        assert np.array_equal(text.repeated[each.order - 1], again)


def test_rare_symbols_of_the_judged_text_are_marked() -> None:
    learned, judged = [[1, 2, 3, 1, 2], [1, 2, 1]], [[1, 2, 3], [3, 1, 2, 3, 4]]
    a, b = padded(learned, 0)[0], padded(judged, 0)[0]
    rare = {gram for gram, count in ngrams(learned, 2).items() if count == 1}
    wanted = [j > 0 and tuple(d[j - 1 : j + 1]) in rare for d in judged for j in range(len(d))]
    assert judging._rare(a, b, 2, 4).tolist() == wanted and any(wanted)


def test_halves_are_halves_and_have_the_variance_of_a_mean() -> None:
    generator = np.random.default_rng(1)
    documents = np.zeros((2, 64), dtype=np.int64)
    documents[0], documents[1, :41] = 5, 3
    include = blocks.halves(documents, 400, 7)
    sizes = counting.lane_sums((documents > 0).reshape(-1), include)
    assert np.all(sizes[0, 1:] == 32) and set(sizes[1, 1:]) == {20.0, 21.0} and sizes[:2, 0].tolist() == [64, 41]
    assert np.all(sizes[2, 1:] == 16) and np.all(sizes[3, 1:] == 32)
    values = generator.normal(size=128)
    means = (counting.lane_sums(values, include)[0] / sizes[0])[1:]
    first, second = values[:64:2], values[1:64:2]
    wanted = (first.var(ddof=1) / 32 + second.var(ddof=1) / 32) / 4
    assert means.var() == pytest.approx(wanted, rel=0.35)
    assert np.array_equal(include, blocks.halves(documents, 400, 7))
    assert not np.array_equal(include, blocks.halves(documents, 400, 8))


@given(st.integers(0, 300), st.integers(1, 300), st.integers(0, 5))
@settings(max_examples=30)
def test_documents_are_dealt_evenly_and_alike_in_any_batches(first: int, count: int, generation: int) -> None:
    whole = blocks.deal(0, first + count, generation, 3)
    assert np.array_equal(blocks.deal(first, count, generation, 3), whole[first:])
    sizes = np.bincount(whole, minlength=64)
    assert sizes.max() - sizes.min() <= 1
    assert abs(int(np.sum(whole % 2 == 0)) - int(np.sum(whole % 2))) <= 1


def test_numbers_do_not_depend_on_the_parts_or_on_the_disk() -> None:
    """Text in memory, and the same as sorted runs on disk that are cut in ranges."""
    generator = np.random.default_rng(4)
    generations = [drawn(zipf(300), 300, 40, generator), drawn(zipf(300), 300, 40, generator)]
    held = entries.PART, entries._SAMPLED, entries.Runs.merged.__kwdefaults__["largest"], texts._BATCH
    one = made(generations)
    try:
        entries._SAMPLED, entries.Runs.merged.__kwdefaults__["largest"], texts._BATCH = 8, 500, 500
        many = made(generations, chunk=5000)
    finally:
        entries.PART, entries._SAMPLED, entries.Runs.merged.__kwdefaults__["largest"], texts._BATCH = held
    assert many.entries.singles is not None and len(many.entries.parts) > 10 and one.entries.singles is None
    assert np.array_equal(one.repeated, many.repeated) and np.array_equal(one.documents, many.documents)
    include = blocks.halves(one.documents, 30, 0)
    for n in (1, 2, 3):
        a, b = counting.count(one, n, include, n < 3), counting.count(many, n, include, n < 3)
        for name in ("types", "met", "joint", "survivors", "bands", "sizes"):
            assert np.array_equal(getattr(a, name), getattr(b, name)), (n, name)
        assert np.allclose(a.near, b.near, rtol=1e-12) and (a.cut, a.rare) == (b.cut, b.rare)
        assert sorted(map(bytes, a.frequent)) == sorted(map(bytes, b.frequent))
    first, second = (measured(text, CHOICES) for text in (one, many))
    assert same(first, second)


CHOICES = {"unit": "words", "order": 3, "bootstrap": 20, "entropy": "chao-wang-jost", "errors": "strict", "seed": 0,
           "rare_order": 1}  # fmt: skip


def test_a_sample_of_documents_is_the_same_in_any_batches() -> None:
    lengths = np.array([3, 1, 4, 1, 5, 9, 2, 6], dtype=np.int64)
    symbols = np.concatenate([np.append(np.full(n, i + 1), 0) for i, n in enumerate(lengths)]).astype(np.int32)
    order = blocks.priorities(0, 8, 1, 5)
    whole, parts = texts.Sample(7), texts.Sample(7)
    whole.add(symbols, lengths, np.arange(8), order)
    ends = np.cumsum(lengths + 1)
    for i in range(8):
        piece = symbols[ends[i] - lengths[i] - 1 : ends[i]]
        parts.add(piece, lengths[i : i + 1], np.arange(i, i + 1), order[i : i + 1])
    whole.settle()
    parts.settle()
    assert np.array_equal(whole.symbols, parts.symbols) and np.array_equal(whole.blocks, parts.blocks)
    wanted = np.argsort(order)
    assert np.array_equal(whole.blocks, wanted[: len(whole.blocks)])
    assert lengths[whole.blocks].sum() >= 7 > lengths[whole.blocks[:-1]].sum()


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled")
@pytest.mark.skipif(not native._possible(), reason="machine code is loaded without numba on Linux, x86-64 alone")
def test_texts_are_measured_without_numba_once_kernels_are_kept() -> None:
    plain("0.jsonl", 0)
    plain("1.jsonl", 1)
    script = (
        "import sys; from lightcollapse.cli import main;"
        "code = main(['measure', '0.jsonl', '1.jsonl', '--bootstrap', '20']);"
        "sys.exit(code or 7 * ('numba' in sys.modules or 'scipy.stats' in sys.modules))"
    )
    codes = [subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode
             for _ in range(2)]  # fmt: skip
    assert codes[1] == 0


def test_kernels_are_compiled_once() -> None:
    generator = np.random.default_rng(5)
    for size, order, chunk in ((40, 1, 300), (70_000, 3, texts.CHUNK), (300, 2, 300)):
        text = made([drawn(np.full(size, 1 / size), 12, 30, generator)] * 2, order, chunk)
        measured(text, CHOICES | {"order": order})
    for module, names in ((packing, KERNELS), (kernel_words, ("number_words", "fill_slots"))):
        for name in names:
            assert len(getattr(getattr(module, name), "signatures", [0])) <= 1, name


KERNELS = ("pack_places", "deal", "describe", "repeats", "aggregate", "copy_rows", "fresh_symbols", "spread_symbols",
           "survey", "fill_table", "mark_rare", "tally", "tally_few")  # fmt: skip


@given(st.lists(st.text(alphabet="ab_é\u4e00\U0001d54f ?\u0301\n", max_size=9), max_size=6))
@settings(max_examples=60)
def test_words_are_those_of_a_regular_expression(documents: list[str]) -> None:
    cut = Words()
    numbers: dict[str, int] = {}
    for _ in range(2):
        found = cut.encode(documents).tolist()
        wanted = []
        for document in documents:
            wanted += [numbers.setdefault(word, len(numbers) + 1) for word in re.findall(r"\w+", document)] + [0]
        assert found == wanted and cut.alphabet == len(numbers)
    raw, starts = cut.names()
    assert [bytes(raw[a:b]).decode() for a, b in itertools.pairwise(starts)] == list(numbers)


def test_tables_of_words_grow_and_take_what_unicode_takes() -> None:
    cut = Words()
    many = [f"w{i}" for i in range(30_000)]
    assert cut.encode([" ".join(many)])[:-1].tolist() == list(range(1, 30_001))
    assert cut.encode([" ".join(many)])[:-1].tolist() == list(range(1, 30_001))
    points = [chr(p) for p in range(1, 0x110000) if not 0xD800 <= p < 0xE000]
    assert cut.encode(["".join(points)]).size - 1 == len(re.findall(r"\w+", "".join(points)))


# --- Estimators --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_texts() -> tuple[counting.Counts, Counter[Any], Counter[Any]]:
    generator = np.random.default_rng(2)
    human, other = drawn(zipf(40), 20, 30, generator), drawn(zipf(60), 20, 45, generator)
    text = made([human, other])
    include = blocks.halves(text.documents, 20, 0)
    return counting.count(text, 2, include, True), ngrams(human, 2), ngrams(other, 2)


def test_estimators_are_those_of_the_catalogue(two_texts: Any) -> None:
    counts, human, other = two_texts
    for row, truth in ((0, human), (1, other)):
        seen = estimates.Frequencies(counts, row)
        values = np.array(list(truth.values()))
        for name, function in (
            ("chao-wang-jost", estimators.chao_wang_jost),
            ("grassberger", estimators.grassberger),
            ("miller-madow", estimators.miller_madow),
            ("plug-in", estimators.plug_in),
        ):
            assert seen.entropy(name)[0] == pytest.approx(function(values), rel=1e-12)
        assert seen.heterozygosity()[0] == pytest.approx(estimators.heterozygosity(values), rel=1e-12)
        assert seen.chao1()[0] == pytest.approx(estimators.chao1(values), rel=1e-12)
        assert seen.missing_mass()[0] == estimators.good_turing(values)
        assert seen.support()[0] == len(truth)
        assert seen.distinct(100)[0] == pytest.approx(estimators.rarefaction(values, 100), rel=1e-10)


@given(st.integers(0, 12), st.integers(1, 12), st.integers(1, 12))
def test_the_truncated_series_has_its_closed_form(count: int, n: int, level: int) -> None:
    if count > n or level > n:
        return
    exact = sum(Fraction(math.comb(n - count, v), v * math.comb(n, v)) for v in range(1, level + 1))
    found = estimates.surprise(np.array([[float(count)]]), np.array([float(n)]), float(level))
    assert found[0, 0] == pytest.approx(float(exact), rel=1e-12, abs=1e-12)


def test_divergence_has_no_bias_at_its_level() -> None:
    """All samples of 4 and 5 points of two laws on three symbols, with their chances."""
    p, q, n, m, level = np.array([0.6, 0.3, 0.1]), np.array([0.2, 0.3, 0.5]), 4, 5, 3

    def samples(law: Float, size: int) -> list[tuple[Float, float]]:
        out: list[tuple[Float, float]] = []
        for counts in itertools.product(range(size + 1), repeat=3):
            if sum(counts) == size:
                ways = math.factorial(size) / math.prod(map(math.factorial, counts))
                out.append((np.array(counts, dtype=float), ways * float(np.prod(law ** np.array(counts)))))
        return out

    def series(law: np.ndarray) -> Float:
        return np.asarray(sum((1 - law) ** v / v for v in range(1, level + 1)))

    for one, other in ((p, q), (q, p), (p, p)):
        mean = 0.0
        for x, chance in samples(one, n):
            own = estimates.surprise(np.maximum(x - 1, 0)[:, None], np.array([n - 1.0]), level)[:, 0]
            for y, weight in samples(other, m):
                cross = estimates.surprise(y[:, None], np.array([float(m)]), level)[:, 0]
                mean += chance * weight * float(x @ (cross - own)) / n
        assert mean == pytest.approx(float(one @ (series(other) - series(one))), abs=1e-12)


def test_divergences_are_what_their_formula_says(two_texts: Any) -> None:
    counts, human, other = two_texts
    level = 300
    grams = sorted(set(human) | set(other))
    x, y = (np.array([float(c[gram]) for gram in grams]) for c in (human, other))
    for reverse, a, b in ((False, x, y), (True, y, x)):
        n, m = a.sum(), b.sum()
        own = estimates.surprise(np.maximum(a - 1, 0)[:, None], np.array([n - 1]), level)[:, 0]
        cross = estimates.surprise(b[:, None], np.array([m]), level)[:, 0]
        found = estimates.divergence(counts, 0, reverse, level)[0]
        assert found == pytest.approx(float(a @ (cross - own)) / n)
        assert found == pytest.approx(divergence.divergence_estimate(a, b, level), rel=1e-9)
    p, q = x / x.sum(), y / y.sum()
    both = (p > 0) & (q > 0)
    mean = (p + q) / 2
    plain = 0.5 * (
        np.sum(p[p > 0] * np.log(p[p > 0] / mean[p > 0])) + np.sum(q[q > 0] * np.log(q[q > 0] / mean[q > 0]))
    )
    bias = 0.25 * np.sum((((1 - p) * q / x.sum() + (1 - q) * p / y.sum()) / (p + q + (p + q == 0)))[both])
    assert estimates.jensen_shannon(counts, 0)[0] == pytest.approx(plain - bias, rel=1e-10)


def test_intervals_cover() -> None:
    """Of 40 texts of a known law at least 30 intervals hold the truth: fewer has a chance below 1e-5 at 95 %."""
    law = zipf(50)
    held = Counter[str]()
    choices = {"unit": "words", "order": 1, "bootstrap": 60, "entropy": "chao-wang-jost", "errors": "strict",
               "rare_order": 1}  # fmt: skip
    for run in range(40):
        generator = np.random.default_rng(run)
        found = measured(made([drawn(law, 40, 25, generator), drawn(law, 40, 25, generator)]), choices | {"seed": run})
        points = found.recipe["levels"][0]["points"]
        truth = {
            "distinct_1": estimators.distinct_mean(law, points),
            "entropy_1": -float(law @ np.log(law)),
            "heterozygosity_1": estimators.heterozygosity_mean(law),
        }
        for metric, value in truth.items():
            row = found[metric, 1]
            assert row.ci_low is not None and row.ci_high is not None and row.change_low is not None
            held[metric] += row.ci_low <= value <= row.ci_high
            held[f"{metric} change"] += row.change_low <= 0.0 <= (row.change_high or 0.0)
        kl = found["kl_source_model_1", 1]
        held["kl"] += kl.ci_low is not None and kl.ci_low <= 0.0 <= (kl.ci_high or 0.0)
    assert min(held.values()) >= 30, held


def test_intervals_allow_for_what_another_text_would_lack() -> None:
    """Where every n-gram was seen, halves of the documents know of none that is not: Poisson's interval of 0 does."""
    choices = {"unit": "words", "order": 1, "bootstrap": 20, "entropy": "chao-wang-jost", "errors": "strict",
               "rare_order": 1, "seed": 0}  # fmt: skip
    generator = np.random.default_rng(0)
    law = np.full(20, 1 / 20)
    found = measured(made([drawn(law, 40, 25, generator), drawn(law, 40, 25, generator)]), choices)
    mass, support = found["missing_mass_1", 1], found["support_1", 1]
    assert mass.value == 0.0 and mass.ci_high == pytest.approx(-np.log(0.025) / 1000)
    assert support.value == 20 and support.ci_low == pytest.approx(20 + np.log(0.025)) and support.ci_high == 20
    wide = found["entropy_1", 1]
    assert wide.ci_low is not None and wide.ci_low < wide.value < (wide.ci_high or 0.0)  # type: ignore[operator]


def test_types_of_texts_vary_as_their_halves_say() -> None:
    """Where many types are rare, halves of a text vary less in their types than texts do; where none is, no factor."""
    generator, law, n = np.random.default_rng(1), zipf(2000), 10_000
    texts = [generator.multinomial(n, law) for _ in range(200)]
    wanted = np.var([np.count_nonzero(text) for text in texts], ddof=1)
    held = generator.multivariate_hypergeometric(texts[0], n // 2, size=400, method="count")
    halves = np.var(np.count_nonzero(held, axis=1), ddof=1)

    def restlessness(text: NDArray[np.int64]) -> float:
        types = np.bincount(text[text < counting.LIMIT], minlength=counting.LIMIT)[:, None]
        frequent = text[text >= counting.LIMIT][:, None, None]
        counts = SimpleNamespace(sizes=np.array([[n]]), types=types[None], frequent=frequent)
        return estimates.Frequencies(counts, 0).restlessness()  # type: ignore[arg-type]

    assert halves < 0.8 * wanted
    assert restlessness(texts[0]) ** 2 * halves == pytest.approx(wanted, rel=0.25)
    assert restlessness(generator.multinomial(n, np.full(50, 0.02))) == 1.0


def test_a_divergence_says_that_it_is_cut_where_much_is_unseen() -> None:
    choices = {"unit": "words", "order": 1, "bootstrap": 20, "entropy": "chao-wang-jost", "errors": "strict",
               "rare_order": 1, "seed": 0}  # fmt: skip
    generator = np.random.default_rng(0)
    found = measured(made([drawn(zipf(2000), 40, 25, generator) for _ in range(2)]), choices)
    row = found["kl_source_model_1", 1]
    assert "not the whole of KL" in row.note and not row.doubtful
    found = measured(made([drawn(zipf(10), 40, 25, generator) for _ in range(2)]), choices)
    assert found["kl_source_model_1", 1].note == ""


# --- Collapse, and none ------------------------------------------------------------------------------------------


def test_a_recursion_collapses_and_human_text_does_not() -> None:
    generator = np.random.default_rng(9)
    law = zipf(400)
    steps = generator.permutation(400)

    def human() -> Documents:
        return [[int(s) for s in steps[np.array(d) - 1] + 1] for d in drawn(law, 100, 50, generator)]

    baseline, again, learned = human(), human(), human()  # models learn from other text than they are held against
    generations = [baseline, again]
    for t in range(2, 11):
        flat = np.zeros(51 * 100 + 1, dtype=np.int32)
        for i, document in enumerate(learned):
            flat[51 * i + 1 : 51 * i + 51] = document
        written = Model(flat, 2, 400, "ml", closed=True).write(5000, 50, t, 0, 1)
        learned = written[:-1].reshape(100, 51)[:, 1:].tolist()
        generations.append(learned)
    choices = {"unit": "words", "order": 2, "bootstrap": 60, "entropy": "chao-wang-jost", "errors": "strict",
               "seed": 0, "rare_order": 1}  # fmt: skip
    found = measured(made(generations), choices)
    for metric in ("distinct_1", "distinct_2", "entropy_1", "rare_retention_1"):
        last, fresh = found[metric, 10], found[metric, 1]
        assert last.change_high is not None and last.change_high < 0, metric
        assert fresh.change_low is not None and fresh.change_low <= 0 <= (fresh.change_high or 0), metric
    floor, same = found["kl_source_model_1", 0], found["kl_source_model_1", 1]
    assert floor.ci_high is not None and "noise floor" in floor.note
    lost = [found["kl_source_model_1", t].value or 0.0 for t in (2, 5, 10)]
    assert lost == sorted(lost) and lost[-1] > 5 * floor.ci_high
    assert same.ci_low is not None and same.ci_low <= floor.ci_high
    last, fresh = found["rare_perplexity", 10], found["rare_perplexity", 1]
    assert last.value is not None and last.value > (fresh.ci_high or math.inf)
    small = measured(made([generations[0], generations[1][:3] * 4]), choices)
    assert "at its own size" in small["support_1", 1].note


def test_sharpening_shrinks_rare_words_and_drift_does_not() -> None:
    """Drawing anew keeps the mean of every probability; a low temperature takes from the rare and gives to the rest."""
    generator = np.random.default_rng(6)
    law = zipf(300)
    sharp = law**1.5 / np.sum(law**1.5)
    drifted = generator.multinomial(6000, law) / 6000
    choices = {"unit": "words", "order": 1, "bootstrap": 60, "entropy": "chao-wang-jost", "errors": "strict",
               "seed": 0, "rare_order": 1}  # fmt: skip
    texts_of = [drawn(one, 100, 60, generator) for one in (law, sharp, drifted)]
    found = measured(made(texts_of), choices)
    shrunk, kept = found["shrinkage_4-7", 1], found["shrinkage_4-7", 2]
    assert shrunk.ci_high is not None and shrunk.ci_high < 0.7
    assert kept.ci_low is not None and kept.ci_low < 1 < (kept.ci_high or 0)


def test_what_sizes_do_not_allow_is_refused_or_flagged() -> None:
    generator = np.random.default_rng(3)
    choices = {"unit": "words", "order": 3, "bootstrap": 20, "entropy": "plug-in", "errors": "strict", "seed": 0,
               "rare_order": 1}  # fmt: skip
    large, small = drawn(zipf(30), 60, 400, generator), drawn(zipf(30), 12, 3, generator)
    found = measured(made([large, small]), choices)
    row = found["distinct_1", 0]
    assert row.value is None and "sizes too unequal" in row.note
    assert found["kl_source_model_1", 1].value is None
    assert found["entropy_1", 0].value is not None
    single = measured(made([[[1], [2], [1], [3], [1], [2], [1], [3], [1], [2]]] * 2), choices)
    assert single["distinct_2", 1].value is None and "too few 2-grams" in single["distinct_2", 1].note
    wide = measured(made([drawn(np.full(5000, 1 / 5000), 20, 20, generator)] * 2), choices)
    assert "% of the law is unseen" in wide["entropy_1", 1].note
    assert any("its documents are the baseline's own" in warning for warning in wide.warnings)
    few = measured(made([drawn(zipf(9), 3, 200, generator), drawn(zipf(9), 20, 30, generator)]), choices)
    assert few["length", 0].value is None and any("cut into" in warning for warning in few.warnings)
    none = measured(made([large, large]), choices | {"bootstrap": 0})
    assert none["entropy_1", 1].ci_low is None and none["kl_source_model_1", 1].value is not None
    assert none["kl_source_model_1", 0].value is None


@given(
    st.lists(
        st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=4), min_size=1, max_size=12), min_size=1, max_size=3
    )
)
@settings(max_examples=60)
def test_little_text_is_measured_or_refused(generations: list[Documents]) -> None:
    choices = {"unit": "words", "order": 3, "bootstrap": 20, "entropy": "chao-wang-jost", "errors": "strict", "seed": 0,
               "rare_order": 1}  # fmt: skip
    try:
        found = measured(made(generations), choices)
    except DataError as error:
        assert "too little to measure" in str(error) and sum(map(len, generations[0])) < 2
        return
    for row in found.rows:
        numbers = (row.value, row.ci_low, row.ci_high, row.change, row.change_low, row.change_high)
        assert all(number is None or math.isfinite(number) for number in numbers), row
        assert row.value is not None or row.note


# --- Reading -----------------------------------------------------------------------------------------------------


def words(seed: int, documents: int = 30, size: int = 60) -> list[str]:
    generator = np.random.default_rng(seed)
    return [" ".join(f"w{s}" for s in d) for d in drawn(zipf(size), documents, 20, generator)]


def jsonl(path: str, records: Sequence[dict[str, Any]]) -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("\n".join(map(json.dumps, records)) + "\n", encoding="utf-8")
    return path


def plain(path: str, seed: int) -> str:
    return jsonl(path, [{"text": text} for text in words(seed)])


def same(one: lc.text.Measurement, other: lc.text.Measurement) -> bool:
    """Whether all values agree but for the order of sums."""
    tables = [
        (
            [row.metric for row in found.rows],
            [[math.nan if x is None else x for x in (row.value, row.ci_low, row.ci_high)] for row in found.rows],
        )
        for found in (one, other)
    ]
    return tables[0][0] == tables[1][0] and np.allclose(tables[0][1], tables[1][1], rtol=1e-9, equal_nan=True)


def small(given: Any, **options: Any) -> lc.text.Measurement:
    return lc.measure(given, **({"order": 2, "bootstrap": 20} | options))


def test_every_way_to_give_generations_gives_the_same() -> None:
    files = [plain(f"f/g{t}.jsonl", t) for t in range(3)]
    wanted = small(files)
    assert wanted.generations == (0, 1, 2)
    records = [{"text": text, "generation": t, "source": "synthetic"} for t in (1, 0, 2) for text in words(t)]
    jsonl("all.jsonl", records)
    for t in range(3):
        Path(f"folders/gen{t + 9}").mkdir(parents=True)
        plain(f"folders/gen{t + 9}/part1.jsonl", t)
        Path(f"g{t}.txt").write_text("\n\n".join(words(t)) + "\n", encoding="utf-8")
        Path(f"g{t}.txt.gz").write_bytes(gzip.compress(Path(f"g{t}.txt").read_bytes()))
        Path(f"g{t}.xz").write_bytes(lzma.compress(Path(f"g{t}.txt").read_bytes().replace(b"\n", b"\r\n")))
    for paths, options in (
        (dict(enumerate(files)), {}),
        (files[1:], {"baseline": files[0]}),
        (files[::-1], {"generation_from_filename": r"g(\d)"}),
        ("all.jsonl", {}),
        (["all.jsonl"], {"by": "generation"}),
        ("folders", {}),
        ([f"folders/gen{t}" for t in (9, 10, 11)], {}),
        (["g0.txt", "g1.txt.gz", "g2.xz"], {}),
        ({0: ["g0.txt"], 1: [Path("g1.txt")], 2: "g2.txt"}, {}),
    ):
        assert same(small(paths, **options), wanted), (paths, options)
    called = {0: "human", 1: "synthetic", 2: "mixed"}
    sources = [{"text": text, "source": called[t], "generation": t} for t in (1, 0, 2) for text in words(t)]
    by_source = small(jsonl("s.jsonl", sources), by="source")
    assert by_source.generations == ("human", "mixed", "synthetic")
    assert by_source["distinct_1", "synthetic"].value == wanted["distinct_1", 1].value
    other = [{"t": r["text"], "g": str(r["generation"])} for r in records]
    assert same(small(jsonl("o.jsonl", other), text_field="t", generation_field="g"), wanted)
    assert wanted.recipe["files"][0]["name"] == "g0.jsonl" and len(wanted.recipe["files"][0]["sha256"]) == 64


@pytest.mark.parametrize("unit", ["words", "chars", "bytes"])
def test_units(unit: str) -> None:
    for t in (0, 1):
        Path(f"{t}.txt").write_text("\n\n".join(f"näive {text}" for text in words(t)), encoding="utf-8")
    found = small(["0.txt", "1.txt"], unit=unit, order=4)
    sizes = {"words": 21, "chars": len("näive ") + 62, "bytes": len("näive ".encode()) + 62}
    assert found["length", 0].value == pytest.approx(sizes[unit], rel=0.1)
    assert found.recipe["rare_order"] == (1 if unit == "words" else 4)
    assert same(small(["0.txt", "1.txt"], unit=unit, order=4), found)


def test_words_are_those_of_python() -> None:
    found = _wordlike(0x110000)
    assert found.tolist() == [re.match(r"\w", chr(point)) is not None for point in range(0x110000)]


GOOD = b'{"text": "one two three"}\n'


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.txt", b"", "'a.txt' is empty: no text in it"),
        ("a.txt", b" \n\n \n", "'a.txt' is empty: no text in it"),
        ("a.jsonl", b"\n\n", "'a.jsonl' is empty: no text in it"),
        ("a.jsonl", b'{"text": ""}\n{"text": "?!"}\n', "generation 1 is empty: none of its 2 documents holds a symbol"),
        ("a.txt", b"one\ntwo \xff three", "'a.txt', line 2, byte 8: invalid UTF-8 (invalid start byte, 0xff)"),
        ("a.txt", b"\xef\xbb\xbfone\n\xe9", "line 2, byte 7: invalid UTF-8"),
        ("a.jsonl", GOOD + b'{"text": "tw\xffo"}', "line 2, byte 38: invalid UTF-8"),
        ("a.txt", "one".encode("utf-16"), "line 1, byte 0: this is UTF-16"),
        ("a.txt", b"one\ntw\x00o", "line 2, byte 6: a NUL character"),
        ("a.jsonl", b'{"text": "\\u0000"}', "line 1: a NUL character"),
        ("a.jsonl", GOOD + b'{"txt": "two"}', "line 2: each line must be a JSON object"),
        ("a.jsonl", GOOD + b'{"text": 3}', "line 2: each line must be a JSON object"),
        ("a.jsonl", GOOD + b'{"text": null}', "line 2: each line must be a JSON object"),
        ("a.jsonl", GOOD + b'{"text": "a", "x": NaN}', 'object {"text": "..."}: NaN is no number in JSON; write null'),
        ("a.jsonl", GOOD + b'{"text": "a", "x": [-Infinity]}', "line 2: each line must be a JSON object"),
        (
            "a.jsonl",
            GOOD + b'{"text": "a", "text": "b"}',
            'line 2: each line must be a JSON object {"text": "..."}: the ',
        ),
        ("a.jsonl", GOOD + b'{"text": "a", "te\\u0078t": "b"}', "the key 'text' comes twice"),
        ("a.jsonl", GOOD + b'{"text": "\\ud800"}', "half of a surrogate pair"),
        ("a.jsonl", GOOD + b'{"text": "\\ud83d\\ude00 \\udc00"}', "half of a surrogate pair"),
        ("a.txt", b"one \xed\xa0\x80", "line 1, byte 4: invalid UTF-8"),
        ("a.jsonl", GOOD + b'{"text": ' + b"[" * 100_000, "line 2: each line must be a JSON object"),
        ("a.jsonl", b'{"text": "a", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "it is nested too deeply"),
        ("a.txt", b"[" * 100_000 + b"]" * 100_000, "generation 1 is empty: none of its 1 documents holds a symbol"),
        ("a.json", b'[{"text": "one two"}, 3]', "item 2: each item must be a JSON object"),
        ("a.json", b'[{"text": "one two"}, {"txt": "three"}]', "or a string: Object missing required field `text`"),
        ("a.json", b'["one", "tw\xffo"]', "item 2, byte 11: invalid UTF-8"),
        ("a.json", b'["one", "tw\\u0000o"]', "item 2: a NUL character"),
        ("a.json", b'["one", {"text": "a", "te\\u0078t": "b"}]', "item 2: each item must be a JSON object"),
        ("a.json", b'["one", "two"', "begins like a JSON list and must be one"),
        ("a.json", b'["one"]\n["two"]', "begins like a JSON list and must be one"),
        ("a.json", b"[" * 100_000, "begins like a JSON list and must be one"),
        ("a.json", b"[]", "'a.json' is empty: no text in it"),
        ("a.json", b'{\n "text": "one two"\n}', "it ends here; in JSON lines, each record is one line"),
        ("a.jsonl", GOOD + b'{"text": "a", "source": "' + b"s" * 201 + b'"}', "line 2: a source must have at most 200"),
        ("a.txt", "one two".encode("utf-16-le"), "line 1, byte 1: a NUL character; text has none: is this UTF-16"),
        (
            "a.jsonl",
            b'{"text": "a", "generation": -1}',
            "line 1: a generation must be a whole number from 0 up, got -1",
        ),
        ("a.jsonl", b'{"text": "a", "generation": "one"}', "line 1: a generation must be a whole number"),
        ("a.jsonl", b'{"text": "a", "generation": 1.5}', "line 1: each line must be a JSON object"),
        (
            "a.jsonl",
            b'{"text": "a", "generation": 1}\n{"text": "a", "generation": 2}',
            "line 2: generation 2, but line 1 says 1; use --by generation",
        ),
        ("a.gz", b"\x1f\x8b\x08broken", "cannot decompress 'a.gz'"),
        ("a.gz", gzip.compress(b"one two " * 999, mtime=0)[:-20], "cannot decompress 'a.gz'"),
        ("a.xz", lzma.compress(b"one two " * 999)[:-30], "cannot decompress 'a.xz'"),
    ],
)
def test_bad_files_are_refused_with_their_place(
    name: str, data: bytes, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    human = plain("human.jsonl", 1)
    Path(name).write_bytes(data)
    assert main(["measure", human, name]) == 4
    out, err = capsys.readouterr()
    assert out == "" and message in err and err.startswith("error: ") and len(err.splitlines()) == 1


def test_broken_documents_are_mended_or_left_out_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    human = plain("human.jsonl", 1)
    good = "\n".join(json.dumps({"text": text}) for text in words(2)).encode()
    bad = [b'{"text": "\xff one"}', b'{"text": "\\u0000"}', b'{"text": 3}', b"nonsense", b'{"text": "a", "text": "b"}']
    Path("a.jsonl").write_bytes(good + b"\n" + b"\n".join(bad))
    Path("good.jsonl").write_bytes(good)
    skipped = small([human, "a.jsonl"], errors="skip")
    assert same(skipped, small([human, "good.jsonl"]))
    assert skipped.recipe["files"][1]["skipped"] == 5 and "a.jsonl: 5 documents left out" in skipped.warnings[0]
    Path("b.jsonl").write_bytes(good + b"\n" + b"\n".join(bad[:2]))
    mended = small([human, "b.jsonl"], errors="replace")
    assert mended.recipe["files"][1]["replaced"] == 2 and mended.recipe["generations"][1]["documents"] == 31
    with pytest.raises(DataError, match=r"line 33: .*comes twice|line 33"):
        small([human, "a.jsonl"], errors="replace")
    text = "\n\n".join(words(3)).encode()
    Path("c.txt").write_bytes(text + b"\n\nfirst line\n\xff\nlast line\n\nw1 w2\n")
    Path("d.txt").write_bytes(text + b"\n\nw1 w2")
    assert same(small([human, "c.txt"], errors="skip"), small([human, "d.txt"]))
    assert small([human, "c.txt"], errors="replace").recipe["files"][1]["documents"] == 32
    Path("e.txt").write_bytes(b"\xff\n\n\xfe")
    assert main(["measure", human, "e.txt", "--errors", "skip"]) == 4
    assert "2 documents were left out" in capsys.readouterr().err


def test_items_of_a_json_list_are_documents() -> None:
    """In one line or many, strings or objects: as in JSON lines, with generations, and with what is broken in one."""
    wanted = small([plain("0.jsonl", 0), plain("1.jsonl", 1)])
    Path("0.json").write_text(json.dumps(words(0)), encoding="utf-8")
    Path("1.json").write_text(json.dumps([{"text": text} for text in words(1)], indent=2), encoding="utf-8")
    assert same(small(["0.json", "1.json"]), wanted)
    objects = [{"t": text, "g": t} for t in (1, 0) for text in words(t)]
    Path("all.json").write_text(json.dumps(objects, indent=1), encoding="utf-8")
    assert same(small("all.json", text_field="t", generation_field="g"), wanted)
    Path("all.json").write_text(json.dumps([*objects, "one"]), encoding="utf-8")
    with pytest.raises(DataError, match=r"'all.json', item 61: no field 'g', which other items have"):
        small("all.json", text_field="t", generation_field="g")
    Path("1.json").write_bytes(json.dumps(words(1)).encode()[:-1] + b', 3, "\xff one", {"text": "\\u0000"}]')
    skipped = small(["0.json", "1.json"], errors="skip")
    assert same(skipped, wanted) and skipped.recipe["files"][1]["skipped"] == 3


LISTS: dict[str, tuple[str, Callable[[list[str]], str]]] = {
    "strings": ("a.json", json.dumps),
    "strings, called lines": ("a.jsonl", json.dumps),
    "strings, called text": ("a.txt", json.dumps),
    "many lines": ("a.json", lambda found: "\n \n" + json.dumps(found, indent=2)),
    "many lines, called text": ("a.txt", lambda found: json.dumps(found, indent=2)),
    "objects, a line each": (
        "a.txt",
        lambda found: "[" + ",\n ".join(json.dumps({"text": text}) for text in found) + "\n]",
    ),
    "objects, called text": ("a.txt", lambda found: json.dumps([{"text": text} for text in found])),
    "lines": ("a.json", lambda found: "\n".join(json.dumps({"text": text}) for text in found)),
    "lines, called text": ("a.txt", lambda found: "\n" + "\n".join(json.dumps({"text": text}) for text in found)),
}


@pytest.mark.parametrize("case", LISTS)
def test_a_file_is_the_same_documents_to_every_verb(case: str) -> None:
    found = [f'näive "{text}"' for text in words(1)[:12]]
    name, pack = LISTS[case]
    Path(name).write_text(pack(found), encoding="utf-8")
    read = reading.read(reading.File(name), reading.Format(), reading.Budget(2**20))
    assert tuple(document.text for document in read) == corpus.read(name).documents == tuple(found)


@pytest.mark.parametrize(
    "first", ["[1]", "[Illustration]", "[]", "[1],", '["a"] says', "[a", '["a", 1, {"b": 2}', "{", '{"a": 1}']
)
def test_prose_may_begin_with_a_bracket(first: str) -> None:
    prose = "\n\n".join([first, *words(1)[:12]])
    Path("a.txt").write_text(prose, encoding="utf-8")
    read = reading.read(reading.File("a.txt"), reading.Format(), reading.Budget(2**20))
    assert "\n\n".join(document.text for document in read) == "".join(corpus.read("a.txt").documents) == prose


def test_a_list_is_read_whole_and_so_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a.json").write_text(json.dumps(words(1), indent=1), encoding="utf-8")
    monkeypatch.setattr(reading, "LONGEST_LINE", 1000)
    with pytest.raises(LimitError, match=r"'a.json': a JSON list is read whole, .* 1000 bytes; write one JSON object"):
        small("a.json")


def test_invisible_wrappers_are_taken_out_and_counted() -> None:
    human = plain("human.jsonl", 1)
    jsonl("plain.jsonl", [{"text": text} for text in words(2)])
    jsonl("wrapped.jsonl", [{"text": f"{text}\ufeff\ufe00\U000e0101\U000e01ef"} for text in words(2)])
    found = small([human, "wrapped.jsonl"], unit="chars")
    assert same(found, small([human, "plain.jsonl"], unit="chars"))
    assert "30 invisible wrappers taken out" in found.warnings[0]


def test_sizes_are_bounded(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    human = plain("human.jsonl", 1)
    Path("bomb.gz").write_bytes(gzip.compress(b"w1 w2\n\n" * 100_000))
    Path("bomb.xz").write_bytes(lzma.compress(b"w1 w2\n\n" * 100_000))
    for name in ("bomb.gz", "bomb.xz"):
        with pytest.raises(LimitError, match=f"'{name}': more than 9000 bytes of text in all"):
            small([human, name], max_bytes=9000)
        assert main(["measure", human, name, "--max-bytes", "9000"]) == 6
        out, err = capsys.readouterr()
        assert out == "" and err.endswith("give less, or a larger --max-bytes\n") and len(err.splitlines()) == 1
    monkeypatch.setattr(reading, "LONGEST_LINE", 50)
    with pytest.raises(LimitError, match="line 1: longer than 50 bytes"):
        small([human, human])


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (["measure", "{human}", "{bad}", "--save-counts", "old.counts"], "old.counts"),
        (["merge", "good.counts", "{torn}", "-o", "old.counts"], "old.counts"),
        (["certify", "{human}", "{bad}", "-o", "old.json", "--force"], "old.json"),
        (["forecast", "{human}", "{bad}"], ""),
        (["plan", "{bad}", "--keep", "support=0.9"], ""),
        (["check", "{human}", "{bad}", "--max-kl", "0.1"], ""),
    ],
)
def test_bad_data_leaves_what_was_there(arguments: list[str], output: str, capsys: pytest.CaptureFixture[str]) -> None:
    names = {"human": plain("human.jsonl", 1), "bad": plain("bad.jsonl", 2), "torn": "torn.counts"}
    small([names["human"]], save_counts="good.counts")
    Path("torn.counts").write_bytes(Path("good.counts").read_bytes()[:-40])
    with open("bad.jsonl", "ab") as file:  # broken at its very end, when much has been read
        file.write(b'{"text": "\xe9"}\n')
    if output:
        Path(output).write_text("what was there")
    before = sorted(path.name for path in Path().iterdir())
    assert main([argument.format(**names) for argument in arguments]) == 4
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and len(err.splitlines()) == 1
    assert ("line 31, byte" in err and "invalid UTF-8" in err) or "torn.counts" in err
    assert sorted(path.name for path in Path().iterdir()) == before
    assert not output or Path(output).read_text() == "what was there"


@given(st.binary(max_size=300), st.sampled_from(reading.ERRORS), st.sampled_from(["x.txt", "x.jsonl"]))
@settings(max_examples=150)
def test_no_bytes_break_the_reader(data: bytes, errors: str, name: str) -> None:
    Path(name).write_bytes(data)
    file = reading.File(name)
    try:
        documents = list(reading.read(file, reading.Format(errors), reading.Budget(10_000)))
    except (DataError, LimitError, MissingExtra) as error:
        assert name in str(error)
    else:
        assert file.documents == len(documents)
        assert not any("\x00" in document.text for document in documents)


# --- Extras: zstd, Parquet, sketches --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "package", "extra"),
    [
        (["a.zst"], "zstandard", "zstd"),
        (["a.parquet"], "pyarrow", "parquet"),
        (["h.jsonl", "--approximate"], "datasketches", "sketch"),
        (["h.jsonl", "--tokenizer", "t.json"], "tokenizers", "tokenizers"),
    ],
)
def test_a_missing_extra_is_named_with_its_pip_line(
    arguments: list[str], package: str, extra: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain("h.jsonl", 1)
    Path("a.zst").write_bytes(b"\x28\xb5\x2f\xfd0000")
    Path("a.parquet").write_bytes(b"PAR10000")
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["measure", *arguments]) == 5
    err = capsys.readouterr().err
    assert f'needs the package {package}: pip install "lightcollapse[{extra}]"' in err and len(err.splitlines()) == 1
    declared = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert any(line.startswith(package) for line in declared["optional-dependencies"][extra])


def test_zstd_is_read_and_its_bombs_are_bounded(capsys: pytest.CaptureFixture[str]) -> None:
    zstandard = pytest.importorskip("zstandard")
    human = plain("human.jsonl", 1)
    text = "\n\n".join(words(2)).encode()
    Path("b.txt").write_bytes(text)
    pack = zstandard.ZstdCompressor().compress
    Path("b.txt.zst").write_bytes(pack(text[:700]) + pack(text[700:]))  # two frames are one file
    assert same(small([human, "b.txt.zst"]), small([human, "b.txt"]))
    Path("cut.zst").write_bytes(pack(text)[:-30])
    Path("bad.zst").write_bytes(b"\x28\xb5\x2f\xfd" + b"nonsense" * 9)
    Path("bomb.zst").write_bytes(pack(b"w1 w2\n\n" * 10**6))
    for name, message, code in (("cut.zst", "cannot decompress 'cut.zst': its end is missing", 4),
                                ("bad.zst", "cannot decompress 'bad.zst'", 4),
                                ("bomb.zst", "'bomb.zst': more than 9000 bytes of text in all", 6)):  # fmt: skip
        assert main(["measure", human, name, *(["--max-bytes", "9000"] if code == 6 else [])]) == code
        assert message in capsys.readouterr().err


def test_parquet_is_read_and_broken_rows_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    human = plain("human.jsonl", 1)
    for t in (0, 1):
        jsonl(f"{t}.jsonl", [{"text": text} for text in words(t + 1)])
    columns = {"text": words(1) + words(2), "generation": [0] * 30 + [1] * 30, "other": [1.0] * 60}
    parquet.write_table(pyarrow.table(columns), "both.parquet")
    assert same(small("both.parquet"), small(["0.jsonl", "1.jsonl"]))
    for name, cells, message in (
        ("null", pyarrow.array(["a", None]), "'null.parquet', line 2: a row must hold text, got NoneType"),
        ("number", pyarrow.array([1, 2]), "line 1: a row must hold text, got int"),
        ("bytes", pyarrow.array([b"a", b"\xff"]), "line 2, byte 0: invalid UTF-8"),
        ("nul", pyarrow.array(["a", "b\x00"]), "line 2, byte 1: a NUL character"),
    ):
        parquet.write_table(pyarrow.table({"text": cells}), f"{name}.parquet")
        assert main(["measure", human, f"{name}.parquet"]) == 4
        assert message in capsys.readouterr().err
    parquet.write_table(pyarrow.table({"body": ["a"]}), "body.parquet")
    Path("torn.parquet").write_bytes(Path("both.parquet").read_bytes()[:-9])
    for name, message in (("body", "has no column 'text', only body"), ("torn", "cannot read the Parquet file 'torn")):
        assert main(["measure", human, f"{name}.parquet"]) == 4
        assert message in capsys.readouterr().err


def test_sketches_know_numbers_of_ngrams_and_add(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("datasketches")
    generator = np.random.default_rng(1)
    files = []
    for t, law in enumerate((np.full(9000, 1 / 9000), zipf(9000))):
        files.append(f"{t}.txt")
        Path(f"{t}.txt").write_text("\n\n".join(" ".join(map(str, d)) for d in drawn(law, 300, 100, generator)))
    found = lc.measure(files, order=2, approximate=True, save_counts="whole.counts")
    exact = lc.text.tabulate(files, order=2)
    for n in (1, 2):
        table = exact.table(n) > 0
        for g in (0, 1):
            row = found[f"support_{n}", g]
            assert row.value == pytest.approx(table[:, g].sum(), rel=0.05)
            assert row.ci_low is not None and row.ci_high is not None and row.ci_low <= (row.value or 0) <= row.ci_high
        kept = found[f"kept_{n}", 1].value
        assert kept == pytest.approx(table.all(axis=1).sum() / table[:, 0].sum(), abs=0.03)
    for half in (0, 1):
        for t in (0, 1):
            parts = Path(f"{t}.txt").read_text().split("\n\n")
            Path(f"{t}{half}.txt").write_text("\n\n".join(parts[half::2]))
        assert main(["measure", f"0{half}.txt", f"1{half}.txt", "--order", "2", "--approximate", "--save-counts",
                     f"{half}.counts"]) == 0  # fmt: skip
    again = lc.measure(["0.counts", "1.counts"])
    for row in again.rows:
        assert row.value == pytest.approx(found[row.metric, row.generation].value, rel=0.03, abs=0.02)
    capsys.readouterr()
    assert main(["merge", "whole.counts"]) == 0
    assert "2-grams kept" in capsys.readouterr().out
    lc.measure(files, order=2, bootstrap=20, save_counts="counts.counts")
    lc.measure(files, order=1, approximate=True, save_counts="other.counts")
    for names, message in ((["whole.counts", "counts.counts"], "holds counts, not sketches"),
                           (["counts.counts", "whole.counts"], "holds sketches of --approximate, not counts"),
                           (["whole.counts", "other.counts"], "sketches of different kinds do not add")):  # fmt: skip
        assert main(["merge", *names]) == 4
        assert message in capsys.readouterr().err


# --- Files of counts ---------------------------------------------------------------------------------------------


def test_counts_of_two_machines_are_those_of_one(capsys: pytest.CaptureFixture[str]) -> None:
    files = [plain(f"{t}.jsonl", t) for t in range(3)]
    whole = small(files, save_counts="whole.counts")
    comparable = [row for row in whole.rows if "perplexity" not in row.metric]
    again = lc.measure("whole.counts", bootstrap=20)
    assert [r for r in again.rows if "perplexity" not in r.metric] == comparable
    assert again["perplexity", 0].value is None and "no text" in again["perplexity", 0].note
    assert main(["measure", *files[:2], "--order", "2", "--bootstrap", "20", "--save-counts", "a.counts"]) == 0
    records = [{"text": text, "generation": 2} for text in words(2)]
    jsonl("later.jsonl", records)
    capsys.readouterr()
    arguments = ["measure", "later.jsonl", "--by", "generation", "--order", "2", "--save-counts", "b.counts"]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert "no baseline here" in out and err == "counts are in b.counts\n"
    merged = lc.measure(["a.counts", "b.counts"], bootstrap=20, save_counts="c.counts")
    wanted = {(r.metric, r.generation): r for r in comparable}
    for row in merged.rows:
        if "perplexity" not in row.metric and not row.metric.startswith("copied"):
            other = wanted[row.metric, row.generation]
            if other.value is None or other.ci_low is None:
                assert (row.value, row.ci_low) == (other.value, other.ci_low)
                continue
            assert row.value == pytest.approx(other.value, rel=1e-12) and row.ci_low == pytest.approx(other.ci_low)
    assert same(merged, lc.measure(["c.counts"], bootstrap=20))
    assert main(["merge", "a.counts", "b.counts", "--bootstrap", "20"]) == 0
    out = capsys.readouterr().out
    assert "30 documents" in out and max(map(len, out.splitlines())) <= 80
    assert main(["merge", "a.counts", "a.counts", "--json"]) == 0
    doubled = json.loads(capsys.readouterr().out)
    assert doubled["schema"] == "lightcollapse/merge/1" and doubled["recipe"]["generations"][1]["documents"] == 60
    saved = Path("whole.counts").read_bytes()
    small(files, save_counts="whole.counts")
    assert Path("whole.counts").read_bytes() == saved
    assert np.array_equal(lc.text.tabulate(files, order=2).table(2), lc.text.tabulate("whole.counts").table(2))


def test_counts_of_other_kinds_or_damaged_are_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    files = [plain(f"{t}.jsonl", t) for t in range(2)]
    small(files, save_counts="a.counts")
    small(files, order=1, save_counts="order.counts")
    small(files, unit="chars", save_counts="unit.counts")
    Path("text.counts").write_text("one two")
    Path("cut.counts").write_bytes(Path("a.counts").read_bytes()[:-40])
    jsonl("b.jsonl", [{"text": "a b c", "generation": 3}])
    lc.measure(["b.jsonl"], by="generation", order=2, save_counts="three.counts")
    whole = zipfile.ZipFile("a.counts")

    def changed(name: str, member: str, data: bytes) -> None:
        with zipfile.ZipFile(name, "w") as out:
            for each in whole.namelist():
                out.writestr(each, data if each == member else whole.read(each))

    def header(name: str, **values: Any) -> None:
        changed(name, "header.json", json.dumps(json.loads(whole.read("header.json")) | values).encode())

    weight = bytearray(whole.read("weight.npy"))
    weight[-4] ^= 1
    changed("flipped.counts", "weight.npy", bytes(weight))
    changed("array.counts", "weight.npy", b"nonsense")
    huge = io.BytesIO()
    np.lib.format.write_array_header_1_0(huge, {"descr": "<i4", "fortran_order": False, "shape": (10**15,)})
    changed("huge.counts", "weight.npy", huge.getvalue())
    pickled = io.BytesIO()
    np.save(pickled, np.array([{}], dtype=object), allow_pickle=True)
    changed("pickle.counts", "weight.npy", pickled.getvalue())
    changed("token.counts", "weight.npy", whole.read("weight.npy").replace(b"'fortran", b"(fortran"))
    changed("negative.counts", "weight.npy", whole.read("weight.npy").replace(b"'shape': (", b"'shape': (-"))
    header("future.counts", version=2)
    header("format.counts", format="other")
    header("order0.counts", order=0)
    header("key.counts", more=1)
    header("generations.counts", generations=[])
    changed("json.counts", "header.json", b"[" * 100_000)
    messages = {
        "order.counts": "'order.counts' has the order 1, 'a.counts' has 2: counts of different kinds do not add",
        "unit.counts": "'unit.counts' has the unit or tokenizer 'chars', 'a.counts' has 'words'",
        "text.counts": "'text.counts' is damaged, or no file of counts",
        "cut.counts": "'cut.counts' is damaged",
        "flipped.counts": "weight does not have the SHA-256 that its header says",
        "array.counts": "'array.counts' is damaged",
        "huge.counts": "weight is no array as it should be",
        "token.counts": "'token.counts' is damaged",
        "negative.counts": "'negative.counts' is damaged",
        "pickle.counts": "weight is no array as it should be",
        "future.counts": "'future.counts' is of version 2 of the format, this program reads 1",
        "format.counts": "its format is 'other'",
        "order0.counts": "its header holds numbers that cannot be",
        "key.counts": "unknown field `more`",
        "generations.counts": "its header holds numbers that cannot be",
        "json.counts": "'json.counts' is damaged",
        "missing.counts": "no such file: 'missing.counts'",
    }
    for name, message in messages.items():
        assert main(["merge", "a.counts", name]) == 4, name
        out, err = capsys.readouterr()
        assert out == "" and message in err and len(err.splitlines()) == 1, (name, err)
    for arguments, code, message in (
        (["merge", "three.counts"], 4, "no counts of generation 0, the human baseline; found 3"),
        (["merge", "0.jsonl"], 2, "merge adds files of counts, whose names end in .counts, got '0.jsonl'"),
        (["merge"], 2, "FILES"),
        (["measure", "a.counts"], 2, "files of counts are measured by: lightcollapse merge a.counts; got 'a.counts'"),
        (["measure", "0.jsonl", "--baseline", "b c.counts"], 2, "lightcollapse merge 'b c.counts'; got 'b c.counts'"),
        (["measure", "0.jsonl", "--save-counts", "x.npz"], 2, "must end in .counts, got 'x.npz'"),
        (
            ["measure", "0.jsonl", "--save-counts", "no/x.counts"],
            1,
            "cannot write 'no/x.counts': its folder is missing",
        ),
        (["merge", "a.counts", "--csv", "--json"], 2, "cannot both"),
    ):
        assert main(arguments) == code, arguments
        assert message in capsys.readouterr().err
    assert not list(Path().glob("*.part"))


@pytest.mark.parametrize("verb", [["merge"], ["forecast"], ["check", "--max-kl", "1"]])
def test_every_verb_says_which_counts_it_wants_and_how_to_save_them(
    verb: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Where they are missing, or another file has their name."""
    Path("text.counts").write_text("one two")
    Path("folder.counts").mkdir()
    with zipfile.ZipFile("other.counts", "w") as out:
        out.writestr("text", "one two")
    again = "save it anew: lightcollapse measure FILES --save-counts"
    for name, message in {
        "no counts.counts": "no such file: 'no counts.counts'; give what was saved by: lightcollapse measure FILES "
        "--save-counts 'no counts.counts'",
        "text.counts": f"'text.counts' is damaged, or no file of counts: File is not a zip file; {again} text.counts",
        "other.counts": f"There is no item named 'header.json' in the archive; {again} other.counts",
        "folder.counts": "'folder.counts' is a directory; give the file of counts in it",
    }.items():
        assert main([*verb, name]) == 4, name
        out, err = capsys.readouterr()
        assert out == "" and err.endswith(f"{message}\n") and len(err.splitlines()) == 1, err


@pytest.mark.parametrize("verb", [["forecast"], ["check", "--max-kl", "1"]])
def test_counts_stand_alone(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    files = [plain(f"{t}.jsonl", t) for t in range(2)]
    small(files, save_counts="a.counts")
    for arguments, message in (
        (
            ["0.jsonl", "a.counts"],
            "files of counts and texts cannot be mixed, got 'a.counts'; save counts of the texts",
        ),
        (["0.jsonl", "--baseline", "a.counts"], "files of counts and texts cannot be mixed, got 'a.counts'"),
        (["a.counts", "--baseline", "0.jsonl"], "which generation is which: leave baseline out, got '0.jsonl'"),
        (["a.counts", "--by", "source"], "which generation is which: leave by out, got 'source'"),
    ):
        assert main([*verb, *arguments]) == 2, arguments
        assert message in capsys.readouterr().err
    with pytest.raises(CardError, match="cannot be mixed"):
        lc.measure({0: "0.jsonl", 1: "a.counts"})


def test_sketches_leave_no_word_behind() -> None:
    """Their library tells of everything that is left at the exit, in hundreds of lines, if Python does not tidy up."""
    pytest.importorskip("datasketches")
    line = [sys.executable, "-m", "lightcollapse", "measure", plain("0.jsonl", 0), "--approximate"]
    done = subprocess.run(line, check=True, capture_output=True, text=True)
    assert "2-grams" in done.stdout and done.stderr == ""


@given(st.binary(min_size=1, max_size=8), st.floats(0, 1))
@settings(max_examples=60)
def test_no_bytes_break_the_reader_of_counts(noise: bytes, where: float) -> None:
    if not Path("a.counts").exists():
        plain("0.jsonl", 0)
        small(["0.jsonl"], order=1, save_counts="a.counts")
    data = bytearray(Path("a.counts").read_bytes())
    place = int(where * (len(data) - 1))
    data[place : place + len(noise)] = noise
    Path("b.counts").write_bytes(data)
    try:
        found = saving.load(["b.counts"])
    except DataError as error:
        assert "b.counts" in str(error)
    else:
        assert found.documents.sum() == 30


def test_tables_are_counts_of_types() -> None:
    generations = [words(t) for t in range(3)]
    for t, documents in enumerate(generations):
        jsonl(f"{t}.jsonl", [{"text": text} for text in documents])
    found = lc.text.tabulate([f"{t}.jsonl" for t in range(3)], order=2)
    assert found.names == (0, 1, 2) and found.unit == "words" and found.order == 2
    include = found.halves(20, 1)
    for n, lane in itertools.product((1, 2), (0, 5)):
        truth = []
        for t, documents in enumerate(generations):
            owner = blocks.deal(0, 30, t, 0) + 64 * t
            chosen = [d.split() for d, o in zip(documents, owner, strict=True) if include[o, lane]]
            truth.append(Counter(tuple(d[i : i + n]) for d in chosen for i in range(len(d) - n + 1)))
        table = found.table(n, include[:, lane])
        wanted = Counter(tuple(c[gram] for c in truth) for gram in set().union(*truth))
        rows = Counter(map(tuple, table.tolist()))
        rows.pop((0, 0, 0), None)
        assert rows == wanted
        assert np.array_equal(table.sum(axis=0), found.sizes(n, include[:, lane]))
        types, owners, weights = found.entries(n)
        again = np.zeros_like(table)
        np.add.at(again, (types, owners // 64), weights * include[owners, lane])
        assert np.array_equal(again, table)
    with pytest.raises(CardError, match=r"n must lie in 1 \.\. 2"):
        found.table(3)


# --- Options -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "no FILES given"),
        (["missing.jsonl"], 4, "no such file: 'missing.jsonl'"),
        (["h.jsonl", "--baseline", "gone.jsonl"], 4, "no such file: 'gone.jsonl'"),
        (["h.jsonl", "empty"], 4, "'empty' holds no text"),
        (["h.jsonl", "--unit", "word"], 2, "unknown unit 'word'; did you mean 'words'"),
        (["h.jsonl", "--order", "0"], 2, "order must lie in 1 .. 8, got 0"),
        (["h.jsonl", "--bootstrap", "5"], 2, "bootstrap must be 0 or lie in 20 .. 1000, got 5"),
        (["h.jsonl", "--entropy", "chao"], 2, "unknown estimator of entropy 'chao'"),
        (["h.jsonl", "--errors", "ignore"], 2, "errors must be one of strict, replace, skip, got 'ignore'"),
        (["h.jsonl", "--by", "files"], 2, "did you mean 'file'"),
        (["h.jsonl", "--by", "generation"], 4, "'h.jsonl', line 1: no field 'generation', which --by generation needs"),
        (["h.jsonl", "--by", "source"], 4, "line 1: no field 'source'"),
        (["g.jsonl"], 4, "no text of generation 0, the human baseline; found 1, 2"),
        (["s.jsonl", "--by", "source"], 4, "no record has the source 'human', the baseline; found 'synthetic'"),
        (["half.jsonl"], 4, "line 2: no field 'generation', which other lines have"),
        (["h.jsonl", "--generation-from-filename", "("], 2, "no regular expression"),
        (["h.jsonl", "--generation-from-filename", r"\d"], 2, "finds no generation in 'h.jsonl'"),
        (["h.jsonl", "--seed", "-1"], 2, "seed must lie in [0, 2^64), got -1"),
        (["h.jsonl", "--max-bytes", "0"], 2, "max_bytes must be at least 1"),
        (["h.jsonl", "--max-bytes", "100"], 6, "larger --max-bytes"),
        (["h.jsonl", "--text-field", "generation"], 2, "three different names"),
        (["h.jsonl", "--text-field", "body"], 4, "missing required field `body`"),
        (["-", "-"], 2, "standard input can be read only once"),
        (["h.jsonl", "--save-counts", "gone/h.counts"], 1, "cannot write 'gone/h.counts': its folder is missing"),
        (["h.jsonl", "--save-counts", "/proc/h.counts"], 1, "cannot write '/proc/h.counts': "),
        (["h.jsonl", "--metric", "entrpy_1"], 2, "did you mean 'entropy_1'"),
        (["h.jsonl", "--json", "--csv"], 2, "cannot both"),
        (["h.jsonl", "--wrong"], 2, "--wrong"),
    ],
)
def test_wrong_options_are_one_line(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plain("h.jsonl", 1)
    jsonl("g.jsonl", [{"text": text, "generation": 1 + i % 2} for i, text in enumerate(words(1))])
    jsonl("s.jsonl", [{"text": text, "source": "synthetic"} for text in words(1)])
    jsonl("half.jsonl", [{"text": "a", "generation": 0}, {"text": "b"}])
    Path("empty").mkdir()
    assert main(["measure", *arguments]) == code
    out, err = capsys.readouterr()
    assert (
        message in (err + out) and err.startswith("error: ") and len(err.splitlines()) <= 2 and "Traceback" not in err
    )


def test_a_tokenizer_is_an_extra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    assert main(["measure", plain("h.jsonl", 1), "--tokenizer", "tokenizer.json"]) == 5
    assert 'pip install "lightcollapse[tokenizers]"' in capsys.readouterr().err
    with pytest.raises(MissingExtra):
        tokens("words", "tokenizer.json")

    class Library:
        """Tokens of a stand-in: each letter's place in the alphabet."""

        class Tokenizer:
            @staticmethod
            def from_file(path: str) -> Any:
                if "bad" in path:
                    raise ValueError("no tokenizer")
                return Library.Tokenizer()

            def encode_batch(self, texts: list[str], add_special_tokens: bool) -> Any:
                return [type("Encoding", (), {"ids": [ord(c) for c in text]}) for text in texts]

    monkeypatch.setitem(sys.modules, "tokenizers", Library())
    for name in ("tokenizer.json", "bad.json"):
        Path(name).write_text("{}")
    found = small(["h.jsonl"], tokenizer="tokenizer.json")
    assert found["distinct_1", 0].value == small(["h.jsonl"], unit="chars")["distinct_1", 0].value
    with pytest.raises(DataError, match=r"cannot read the tokenizer 'bad.json'"):
        tokens("words", "bad.json")


def test_arguments_in_python() -> None:
    files = [plain("0.jsonl", 0), plain("1.jsonl", 1)]
    with pytest.raises(CardError, match="a mapping says itself"):
        small({0: files[0]}, by="file")
    with pytest.raises(CardError, match="at least one file"):
        small({})
    with pytest.raises(CardError, match="use it without --by"):
        small(files, by="source", generation_from_filename="x")
    with pytest.raises(DataError, match="baseline"):
        small({1: files[1]})
    found = small({"human": files[0], "model": files[1]}, order=LONGEST)
    assert found.generations == ("human", "model")
    with pytest.raises(KeyError, match="distinct_1"):
        found["distinkt_1", "human"]
    assert inputs.resolve(files, baseline=files[0]).files == ((files[0], 0), (files[1], 1))


# --- What is printed ---------------------------------------------------------------------------------------------


def test_the_table_fits_a_terminal_and_json_and_csv_hold_every_row(capsys: pytest.CaptureFixture[str]) -> None:
    files = [plain(f"{t}.jsonl", t) for t in range(3)]
    arguments = ["measure", *files, "--bootstrap", "20"]
    printed = []
    for more in ([], [], ["--json"], ["--csv"], ["--metric", "entropy_2"]):
        assert main([*arguments, *more]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        printed.append(out)
    assert printed[0] == printed[1]
    assert max(map(len, (printed[0] + printed[4]).splitlines())) <= 80
    data = json.loads(printed[2], parse_constant=lambda name: pytest.fail(name))
    assert data["schema"] == "lightcollapse/measure/1" and data["ok"] and data["recipe"]["generations"][2]
    lines = printed[3].splitlines()
    assert len(lines) == len(data["rows"]) + 1 and lines[0].startswith("metric,generation,value,ci_low")
    row = next(row for row in data["rows"] if row["metric"] == "entropy_2" and row["generation"] == 2)
    assert row["ci_low"] < row["value"] < row["ci_high"] and row["change_low"] < row["change"] < row["change_high"]
    assert "2-gram" in printed[4] and "noise floor" in printed[0]


def test_standard_input_and_a_closed_pipe() -> None:
    plain("human.jsonl", 0)
    command = [sys.executable, "-m", "lightcollapse", "measure", "human.jsonl", "-", "--bootstrap", "20", "--csv"]
    given = "\n\n".join(words(1)).encode()
    done = subprocess.run(command, input=given, capture_output=True, check=True)
    Path("1.txt").write_bytes(given)
    assert main(["measure", "human.jsonl", "1.txt", "--bootstrap", "20"]) == 0
    assert done.stdout.startswith(b"metric,") and done.stderr == b""
    empty = subprocess.run(command, input=b"", capture_output=True, check=False)
    assert empty.returncode == 4 and b"'-' is empty" in empty.stderr
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdin and running.stdout and running.stderr
        running.stdout.close()
        running.stdin.write(given)
        running.stdin.close()
        assert running.wait(timeout=60) == 0 and running.stderr.read() == b""


def test_text_of_users_steers_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    records = [
        {"text": f"\x1b[31m {text} \u202e", "source": name} for name in ("human", "=1+1\x1b[2J") for text in words(3)
    ]
    jsonl("evil.jsonl", records)
    for more in ([], ["--csv"], ["--json"]):
        assert main(["measure", "evil.jsonl", "--by", "source", "--bootstrap", "20", *more]) == 0
        out = capsys.readouterr().out
        assert not {"\x1b", "\u202e"} & set(out)
        assert more != ["--csv"] or all(",'=1+1" in line for line in out.splitlines() if "=1+1" in line)
    assert [cell(value) for value in ("-1", None, 2.5, "a\nb")] == ["'-1", "", 2.5, "a b"]


# --- Novels ------------------------------------------------------------------------------------------------------

NOVELS = Path(__file__).parents[2] / "shared" / "data"


@pytest.mark.skipif(not (NOVELS / "emma.txt").exists(), reason="the novels are not here")
def test_two_halves_of_a_novel_are_alike_and_two_novels_are_not() -> None:
    text = (NOVELS / "northanger_abbey.txt").read_text(encoding="utf-8").split("\n\n")
    for side in (0, 1):
        Path(f"{side}.txt").write_text("\n\n".join(text[side::2]), encoding="utf-8")
    found = small(["0.txt", "1.txt", str(NOVELS / "emma.txt")])
    halves, novels = found["kl_source_model_1", 1], found["kl_source_model_1", 2]
    floor = found["kl_source_model_1", 0]
    assert halves.value is not None and floor.ci_high is not None and abs(halves.value) < 3 * floor.ci_high
    assert novels.ci_low is not None and novels.ci_low > 3 * floor.ci_high


# --- Words -------------------------------------------------------------------------------------------------------


def test_every_metric_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    found = small([plain(f"{t}.jsonl", t) for t in range(3)])
    bases = {re.sub(r"_\d+(-\d+)?$", "", metric) for metric in found.metrics}
    assert bases | {"kept"} == set(MEASURED)
    for metric in ("missing_mass_2", "shrinkage_2-3", "distinct_4", "reverse_perplexity", "kl_previous_1"):
        assert main(["explain", metric]) == 0
        assert metric.split("_")[0] in capsys.readouterr().out
    assert main(["explain", "missing_mass_2"]) == 0
    assert "missing_mass (measured text)" in capsys.readouterr().out
    row, floor = found["kl_source_model_1", 2], found["kl_source_model_1", 0]
    assert row.change == pytest.approx((row.value or 0) - (floor.value or 0))
