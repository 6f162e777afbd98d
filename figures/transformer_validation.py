"""What a small transformer goes on to write, beside what the theory of drift forecasts from its first three
generations, and the effective sample size of its drift by width, training and temperature.

`python figures/transformer_validation.py --run` runs it all anew and writes the numbers beside this script:
transformer-small in five settings where torch finds a GPU, transformer-tiny in three elsewhere. `--run DIR` keeps the
models there, and goes on from those that it holds.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lightcollapse import gallery
from lightcollapse.plot import BLACK, BLUE, COLOURS, MARKERS, VERMILLION, sheet

DATA = Path(__file__).with_suffix(".json")
FOUND: dict[str, Any] = json.loads(DATA.read_text(encoding="utf-8")) if DATA.exists() else {}
RECIPE = {
    "data": DATA.name,
    "sha256": hashlib.sha256(DATA.read_bytes()).hexdigest() if DATA.exists() else "",
    "machine": FOUND.get("machine", {}),
}
SEED, GENERATIONS = 1, 10
TINY = {"replace": {}, "fresh 5 %": {"regime": {"kind": "fresh-fraction", "fraction": 0.05}},
        "temperature 0.8": {"curation": [{"kind": "decoding", "temperature": 0.8}]}}  # fmt: skip
SMALL = {"replace": "", "accumulate": "accumulate", "fresh 5 %": "fresh-5", "fresh 50 %": "fresh-50",
         "temperature 0.8": "temperature"}  # fmt: skip
PANELS = (("support", 4, "distinct 4-grams"), ("entropy", 4, "entropy of 4-grams, nats"), ("kl", 1, "KL, symbols"))
TABLE = {"rare_perplexity": "rare_perplexity", "distinct_4grams": "distinct_4", "kl_from_human": "kl_source_model"}


def figure(quick: bool = False) -> Figure:
    """The figure of the numbers beside this script; it is quick as it is."""
    cards = {name: FOUND["cards"][name] for name in SMALL if name in FOUND["cards"]}
    with sheet(len(cards) + 1, 3, height=1.9) as (drawing, axes):
        for row, (name, one) in enumerate(cards.items()):
            for axis, (metric, order, label) in zip(axes[row], PANELS, strict=True):
                _held(axis, [held for held in one["rows"] if (held["metric"], held["order"]) == (metric, order)])
                axis.set_ylabel(label)
            axes[row, 0].set_title(name)
        axes[0, 0].legend()
        for axis, dial in zip(axes[-1], ("width", "tokens", "temperature"), strict=True):
            _swept(axis, dial)
    return drawing


def _held(axis: Axes, rows: list[dict[str, Any]]) -> None:
    """What came as dots, the forecast as line and band; gaps where either says nothing."""
    t = np.array([row["generation"] for row in rows])
    came, line, low, high = (
        np.array([np.nan if row[name] is None else row[name] for row in rows], dtype=float)
        for name in ("truth", "expected", "ci_low", "ci_high")
    )
    axis.fill_between(t, low, high, color=VERMILLION, alpha=0.2, linewidth=0, label="95 % of runs")
    axis.plot(t, line, color=VERMILLION, label="forecast by drift")
    axis.plot(t, came, "o", color=BLUE, markersize=3.5, label="what it wrote")
    axis.set_xlabel("generation")


def _swept(axis: Axes, dial: str) -> None:
    """Effective sample size over tokens, by the value of one dial, for 1-, 2- and 4-grams."""
    rows = [row for row in FOUND["sweep"] if row["dial"] == dial]
    for place, order in enumerate(sorted({row["order"] for row in rows})):
        mine = [row for row in rows if row["order"] == order and row["value"] is not None]
        share = np.array([row["value"] / row["tokens"] for row in mine])
        ends = np.array([
            [np.nan if row[end] is None else row[end] / row["tokens"] for row in mine] for end in ("ci_low", "ci_high")
        ])  # fmt: skip
        axis.errorbar(
            [row["setting"] / (1000 if dial == "tokens" else 1) for row in mine],
            share,
            np.abs(np.nan_to_num(ends - share)),
            color=COLOURS[place],
            marker=MARKERS[place],
            markersize=3.5,
            elinewidth=0.8,
            label=f"{order}-grams",
        )
    axis.axhline(1.0, color=BLACK, linewidth=0.6, linestyle=(0, (2, 2)))
    axis.set(xlabel=dial if dial != "tokens" else "thousand symbols trained on", ylabel="n_e / n", yscale="log")
    if dial == "width":
        axis.legend()


# Measuring.


def run(folder: Path) -> dict[str, Any]:
    """All numbers: forecasts and truth of each card, the sweep, and the degradation table."""
    import torch

    gpu = torch.cuda.is_available()
    start = time.monotonic()
    cards = _cards(gpu)
    found: dict[str, Any] = {
        "schema": "lightcollapse/transformer-validation/1",
        "seed": SEED,
        "machine": {
            "device": torch.cuda.get_device_name() if gpu else "cpu",
            "threads": 1,
            **{package: version(package) for package in ("lightcollapse", "numpy", "torch")},
            "python": sys.version.split()[0],
        },
        "cards": {},
    }
    for name, card in cards.items():
        found["cards"][name] = _validated(card, folder / name.replace(" ", "-"))
        print(f"{name}: {found['cards'][name]['seconds']:.0f} s", file=sys.stderr)
    first = next(iter(cards.values()))
    found["sweep"] = _sweep(first, folder)
    found["degradation"] = _degradation(first, folder / "replace")
    found["seconds"] = round(time.monotonic() - start, 1)
    return found


def _cards(gpu: bool) -> dict[str, Any]:
    from lightcollapse.presets import preset_cards
    from lightcollapse.scenario import Scenario

    if gpu:
        data = preset_cards("transformer-small")
        return {name: Scenario.from_dict(data[card]) for name, card in SMALL.items()}
    plain = preset_cards("transformer-tiny")[""] | {"generations": GENERATIONS}
    return {name: Scenario.from_dict(plain | change) for name, change in TINY.items()}


def _validated(card: Any, folder: Path) -> dict[str, Any]:
    from lightcollapse.validation import validate

    start = time.monotonic()
    found = validate(card, SEED, checkpoints=folder)
    inside, of = found.coverage()
    return {
        "card": card.to_dict(),
        "rows": [asdict(row) for row in found.rows],
        "departures": [asdict(one) for one in found.departures],
        "inside": inside,
        "of": of,
        "seconds": round(time.monotonic() - start, 1),
    }


def _sweep(card: Any, folder: Path) -> list[dict[str, Any]]:
    """The effective sample size by width, symbols trained on, and temperature: three generations of each."""
    from msgspec.structs import replace

    from lightcollapse.curation import Decoding
    from lightcollapse.validation import validate

    family = card.family
    settings: list[tuple[str, float, Any]] = [
        *(("width", w, {"family": replace(family, width=w)}) for w in (family.width // 4, family.width // 2)),
        *(("tokens", n, {"family": replace(family, tokens=n)}) for n in (family.tokens // 4, family.tokens // 2)),
        *(("temperature", heat, {"curation": (Decoding(heat),)}) for heat in (0.8, 1.2)),
        *((dial, value, {}) for dial, value in
          (("width", family.width), ("tokens", family.tokens), ("temperature", 1.0))),
    ]  # fmt: skip
    rows = []
    for dial, value, change in settings:
        name = f"{dial}-{value}" if change else "replace"
        short = replace(card, generations=3, **change)
        for one in validate(short, SEED, orders=(1, 2, 4), checkpoints=folder / name).departures:
            size = next((driver for driver in one.drivers if driver.name == "effective_sample_size"), None)
            ends = {end: None if size is None else getattr(size, end) for end in ("value", "ci_low", "ci_high")}
            rows.append({"dial": dial, "setting": value, "order": one.order, "tokens": one.tokens, **ends})
        print(f"{dial} {value}", file=sys.stderr)
    return sorted(rows, key=lambda row: (row["dial"], row["order"], row["setting"]))


def _degradation(card: Any, folder: Path) -> dict[str, Any]:
    """The columns of an article's table: its own, the transformer's, and those of n-grams on the same text."""
    from msgspec.structs import replace

    from lightcollapse.families import NGram
    from lightcollapse.loop import run as simulate
    from lightcollapse.reproduce.claim import load_claim

    records = {
        "transformer": simulate(replace(card, generations=6), SEED, 1, checkpoints=folder),
        "n-grams": simulate(replace(card, generations=6, family=NGram(4)), SEED, 4),
    }
    curves = load_claim("degradation-table").curves
    return {
        column: {"article": list(curves[column])}
        | {name: record.metrics[metric].mean(axis=0).tolist() for name, record in records.items()}
        for column, metric in TABLE.items()
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        with tempfile.TemporaryDirectory() as scratch:
            numbers = run(Path(sys.argv[2] if len(sys.argv) > 2 else scratch))
        DATA.write_text(json.dumps(numbers, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    else:
        gallery.publish(__file__)
