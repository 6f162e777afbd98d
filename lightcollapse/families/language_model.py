"""Language models: what every family that reads and writes documents shares. A new one says how a model is fitted."""

from __future__ import annotations

import functools
import math
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from lightcollapse.corpus import LEARNED, Human, padding, permutation
from lightcollapse.corpus.human import Law
from lightcollapse.curation import COSTS, Curation, metrics_of
from lightcollapse.errors import CardError, DataError, require
from lightcollapse.families.base import EDGE_FAILURE, INTERVAL, Block, Family, Simulation, refuse_source
from lightcollapse.families.engine import Past, Points
from lightcollapse.families.language_craft import LanguageCraft
from lightcollapse.kernels.draws import SYNTHETIC, Draws
from lightcollapse.schedule import ALL, REAL, Schedule
from lightcollapse.sources.base import TextSource

if TYPE_CHECKING:
    from lightcollapse.kernels.counting import Lexicon, WordSymbols

VOCABULARIES = ("closed", "open")
_MOST_PLACES = 2000  # held-out symbols at which the whole law is looked at
_LEAST_PLACES = 100
_REAL_DATA, _POOL = 0, 2  # streams of the generator
_ANCHOR = 1 << 8  # lane of the first that picks re-used real documents
_EXCERPT = 66  # characters


METRICS = (
    "perplexity",
    "rare_perplexity",
    "distinct_1",
    "distinct_2",
    "distinct_3",
    "distinct_4",
    "ngram_entropy",
    "support",
    "vocabulary",
    "rare_vocabulary",
    "kl_model_source",
    "kl_source_model",
    "edge_case_failure",
    "rare_retention",
    "calibration",
    "sharpness",
    "unknown_mass",
    "unknown_share",
)


class Model(Law, Protocol):
    """A model of documents. Symbols are 1..V; V + 1 is the unknown one, which no model writes."""

    def document_scores(self, text: padding.Symbols) -> NDArray[np.float64]:
        """Mean log-probability of a symbol in each padded document, nats, float64 (documents,)."""
        ...

    def intervals(
        self, text: padding.Symbols, places: NDArray[np.int64], share: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """The smallest set that holds this share of the law at each place, float64 (places,) each: 1 where the symbol
        there lies in it, how many symbols it has, and the chance of the unknown symbol.
        """
        ...

    def write(
        self,
        symbols: int,
        length: int,
        generation: int,
        replicate: int,
        seed: int,
        *,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
    ) -> padding.Symbols:
        """Padded documents of `length` symbols, `symbols` in all. The beginning of more is what fewer are."""
        ...


class Turn(NamedTuple):
    """Which model of which run is fitted; generation 0 is the model of all human text."""

    generation: int
    replicate: int
    seed: int


class Step(NamedTuple):
    """One generation of a replicate: what its model learned from, the model, what that wrote, as many symbols as
    training set 1 holds, what curations measured, and what the next model learns from, None after the last.
    """

    generation: int
    training: padding.Symbols
    model: Model
    wrote: padding.Symbols
    measured: dict[str, float]
    following: padding.Symbols | None


class LanguageModel(Family, frozen=True):
    """A family whose points are documents of a text. Metrics are documented with the family `ngram`."""

    metrics: ClassVar[tuple[str, ...]] = METRICS
    columns: ClassVar[frozenset[str]] = frozenset({"fresh", "anchor", "oldest", "take"})
    abilities: ClassVar[frozenset[str]] = frozenset(
        {"closeness", "log_density", "removal", "substitutes", "symbols", "temperature", "top_k", "top_p"}
    )
    absorbed_at: ClassVar[tuple[str, float]] = ("support", 1.0)

    @property
    def unit(self) -> str | None:
        """What a symbol is; None takes the source's."""
        raise NotImplementedError

    @property
    def vocabulary(self) -> str:
        """ "open" or "closed": whether what the training part lacks has a place in the law."""
        raise NotImplementedError

    def shortest(self, source: TextSource) -> tuple[int, str]:
        """The fewest symbols that a model can learn from, and what they are."""
        raise NotImplementedError

    def model(self, human: Human, text: padding.Symbols, turn: Turn, previous: Model | None, length: int) -> Model:
        """The model fitted to these documents of at most `length` symbols.

        `previous` is the model of the generation before, None for the first one and that of all human text.
        """
        raise NotImplementedError

    def memory(self, held: int, largest: int) -> int:
        """Bytes of a replicate that holds so many symbols, with training sets of at most `largest`."""
        raise NotImplementedError

    def check(self, source: Any, schedule: Schedule, curation: tuple[Curation, ...] = ()) -> None:
        if not isinstance(source, TextSource):
            raise refuse_source(self, source, "a text source")
        super().check(source, schedule, curation)
        if self.unit not in (None, source.unit):
            raise CardError(f"the unit of family {self.kind} must be its source's, {source.unit!r}, got {self.unit!r}")
        corpus = source.corpus()
        most = sum(map(len, corpus.documents)) * (4 if source.unit in ("bytes", LEARNED) else 1)
        fewest, called = self.shortest(source)
        if most < fewest:
            raise DataError(f"{corpus.name!r} is shorter than {called}, {fewest} symbols; give a longer text")
        smallest = int(schedule["size"].min())
        require(smallest >= fewest, f"sample_size must be at least {called}, {fewest} symbols", smallest)
        _refuse_larger(schedule, corpus.name, most)

    def prepare(self, source: Any, schedule: Schedule, seed: int, curation: tuple[Curation, ...] = ()) -> Simulation:
        return LanguageSimulation(self, source, schedule, seed, curation)


@dataclass(frozen=True)
class LanguageSimulation:
    """A card of language models made ready to run: human text, its model and its scores, shared by all replicates."""

    family: LanguageModel
    source: TextSource
    schedule: Schedule
    seed: int
    curation: tuple[Curation, ...] = ()
    block_size: int = 1

    @property
    def memory(self) -> int:
        held = int(self.schedule["size"].max()) + int(self.schedule["sample"].sum())
        return self.family.memory(held, int(self.schedule["size"].max()))

    def __post_init__(self) -> None:
        human = self.human
        if human.size < self.fewest:
            called = self.family.shortest(self.source)[1]
            raise DataError(f"{human.name!r} is shorter than {called}, {self.fewest} symbols; give a longer text")
        _refuse_larger(self.schedule, human.name, human.size)
        if not human.rare.any():
            raise DataError(
                f"no rare word of the training part of {human.name!r} occurs in its held-out part, so that there is no "
                "rare-word perplexity; raise held_out or rare_share, or give a longer text"
            )
        # Once, not in each thread:
        self.human_model, self.reference_scores, self.human_intervals, self.lexicon, self.source_texts  # noqa: B018

    @functools.cached_property
    def human(self) -> Human:
        """The text as the seed parts it."""
        return self.source.human(self.seed)

    @functools.cached_property
    def human_model(self) -> Model:
        """Model 0."""
        return self.fit(self.human.training)

    @functools.cached_property
    def reference(self) -> Model | Law:
        """What generation 0 is scored by: the law that wrote the text where it is known, else model 0."""
        return self.human.law or self.human_model

    @functools.cached_property
    def reference_scores(self) -> NDArray[np.float64]:
        """Log-probabilities of the scored symbols under the reference."""
        return self.scores(self.reference)

    @functools.cached_property
    def human_intervals(self) -> dict[str, float]:
        """What is measured of the human model's law as a whole."""
        return self.measure_law(self.human_model)

    @functools.cached_property
    def scored(self) -> NDArray[np.bool_]:
        """Which held-out symbols are scored: all, or those known to a closed vocabulary."""
        symbols = self.human.held_out[self.human.held_out != 0]
        known: NDArray[np.bool_] = symbols <= self.human.alphabet
        return known if self.family.vocabulary == "closed" else np.ones(len(symbols), dtype=np.bool_)

    @functools.cached_property
    def places(self) -> NDArray[np.int64]:
        """Where the scored symbols stand at which the whole law is looked at, spread evenly."""
        scored = np.flatnonzero(self.human.held_out)[self.scored]
        most = min(_MOST_PLACES, max(_LEAST_PLACES, 10 * self.human.size // self.human.alphabet))
        count = min(most, len(scored))
        return scored[np.arange(count) * len(scored) // count]

    @functools.cached_property
    def unknown_share(self) -> float:
        """Share of held-out symbols that the training part lacks."""
        symbols = self.human.held_out[self.human.held_out != 0]
        return float(np.mean(symbols > self.human.alphabet))

    def scores(self, model: Model | Law) -> NDArray[np.float64]:
        """Log-probabilities of the scored symbols."""
        return model.log_probabilities(self.human.held_out)[self.scored]

    @functools.cached_property
    def lexicon(self) -> Lexicon | WordSymbols:
        """Word types of the training part."""
        from lightcollapse.kernels.counting import Lexicon, WordSymbols

        words = Lexicon if self.human.unit.spells else WordSymbols
        rare = [word in self.human.rare_words for word in self.human.words]
        return words(self.human.spelled_words(), self.human.alphabet, rare)

    @functools.cached_property
    def source_texts(self) -> dict[str, float]:
        """Text metrics of the whole training part."""
        return self.measure_text(self.human.training)

    @functools.cached_property
    def fewest(self) -> int:
        """Symbols that a model can be fitted to at the least."""
        return self.family.shortest(self.source)[0]

    def fit(self, text: padding.Symbols, turn: Turn | None = None, previous: Model | None = None) -> Model:
        """The family's model of these documents; without a turn that of human text."""
        turn = Turn(0, 0, self.seed) if turn is None else turn
        return self.family.model(self.human, text, turn, previous, self.source.document_length)

    def run_block(self, replicates: NDArray[np.uint64]) -> Block:
        names = (*self.family.metrics, *metrics_of(self.curation))
        metrics = {name: np.empty((len(replicates), len(self.schedule) + 1)) for name in names}
        excerpts: tuple[str, ...] = ()
        for row, replicate in enumerate(replicates):
            generations, wrote = self.run_replicate(int(replicate))
            excerpts = excerpts or wrote
            for generation, values in enumerate(generations):
                for name, value in values.items():
                    metrics[name][row, generation] = value
        return Block(metrics, excerpts)

    def run_replicate(self, replicate: int) -> tuple[list[dict[str, float]], tuple[str, ...]]:
        """The metrics of generations 0 .. T of one replicate, and an excerpt of each."""
        rows, excerpts = [], []
        for step in self.steps(replicate):
            if step.generation == 1:
                first = step.training
                texts = self.source_texts if first is self.human.training else self.measure_text(first)
                before = Past(self.human_model, self.human_model, {})
                measured = self.curated(before, 1, replicate)[1]
                rows.append(texts | self.measure_model(self.reference, first) | measured)
                excerpts.append(self.excerpt(first))
            rows.append(self.measure_text(step.wrote) | self.measure_model(step.model, step.wrote) | step.measured)
            excerpts.append(self.excerpt(step.wrote))
        return rows, tuple(excerpts)

    def steps(self, replicate: int) -> Iterator[Step]:
        """The generations of one replicate, from the first on."""
        size = int(self.schedule["size"][0])
        training = self.real(size, 1, replicate)
        batches, past = [training], Past(self.human_model, self.human_model, {})
        model: Model = self.human_model
        for t in range(1, len(self.schedule) + 1):
            known = t == 1 and training is self.human.training
            if not known and padding.size(training) >= self.fewest:  # else curation left nothing to learn from
                model = self.fit(training, Turn(t, replicate, self.seed), None if t == 1 else past.model)
            past = past._replace(model=model, first=model if t == 1 else past.first)
            wanted = int(self.schedule["sample"][t]) if t < len(self.schedule) else 0
            wrote = model.write(max(size, wanted), self.source.document_length, t + 1, replicate, self.seed)
            curated, measured = self.curated(past, t + 1, replicate)
            following = None
            if t < len(self.schedule):
                batches.append(padding.head(wrote if curated is None else curated, wanted))
                following = self.gather(t + 1, batches, replicate, past)
                past = past._replace(batches={} if curated is None else {t: self.craft.points(curated)})
            yield Step(t, training, model, padding.head(wrote, size), measured, following)
            training = training if following is None else following

    @functools.cached_property
    def craft(self) -> LanguageCraft:
        """What curations ask of the family."""
        return LanguageCraft(self.human, self.human_model, self.source.document_length)

    def curated(self, past: Past, generation: int, replicate: int) -> tuple[padding.Symbols | None, dict[str, float]]:
        """What the last model writes for training set `generation` after curation, whole documents, and what the
        curation measured; nothing where there is none.
        """
        if not self.curation:
            return None, {}
        wanted = int(self.schedule["sample"][min(max(generation, 2), len(self.schedule)) - 1])
        documents = -(-(wanted or int(self.schedule["size"][0])) // self.source.document_length)
        draws = self.draws(generation, replicate)
        batch, measured = Points(self.craft, self.curation).curated(past, documents, draws)
        costs = dict.fromkeys(COSTS, 0.0) if wanted == 0 else {}
        found = {name: float(measured[name][0]) for name in metrics_of(self.curation)}
        return self.craft.text(batch), found | costs

    def draws(self, generation: int, replicate: int) -> Draws:
        """Random numbers of one generation of one replicate, for curations."""
        numbers = np.array([replicate], dtype=np.uint64)
        return Draws(numbers, np.zeros(1, dtype=np.uint64), self.seed, generation, SYNTHETIC)

    def judged(self, text: padding.Symbols, past: Past | None, generation: int, replicate: int) -> padding.Symbols:
        """Real text on its way into a training set, after what curations do to real data."""
        if past is None or not self.curation:
            return text
        batch = Points(self.craft, self.curation).real_curated(
            self.craft.points(text), past, self.draws(generation, replicate)
        )
        return self.craft.text(batch)

    def real(self, symbols: int, generation: int, replicate: int) -> padding.Symbols:
        """Real documents drawn without replacement, cut to this many symbols; the training part where that is all."""
        if symbols == self.human.size:
            return self.human.training
        return self.draw(self.human.training, symbols, generation, replicate, _REAL_DATA)

    def draw(
        self, text: padding.Symbols, symbols: int, generation: int, replicate: int, stream: int
    ) -> padding.Symbols:
        """Documents in random order until they hold this many symbols, or all that there are."""
        if symbols in (ALL, padding.size(text)):
            return text
        documents = len(padding.runs(text)[0])
        return padding.take(text, permutation(documents, generation, replicate, stream, self.seed), symbols)

    def gather(
        self, generation: int, batches: list[padding.Symbols], replicate: int, past: Past | None = None
    ) -> padding.Symbols:
        """Training set `generation`: what its row of the schedule asks for."""
        row = self.schedule[generation - 1]
        parts = []
        if row["fresh"]:
            parts.append(self.real(int(row["fresh"]), generation, replicate))
        if row["anchor"]:
            parts.append(self.draw(batches[REAL], int(row["anchor"]), generation, replicate, _REAL_DATA | _ANCHOR))
        parts = [self.judged(part, past, generation, replicate) for part in parts]
        if row["take"] and row["oldest"] < generation:
            pool = padding.join(batches[int(row["oldest"]) : generation])
            parts.append(self.draw(pool, int(row["take"]), generation, replicate, _POOL))
        return padding.join(parts)

    def measure_text(self, text: padding.Symbols) -> dict[str, float]:
        """Metrics of text alone."""
        from lightcollapse.kernels.counting import count_ngrams

        distinct, entropy = count_ngrams(text, self.human.alphabet)
        words, rare = self.lexicon.count(text)
        return {
            **{f"distinct_{n}": float(count) for n, count in enumerate(distinct, start=1)},
            "ngram_entropy": entropy,
            "support": float(distinct[0]),
            "vocabulary": float(words),
            "rare_vocabulary": float(rare),
            "rare_retention": rare / len(self.human.rare_words),
        }

    def measure_model(self, model: Any, wrote: padding.Symbols) -> dict[str, float]:
        """Metrics of a model, or of the reference: on the held-out text, and on what it wrote."""
        if model is self.reference:
            scores, forward, backward = self.reference_scores, 0.0, 0.0
        else:
            scores = self.scores(model)
            possible = self.reference_scores > -math.inf
            forward = float(np.mean(self.reference_scores[possible] - scores[possible])) if possible.any() else 0.0
            sample = padding.head(wrote, len(self.scored))
            own, other = model.log_probabilities(sample), self.reference.log_probabilities(sample)
            backward = float(np.mean(own - other))
        rare = self.human.rare[self.scored]
        failed = scores[rare] < self.reference_scores[rare] + math.log(EDGE_FAILURE)
        same = model is self.human_model or model is self.reference
        law = self.human_intervals if same else self.measure_law(model)
        return {
            "perplexity": _perplexity(scores),
            "rare_perplexity": _perplexity(scores[rare]),
            "kl_model_source": backward,
            "kl_source_model": forward,
            "edge_case_failure": float(np.mean(failed)),
            **law,
        }

    def measure_law(self, model: Model) -> dict[str, float]:
        """Metrics of a model's whole law, given held-out text."""
        inside, size, unknown = model.intervals(self.human.held_out, self.places, INTERVAL)
        return {
            "calibration": float(np.mean(inside)),
            "sharpness": float(np.mean(size)),
            "unknown_mass": float(np.mean(unknown)),
            "unknown_share": self.unknown_share,
        }

    def excerpt(self, text: padding.Symbols) -> str:
        """A few words from the first document."""
        first = np.append(text[1 : 1 + 4 * _EXCERPT], padding.EMPTY)
        return excerpt(self.human.decode(first[: np.argmin(first != 0)]))


def _refuse_larger(schedule: Schedule, name: str, symbols: int) -> None:
    """Raise CardError where a training set asks for more real text than there is."""
    for column, size in (("sample_size", int(schedule["size"][0])), ("fresh", int(schedule["fresh"].max()))):
        require(
            size <= symbols,
            f"{column} must be at most what there is to learn from in {name!r}, {symbols} symbols",
            size,
            "give a smaller sample_size or a longer text",
        )


def _perplexity(scores: NDArray[np.float64]) -> float:
    return float(np.exp(-np.mean(scores)))


def excerpt(text: str) -> str:
    """At most 66 characters of whole words from the second on; white space and control characters become one space."""
    plain = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    words = plain.split()
    words = words[1:] or words
    out = words[0][:_EXCERPT] if words else ""
    for word in words[1:]:
        if len(out) + 1 + len(word) > _EXCERPT:
            break
        out += " " + word
    return out
