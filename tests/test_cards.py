"""Cards: what is refused, with rule, value and help; and that a card survives every way of writing it down."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightcollapse.errors import CardError, DataError, LimitError, MissingExtra, nearest
from lightcollapse.families import FAMILIES, Categorical, Family, Gaussian, NGram
from lightcollapse.regimes import (
    REGIMES,
    Accumulate,
    AccumulateSubsample,
    FixedReal,
    FreshFraction,
    Islands,
    Regime,
    Replace,
    Trend,
    Weighted,
    Window,
)
from lightcollapse.scenario import Growth, Scenario, _toml
from lightcollapse.schedule import RECIPE
from lightcollapse.sources import SOURCES, Normal, Probabilities, Source, Text, Uniform, Zipf

CARD: dict[str, Any] = {
    "source": {"kind": "normal"},
    "family": {"kind": "gaussian"},
    "regime": {"kind": "replace"},
    "sample_size": 10,
    "generations": 5,
}


def changed(**fields: Any) -> dict[str, Any]:
    """CARD with fields replaced; None leaves one out."""
    return {name: value for name, value in (CARD | fields).items() if value is not None}


# what is wrong -> (the card, words that the message must hold: the rule, the value, the help)
BAD_CARDS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "fraction above 1": (
        changed(regime={"kind": "fresh-fraction", "fraction": 1.5}),
        ["fraction must lie in [0, 1]", "1.5"],
    ),
    "fraction below 0": (changed(regime={"kind": "fresh-fraction", "fraction": -0.1}), ["[0, 1]", "-0.1"]),
    "fraction missing": (changed(regime={"kind": "fresh-fraction"}), ["regime.fraction is missing"]),
    "fraction no number": (changed(regime={"kind": "fresh-fraction", "fraction": "half"}), ["fraction", "half"]),
    "a fraction of a list above 1": (
        changed(regime={"kind": "fresh-fraction", "fraction": [0.5, 0.1, 2.0, 0.0]}),
        ["fraction must lie in [0, 1]", "2.0"],
    ),
    "too few fractions": (
        changed(regime={"kind": "fresh-fraction", "fraction": [0.5, 0.1]}),
        ["one for each of 4 training sets after the first", "2"],
    ),
    "a trend of an unknown shape": (
        changed(regime={"kind": "fresh-fraction", "fraction": {"start": 1.0, "end": 0.5, "shape": "cubic"}}),
        ["regime", "fraction", "cubic"],
    ),
    "a trend of an unknown field": (
        changed(regime={"kind": "fresh-fraction", "fraction": {"start": 1.0, "stop": 0.5}}),
        ["regime", "fraction", "stop"],
    ),
    "a trend beyond 1": (
        changed(regime={"kind": "fresh-fraction", "fraction": {"start": 0.5, "end": 1.5}}),
        ["fraction.end must lie in [0, 1]", "1.5"],
    ),
    "a geometric trend to 0": (
        changed(regime={"kind": "fresh-fraction", "fraction": {"start": 0.5, "end": 0.0, "shape": "geometric"}}),
        ["geometric fraction must be above 0", "0.0"],
    ),
    "a logistic trend from 1": (
        changed(regime={"kind": "fresh-fraction", "fraction": {"start": 1.0, "end": 0.1, "shape": "logistic"}}),
        ["logistic fraction must be below 1", "1.0"],
    ),
    "bias infinite": (
        changed(regime={"kind": "fresh-fraction", "fraction": 0.5, "bias": float("inf")}),
        ["bias must be finite", "inf"],
    ),
    "share above 1": (changed(regime={"kind": "fixed-real", "share": 1.5}), ["share must lie in [0, 1]", "1.5"]),
    "weight below 0": (changed(regime={"kind": "fixed-real", "weight": -0.5}), ["weight must lie in [0, 1]", "-0.5"]),
    "share and weight": (
        changed(regime={"kind": "fixed-real", "share": 0.5, "weight": 0.5}),
        ["share and weight exclude each other", "0.5"],
    ),
    "a weight above 1": (changed(regime={"kind": "weighted", "weight": 1.5}), ["weight must lie in [0, 1]", "1.5"]),
    "no fresh points to weigh": (
        changed(regime={"kind": "weighted", "weight": 0.5, "fresh": 0.0}),
        ["fresh must be above 0 and finite", "0.0"],
    ),
    "weight missing": (changed(regime="weighted"), ["regime.weight is missing"]),
    "one lab": (changed(regime={"kind": "islands", "labs": 1, "own": 0.5, "shared": 0.5}), ["labs", "at least 2", "1"]),
    "one share": (changed(regime={"kind": "islands", "labs": 2, "own": 0.5}), ["two of own, shared and fresh", "0.5"]),
    "shares beyond 1": (
        changed(regime={"kind": "islands", "labs": 2, "own": 0.75, "shared": 0.5}),
        ["must sum to 1", "1.25"],
    ),
    "shares below 1": (
        changed(regime={"kind": "islands", "labs": 2, "own": 0.25, "shared": 0.25, "fresh": 0.25}),
        ["must sum to 1", "0.75"],
    ),
    "a negative share": (
        changed(regime={"kind": "islands", "labs": 2, "own": 1.5, "shared": -0.5}),
        ["a share must lie in [0, 1]", "1.5"],
    ),
    "generations 0": (changed(generations=0), ["generations must be at least 1", "0"]),
    "generations negative": (changed(generations=-3), ["generations must be at least 1", "-3"]),
    "generations no whole number": (changed(generations=2.5), ["generations must be a whole number", "2.5"]),
    "generations true": (changed(generations=True), ["generations must be a whole number", "True"]),
    "generations text": (changed(generations="ten"), ["generations must be a whole number", "ten"]),
    "sample size 0": (changed(sample_size=0), ["sample_size must be at least 1", "0"]),
    "sample size no whole number": (changed(sample_size=10.5), ["sample_size must be a whole number", "10.5"]),
    "sample size missing": (changed(sample_size=None), ["sample_size is needed", "normal"]),
    "sample size enormous": (changed(sample_size=2**50), ["at most", str(2**50)]),
    "too few sample sizes": (changed(sample_size=[10, 20]), ["one for each of 5 generations", "2"]),
    "a sample size of 0 in a list": (changed(sample_size=[10, 20, 0, 5, 5]), ["at least 1", "0"]),
    "unknown growth": (changed(sample_size={"start": 5, "growth": "cubic", "rate": 1.0}), ["cubic", "linear"]),
    "growth of an unknown field": (
        changed(sample_size={"start": 5, "growth": "linear", "rate": 1.0, "stop": 9}),
        ["stop", "start, growth"],
    ),
    "growth beyond all bounds": (
        changed(sample_size={"start": 5, "growth": "geometric", "rate": 1e300}),
        ["a sample size must be at most"],
    ),
    "growth below one point": (changed(sample_size={"start": 5, "growth": "linear", "rate": -2.0}), ["at least 1"]),
    "one point and an unbiased variance": (
        changed(family={"kind": "gaussian", "variance": "unbiased"}, sample_size=1),
        ["unbiased variance needs a sample size of at least 2", "1", "ml"],
    ),
    "unknown variance": (
        changed(family={"kind": "gaussian", "variance": "unbaised"}),
        ["unbaised", "did you mean 'unbiased'"],
    ),
    "statistics where points are needed": (
        changed(family={"kind": "gaussian", "draws": "statistics"}, regime="accumulate-subsample"),
        ["points", "draws"],
    ),
    "unknown family": (changed(family={"kind": "gausian"}), ["gausian", "did you mean 'gaussian'", "categorical"]),
    "unknown source": (changed(source={"kind": "zpif"}), ["source.kind", "zpif", "did you mean 'zipf'"]),
    "unknown regime": (changed(regime="acumulate"), ["regime.kind", "acumulate", "did you mean 'accumulate'"]),
    "unknown curation": (changed(curation=["filter"]), ["curation[0]", "filter"]),
    "unknown key": (changed(sample_sizes=3), ["unknown key sample_sizes", "did you mean 'sample_size'"]),
    "unknown key of a part": (
        changed(source={"kind": "normal", "sdt": 2.0}),
        ["unknown key source.sdt", "did you mean 'std'"],
    ),
    "kind missing": (changed(source={"mean": 2.0}), ["source.kind is missing", "normal"]),
    "source missing": (changed(source=None), ["source is missing"]),
    "family missing": (changed(family=None), ["family is missing"]),
    "a part that is a number": (changed(source=3), ["source", "3"]),
    "curation no list": (changed(curation="none"), ["curation must be a list"]),
    "std 0": (changed(source={"kind": "normal", "std": 0.0}), ["std must be positive", "0.0"]),
    "std negative": (changed(source={"kind": "normal", "std": -1.0}), ["std must be positive", "-1.0"]),
    "mean infinite": (changed(source={"kind": "normal", "mean": float("inf")}), ["mean must be finite", "inf"]),
    "mean not a number": (changed(source={"kind": "normal", "mean": float("nan")}), ["mean must be finite", "nan"]),
    "mean a text": (changed(source={"kind": "normal", "mean": "zero"}), ["mean", "zero"]),
    "no symbols": (
        changed(source={"kind": "uniform", "size": 0}, family="categorical"),
        ["size must be at least 1", "0"],
    ),
    "half a symbol": (changed(source={"kind": "uniform", "size": 2.5}, family="categorical"), ["size", "2.5"]),
    "zipf of an infinite exponent": (
        changed(source={"kind": "zipf", "size": 5, "exponent": float("inf")}, family="categorical"),
        ["exponent", "inf"],
    ),
    "zipf of offset -1": (
        changed(source={"kind": "zipf", "size": 5, "exponent": 1.0, "offset": -1.0}, family="categorical"),
        ["offset", "-1"],
    ),
    "no probabilities": (
        changed(source={"kind": "probabilities", "values": []}, family="categorical"),
        ["at least one probability"],
    ),
    "probabilities that do not sum to 1": (
        changed(source={"kind": "probabilities", "values": [0.5, 0.4]}, family="categorical"),
        ["sum to 1", "0.9", "divide"],
    ),
    "a negative probability": (
        changed(source={"kind": "probabilities", "values": [1.5, -0.5]}, family="categorical"),
        ["[0, 1]", "-0.5"],
    ),
    "smoothing negative": (
        changed(source={"kind": "uniform", "size": 3}, family={"kind": "categorical", "smoothing": -1.0}),
        ["smoothing", "-1.0"],
    ),
    "smoothing infinite": (
        changed(source={"kind": "uniform", "size": 3}, family={"kind": "categorical", "smoothing": float("inf")}),
        ["inf"],
    ),
    "tail share 0": (
        changed(source={"kind": "uniform", "size": 3}, family={"kind": "categorical", "tail_share": 0.0}),
        ["tail_share", "0.0"],
    ),
    "a gaussian of symbols": (
        changed(source={"kind": "uniform", "size": 3}),
        ["gaussian needs a normal source", "uniform"],
    ),
    "a categorical of numbers": (
        changed(family={"kind": "categorical"}),
        ["categorical needs a source over symbols", "normal"],
    ),
    "an n-gram model of numbers": (changed(family={"kind": "ngram"}), ["ngram needs a text source", "normal"]),
    "order 0": (changed(source="text", family={"kind": "ngram", "order": 0}), ["order", "0"]),
    "unknown smoothing": (
        changed(source="text", family={"kind": "ngram", "smoothing": "kneser-nay"}),
        ["did you mean 'kneser-ney'"],
    ),
    "unknown unit": (changed(source={"kind": "text", "unit": "letters"}, family="ngram"), ["letters", "chars"]),
    "held out everything": (changed(source={"kind": "text", "held_out": 1.0}, family="ngram"), ["held_out", "1.0"]),
}


@pytest.mark.parametrize("name", BAD_CARDS)
def test_a_bad_card_is_refused_with_rule_value_and_help(name: str) -> None:
    data, words = BAD_CARDS[name]
    with pytest.raises(CardError) as caught:
        Scenario.from_dict(data)
    message = str(caught.value)
    assert [word for word in words if word not in message] == [], message
    assert "\n" not in message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", BAD_CARDS)
def test_the_same_card_as_json_is_refused_alike(name: str) -> None:
    data, _ = BAD_CARDS[name]
    text = json.dumps(data)
    with pytest.raises(CardError):
        Scenario.from_json(text)


@pytest.mark.parametrize("text", ["", "[1, 2]", "3", '"card"', "{", "null", '{"source": }', "\x00"])
def test_what_is_no_json_card_is_refused(text: str) -> None:
    with pytest.raises(CardError):
        Scenario.from_json(text)


@pytest.mark.parametrize("text", ["generations = ", "= 3", "[source\n", "\x00", "a = 1\na = 2"])
def test_what_is_no_toml_card_is_refused(text: str) -> None:
    with pytest.raises(CardError, match=r"not valid TOML|unknown key"):
        Scenario.from_toml(text)


@pytest.mark.parametrize("part", [None, 3, "normal", Gaussian()])
def test_parts_have_their_places(part: Any) -> None:
    with pytest.raises(CardError, match="source must be a Source"):
        Scenario(part, Gaussian(), sample_size=3)


@pytest.mark.parametrize(
    "build",
    [
        lambda: FreshFraction(2.0),
        lambda: FreshFraction(float("nan")),
        lambda: FreshFraction((0.5, float("nan"))),
        lambda: FreshFraction(Trend(0.5, 2.0)),
        lambda: FreshFraction(0.5, float("nan")),
        lambda: FixedReal(0.5, 0.5),
        lambda: Weighted(float("nan")),
        lambda: Islands(2, 0.5),
        lambda: Normal(std=-1.0),
        lambda: Uniform(0),
        lambda: Zipf(3, -1.0),
        lambda: Probabilities((0.2, 0.2)),
        lambda: Categorical(smoothing=-1.0),
        lambda: Gaussian("biased"),  # type: ignore[arg-type]
        lambda: Gaussian(draws="all"),  # type: ignore[arg-type]
        lambda: Text(unit="lines"),
        lambda: NGram(order=0),
    ],
)
def test_parts_are_checked_when_they_are_built(build: Any) -> None:
    with pytest.raises(CardError):
        build()


def test_a_text_takes_a_path_of_pathlib(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    assert Text(path) == Text(str(path))  # type: ignore[arg-type]


def test_parts_take_numpys_numbers_and_lists() -> None:
    assert Normal(np.float64(2.0), np.float64(0.5)) == Normal(2.0, 0.5)
    assert Uniform(np.int64(4)) == Uniform(4)
    assert Probabilities(np.array([0.25, 0.75])) == Probabilities((0.25, 0.75)) == Probabilities([0.25, 0.75])  # type: ignore[arg-type]
    sizes = Scenario(Normal(), Gaussian(), sample_size=np.array([3, 4]), generations=np.int64(2))  # type: ignore[arg-type]
    assert sizes.sample_size == (3, 4) and sizes.generations == 2 and type(sizes.generations) is int


def test_a_card_is_frozen_and_hashable() -> None:
    card = Scenario.from_dict(CARD)
    with pytest.raises(AttributeError):
        card.generations = 9  # type: ignore[misc]
    with pytest.raises(AttributeError):
        card.source.mean = 9.0  # type: ignore[attr-defined]
    assert len({card, Scenario.from_dict(CARD)}) == 1


# --- Texts ---------------------------------------------------------------------------------------------------------


def text_card(path: Path, **fields: Any) -> Scenario:
    return Scenario.from_dict(
        {"source": {"kind": "text", "path": str(path)}, "family": {"kind": "ngram"}, "generations": 2} | fields
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ["corpus.txt"]),
        (b"", ["corpus.txt", "empty"]),
        (b"   \n\n ", ["corpus.txt"]),
        (b"good line\nbad \xff byte\n", ["corpus.txt", "line 2", "byte 14"]),
        (b"abc", ["shorter than the order"]),
    ],
    ids=["missing", "empty", "blank", "no UTF-8", "shorter than the order"],
)
def test_a_text_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None, words: list[str]) -> None:
    path = tmp_path / "corpus.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        text_card(path)
    assert caught.value.exit_code == 4
    message = str(caught.value)
    assert [word for word in words if word not in message] == [], message


def test_a_directory_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="director"):
        text_card(tmp_path)


def test_a_text_smaller_than_the_sample_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "corpus.txt"
    path.write_text("one two three four five six seven\n\n" * 30)
    with pytest.raises(CardError, match="sample_size must be at most"):
        text_card(path, sample_size=10**6)


# --- Families refuse what they cannot execute ----------------------------------------------------------------------


class Narrow(Gaussian, frozen=True):
    """A family of fewer columns than the regimes ask for."""

    kind = "narrow"
    columns = frozenset({"fresh"})


@pytest.mark.parametrize(
    ("regime", "column"),
    [
        (Replace(), None),
        (FreshFraction(0.5), None),
        (Accumulate(), "oldest"),
        (AccumulateSubsample(), "oldest"),
        (FixedReal(), "anchor"),
        (FixedReal(share=0.5), "anchor"),
        (Weighted(0.5), "weight"),
        (FreshFraction(0.5, bias=0.1), "bias"),
        (Islands(2, own=0.5, shared=0.5), "labs"),
    ],
    ids=lambda value: getattr(value, "kind", value),
)
def test_a_regime_that_a_family_cannot_execute_is_refused(regime: Regime, column: str | None) -> None:
    if column is None:
        Scenario(Normal(), Narrow(), regime, sample_size=5)
        return
    with pytest.raises(CardError, match=f"narrow cannot execute the recipe column '{column}'.*it executes fresh"):
        Scenario(Normal(), Narrow(), regime, sample_size=5)


def test_weights_are_for_plain_fits() -> None:
    for regime in (Weighted(0.5), FixedReal(weight=0.5)):
        Scenario(Normal(), Gaussian(), regime, sample_size=4)
        with pytest.raises(CardError, match='weighted fit needs variance="ml"'):
            Scenario(Normal(), Gaussian("unbiased"), regime, sample_size=4)
        with pytest.raises(CardError, match="weighted fit needs smoothing 0"):
            Scenario(Uniform(3), Categorical(0.5), regime, sample_size=4)


def test_a_source_that_cannot_be_tilted_is_refused() -> None:
    class Fixed(Normal, frozen=True):
        """A source that no bias tilts."""

        kind = "fixed"
        tilted = Source.tilted  # type: ignore[assignment]

    Scenario(Fixed(), Gaussian(), FreshFraction(0.5), sample_size=4)
    with pytest.raises(CardError, match="cannot be tilted away from a fixed source"):
        Scenario(Fixed(), Gaussian(), FreshFraction(0.5, bias=1.0), sample_size=4)


def test_a_tilted_normal_law_moves_by_standard_deviations() -> None:
    assert Normal(1.0, 2.0).tilted(-1.5) == Normal(-2.0, 2.0)


# --- Round trips ---------------------------------------------------------------------------------------------------

finite = st.floats(-1e6, 1e6)
sources: st.SearchStrategy[Source] = st.one_of(
    st.builds(Normal, finite, st.floats(1e-6, 1e6)),
    st.builds(Uniform, st.integers(1, 1000)),
    st.builds(Zipf, st.integers(1, 1000), st.floats(0, 5), st.floats(-0.5, 10)),
    st.lists(st.floats(0.01, 1), min_size=1, max_size=6).map(lambda v: Probabilities(tuple(x / sum(v) for x in v))),
)
regimes = st.one_of(
    st.sampled_from([Replace(), Accumulate(), AccumulateSubsample(), FixedReal(), Window(2)]),
    st.builds(FreshFraction, st.floats(0, 1), st.floats(-2, 2)),
    st.builds(FreshFraction, st.builds(Trend, st.floats(0, 1), st.floats(0, 1))),
    st.builds(FixedReal, st.floats(0, 1)),
    st.builds(Islands, st.integers(2, 5), st.floats(0, 0.5), st.floats(0, 0.5)),
)
weighted = st.one_of(
    st.builds(FixedReal, st.none(), st.floats(0, 1)), st.builds(Weighted, st.floats(0, 1), st.floats(0.01, 1))
)


@st.composite
def cards(draw: Any) -> Scenario:
    source = draw(sources)
    family: Family = (
        draw(st.builds(Gaussian, st.sampled_from(["ml", "unbiased"]), st.sampled_from(["auto", "points"])))
        if isinstance(source, Normal)
        else draw(st.builds(Categorical, st.floats(0, 9), st.floats(0.01, 0.9), st.sampled_from(["auto", "points"])))
    )
    generations = draw(st.integers(1, 6))
    sizes = draw(
        st.one_of(
            st.integers(2, 10**6),
            st.lists(st.integers(2, 1000), min_size=generations, max_size=generations),
            st.builds(
                Growth, st.integers(2, 99), st.sampled_from(["linear", "quadratic", "geometric"]), st.floats(1, 3)
            ),
        )
    )
    plain = family.variance == "ml" if isinstance(family, Gaussian) else family.smoothing == 0.0  # type: ignore[attr-defined]
    regime = draw(st.one_of(regimes, weighted) if plain else regimes)
    return Scenario(source, family, regime, sample_size=sizes, generations=generations)


@given(card=cards())
def test_a_card_survives_toml_json_and_plain_data(card: Scenario) -> None:
    for again in (
        Scenario.from_toml(card.to_toml()),
        Scenario.from_json(card.to_json()),
        Scenario.from_dict(card.to_dict()),
        Scenario.from_dict(json.loads(json.dumps(card.to_dict(), allow_nan=False))),
    ):
        assert again == card
        assert again.hash == card.hash
        assert hash(again) == hash(card)
        assert np.array_equal(again.sample_sizes(), card.sample_sizes())


@given(path=st.text(min_size=1, max_size=20).filter(lambda text: "\0" not in text))
def test_any_text_survives_toml(path: str) -> None:
    """Quotes, backslashes, newlines and every other character of a string."""
    if any(0xD800 <= ord(c) < 0xE000 for c in path):
        return
    assert tomllib.loads(f"path = {_toml(path)}")["path"] == path


@given(first=cards(), second=cards())
def test_hashes_are_equal_for_equal_cards_alone(first: Scenario, second: Scenario) -> None:
    assert (first.hash == second.hash) == (first == second)


def test_every_field_moves_the_hash() -> None:
    changes: list[dict[str, Any]] = [
        {"generations": 6},
        {"sample_size": 11},
        {"sample_size": [10] * 5},
        {"regime": {"kind": "accumulate"}},
        {"source": {"kind": "normal", "std": 2.0}},
        {"family": {"kind": "gaussian", "variance": "unbiased"}},
        {"family": {"kind": "gaussian", "draws": "points"}},
    ]
    hashes = {Scenario.from_dict(CARD | change).hash for change in [{}, *changes]}
    assert len(hashes) == len(changes) + 1


def test_the_hash_is_that_of_every_process_and_key_order() -> None:
    card = Scenario.from_dict(CARD)
    assert Scenario.from_dict(dict(reversed(CARD.items()))).hash == card.hash
    code = f"from lightcollapse.scenario import Scenario; print(Scenario.from_dict({CARD!r}).hash)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == card.hash
    assert len(card.hash) == 64 and int(card.hash, 16) >= 0


def test_the_short_spelling_is_the_same_card() -> None:
    short = {"source": "normal", "family": "gaussian", "sample_size": 10, "generations": 5}
    assert Scenario.from_dict(short) == Scenario.from_dict(CARD)


# --- Sample sizes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("growth", "rate", "sizes"),
    [
        ("linear", 2.5, [10, 12, 15, 17, 20]),
        ("quadratic", 1.0, [10, 40, 90, 160, 250]),
        ("geometric", 1.5, [10, 15, 22, 33, 50]),
        ("geometric", 1.1, [10, 11, 12, 13, 14]),
        ("linear", 0.0, [10, 10, 10, 10, 10]),
    ],
)
def test_growing_sample_sizes(growth: str, rate: float, sizes: list[int]) -> None:
    card = Scenario.from_dict(changed(sample_size={"start": 10, "growth": growth, "rate": rate}))
    assert card.sample_sizes().tolist() == sizes
    assert card.sample_sizes().dtype == np.int64


def test_a_list_of_fractions_is_one_for_each_training_set_after_the_first() -> None:
    card = Scenario.from_dict(changed(regime={"kind": "fresh-fraction", "fraction": [1.0, 0.5, 0.25, 0.0]}))
    assert card.schedule()["fresh"].tolist() == [10, 10, 5, 2, 0]
    assert card.schedule()["sample"].tolist() == [0, 0, 5, 8, 10]
    alone = Scenario.from_dict(changed(regime={"kind": "fresh-fraction", "fraction": []}, generations=1))
    assert alone.schedule()["fresh"].tolist() == [10]


def test_parts_of_the_first_sample_and_real_points_beside_a_sample() -> None:
    share = Scenario.from_dict(changed(regime={"kind": "fixed-real", "share": 0.25}, sample_size=[8, 8, 16, 20, 60]))
    assert share.schedule()["anchor"].tolist() == [0, 2, 4, 5, 8]  # no more than the first sample has
    assert share.schedule()["sample"].tolist() == [0, 6, 12, 15, 52]
    weighted = Scenario.from_dict(changed(regime={"kind": "weighted", "weight": 0.6, "fresh": 0.25}, sample_size=8))
    assert weighted.schedule()["fresh"].tolist() == [8, 2, 2, 2, 2]
    assert weighted.schedule()["size"].tolist() == [8, 10, 10, 10, 10]
    scarce = Scenario.from_dict(changed(regime={"kind": "weighted", "weight": 0.6, "fresh": 0.01}, sample_size=8))
    assert scarce.schedule()["fresh"].tolist() == [8, 1, 1, 1, 1]


def test_a_schedule_is_a_table_of_recipe_rows() -> None:
    rows = Scenario.from_dict(CARD).schedule()
    assert rows.dtype == RECIPE and rows.shape == (5,)


@pytest.mark.parametrize(("axis", "parts"), [("source", SOURCES), ("family", FAMILIES), ("regime", REGIMES)])
def test_the_names_of_an_axis_are_unique(axis: str, parts: tuple[type, ...]) -> None:
    kinds = [part.kind for part in parts]  # type: ignore[attr-defined]
    assert len(set(kinds)) == len(kinds), axis
    assert all(part.__doc__ for part in parts)
    assert all(issubclass(part, msgspec.Struct) for part in parts)


def test_errors_know_their_exit_codes() -> None:
    assert [error.exit_code for error in (CardError, DataError, MissingExtra, LimitError)] == [2, 4, 5, 6]
    assert issubclass(CardError, ValueError) and issubclass(DataError, ValueError)


def test_nearest_names() -> None:
    assert nearest("acumulate", ["accumulate", "replace"]) == "did you mean 'accumulate'? Known: accumulate, replace"
    assert nearest("zzz", ["b", "a"]) == "Known: a, b"
