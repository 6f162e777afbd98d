"""n-gram language models of characters, bytes or words."""

from __future__ import annotations

import functools
import math
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from lightcollapse.corpus import Human, padding, permutation
from lightcollapse.corpus.human import Law
from lightcollapse.curation import COSTS, Curation, metrics_of
from lightcollapse.errors import CardError, DataError, LimitError, nearest, require
from lightcollapse.families.base import EDGE_FAILURE, INTERVAL, Block, Family, Simulation, refuse_source
from lightcollapse.families.engine import Past, Points
from lightcollapse.families.ngram_craft import NGramCraft
from lightcollapse.kernels.draws import SYNTHETIC, Draws
from lightcollapse.schedule import ALL, REAL, Schedule
from lightcollapse.sources.base import TextSource

if TYPE_CHECKING:
    from lightcollapse.kernels.counting import Lexicon, WordSymbols
    from lightcollapse.kernels.ngram import Model

# As in kernels.smoothing, which a card must not import.
_SMOOTHINGS = ("backoff", "kneser-ney", "ml", "modified-kneser-ney", "witten-bell")
_VOCABULARIES = ("closed", "open")
_MOST_PLACES = 2000  # held-out symbols at which the whole law is looked at
_LEAST_PLACES = 100
_REAL_DATA, _POOL = 0, 2  # streams of the generator
_ANCHOR = 1 << 8  # lane of the first that picks re-used real documents
_EXCERPT = 66  # characters
_MOST_GROUPS = 2**31 - 1  # n-grams are numbered in 32 bits


class NGram(Family, frozen=True):
    """A language model that predicts each symbol from the n - 1 before it in the document.

    Model t is fitted on the documents of training set t and writes documents of the source's `document_length`. Model
    0, the source, is the model fitted on all of the training part. The text metrics of generation t are those of text
    that model t wrote, as many symbols as training set 1 holds; those of generation 0 are training set 1's own.

    - perplexity: exp of the mean negative log-likelihood per symbol of the held-out text
    - rare_perplexity: the same over the symbols inside rare words
    - distinct_1 .. distinct_4: distinct n-grams within documents; support: distinct symbols
    - ngram_entropy: plug-in entropy of the 4-grams, nats
    - vocabulary: word types of the training part that occur; rare_vocabulary: the rare ones among them
    - kl_source_model: mean log-likelihood ratio of model 0 to model t per symbol of held-out text, nats; symbols that
      model 0 holds impossible are left out
    - kl_model_source: the same of model t to model 0 on text that model t wrote, as many symbols as are held out but at
      most as many as training set 1 holds
    - edge_case_failure: share of the symbols inside rare words of held-out text to which model t gives less than a
      tenth of what model 0 does
    - rare_retention: rare_vocabulary over the number of rare words
    - calibration: share of held-out symbols that lie in the smallest set that holds 90 % of the model's law, given what
      stands before them; sharpness: mean symbols of that set. The law is looked at in at most 2000 places spread evenly
      over the held-out text: ten for each time that a symbol of the training part occurs on average, at least 100.
    - unknown_mass: mean chance of the unknown symbol at those places; unknown_share: share of held-out symbols that the
      training part lacks, the same for every model

    Where the law that wrote the text is known (chains, hidden Markov models, grammars), it takes the place of model 0
    in divergences and edge cases, and the perplexities of generation 0 are its own.

    Symbols that the training part lacks share one unknown slot: the uniform law under the unigrams gives each of the V
    symbols and that slot 1 / (V + 1). Models never write it: what they write follows their law given known symbols.
    Where the vocabulary is closed there is no such slot: the law is one on the V symbols, those that the training part
    lacks are left out of all scores, and only as history do they still count, as something never seen.

    Args:
        order: n, the symbols of the longest n-gram, 1 to 16.
        unit: what a symbol is; None takes the source's, and another than the source's is refused.
        smoothing: "witten-bell", "kneser-ney" (one discount an order) or "modified-kneser-ney" (three), all
            interpolated with the shorter contexts; "backoff", absolute discounting that gives what it frees to what
            the context has not seen, and to nothing else; or "ml", which holds the unseen impossible.
        vocabulary: "open" or "closed", a matter of the model's law: the same text can be fitted either way.
    """

    kind: ClassVar[str] = "ngram"
    metrics: ClassVar[tuple[str, ...]] = (
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
    columns: ClassVar[frozenset[str]] = frozenset({"fresh", "anchor", "oldest", "take"})
    abilities: ClassVar[frozenset[str]] = frozenset(
        {"closeness", "log_density", "removal", "substitutes", "symbols", "temperature", "top_k", "top_p"}
    )
    absorbed_at: ClassVar[tuple[str, float]] = ("support", 1.0)
    order: int = 5
    unit: str | None = None
    smoothing: str = "witten-bell"
    vocabulary: str = "open"

    @classmethod
    def examples(cls) -> tuple[Self, ...]:
        return cls(), cls(1, smoothing="ml")

    def validate(self) -> None:
        require(1 <= self.order <= 16, "order must lie in 1..16", self.order)
        if self.smoothing not in _SMOOTHINGS:
            raise CardError(f"unknown smoothing {self.smoothing!r}; {nearest(self.smoothing, _SMOOTHINGS)}")
        if self.vocabulary not in _VOCABULARIES:
            raise CardError(f"unknown vocabulary {self.vocabulary!r}; {nearest(self.vocabulary, _VOCABULARIES)}")

    def check(self, source: Any, schedule: Schedule, curation: tuple[Curation, ...] = ()) -> None:
        if not isinstance(source, TextSource):
            raise refuse_source(self, source, "a text source")
        super().check(source, schedule, curation)
        if self.unit not in (None, source.unit):
            raise CardError(f"the unit of family ngram must be its source's, {source.unit!r}, got {self.unit!r}")
        corpus = source.corpus()
        most = sum(map(len, corpus.documents)) * (4 if source.unit == "bytes" else 1)
        if most < self.order:
            raise DataError(f"{corpus.name!r} is shorter than the order, {self.order} symbols; give a longer text")
        smallest = int(schedule["size"].min())
        require(smallest >= self.order, f"sample_size must be at least the order, {self.order} symbols", smallest)
        _refuse_larger(schedule, corpus.name, most)
        largest = int(max(schedule["size"].max(), schedule["sample"].max())) * self.order
        if largest > _MOST_GROUPS:
            raise LimitError(f"order x training set must be at most {_MOST_GROUPS} symbols, got {largest}")

    def prepare(self, source: Any, schedule: Schedule, seed: int, curation: tuple[Curation, ...] = ()) -> Simulation:
        return NGramSimulation(self, source, schedule, seed, curation)


@dataclass(frozen=True)
class NGramSimulation:
    """An n-gram card made ready to run: the human text, the human model and its scores, shared by all replicates."""

    family: NGram
    source: TextSource
    schedule: Schedule
    seed: int
    curation: tuple[Curation, ...] = ()
    block_size: int = 1

    @property
    def memory(self) -> int:
        """Measured: about 50 bytes a symbol of text held, and 22 a symbol of each order fitted."""
        held = int(self.schedule["size"].max()) + int(self.schedule["sample"].sum())
        return 50 * held + 22 * self.family.order * int(self.schedule["size"].max())

    def __post_init__(self) -> None:
        human = self.human
        if human.size < self.family.order:
            raise DataError(
                f"{human.name!r} is shorter than the order, {self.family.order} symbols; give a longer text"
            )
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

    def fit(self, text: padding.Symbols) -> Model:
        """The family's model of these documents."""
        from lightcollapse.kernels.ngram import Model

        closed = self.family.vocabulary == "closed"
        return Model(text, self.family.order, self.human.alphabet, self.family.smoothing, closed=closed)

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
        size = int(self.schedule["size"][0])
        first = self.real(size, 1, replicate)
        batches = [first]
        whole = first is self.human.training
        texts = self.source_texts if whole else self.measure_text(first)
        past = Past(self.human_model, self.human_model, {})
        rows = [texts | self.measure_model(self.reference, first) | self.curated(past, 1, replicate)[1]]
        excerpts = [self.excerpt(first)]
        training = first
        for t in range(1, len(self.schedule) + 1):
            if t == 1 and whole:
                model = self.human_model
            elif padding.size(training) >= self.family.order:  # else curation left nothing to learn from
                model = self.fit(training)
            past = past._replace(model=model, first=model if t == 1 else past.first)
            wanted = int(self.schedule["sample"][t]) if t < len(self.schedule) else 0
            wrote = model.write(max(size, wanted), self.source.document_length, t + 1, replicate, self.seed)
            shown = padding.head(wrote, size)
            curated, measured = self.curated(past, t + 1, replicate)
            rows.append(self.measure_text(shown) | self.measure_model(model, shown) | measured)
            excerpts.append(self.excerpt(shown))
            if t < len(self.schedule):
                batches.append(padding.head(wrote if curated is None else curated, wanted))
                training = self.gather(t + 1, batches, replicate, past)
                past = past._replace(batches={} if curated is None else {t: self.craft.points(curated)})
        return rows, tuple(excerpts)

    @functools.cached_property
    def craft(self) -> NGramCraft:
        """What curations ask of the family."""
        return NGramCraft(self.human, self.human_model, self.source.document_length)

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
        begin, length = padding.runs(text)
        return excerpt(self.human.decode(text[begin[0] : begin[0] + min(int(length[0]), 4 * _EXCERPT)]))


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
