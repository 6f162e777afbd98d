"""n-gram models against slow twins, published examples, their own law of sampling, and the family that runs them."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ngram_oracles import PAD, SlowModel, count_ngrams, decoded, interval, padded, sequence_probability, unpadded
from scipy import stats

from lightcollapse.corpus import padding
from lightcollapse.errors import CardError, DataError, LimitError
from lightcollapse.families import NGram, language_model
from lightcollapse.kernels import counting, followers, laws, ngram, trie
from lightcollapse.kernels.smoothing import SMOOTHINGS, list_occurrences
from lightcollapse.regimes import Accumulate, AccumulateSubsample, FixedReal, FreshFraction, Replace, Window
from lightcollapse.sources import Normal, Text


def random_documents(seed: int, alphabet: int, documents: int, longest: int) -> list[list[int]]:
    """Documents whose symbols cling to the one before, so that some contexts are common and some never occur."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(documents):
        document = [int(rng.integers(1, alphabet + 1))]
        for _ in range(rng.integers(0, longest)):
            stay = rng.random() < 0.6
            document.append(document[-1] % alphabet + 1 if stay else int(alphabet * rng.random() ** 2) + 1)
        out.append(document)
    return out


def as_text(documents: list[list[int]]) -> padding.Symbols:
    return np.array(padded(documents), dtype=np.int32)


# --- Scoring -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("alphabet", [1, 2, 4, 30])
def test_scores_are_the_textbooks(smoothing: str, order: int, alphabet: int, closed: bool) -> None:
    documents = random_documents(order, alphabet, 12, 25)
    unseen = random_documents(99 + order, alphabet + 1, 8, 12)  # with unknown symbols, and contexts never seen
    fast = ngram.Model(as_text(documents), order, alphabet, smoothing, closed=closed)
    slow = SlowModel(documents, order, alphabet, smoothing, closed)
    for scored in (documents, unseen):
        np.testing.assert_allclose(
            fast.log_probabilities(as_text(scored)), slow.log_probabilities(scored), rtol=1e-12, atol=1e-12
        )


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize(
    "documents",
    [random_documents(3, 5, 10, 30), random_documents(5, 5, 200, 30), [[1]], [[5] * 9, [5]], [[1, 2, 3, 4, 5]]],
    ids=["few", "many", "one symbol", "one type", "all once"],
)
def test_probabilities_sum_to_one(smoothing: str, documents: list[list[int]], closed: bool) -> None:
    model = ngram.Model(as_text(documents), 4, 5, smoothing, closed=closed)
    for history in [*random_documents(4, 6, 40, 5), [], [6, 6]]:
        last = [model.log_probabilities(as_text([[*history, symbol]]))[-1] for symbol in range(1, 7)]
        assert math.fsum(np.exp(last)) == pytest.approx(1.0, abs=1e-12)
        assert np.isneginf(last[-1]) or not closed


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_scores_of_a_text_with_enough_counts_of_counts(smoothing: str, closed: bool) -> None:
    documents = random_documents(1, 60, 150, 40)
    fast = ngram.Model(as_text(documents), 3, 60, smoothing, closed=closed)
    slow = SlowModel(documents, 3, 60, smoothing, closed)
    assert all(slow.three_discounts[length] != [0, 0.5, 1.0, 1.5] for length in (2, 3))
    for scored in (documents[:20], random_documents(2, 61, 20, 20)):
        np.testing.assert_allclose(
            fast.log_probabilities(as_text(scored)), slow.log_probabilities(scored), rtol=1e-12, atol=1e-12
        )


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_scores_of_documents(smoothing: str) -> None:
    documents = [[1, 2, 2], [3], [2, 1, 1, 3, 4]]
    model = ngram.Model(as_text(documents[:2]), 3, 3, smoothing)
    scores = model.log_probabilities(as_text(documents))
    expected = [scores[:3].mean(), scores[3], scores[4:].mean()]
    np.testing.assert_allclose(model.document_scores(as_text(documents)), expected, rtol=1e-14)
    assert model.document_scores(np.array([0, 1, 0, 0, 2, 0], dtype=np.int32))[1] == 0.0  # an empty document
    assert model.document_scores(padding.EMPTY).shape == (0,)


def test_maximum_likelihood_bigrams_of_the_textbook() -> None:
    """Jurafsky and Martin, Speech and Language Processing, chapter 3: three sentences about Sam."""
    sentences = ["I am Sam </s>", "Sam I am </s>", "I do not like green eggs and ham </s>"]
    words = sorted({word for sentence in sentences for word in sentence.split()})
    number = {word: i for i, word in enumerate(words, start=1)}
    documents = [[number[word] for word in sentence.split()] for sentence in sentences]
    model = ngram.Model(as_text(documents), 2, len(words), "ml")

    def chance(word: str, *before: str) -> float:
        return float(np.exp(model.log_probabilities(as_text([[number[w] for w in (*before, word)]]))[-1]))

    assert chance("I") == pytest.approx(2 / 3)
    assert chance("Sam") == pytest.approx(1 / 3)
    assert chance("am", "I") == pytest.approx(2 / 3)
    assert chance("</s>", "Sam") == pytest.approx(1 / 2)
    assert chance("Sam", "am") == pytest.approx(1 / 2)
    assert chance("do", "I") == pytest.approx(1 / 3)
    assert chance("ham", "I") == 0.0


def test_witten_bell_trigrams_of_another_library() -> None:
    """The interpolation that nltk.lm's own tests work out by hand for "abcd" and "egadbe", over our unigrams."""
    number = {symbol: i for i, symbol in enumerate("abcdeg$", start=1)}
    documents = [[number[symbol] for symbol in document] for document in ("abcd$", "egadbe$")]
    model = ngram.Model(as_text(documents), 3, len(number), "witten-bell")

    def chance(text: str) -> float:
        return float(np.exp(model.log_probabilities(as_text([[number[symbol] for symbol in text]]))[-1]))

    c = (1 + 7 * (1 / 8)) / (12 + 7)  # 12 symbols, 7 types, 8 slots of the uniform law
    assert chance("gbc") == pytest.approx((1 - 0.5) * 0.5 + 0.5 * c)  # g b was never seen: back to b
    assert chance("abc") == pytest.approx((1 - 0.5) + 0.5 * ((1 - 0.5) * 0.5 + 0.5 * c))


# --- The trie ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key_bits", [64, 40, 30, 26, 14, 5])
def test_stages_of_sorting_give_one_trie(key_bits: int) -> None:
    text = as_text(random_documents(7, 6, 100, 40))
    whole = trie.build(text, 6, 6)
    staged = trie.build(text, 6, 6, key_bits=key_bits)
    for name in ("positions", "level", "start", "parent", "child", "label", "suffix", "count", "follower", "symbol"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(staged, name))


@pytest.mark.parametrize("alphabet", [1, 62, 63, 130, 254, 255])
def test_bitmaps_find_what_a_search_finds(alphabet: int) -> None:
    made = trie.build(as_text(random_documents(3, alphabet, 20, 30)), 3, alphabet)
    found = followers.followers_of(made)
    assert (len(found.bitmap) == made.contexts) == (alphabet < 255)  # two more symbols: the pad, and the unknown one
    for context in range(made.contexts):
        for symbol in range(alphabet + 2):
            expected = trie.find(made.first, made.symbol, context, symbol)
            assert followers.slot_of(*found, context, symbol) == expected


def test_a_huge_alphabet_is_exact() -> None:
    rng = np.random.default_rng(5)
    alphabet = 2**20
    documents = [rng.integers(alphabet - 30, alphabet + 1, 60).tolist() for _ in range(30)]
    fast = ngram.Model(as_text(documents), 5, alphabet, "kneser-ney")
    slow = SlowModel(documents, 5, alphabet, "kneser-ney")
    np.testing.assert_allclose(
        fast.log_probabilities(as_text(documents)), slow.log_probabilities(documents), rtol=1e-12
    )
    distinct, entropy = counting.count_ngrams(as_text(documents), alphabet)
    expected, expected_entropy = count_ngrams(documents)
    assert distinct.tolist() == expected
    assert entropy == pytest.approx(expected_entropy, abs=1e-12)


def test_counts_are_those_of_a_dictionary() -> None:
    documents = random_documents(11, 4, 40, 30)
    built = trie.build(as_text(documents), 3, 4)
    slow = SlowModel(documents, 3, 4, "ml").count
    ngrams = {}
    for group in range(2, built.groups):
        level = int(np.searchsorted(built.level, group, side="right")) - 1
        end = int(built.positions[built.start[group]])
        ngrams[tuple(built.text[end - level + 1 : end + 1].tolist())] = int(built.count[group])
    assert ngrams == dict(slow)


# --- Sampling ----------------------------------------------------------------------------------------------------


def law(
    smoothing: str, order: int, alphabet: int, length: int, closed: bool = False
) -> tuple[np.ndarray, np.ndarray, SlowModel]:
    """Counts of all documents of this length that a model wrote, and their probabilities by the slow twin."""
    documents = [[1, 2, 2, 1], [2, 2, 1], [1, 1, alphabet, 1, 2], [2], [1, 2, 1, 1, 2, 2, 2, 1]]
    written = 60_000
    model = ngram.Model(as_text(documents), order, alphabet, smoothing, closed=closed)
    text = model.write(written * length, length, generation=3, replicate=1, seed=20)
    drawn = text[1:].reshape(written, length + 1)[:, :-1] - 1
    codes = np.ravel_multi_index(tuple(drawn.T), (alphabet,) * length)
    counts = np.bincount(codes, minlength=alphabet**length)
    slow = SlowModel(documents, order, alphabet, smoothing, closed)
    every = itertools.product(range(1, alphabet + 1), repeat=length)
    return counts, np.array([sequence_probability(slow, document) for document in every]), slow


def p_value(counts: np.ndarray, chances: np.ndarray) -> float:
    """Chi-square test of counts; cells expected fewer than 10 times are pooled."""
    expected = counts.sum() * chances / chances.sum()
    assert np.all(counts[chances == 0.0] == 0)
    rare = expected < 10
    pooled = [np.append(x[~rare], x[rare].sum()) for x in (counts, expected)]
    keep = pooled[1] > 0
    if np.count_nonzero(keep) == 1:
        return 1.0
    return float(stats.chisquare(pooled[0][keep], pooled[1][keep]).pvalue)


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize(("order", "alphabet", "length"), [(1, 4, 3), (2, 3, 4), (3, 3, 5), (4, 2, 8), (5, 3, 5)])
def test_sampling_and_scoring_are_one_law(smoothing: str, order: int, alphabet: int, length: int, closed: bool) -> None:
    counts, chances, _ = law(smoothing, order, alphabet, length, closed)
    assert math.fsum(chances) == pytest.approx(1.0, abs=1e-9)
    assert p_value(counts, chances) > 1e-10


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("documents", [[[1]], [[2] * 9, [2]], [[1, 2, 3]]], ids=["one symbol", "one type", "all once"])
@pytest.mark.parametrize("closed", [False, True])
def test_tiny_texts_are_written(smoothing: str, documents: list[list[int]], closed: bool) -> None:
    alphabet = documents[-1][-1]
    model = ngram.Model(as_text(documents), 5, alphabet, smoothing, closed=closed)
    wrote = unpadded(model.write(3000, 3, 1, 0, 7).tolist())
    slow = SlowModel(documents, 5, alphabet, smoothing, closed)
    every = list(itertools.product(range(1, alphabet + 1), repeat=3))
    counts = np.array([wrote.count(list(document)) for document in every])
    chances = np.array([sequence_probability(slow, document) for document in every])
    assert p_value(counts, chances) > 1e-10


def test_the_law_of_another_smoothing_is_rejected() -> None:
    counts, _, slow = law("witten-bell", 3, 3, 5)
    slow.smoothing = "kneser-ney"
    every = itertools.product(range(1, 4), repeat=5)
    assert p_value(counts, np.array([sequence_probability(slow, document) for document in every])) < 1e-20


def test_what_is_written_depends_on_its_counters_alone() -> None:
    text = as_text(random_documents(2, 6, 50, 40))
    model = ngram.Model(text, 4, 6, "witten-bell")
    whole = model.write(1000, 17, generation=1, replicate=5, seed=9)
    assert padding.size(whole) == 1000
    assert [len(d) for d in unpadded(whole.tolist())] == [17] * 58 + [14]
    np.testing.assert_array_equal(whole[:400], model.write(600, 17, 1, 5, 9)[:400])  # a shorter text is a beginning
    for other in ((2, 5, 9), (1, 6, 9), (1, 5, 10), (1, 5, 9 + 2**40)):
        assert not np.array_equal(whole, model.write(1000, 17, *other))


CUTS = [(0.7, 0, 1.0), (1.6, 0, 1.0), (1.0, 2, 1.0), (1.0, 0, 0.8), (0.5, 3, 0.9), (1.3, 2, 0.6), (0.02, 0, 1.0)]


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_a_cut_law_is_drawn_from_exactly(smoothing: str, cut: tuple[float, int, float], closed: bool) -> None:
    documents = random_documents(6, 5, 40, 12)
    model = ngram.Model(as_text(documents), 3, 5, smoothing, closed=closed)
    slow = SlowModel(documents, 3, 5, smoothing, closed)
    counts, every = tally(model.write(20_000 * 3, 3, 1, 0, 5, *cut), 5, 3)
    chances = np.array([sequence_probability(slow, document, *cut) for document in every])
    assert math.fsum(chances) == pytest.approx(1.0, abs=1e-9)
    assert p_value(counts, chances) > 1e-10


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("cut", [*CUTS, (1.0, 0, 1.0)], ids=str)
def test_a_cut_law_of_many_symbols(smoothing: str, cut: tuple[float, int, float]) -> None:
    """The law of a document's first symbol and of what follows a common one, in an alphabet of 60."""
    documents = random_documents(6, 60, 150, 20)
    model = ngram.Model(as_text(documents), 3, 60, smoothing)
    slow = SlowModel(documents, 3, 60, smoothing)
    wrote = model.write(20_000 * 2, 2, 1, 0, 6, *cut)[1:].reshape(-1, 3)
    common = np.bincount(wrote[:, 0]).argmax()
    for history, drawn in (((0,), wrote[:, 0]), ((0, int(common)), wrote[wrote[:, 0] == common, 1])):
        law = decoded(slow, history, *cut)
        chances = np.array([law.get(symbol, 0.0) for symbol in range(1, 61)])
        assert p_value(np.bincount(drawn, minlength=61)[1:], chances) > 1e-10


def test_the_law_of_another_cut_is_rejected() -> None:
    documents = random_documents(6, 5, 40, 12)
    model = ngram.Model(as_text(documents), 3, 5, "witten-bell")
    slow = SlowModel(documents, 3, 5, "witten-bell")
    counts, every = tally(model.write(20_000 * 3, 3, 1, 0, 5, 0.7, 0, 1.0), 5, 3)
    for other in ((1.0, 0, 1.0), (0.8, 0, 1.0)):
        chances = np.array([sequence_probability(slow, document, *other) for document in every])
        assert p_value(counts, chances) < 1e-20


def tally(text: padding.Symbols, alphabet: int, length: int) -> tuple[np.ndarray, list[tuple[int, ...]]]:
    """How often each document of this length was written, and those documents."""
    drawn = text[1:].reshape(-1, length + 1)[:, :-1] - 1
    codes = np.ravel_multi_index(tuple(drawn.T), (alphabet,) * length)
    every = list(itertools.product(range(1, alphabet + 1), repeat=length))
    return np.bincount(codes, minlength=alphabet**length), every


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_a_law_cut_by_nothing_much_is_the_plain_one(smoothing: str) -> None:
    """A share of just less than 1 goes the slow way, and keeps the law."""
    documents = random_documents(6, 4, 40, 12)
    model = ngram.Model(as_text(documents), 4, 4, smoothing)
    fast, slow = (tally(model.write(90_000, 3, 1, 0, 5, 1.0, 0, p), 4, 3)[0] for p in (1.0, 1.0 - 1e-15))
    seen = fast + slow > 20
    assert stats.chi2_contingency(np.stack([fast, slow])[:, seen]).pvalue > 1e-10
    assert not np.array_equal(fast, slow)


def test_cut_text_depends_on_its_counters_alone() -> None:
    text = as_text(random_documents(2, 6, 50, 40))
    model = ngram.Model(text, 4, 6, "witten-bell")
    again = ngram.Model(text, 4, 6, "witten-bell")
    whole = model.write(1000, 17, 1, 5, 9, 0.8, 4, 0.9)
    assert [len(d) for d in unpadded(whole.tolist())] == [17] * 58 + [14]
    again.write(300, 17, 3, 5, 9, 0.8, 4, 0.9)  # meets contexts in another order
    np.testing.assert_array_equal(whole[:400], again.write(600, 17, 1, 5, 9, 0.8, 4, 0.9)[:400])
    for other in ((2, 5, 9), (1, 6, 9), (1, 5, 10)):
        assert not np.array_equal(whole, model.write(1000, 17, *other, 0.8, 4, 0.9))


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("documents", [[[1]], [[2] * 9, [2]], [[1, 2, 3]]], ids=["one symbol", "one type", "all once"])
def test_tiny_texts_are_cut(smoothing: str, documents: list[list[int]]) -> None:
    alphabet = documents[-1][-1]
    model = ngram.Model(as_text(documents), 5, alphabet, smoothing)
    slow = SlowModel(documents, 5, alphabet, smoothing)
    for cut in [*CUTS, (1.0, 1, 1.0), (1.0, 0, 1e-9)]:
        counts, every = tally(model.write(6000, 3, 1, 0, 7, *cut), alphabet, 3)
        chances = np.array([sequence_probability(slow, document, *cut) for document in every])
        assert p_value(counts, chances) > 1e-10


# --- The likeliest part of a law ---------------------------------------------------------------------------------


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("order", [1, 2, 4])
def test_intervals_are_those_of_the_whole_law(smoothing: str, order: int, closed: bool) -> None:
    documents = random_documents(6, 30, 40, 20)
    scored = random_documents(7, 31, 10, 20)
    model = ngram.Model(as_text(documents), order, 30, smoothing, closed=closed)
    slow = SlowModel(documents, order, 30, smoothing, closed)
    text = as_text(scored)
    places = np.arange(0, len(text), 3)[text[::3] != 0]
    for share in (0.9, 0.5):
        inside, size, unknown = model.intervals(text, places, share)
        for i, place in enumerate(places):
            begin = np.flatnonzero(text[:place] == 0)[-1]
            history = tuple(text[begin:place].tolist())
            expected = interval(slow, history, int(text[place]), share)
            assert (inside[i], size[i]) == pytest.approx(expected[:2])
            assert unknown[i] == pytest.approx(expected[2], rel=1e-12, abs=0)


# --- Counting ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key_bits", [64, 20])
@pytest.mark.parametrize("longest", [2, 5, 40])
def test_ngram_counts_and_entropy(longest: int, key_bits: int) -> None:
    documents = [*random_documents(1, 7, 60, longest), [1, 2, 3, 4]]
    distinct, entropy = counting.count_ngrams(as_text(documents), 7, key_bits)
    expected, expected_entropy = count_ngrams(documents)
    assert distinct.tolist() == expected
    assert entropy == pytest.approx(expected_entropy, abs=1e-12)


@pytest.mark.parametrize("alphabet", [1, 6, 120, 60_000])
def test_every_way_to_count_finds_the_same(alphabet: int) -> None:
    documents = [*random_documents(2, alphabet, 300, 30), [alphabet] * 20_000]  # one n-gram too frequent to tally
    text = as_text(documents)
    bits = int(alphabet + 1).bit_length()
    expected = counting._of_histories(text, alphabet, 64)
    ways = [counting._of_keys(text, bits)] + ([counting._of_table(text, bits)] if bits < 5 else [])
    for distinct, entropy in ways:
        np.testing.assert_array_equal(distinct, expected[0])
        assert entropy == expected[1]


def test_no_ngram_has_no_entropy() -> None:
    distinct, entropy = counting.count_ngrams(as_text([[1, 1], [2]]), 2)
    assert distinct.tolist() == [2, 1, 0, 0]
    assert entropy == 0.0


def test_words_are_maximal_runs_of_letters() -> None:
    number = {c: i for i, c in enumerate("abc .", start=1)}
    spell = lambda word: np.array([number[c] for c in word], dtype=np.int32)  # noqa: E731
    words = ["a", "ab", "abc", "cab", "b", "ca"]
    lexicon = counting.Lexicon(map(spell, words), len(number), [word in ("abc", "cab") for word in words])
    documents = ["abc ab", "a.cabb bcab", "ab", "ca", "b"]  # neither cabb nor bcab is a word; ca b are two documents
    assert lexicon.count(as_text([spell(d).tolist() for d in documents])) == (len({"abc", "ab", "a", "ca", "b"}), 1)
    symbols = counting.WordSymbols(map(spell, "ac"), 5, [False, True])
    assert symbols.count(as_text([[1, 1, 2], [4, 5]])) == (1, 0)
    assert symbols.count(as_text([[1, 3, 2], [4, 5]])) == (2, 1)
    assert counting.Lexicon([], 5, []).count(as_text([[1, 2]])) == (0, 0)


@given(
    words=st.lists(st.text("abc", min_size=1, max_size=6), unique=True, max_size=40),
    documents=st.lists(st.text("abc ", min_size=1, max_size=60), min_size=1, max_size=5),
)
def test_words_are_found_as_by_splitting(words: list[str], documents: list[str]) -> None:
    """Letters are those of the words: what else there is parts runs."""
    number = {c: i for i, c in enumerate("abc ", start=1)}
    lexicon = counting.Lexicon(
        [np.array([number[c] for c in word], dtype=np.int32) for word in words], 4, [len(word) > 2 for word in words]
    )
    letters = "".join(sorted(set("".join(words))))
    runs = {run for document in documents for run in re.findall(f"[{letters}]+", document)} if letters else set()
    found = runs & set(words)
    text = as_text([[number[c] for c in document] for document in documents])
    assert lexicon.count(text) == (len(found), sum(len(word) > 2 for word in found))


def test_a_run_that_has_the_hash_of_a_word_is_not_that_word() -> None:
    one, other = np.array([1, 2], dtype=np.int32), np.array([2, 1], dtype=np.int32)
    lexicon, mirrored = (
        counting.Lexicon([each, np.array([3], dtype=np.int32)], 4, [True, True]) for each in (one, other)
    )
    text = as_text([other.tolist()])
    assert (lexicon.count(text), mirrored.count(text)) == ((0, 0), (1, 1))
    lexicon._hashes, lexicon._table = mirrored._hashes, mirrored._table
    assert lexicon.count(text) == (0, 0)


# --- The family --------------------------------------------------------------------------------------------------

SENTENCES = [
    f"The {a} {b} sat on the {c}, and {d} it went.\n\n"
    for a, b, c, d in itertools.product(("old", "grey", "tame"), ("cat", "dog"), ("mat", "sill", "rug"), ("off", "up"))
]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("text") / "cats.txt"
    rare = "".join(f"The {word} cat.\n\n" for word in ("sly", "shy", "sly", "wry", "wary", "wary"))
    file.write_text("".join(SENTENCES) * 2 + rare * 2)
    return str(file)


def simulate(path: str, regime, seed=4, generations=4, sample_size=None, replicate=0, family=None, **source):
    text = Text(path, **{"document_length": 40, "rare_share": 0.2, **source})
    family = family or NGram(order=3)
    size = sample_size or text.resolve_sample_size(seed)
    schedule = regime.rows(np.full(generations, size, dtype=np.int64))
    family.check(text, schedule)
    simulation = family.prepare(text, schedule, seed)
    return simulation, simulation.run_block(np.array([replicate], dtype=np.uint64))


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_metrics_are_those_of_the_slow_twins(path: str, smoothing: str) -> None:
    simulation, block = simulate(path, Replace(), family=NGram(3, smoothing=smoothing), generations=2)
    human = simulation.human
    training, held_out = unpadded(human.training.tolist()), unpadded(human.held_out.tolist())
    source = SlowModel(training, 3, human.alphabet, smoothing)
    wrote = simulation.human_model.write(human.size, 40, 2, 0, 4)
    last = SlowModel(unpadded(wrote.tolist()), 3, human.alphabet, smoothing)
    column = {name: values[0] for name, values in block.metrics.items()}
    for generation, model in ((0, source), (1, source), (2, last)):
        scores = np.array(model.log_probabilities(held_out))
        assert column["perplexity"][generation] == pytest.approx(np.exp(-scores.mean()))
        assert column["rare_perplexity"][generation] == pytest.approx(np.exp(-scores[human.rare].mean()))
    reference = np.array(source.log_probabilities(held_out))
    possible = np.isfinite(reference)
    expected = np.mean(reference[possible] - np.array(last.log_probabilities(held_out))[possible])
    assert column["kl_source_model"][2] == pytest.approx(expected)
    again = simulation.fit(wrote).write(human.size, 40, 3, 0, 4)
    shown = unpadded(padding.head(again, len(scores)).tolist())
    expected = np.mean(np.array(last.log_probabilities(shown)) - np.array(source.log_probabilities(shown)))
    assert column["kl_model_source"][2] == pytest.approx(expected)
    assert column["kl_source_model"][:2].tolist() == column["kl_model_source"][:2].tolist() == [0.0, 0.0]
    for generation, text in enumerate((training, unpadded(wrote.tolist()), unpadded(again.tolist()))):
        distinct, entropy = count_ngrams(text)
        assert [column[f"distinct_{n}"][generation] for n in (1, 2, 3, 4)] == distinct
        assert column["ngram_entropy"][generation] == pytest.approx(entropy)
        assert column["support"][generation] == distinct[0]
    for generation, model in ((0, source), (1, source), (2, last)):
        scores = np.array(model.log_probabilities(held_out))[human.rare]
        failed = np.exp(scores) < 0.1 * np.exp(reference[human.rare])
        assert column["edge_case_failure"][generation] == pytest.approx(failed.mean())
        assert column["rare_retention"][generation] == column["rare_vocabulary"][generation] / len(human.rare_words)
        expected = [
            interval(model, (PAD, *document[:i])[-2:], symbol, 0.9)
            for document in held_out
            for i, symbol in enumerate(document)
        ]
        for name, values in zip(("calibration", "sharpness", "unknown_mass"), zip(*expected, strict=True), strict=True):
            assert column[name][generation] == pytest.approx(np.mean(values)), name
    assert set(column["unknown_share"]) == {0.0}
    assert len(block.excerpts) == 3
    for length in (1, 3, 40, 263, 264, 265, 1000):  # of the first document, which the next must not be mixed with
        documents = [np.resize(simulation.human.training[1:30], length), simulation.human.training[5:20]]
        text = np.concatenate([part for one in documents for part in ([0], one)] + [[0]]).astype(np.int32)
        assert simulation.excerpt(text) == language_model.excerpt(simulation.human.decode(documents[0][:264]))
    assert all(0 < len(excerpt) <= 66 and excerpt.isprintable() for excerpt in block.excerpts)


def test_training_sets_hold_what_the_schedule_says(path: str) -> None:
    for regime in (Accumulate(), AccumulateSubsample(), FreshFraction(0.3), FixedReal(), Window(2), Replace()):
        simulation, block = simulate(path, regime, sample_size=1000, generations=3)
        assert not any(np.isnan(values).any() for values in block.metrics.values())
        first = simulation.real(1000, 1, 0)
        batches = [first, np.roll(first, 0), simulation.draw(first, 900, 9, 0, 1)][:3]
        schedule = simulation.schedule
        batches[1] = simulation.human_model.write(int(schedule["sample"][1]), 40, 2, 0, 4)
        batches[2] = simulation.human_model.write(int(schedule["sample"][2]), 40, 3, 0, 4)
        for t in (2, 3):
            assert padding.size(simulation.gather(t, batches[:t], 0)) == schedule["size"][t - 1]
    simulation, _ = simulate(path, Accumulate(), sample_size=1000)
    np.testing.assert_array_equal(simulation.gather(2, [first, batches[1]], 0), padding.join([first, batches[1]]))


def test_real_documents_are_drawn_without_replacement(path: str) -> None:
    simulation, _ = simulate(path, FreshFraction(0.5), sample_size=1200)
    human = unpadded(simulation.human.training.tolist())
    drawn = unpadded(simulation.real(600, 2, 0).tolist())
    assert sum(map(len, drawn)) == 600
    for document in drawn[:-1]:
        human.remove(document)  # raises where it is not there, or was drawn before
    assert drawn != unpadded(simulation.real(600, 3, 0).tolist())
    assert drawn != unpadded(simulation.real(600, 2, 1).tolist())


def test_replicates_are_independent_of_their_company(path: str) -> None:
    simulation, alone = simulate(path, AccumulateSubsample(), replicate=3, sample_size=1500)
    together = simulation.run_block(np.array([1, 3, 2], dtype=np.uint64))
    for name, values in alone.metrics.items():
        np.testing.assert_array_equal(values[0], together.metrics[name][1])
    assert not np.array_equal(together.metrics["distinct_4"][0], together.metrics["distinct_4"][1])
    regimes = [simulate(path, regime, sample_size=1500)[1] for regime in (Replace(), FixedReal())]
    np.testing.assert_array_equal(regimes[0].metrics["distinct_3"][:, :2], regimes[1].metrics["distinct_3"][:, :2])


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_a_closed_vocabulary_leaves_unknown_symbols_out(tmp_path: Path, smoothing: str) -> None:
    file = tmp_path / "names.txt"
    names = ["Ann", "Bob", "Cid", "Dot", "Eve", "Fay", "Gus", "Hal"] * 2 + ["Ida", "Joe", "Kim", "Lee"]
    file.write_text("".join(f"The cat met {name} and the dog.\n\n" for name in names))
    runs = {}
    for vocabulary in ("open", "closed"):
        family = NGram(2, smoothing=smoothing, vocabulary=vocabulary)
        runs[vocabulary] = simulate(
            str(file), Replace(), family=family, unit="words", held_out=0.3, rare_share=0.3, generations=2
        )
    simulation, block = runs["closed"]
    human = simulation.human
    held_out = unpadded(human.held_out.tolist())
    symbols = np.array([symbol for document in held_out for symbol in document])
    known = symbols <= human.alphabet
    assert 0 < np.count_nonzero(~known) < 5
    slow = SlowModel(unpadded(human.training.tolist()), 2, human.alphabet, smoothing, closed=True)
    scores = np.array(slow.log_probabilities(held_out))[known]
    column = {name: values[0] for name, values in block.metrics.items()}
    assert column["perplexity"][0] == pytest.approx(np.exp(-scores.mean()))
    assert column["rare_perplexity"][0] == pytest.approx(np.exp(-scores[human.rare[known]].mean()))
    for simulation, block in runs.values():
        assert not any(np.isnan(values).any() for values in block.metrics.values())
        np.testing.assert_allclose(block.metrics["unknown_share"], np.mean(~known))
        opened = simulation.family.vocabulary == "open"
        assert np.all((block.metrics["unknown_mass"] > 0) == (opened and smoothing != "ml"))
        np.testing.assert_array_equal(simulation.scored, True if opened else known)


def test_the_whole_law_is_looked_at_in_few_places_of_a_rich_alphabet(path: str) -> None:
    simulation, _ = simulate(path, Replace(), unit="words", generations=1)
    places = simulation.places
    assert len(places) == len(np.unique(places)) == min(100, len(simulation.scored))
    simulation, _ = simulate(path, Replace(), generations=1, held_out=0.4)
    assert len(simulation.places) == min(2000, 10 * simulation.human.size // simulation.human.alphabet)
    assert np.ptp(np.diff(np.cumsum(simulation.human.held_out != 0)[simulation.places])) <= 1  # spread evenly


@pytest.mark.parametrize("unit", ["chars", "bytes", "words"])
def test_every_unit_runs(path: str, unit: str) -> None:
    simulation, block = simulate(path, Replace(), unit=unit, family=NGram(2, unit=unit))
    assert block.metrics["vocabulary"][0, 0] >= len(simulation.human.words) - (0 if unit == "words" else 20)
    assert np.all(block.metrics["perplexity"] > 1.0)


def test_a_model_without_smoothing_collapses_to_infinity_not_nan(path: str) -> None:
    _, block = simulate(path, Replace(), family=NGram(6, smoothing="ml"), sample_size=200, generations=3)
    assert np.isposinf(block.metrics["perplexity"][0, 1:]).all()
    assert not any(np.isnan(values).any() for values in block.metrics.values())


def test_cards_that_cannot_be_executed_are_refused(path: str) -> None:
    with pytest.raises(CardError, match=r"order must lie in 1\.\.16, got 0"):
        NGram(order=0)
    with pytest.raises(CardError, match="did you mean 'witten-bell'"):
        NGram(smoothing="witten-bel")
    with pytest.raises(CardError, match="did you mean 'closed'"):
        NGram(vocabulary="close")
    rows = Replace().rows(np.full(3, 100))
    with pytest.raises(CardError, match="needs a text source, got source normal"):
        NGram().check(Normal(), rows)
    with pytest.raises(CardError, match="its source's, 'chars', got 'words'"):
        NGram(unit="words").check(Text(path), rows)
    with pytest.raises(CardError, match="sample_size must be at least the order, 5 symbols, got 4"):
        NGram().check(Text(path), Replace().rows(np.full(3, 4)))
    with pytest.raises(CardError, match=r"sample_size must be at most .* in 'cats.txt', \d+ symbols, got 100000"):
        NGram().check(Text(path), Replace().rows(np.full(3, 100_000)))
    size = Text(path).resolve_sample_size(0)
    with pytest.raises(CardError, match=f"sample_size must be at most .*, {size} symbols, got {size + 1}"):
        NGram().prepare(Text(path), Replace().rows(np.full(3, size + 1)), 0)
    with pytest.raises(DataError, match="no rare word"):
        NGram().prepare(Text(path, rare_share=1e-9), rows, 0)


def test_more_ngrams_than_can_be_numbered_are_refused(path: str) -> None:
    sizes = np.array([100, 2**30], dtype=np.int64)
    with pytest.raises(LimitError, match="order x training set must be at most 2147483647 symbols, got 5368709120"):
        NGram().check(Text(path), Replace().rows(sizes))


def test_a_text_shorter_than_the_order_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "short.txt"
    file.write_text("cat")
    with pytest.raises(DataError, match=r"'short.txt' is shorter than the order, 5 symbols"):
        NGram().check(Text(str(file)), Replace().rows(np.full(3, 5)))


# --- Compilation -------------------------------------------------------------------------------------------------

TINY = """
import json, numpy as np
from lightcollapse.kernels import counting, ngram
rng = np.random.default_rng(8)
text = rng.integers(1, 4, 200).astype(np.int32)
text[::9] = 0
text[-1] = 0
text = text[np.append(True, (text[1:] != 0) | (text[:-1] != 0))]
out = []
for smoothing in ("witten-bell", "kneser-ney", "modified-kneser-ney", "backoff", "ml"):
    model = ngram.Model(text, 3, 3, smoothing)
    out += [model.log_probabilities(text).tolist(), model.write(150, 7, 1, 2, 3).tolist()]
    out += [model.write(150, 7, 1, 2, 3, 0.8, 2, 0.9).tolist()]
    out += [values.tolist() for values in model.intervals(text, np.flatnonzero(text), 0.8)]
distinct, entropy = counting.count_ngrams(text, 3)
words = counting.Lexicon([np.array([1, 2], dtype=np.int32), np.array([2], dtype=np.int32)], 3, [True, False])
print(json.dumps([*out, distinct.tolist(), entropy, words.count(text)]))
"""


def test_compiled_and_plain_kernels_agree() -> None:
    runs = [
        subprocess.run(
            [sys.executable, "-W", "error", "-c", TINY],
            env=os.environ | {"NUMBA_DISABLE_JIT": flag},
            capture_output=True,
            text=True,
            check=True,
        )
        for flag in ("0", "1")
    ]
    compiled, plain = (json.loads(run.stdout) for run in runs)
    assert compiled == plain


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled")
def test_one_signature_a_kernel(path: str) -> None:
    for smoothing in SMOOTHINGS:
        simulate(path, FreshFraction(0.2), family=NGram(4, smoothing=smoothing), generations=3, sample_size=1500)
    assert len(trie.find.signatures) <= 1  # none where its callers came from the disk cache
    for smoothing in SMOOTHINGS:
        model = ngram.Model(as_text([[1, 2, 1], [2, 2]]), 2, 2, smoothing)
        model.write(30, 5, 1, 2, 3, 0.8, 1, 0.9)
    kernels = (trie.pack, trie.compare, trie.divide, trie.follow, trie.list_followers, list_occurrences)
    kernels += (followers.fill_bitmaps, ngram.score, ngram.write, counting.mark_words, laws.intervals, laws.write_cut)
    for kernel in kernels:  # kept machine code has one signature, and any other call goes to the dispatcher
        kept = kernel._native is not None
        assert len(kernel.signatures) <= 1 and (kept or kernel.signatures), kernel.py_func.__name__
