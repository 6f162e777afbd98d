"""Measuring generations of text: every metric of each, with an interval and the change against the baseline."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightcollapse.corpus import uniforms
from lightcollapse.errors import CardError, nearest, require
from lightcollapse.special import chdtri, stdtrit
from lightcollapse.text import estimates
from lightcollapse.text.blocks import halves
from lightcollapse.text.counting import BANDS, Counts, count, lane_sums
from lightcollapse.text.estimates import Frequencies
from lightcollapse.text.inputs import Given, Name
from lightcollapse.text.judging import judge
from lightcollapse.text.reading import File
from lightcollapse.text.saving import is_sketched, load_sketches, named, save, save_sketches
from lightcollapse.text.sketches import Sketches, sketch
from lightcollapse.text.tables import opened, prepared, saved
from lightcollapse.text.texts import FEW_DOCUMENTS, Generation, Texts

Float = NDArray[np.float64]

COMPARED = 3  # laws of longer n-grams are not compared
_SPELLED = 4  # so many characters or bytes are a piece of knowledge, as a word is
_LEVEL = 0.95
_UNSEEN = 0.5  # a law of which more is unseen is not known well enough for its entropy or its divergence
_BIASED = 0.02  # unseen share above which the Jensen-Shannon divergence is noticeably too high
_FEW_ONCE = 10.0  # n-grams seen once below which halves of the documents hardly differ in their types
_COPIED = 0.05
_HEAVY = 0.2  # share of one document in a generation above which resampling documents says little
_COINS = 9  # stream of the generator, for blocks of compressed text
_MOST_RESAMPLES = 1000
_REMARKS = ("noise floor", "lower bound", "the baseline itself")  # notes that end so are no warning


@dataclass(frozen=True)
class Row:
    """One metric of one generation.

    Attributes:
        metric: its name; nats, perplexities, shares, or numbers of n-grams.
        generation: as it is called; the baseline comes first.
        value: None where it cannot be measured; `note` says why.
        ci_low, ci_high: the 95 % interval; None without resamples.
        change, change_low, change_high: value less the baseline's (of divergences: less the noise floor), and its
            interval; None for the baseline.
        note: why a value is missing or not to be trusted; empty where there is nothing to say.
    """

    metric: str
    generation: Name
    value: float | None
    ci_low: float | None = None
    ci_high: float | None = None
    change: float | None = None
    change_low: float | None = None
    change_high: float | None = None
    note: str = ""

    @property
    def doubtful(self) -> bool:
        """Whether the note is a warning, not a remark that holds of the metric everywhere."""
        return bool(self.note) and not self.note.endswith(_REMARKS)


@dataclass(frozen=True)
class Measurement:
    """What was measured, and what of.

    Attributes:
        rows: metric by metric, generations in order.
        generations: names, the baseline first.
        recipe: files with their SHA-256, sizes, and every choice that decides a number.
        warnings: what a reader should know of all rows.
    """

    rows: tuple[Row, ...]
    generations: tuple[Name, ...]
    recipe: dict[str, Any]
    warnings: tuple[str, ...]

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics."""
        return tuple(dict.fromkeys(row.metric for row in self.rows))

    def __getitem__(self, key: tuple[str, Name]) -> Row:
        metric, generation = key
        for row in self.rows:
            if row.metric == metric and row.generation == generation:
                return row
        raise KeyError(f"no metric {metric!r} of generation {generation!r}; {nearest(metric, self.metrics)}")


def measure(
    files: Given,
    *,
    unit: str = "words",
    order: int = 4,
    bootstrap: int = 100,
    entropy: str = "chao-wang-jost",
    seed: int = 0,
    save_counts: str | None = None,
    approximate: bool = False,
    **options: Any,
) -> Measurement:
    """Measure generations of text against the human baseline.

    `files`: `{0: "human.jsonl", 1: "gen1.jsonl"}`, 0 or the first the baseline; or a list of files, a generation each;
    or one file whose records have a field `generation`; or files of counts, which are merged. `options` are those of
    `tables.prepared`: how files are read. `bootstrap` is the number of random halves of the documents from which
    intervals come, 0 for none. `save_counts` names a file for the counts; `approximate` keeps sketches
    instead, which know numbers of n-grams and nothing else. A generation trained on the baseline itself
    is not independent of it, and looks closer than it is.

    Raises CardError on an argument that breaks a rule, DataError where a file cannot be read, LimitError where it is
    too large.
    """
    checked(bootstrap, entropy)
    if save_counts is not None:
        named(save_counts)
    counted = saved(files)
    if approximate or (counted and is_sketched(counted[0])):
        found = load_sketches(counted) if counted else sketch(*prepared(files, unit=unit, order=order, seed=seed,
                                                                        **options), order, seed)  # fmt: skip
        if save_counts is not None:
            save_sketches(found, save_counts)
        return _sketched(found)
    texts = opened(files, unit=unit, order=order, seed=seed, keep=save_counts is not None, **options)
    if save_counts is not None:
        save(texts, save_counts)
        if not texts.based:
            return Measurement((), texts.names, {"files": _files(texts.files), "unit": texts.unit},
                               ("no baseline here: counts are saved, nothing is measured",))  # fmt: skip
    spelled = 1 if texts.whole else min(_SPELLED, texts.order)
    choices = {"unit": texts.unit.partition(" ")[0], "order": texts.order, "bootstrap": bootstrap, "entropy": entropy,
               "errors": options.get("errors", "strict"), "seed": seed, "rare_order": spelled}  # fmt: skip
    return measured(texts, choices)


def _sketched(found: Sketches) -> Measurement:
    """What sketches know: numbers of n-grams, and of those of the baseline that a generation has."""
    rows = []
    for n in range(1, found.order + 1):
        for g, name in enumerate(found.names):
            own = "" if found.ngrams[g, n - 1] == found.ngrams[0, n - 1] else "at its own size: not comparable"
            rows.append(Row(f"support_{n}", name, *found.support(g, n), note=own))
        for g, name in enumerate(found.names):
            note = "" if g else "the baseline itself"
            rows.append(Row(f"kept_{n}", name, *found.kept(g, n), note=note))
    generations = [
        {"generation": name, "documents": None, "symbols": int(found.ngrams[g, 0])}
        for g, name in enumerate(found.names)
    ]
    recipe = {"unit": found.unit.partition(" ")[0], "order": found.order, "approximate": True, "bootstrap": 0,
              "files": _files(found.files), "generations": generations}  # fmt: skip
    return Measurement(tuple(rows), found.names, recipe, ("approximate: numbers of n-grams only, from sketches",))


def checked(bootstrap: int, entropy: str) -> None:
    """Raises CardError where one of the arguments breaks a rule."""
    require(
        bootstrap == 0 or 20 <= bootstrap <= _MOST_RESAMPLES,
        f"bootstrap must be 0 or lie in 20 .. {_MOST_RESAMPLES}",
        bootstrap,
    )
    if entropy not in estimates.ENTROPIES:
        raise CardError(f"unknown estimator of entropy {entropy!r}; {nearest(entropy, estimates.ENTROPIES)}")


def measured(texts: Texts, choices: dict[str, Any]) -> Measurement:
    """The measurement of texts that were read; `choices` as `measure` writes them."""
    with np.errstate(divide="ignore", invalid="ignore"):  # a half that holds nothing has no value, and no interval
        return _measured(texts, choices)


def _measured(texts: Texts, choices: dict[str, Any]) -> Measurement:
    order, seed, spelled = choices["order"], choices["seed"], choices["rare_order"]
    include = halves(texts.documents, choices["bootstrap"], seed)
    maker = _Maker(texts, include)
    recipe: dict[str, Any] = choices | {"files": _files(texts.files), "generations": [], "levels": []}
    for n in range(1, order + 1):
        counts = count(texts, n, include, n <= COMPARED)
        recipe["levels"].append(_of_order(maker, counts, choices["entropy"], n == spelled))
    if texts.models:
        judgement = judge(texts, include, spelled)
        recipe["symbols_learned"] = judgement.learned
        none_rare = "no rare n-gram in the held-out half of the baseline"
        maker.add("perplexity", judgement.perplexity)
        maker.add("rare_perplexity", judgement.rare, [none_rare if np.isnan(v[0]) else "" for v in judgement.rare])
        maker.add("reverse_perplexity", judgement.reverse)
    else:
        nothing = [np.full(1, math.nan)] * len(texts.generations)
        for metric in ("perplexity", "rare_perplexity", "reverse_perplexity"):
            maker.add(
                metric,
                nothing,
                ["counts hold no text to fit a model on: measure the files themselves for perplexities"] * len(nothing),
            )
    _of_documents(maker, seed)
    recipe["generations"] = [_sizes(generation) for generation in texts.generations]
    return Measurement(tuple(maker.rows), texts.names, recipe, tuple(_warnings(texts, choices["bootstrap"])))


class _Maker:
    """Makes rows from lanes: lane 0 the value, the spread of the others its error."""

    def __init__(self, texts: Texts, include: NDArray[np.uint8]) -> None:
        self.texts = texts
        self.include = include
        self.rows: list[Row] = []
        blocks = np.count_nonzero(texts.documents, axis=1)
        self.t = [float(stdtrit(max(1, int(size) - 1), (1.0 + _LEVEL) / 2.0)) for size in blocks]

    def add(self, metric: str, lanes: list[Float], notes: list[str] | None = None, absent: frozenset[int] = frozenset()
            ) -> None:  # fmt: skip
        """Rows of a metric, lanes (lanes,) for each generation; `absent` generations have no value, only a note."""
        said = notes or [""] * len(lanes)
        base = lanes[0]
        for g, values in enumerate(lanes):
            name = self.texts.names[g]
            if g in absent or not math.isfinite(float(values[0])):
                self.rows.append(Row(metric, name, None, note=said[g] or "not defined"))
                continue
            value = float(values[0])
            low, high = self._interval(value, values, g)
            change: tuple[float | None, float | None, float | None] = (None, None, None)
            if g and 0 not in absent and math.isfinite(float(base[0])) and len(base) == len(values):
                difference = values - base
                change = (float(difference[0]), *self._interval(float(difference[0]), difference, g))
            self.rows.append(Row(metric, name, value, low, high, *change, said[g]))

    def _interval(self, value: float, lanes: Float, g: int) -> tuple[float | None, float | None]:
        if len(lanes) < 3 or not np.all(np.isfinite(lanes[1:])):
            return None, None
        half = max(self.t[0], self.t[g]) * float(np.std(lanes[1:], ddof=1))
        return value - half, value + half

    def widen(self, once: list[float], scale: list[float] | None = None) -> None:
        """Make the last rows' intervals, a row for each generation, as wide as few n-grams seen once ask for.

        Where hardly any was seen once, halves of the documents show the same n-grams and differ in nothing, though
        another text might lack a few: the interval of a Poisson count, times the scale (None: types, which more n-grams
        seen once make fewer).
        """
        first = len(self.rows) - len(once)
        for g, seen in enumerate(once):
            row = self.rows[first + g]
            if seen >= _FEW_ONCE or row.value is None or row.ci_low is None or row.ci_high is None:
                continue
            least = float(chdtri(2.0 * seen, (1.0 + _LEVEL) / 2.0)) / 2.0 if seen else 0.0
            most = float(chdtri(2.0 * seen + 2.0, (1.0 - _LEVEL) / 2.0)) / 2.0
            low, high = (least * scale[g], most * scale[g]) if scale else (
                row.value - (most - seen), row.value + (seen - least))  # fmt: skip
            self.rows[first + g] = replace(row, ci_low=min(row.ci_low, low), ci_high=max(row.ci_high, high))

    def stretch(self, factors: list[float]) -> None:
        """Make the intervals of the last rows, a row for each generation, so many times as wide."""
        first = len(self.rows) - len(factors)
        for g, factor in enumerate(factors):
            row = self.rows[first + g]
            if row.value is None or row.ci_low is None or row.ci_high is None:
                continue
            low, high = (row.value + factor * (end - row.value) for end in (row.ci_low, row.ci_high))
            self.rows[first + g] = row = replace(row, ci_low=low, ci_high=high)
            if row.change is not None and row.change_low is not None and row.change_high is not None:
                both = max(factor, factors[0])
                low, high = (row.change + both * (end - row.change) for end in (row.change_low, row.change_high))
                self.rows[first + g] = replace(row, change_low=low, change_high=high)

    def floor(self, metric: str, lanes: Float, note: str) -> None:
        """The row of the baseline where a metric compares with it: halves of it against their other halves."""
        name = self.texts.names[0]
        if len(lanes) < 3 or not np.all(np.isfinite(lanes[1:])):
            self.rows.append(Row(metric, name, None, note="no noise floor without halves of the documents"))
            return
        low, high = np.quantile(lanes[1:], [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
        self.rows.append(Row(metric, name, float(lanes[1:].mean()), float(low), float(high), note=note))


def _of_order(maker: _Maker, counts: Counts, entropy: str, knowledge: bool) -> dict[str, Any]:
    """Rows of the n-grams of one length; returns the sizes at which generations were compared."""
    texts, n = maker.texts, counts.order
    groups = range(len(texts.generations))
    level = {"order": n, "points": 0, "rare_points": 0, "rare_types": counts.rare, "rare_at_most": counts.cut}
    smallest = counts.sizes[: len(texts.generations)].min(axis=1)
    if smallest.min() < 3:
        few = [f"too few {n}-grams" if size < 3 else "another generation has too few" for size in smallest]
        nothing = [np.full(1, math.nan)] * len(groups)
        for metric in ("distinct", "support", "chao1", "missing_mass", "entropy", "heterozygosity"):
            maker.add(f"{metric}_{n}", nothing, few)
        return level
    points = int(smallest.min()) - 1
    level["points"] = points
    seen = [Frequencies(counts, g) for g in groups]
    missing = [each.missing_mass() for each in seen]
    thin = [_thin(float(mass[0])) for mass in missing]
    unequal = [_unequal(texts, counts, g) for g in groups]
    far = frozenset(g for g in groups if unequal[g])
    once = [float(each.seen(1)[0]) for each in seen]
    maker.add(f"distinct_{n}", [each.distinct(points) for each in seen], unequal, far)
    maker.widen(once)
    own_size = [_own_size(counts, g) for g in groups]
    maker.add(f"support_{n}", [each.support() for each in seen], own_size)
    maker.stretch([each.restlessness() for each in seen])
    maker.widen(once)
    maker.add(f"chao1_{n}", [each.chao1() for each in seen], ["lower bound"] * len(groups))
    maker.add(f"missing_mass_{n}", missing, own_size)
    maker.widen(once, [1.0 / float(each.n[0]) for each in seen])
    maker.add(f"entropy_{n}", [each.entropy(entropy) for each in seen], thin)
    maker.add(f"heterozygosity_{n}", [each.heterozygosity() for each in seen])
    maker.add(f"overlap_{n}", [each.overlap(points - 1) for each in seen], unequal, far)
    repeated = lane_sums(texts.repeated[n - 1], maker.include)[: len(groups)]
    maker.add(f"repeated_{n}", list(repeated / np.maximum(counts.sizes[: len(groups)], 1)))
    _compared(maker, counts, points - 1, max(float(mass[0]) for mass in missing), thin, unequal)
    second = counts.sizes[len(groups)].min()
    rare_points = int(min(second, *(counts.sizes[g].min() for g in groups[1:]))) if len(groups) > 1 else int(second)
    if rare_points >= 1:
        level["rare_points"] = rare_points
        kept = [estimates.retention(counts, g, rare_points) for g in groups]
        maker.add(f"rare_retention_{n}", kept, unequal, far)
    if knowledge:
        _shrinkage(maker, counts)
    return level


def _thin(missing: float) -> str:
    return f"{100 * missing:.0f} % of the law is unseen: too small a sample" if missing > _UNSEEN else ""


def _unequal(texts: Texts, counts: Counts, g: int) -> str:
    sizes = counts.sizes[: len(texts.generations)]
    if sizes[g, 0] > estimates.MOST_UNEQUAL * sizes.min():
        return f"{sizes[g, 0]} {counts.order}-grams against {sizes.min()}: sizes too unequal to compare"
    return ""


def _own_size(counts: Counts, g: int) -> str:
    base, size = counts.sizes[0, 0], counts.sizes[g, 0]
    return "" if 0.9 < size / base < 1.1 else "at its own size: not comparable with the baseline's"


def _compared(maker: _Maker, counts: Counts, level: int, missing: float, thin: list[str], unequal: list[str]) -> None:
    """Divergences: from and to the baseline, from the generation before, and the noise floor."""
    generations = len(maker.texts.generations)
    place = {(int(one), int(other)): q for q, (one, other) in enumerate(counts.pairs)}
    floor = place.get((0, generations + 1))
    if not len(counts.pairs) or level < 1:
        return
    n = counts.order
    nothing = np.full(1, math.nan)
    biased = "" if missing < _BIASED else "too high by what both samples lack: compare with the noise floor"
    cut = (
        ""
        if missing < _BIASED
        else f"a series up to {level} n-grams, not the whole of KL: compare with the noise floor"
    )
    between = "two halves of the baseline: the noise floor"
    for metric in (f"kl_source_model_{n}", f"kl_model_source_{n}", f"js_{n}", f"kl_previous_{n}"):
        if floor is None:
            lanes = nothing
        elif metric.startswith("js"):
            lanes = estimates.jensen_shannon(counts, floor)
        else:
            lanes = estimates.divergence(counts, floor, False, level)
        if metric.startswith("kl_previous") and generations < 3:
            continue
        maker.floor(metric, lanes, "; ".join(filter(None, (between, thin[0]))))
        rows = [nothing]
        notes = [""]
        for g in range(1, generations):
            before = g - 1 if metric.startswith("kl_previous") else 0
            q = place[before, g]
            said = unequal[g] or unequal[before]
            notes.append(said or thin[g] or thin[before] or (biased if metric.startswith("js") else cut))
            if said:
                rows.append(nothing)
            elif metric.startswith("js"):
                rows.append(estimates.jensen_shannon(counts, q))
            else:
                rows.append(estimates.divergence(counts, q, metric.startswith("kl_model_source"), level))
        first = len(maker.rows)
        maker.add(metric, rows, notes)
        del maker.rows[first]  # the baseline's row is the noise floor
        maker.rows[first:] = [_above(row, maker.rows[first - 1]) for row in maker.rows[first:]]


def _above(row: Row, floor: Row) -> Row:
    """The row with its change against the noise floor; the interval takes in both intervals."""
    if row.value is None or floor.value is None:
        return row
    low, high = row.ci_low, row.ci_high
    if low is None or high is None or floor.ci_low is None or floor.ci_high is None:
        return replace(row, change=row.value - floor.value)
    return replace(row, change=row.value - floor.value, change_low=low - floor.ci_high, change_high=high - floor.ci_low)


def _shrinkage(maker: _Maker, counts: Counts) -> None:
    """Mass of each band of frequency, relative to that in the second half of the baseline."""
    groups = range(len(maker.texts.generations))
    for band in range(BANDS):
        base = estimates.band_share(counts, band, 0)
        if not base[0] > 0:
            continue
        low, high = 2**band, 2 ** (band + 1) - 1
        name = f"shrinkage_{low}" if low == high else f"shrinkage_{low}-{high}"
        few = float(counts.bands[band, 0, 0]) < 50
        with np.errstate(divide="ignore", invalid="ignore"):
            lanes = [estimates.band_share(counts, band, g) / base for g in groups]
        lanes[0] = lanes[0][:1]  # 1 by its definition
        maker.add(name, lanes, ["fewer than 50 occurrences in the band"] * len(lanes) if few else None)


def _of_documents(maker: _Maker, seed: int) -> None:
    """Rows of documents: their length, those that repeat, and how far text compresses."""
    texts, include = maker.texts, maker.include
    groups = range(len(texts.generations))
    documents = lane_sums(texts.documents.reshape(-1), include)
    cut = ["fewer than 10 documents: cut into pieces" if texts.generations[g].pieces else "" for g in groups]
    whole = frozenset(g for g in groups if cut[g])
    for metric, name in (("length", "symbols"), ("duplicates", "repeats"), ("copied", "copies")):
        sums = lane_sums(np.concatenate([getattr(generation, name) for generation in texts.generations]), include)
        maker.add(metric, [sums[g] / documents[g] for g in groups], cut, whole)
    lanes = [_ratio(texts.generations[g], include.shape[1] - 1, g, seed) for g in groups]
    short = [len(generation.compressed) < 2 for generation in texts.generations]
    note = "less than 64 KiB of text: too little to compress"
    maker.add("compression", lanes, [note if s else "" for s in short], frozenset(g for g in groups if short[g]))


def _ratio(generation: Generation, resamples: int, g: int, seed: int) -> Float:
    """Bytes before compression over bytes after, in all blocks and in random halves of them."""
    raw, packed = np.array(generation.compressed, dtype=np.float64).T
    blocks = len(raw)
    weights = np.ones((resamples + 1, blocks))
    keys = uniforms(blocks, resamples * blocks, _COINS + 16 * g, seed).reshape(resamples, blocks)
    weights[1:] = np.argsort(np.argsort(keys, axis=1), axis=1) < max(1, blocks // 2)
    return np.asarray((weights @ raw) / (weights @ packed))


def _files(files: Sequence[File]) -> list[dict[str, Any]]:
    return [
        {
            "name": file.name,
            "sha256": file.sha256,
            "documents": file.documents,
            "replaced": file.replaced,
            "skipped": file.skipped,
            "wrappers": file.wrappers,
        }
        for file in files
    ]


def _sizes(generation: Generation) -> dict[str, Any]:
    return {
        "generation": generation.name,
        "documents": generation.read,
        "empty_documents": generation.empty,
        "symbols": int(generation.symbols.sum()),
    }


def _warnings(texts: Texts, resamples: int) -> Iterator[str]:
    for file in texts.files:
        for number, what in (
            (file.replaced, "places with broken characters mended"),
            (file.skipped, "documents left out because they are broken"),
            (file.wrappers, "invisible wrappers taken out"),
        ):
            if number:
                yield f"{file.name}: {number} {what}"
    if not resamples:
        yield "no resamples: no intervals and no noise floor"
    for generation in texts.generations:
        copied = int(generation.copies.sum()) / max(1, generation.read)
        if copied > _COPIED:
            yield (
                f"generation {generation.name}: {100 * copied:.0f} % of its documents are the baseline's own; "
                "divergences take the two for independent, and come out too low"
            )
        if generation.pieces:
            yield (
                f"generation {generation.name}: fewer than {FEW_DOCUMENTS} documents, cut into "
                f"{int(generation.documents.sum())} pieces; "
                "pieces of one text are alike, so that its intervals are too narrow"
            )
        elif generation.longest > _HEAVY * generation.symbols.sum():
            share = 100 * generation.longest / generation.symbols.sum()
            yield f"generation {generation.name}: one document holds {share:.0f} % of it; its intervals are rough"
