"""Sources of documents whose law is known: what they write, and the probabilities they give, against enumeration."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from budget import Court
from exact import counts
from scipy.stats import beta

from lightcollapse.corpus import pad
from lightcollapse.errors import CardError, DataError
from lightcollapse.evidence import law_p_value
from lightcollapse.families import NGram
from lightcollapse.loop import run
from lightcollapse.scenario import Scenario
from lightcollapse.sources import Grammar, HiddenMarkov, Markov, RandomMarkov, Text
from lightcollapse.sources.documents import Documents, closed_classes, letters, stationary

ROWS = ((0.5, 0.3, 0.2), (0.2, 0.5, 0.3), (0.3, 0.3, 0.4))
WEATHER = HiddenMarkov(
    ((0.7, 0.3, 0.0), (0.1, 0.6, 0.3), (0.5, 0.0, 0.5)),
    ((0.6, 0.4, 0.0), (0.1, 0.2, 0.7), (0.0, 0.5, 0.5)),
    (0.2, 0.5, 0.3),
    document_length=3,
    documents=3000,
    rare_share=0.4,
)
LEANING = Grammar(  # left recursion, a chain of nonterminals, sentences with several derivations, long sides
    ("S -> S S [0.15] | A [0.3] | a b A [0.2] | b [0.35]", "A -> A a [0.25] | a [0.5] | b S b [0.2] | S [0.05]"),
    document_length=4,
    documents=3000,
    rare_share=0.4,
)
SOURCES: dict[str, Documents] = {
    "markov": Markov(ROWS, (0.1, 0.8, 0.1), document_length=3, documents=3000, rare_share=0.4),
    "hidden-markov": WEATHER,
    "grammar": LEANING,
}
every_source = pytest.mark.parametrize("name", SOURCES)


def all_documents(source: Documents) -> np.ndarray:
    """Every document over the source's symbols, numbered from 0."""
    return np.array(list(itertools.product(range(len(source.names())), repeat=source.document_length)))


def scored(source: Documents, documents: np.ndarray, groups: Any = None) -> np.ndarray:
    """Probability of each document, float64 (documents,), as the source's law has it."""
    groups = np.arange(1, len(source.names()) + 1) if groups is None else np.asarray(groups)
    text = pad(groups[documents].ravel().astype(np.int32), documents.shape[1])
    return np.asarray(np.exp(source.law(groups).log_probabilities(text).reshape(documents.shape).sum(axis=1)))


def chain_mass(source: Any, document: np.ndarray) -> float:
    mass = float(source.start()[document[0]])
    for before, after in itertools.pairwise(document):
        mass *= source.matrix()[before, after]
    return mass


def hidden_mass(source: Any, document: np.ndarray) -> float:
    """The sum over every path of hidden states."""
    emissions, total = np.asarray(source.emissions), 0.0
    for path in itertools.product(range(len(source.transitions)), repeat=len(document)):
        mass = chain_mass(source, np.array(path))
        for state, symbol in zip(path, document, strict=True):
            mass *= emissions[state, symbol]
        total += mass
    return total


def grammar_masses(source: Grammar) -> dict[tuple[str, ...], float]:
    """Probability of each document by its leftmost derivations, but for those rarer than 1e-10."""
    sides = source.sides()
    start = next(iter(sides))
    out: dict[tuple[str, ...], float] = {}
    waiting: list[tuple[tuple[str, ...], tuple[str, ...], float]] = [((), (start, source.stop), 1.0)]
    while waiting:
        words, stack, mass = waiting.pop()
        if len(words) == source.document_length:
            out[words] = out.get(words, 0.0) + mass
        elif not stack:
            waiting.append((words, (start, source.stop), mass))
        elif stack[0] not in sides:
            waiting.append(((*words, stack[0]), stack[1:], mass))
        elif mass > 1e-10:
            waiting += [(words, side + stack[1:], mass * chance) for side, chance in sides[stack[0]].items()]
    return out


# --- Laws ----------------------------------------------------------------------------------------------------------


@every_source
def test_probabilities_of_documents_sum_to_1(name: str) -> None:
    source = SOURCES[name]
    assert scored(source, all_documents(source)).sum() == pytest.approx(1.0, abs=1e-12)


def test_a_chain_scores_documents_by_their_moves() -> None:
    source = SOURCES["markov"]
    documents = all_documents(source)
    expected = [chain_mass(source, document) for document in documents]
    np.testing.assert_allclose(scored(source, documents), expected, rtol=1e-12)


def test_the_forward_algorithm_sums_over_hidden_paths() -> None:
    documents = all_documents(WEATHER)
    expected = [hidden_mass(WEATHER, document) for document in documents]
    np.testing.assert_allclose(scored(WEATHER, documents), expected, rtol=1e-12)


def test_prefixes_of_a_grammar_sum_over_derivations() -> None:
    documents = all_documents(LEANING)
    names = np.array(LEANING.names())
    masses = grammar_masses(LEANING)
    assert sum(masses.values()) > 1.0 - 1e-4
    expected = [masses.get(tuple(document), 0.0) for document in names[documents].tolist()]
    np.testing.assert_allclose(scored(LEANING, documents), expected, rtol=1e-4, atol=1e-5)
    simple = Grammar(("S -> a S b [0.3] | a b [0.5] | c [0.2]",), document_length=5)  # few derivations: exact
    masses = grammar_masses(simple)
    found = scored(simple, all_documents(simple))
    names = np.array(simple.names())
    for document, mass in zip(names[all_documents(simple)].tolist(), found, strict=True):
        assert mass == pytest.approx(masses.get(tuple(document), 0.0), rel=1e-12, abs=1e-15), document


@every_source
def test_symbols_gathered_into_one_have_the_sum_of_their_probabilities(name: str) -> None:
    source = SOURCES[name]
    documents = all_documents(source)
    symbols = len(source.names())
    groups = np.array([1, 1, *range(2, symbols)])
    gathered: dict[tuple[int, ...], float] = {}
    for document, mass in zip(groups[documents].tolist(), scored(source, documents), strict=True):
        gathered[tuple(document)] = gathered.get(tuple(document), 0.0) + mass
    found = scored(source, documents, groups)
    for document, mass in zip(groups[documents].tolist(), found, strict=True):
        assert mass == pytest.approx(gathered[tuple(document)], rel=1e-12, abs=1e-15)


def test_after_the_impossible_a_document_begins_anew() -> None:
    source = Markov(((0.5, 0.5), (1.0, 0.0)), (1.0, 0.0), document_length=4)
    logs = source.law(np.array([1, 2])).log_probabilities(pad(np.array([1, 2, 2, 1], dtype=np.int32), 4))
    assert logs.tolist() == [0.0, np.log(0.5), -np.inf, 0.0]
    grammar = Grammar(("S -> a b",), document_length=6)  # a b stop
    logs = grammar.law(np.array([1, 2, 3])).log_probabilities(pad(np.array([1, 2, 2, 1, 2, 3], dtype=np.int32), 6))
    assert logs.tolist() == [0.0, 0.0, -np.inf, 0.0, 0.0, 0.0]
    logs = grammar.law(np.array([1, 2, 3])).log_probabilities(pad(np.array([3, 1, 2], dtype=np.int32), 6))
    assert logs.tolist() == [-np.inf, 0.0, 0.0]


def test_long_sentences_do_not_underflow() -> None:
    nested = Grammar(("S -> a S b [0.4] | c [0.6]",), document_length=400)
    text = pad(np.array([1] * 199 + [3] + [2] * 199 + [4], dtype=np.int32), 400)
    logs = nested.law(np.array([1, 2, 3, 4])).log_probabilities(text)
    np.testing.assert_allclose(logs[:200], [np.log(0.4)] * 199 + [np.log(0.6)], rtol=1e-9)
    np.testing.assert_allclose(logs[200:], 0.0, atol=1e-9)


# --- What is written -----------------------------------------------------------------------------------------------


@every_source
def test_documents_are_written_by_the_law(name: str, record_property: object) -> None:
    source = SOURCES[name]
    documents, court = all_documents(source), Court(record_property)
    mass = scored(source, documents)
    symbols = len(source.names())
    place = symbols ** np.arange(source.document_length - 1, -1, -1)
    order = np.argsort(-mass)
    seen = np.bincount(source.written() @ place, minlength=len(documents))[order]
    common = mass[order] > 2e-3
    tables = [np.append(seen[common], seen[~common].sum()), np.append(mass[order][common], mass[order][~common].sum())]
    court.hold(f"documents of {name}", counts(tables[0], tables[1] / tables[1].sum()))
    court.reject(name, [counts(tables[0], np.roll(tables[1], 1) / tables[1].sum())])


@every_source
def test_a_corpus_repeats_itself_by_its_seed(name: str) -> None:
    source = SOURCES[name]
    other = type(source)(**{field: getattr(source, field) for field in source.__struct_fields__} | {"seed": 5})
    assert np.array_equal(source.written(), source.written())
    assert source.corpus().sha256 != other.corpus().sha256
    longer = type(source)(**{field: getattr(source, field) for field in source.__struct_fields__} | {"documents": 9})
    assert name == "hidden-markov" or np.array_equal(longer.written(), source.written()[:9])
    first, second = source.human(1), source.human(2)
    assert not np.array_equal(first.training, second.training)
    assert first.size == source.resolve_sample_size(1) == 0.9 * source.documents * source.document_length
    assert source.provenance() == {"corpus": source.kind, "corpus_sha256": source.corpus().sha256}


def test_a_symbol_that_the_training_part_lacks_is_scored_as_unknown() -> None:
    source = Markov(((0.0, 0.98, 0.02), (0.9, 0.1, 0.0), (1.0, 0.0, 0.0)), document_length=5, documents=20)
    missing = [seed for seed in range(40) if source.human(seed).alphabet == 2]
    assert missing
    human = source.human(missing[0])
    assert human.law is not None and np.count_nonzero(human.held_out == 3) > 0
    assert np.isfinite(human.law.log_probabilities(human.held_out)).all()


def test_rows_of_a_random_chain_follow_dirichlet_laws(record_property: object) -> None:
    court = Court(record_property)
    for concentration in (0.05, 0.5, 3.0):
        matrices = [RandomMarkov(2, concentration, documents=2, seed=seed).matrix() for seed in range(400)]
        first = np.array([matrix[0, 0] for matrix in matrices])
        law, other = beta(concentration, concentration), beta(2.0 * concentration, concentration)
        court.hold(f"Dirichlet {concentration}", law_p_value(law.cdf, first))
        court.reject("Dirichlet", [law_p_value(other.cdf, first)])
    lazy = RandomMarkov(4, 0.5, stay=0.7)
    np.testing.assert_allclose(lazy.matrix(), 0.7 * np.eye(4) + 0.3 * RandomMarkov(4, 0.5).matrix())
    np.testing.assert_allclose(RandomMarkov(30, 0.01).matrix().sum(axis=1), 1.0)


# --- Chains --------------------------------------------------------------------------------------------------------


def test_stationary_laws() -> None:
    assert [part.tolist() for part in closed_classes(np.array(ROWS))] == [[0, 1, 2]]
    np.testing.assert_allclose(stationary(np.array(ROWS)) @ np.array(ROWS), stationary(np.array(ROWS)), rtol=1e-14)
    there_and_back = np.array([[0.0, 1.0], [1.0, 0.0]])
    np.testing.assert_allclose(stationary(there_and_back), 0.5)
    leaving = np.array([[0.5, 0.25, 0.25], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    np.testing.assert_allclose(stationary(leaving), [0.0, 0.5, 0.5])
    assert [part.tolist() for part in closed_classes(np.eye(3))] == [[2], [1], [0]]
    np.testing.assert_allclose(Markov(ROWS).start(), stationary(np.array(ROWS)))
    np.testing.assert_allclose(Markov(ROWS, (0.2, 0.3, 0.5)).start(), (0.2, 0.3, 0.5))


def test_a_tilted_chain_has_tilted_rows() -> None:
    tilted = Markov(ROWS, (0.2, 0.3, 0.5), document_length=7).tilted(1.0)
    np.testing.assert_allclose(tilted.matrix()[0], np.square(ROWS[0]) / np.square(ROWS[0]).sum())
    np.testing.assert_allclose(tilted.start(), np.array([0.04, 0.09, 0.25]) / 0.38)
    assert tilted.document_length == 7
    free = Markov(((0.5, 0.5, 0.0), (0.0, 0.5, 0.5), (1.0, 0.0, 0.0))).tilted(-1.0)
    np.testing.assert_allclose(free.matrix()[:2], [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]])
    assert free.initial is None and Markov(ROWS).tilted(0.0).matrix() == pytest.approx(np.array(ROWS))


def test_symbols_have_names() -> None:
    assert letters(3) == ("a", "b", "c")
    assert letters(704)[25:28] == ("z", "aa", "ab") and letters(704)[-2:] == ("aaa", "aab")
    assert len(set(letters(20_000))) == 20_000


# --- Refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Markov(()), "at least one row"),
        (lambda: Markov(((0.5, 0.5),)), "1 numbers in each row"),
        (lambda: Markov(((0.5, 0.4), (0.5, 0.5))), "transitions, row 0: probabilities must sum to 1"),
        (lambda: Markov(((0.5, 0.5), (1.5, -0.5))), "transitions, row 1"),
        (lambda: Markov(ROWS, (0.5, 0.5)), "initial must hold 3 probabilities"),
        (lambda: Markov(ROWS, (0.5, 0.5, 0.5)), "initial: probabilities must sum to 1"),
        (lambda: Markov(((1.0, 0.0), (0.0, 1.0))), "one stationary law.*2 stationary laws"),
        (lambda: Markov(ROWS, document_length=0), "document_length"),
        (lambda: Markov(ROWS, documents=1), "documents must be at least 2"),
        (lambda: Markov(ROWS, seed=-1), "seed"),
        (lambda: Markov(ROWS, held_out=1.0), "held_out"),
        (lambda: Markov(ROWS, rare_share=0.0), "rare_share"),
        (lambda: RandomMarkov(0), "symbols"),
        (lambda: RandomMarkov(3, 0.0), "concentration must be positive"),
        (lambda: RandomMarkov(3, stay=1.0), "stay"),
        (lambda: HiddenMarkov((), ()), "at least one row"),
        (lambda: HiddenMarkov(ROWS, ((1.0,),)), "emissions must hold a row for each of 3 states"),
        (lambda: HiddenMarkov(((1.0,),), ((0.5, 0.4),)), "emissions, row 0"),
        (lambda: HiddenMarkov(((1.0, 0.0), (0.0, 1.0)), ((1.0,), (1.0,))), "one stationary law"),
        (lambda: Grammar(()), "at least one rule"),
        (lambda: Grammar(("S = a",)), "a rule must read"),
        (lambda: Grammar(("S -> a |",)), "an alternative must be symbols"),
        (lambda: Grammar(("S -> [1.0]",)), "an alternative must be symbols"),
        (lambda: Grammar(("S -> a [half]",)), "a probability must be a number, got 'half'"),
        (lambda: Grammar(("S -> a [0.7] | b [0.7]",)), "probabilities must sum to 1"),
        (lambda: Grammar(("S -> a", "S -> b")), "must have one rule"),
        (lambda: Grammar(("S -> a stop",)), "stop must be no symbol"),
        (lambda: Grammar(("S -> a",), stop="full stop"), "stop must be one word"),
        (lambda: Grammar(("S -> S S [0.5] | a [0.5]",)), "sentences of a grammar must end"),
        (lambda: Grammar(("S -> A", "A -> A")), "sentences of a grammar must end"),
        (lambda: Grammar((f"S -> {' '.join('abcdefgh' * 12)}",)), "at most 64 nonterminals"),
    ],
)  # fmt: skip
def test_what_is_no_source_is_refused(build: Any, message: str) -> None:
    with pytest.raises(CardError, match=message):
        build()


def test_alternatives_without_a_probability_share_the_rest() -> None:
    grammar = Grammar(("S -> a [0.4] | b | A | a [0.2]", "A -> c", "Unused -> d"))
    assert list(grammar.sides()) == ["S", "A"] and grammar.sides()["A"] == {("c",): 1.0}
    assert grammar.sides()["S"] == pytest.approx({("a",): 0.6, ("b",): 0.2, ("A",): 0.2})
    assert grammar.names() == ("a", "b", "c", "stop")


def test_a_grammar_whose_sentences_never_end_in_a_document_is_refused() -> None:
    endless = Grammar(("S -> a b c d e f",), document_length=3)
    with pytest.raises(DataError, match="no sentence of the corpus ends"):
        endless.human(0)


# --- As human text -------------------------------------------------------------------------------------------------


@pytest.mark.slow_without_jit
def test_bigrams_learn_a_chain() -> None:
    """Model 1 is a chain whose V (V - 1) numbers were fitted to the whole training part: as near the law as that is."""
    source = RandomMarkov(5, document_length=50, documents=4000, rare_share=0.3)
    laws = source.matrix()
    rate = float(source.start() @ -(laws * np.log(laws)).sum(axis=1))
    first = float(-(source.start() * np.log(source.start())).sum())
    record = run(Scenario(source, NGram(2), generations=1), seed=1, replicates=1)
    real, learned = np.log(record.metrics["perplexity"][0])
    assert abs(real - (49.0 * rate + first) / 50.0) < 0.01
    divergence = record.metrics["kl_source_model"][0]
    assert divergence[0] == record.metrics["kl_model_source"][0, 0] == 0.0
    assert divergence[1] == pytest.approx(learned - real, abs=1e-12)
    free = 5.0 * 4.0 / (2.0 * 180_000.0)  # what fitting so many numbers costs on average
    assert abs(divergence[1]) < 10.0 * free


@pytest.mark.slow_without_jit
def test_unigrams_cannot_learn_a_chain_and_say_how_much_is_missing() -> None:
    source = RandomMarkov(5, 0.3, document_length=50, documents=2000, rare_share=0.3)
    record = run(Scenario(source, NGram(1), generations=1), seed=1, replicates=1)
    start, laws = source.start(), source.matrix()
    shared = float((start[:, None] * laws * np.log(np.where(laws > 0.0, laws / start, 1.0))).sum())
    assert record.metrics["kl_source_model"][0, 1] == pytest.approx(shared * 49.0 / 50.0, rel=0.05)


@pytest.mark.slow_without_jit
def test_what_the_law_holds_impossible_costs_infinitely_much() -> None:
    source = Grammar.examples()[0]
    smooth = run(Scenario(source, NGram(3), sample_size=4000, generations=2), seed=1, replicates=2)
    assert np.all(np.isfinite(smooth.metrics["kl_source_model"]))
    assert np.all(smooth.metrics["kl_source_model"][:, 1:] > 0.0)
    assert np.all(smooth.metrics["kl_model_source"][:, 1:] == np.inf)  # smoothed, it writes what is no sentence
    hidden = run(Scenario(WEATHER, NGram(3), sample_size=3000, generations=2), seed=1, replicates=2)
    assert not any(np.isnan(values).any() for values in hidden.metrics.values())
    assert hidden.metrics["kl_source_model"][:, 2].mean() > hidden.metrics["kl_source_model"][:, 1].mean() > 0.0
    assert np.all(hidden.metrics["kl_source_model"][:, 0] == 0.0)


@pytest.mark.slow_without_jit
def test_text_still_measures_against_model_0() -> None:
    assert Text().human(1).law is None
