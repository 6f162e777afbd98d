"""Small records kept as numbers: a seed that gave them once gives them for ever.

LIGHTCOLLAPSE_REWRITE_GOLDEN=1 pytest tests/test_golden.py writes them anew; the commit that does says why.
"""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_contracts import FAMILY_CARDS, INTEGERS, REGIME_CARDS, possible, small

from lightcollapse.kernels import rng
from lightcollapse.loop import run
from lightcollapse.scenario import Scenario

FOLDER = Path(__file__).parent / "golden"
REWRITE = os.environ.get("LIGHTCOLLAPSE_REWRITE_GOLDEN") == "1"
SEED = 1234567890123456789


def of_record(card: Scenario) -> dict[str, Any]:
    """The last generation of three replicates, and whether and where they were absorbed."""
    record = run(card, seed=SEED, replicates=[0, 1, 4_000_000_000])
    return {
        "absorbed": record.absorbed.tolist(),
        "excerpts": list(record.excerpts),
        "metrics": {name: [number(value) for value in values[:, -1]] for name, values in record.metrics.items()},
    }


def number(value: float) -> float | str:
    """A float as JSON holds it: infinities as text."""
    return float(value) if np.isfinite(value) else str(float(value))


def of_rng() -> dict[str, Any]:
    """Draws of every sampler at one counter."""
    counter = (np.uint64(7), np.uint64(3), np.uint64(2), rng.SYNTHETIC)
    key = rng.key(SEED)
    samplers: dict[str, tuple[Any, tuple[Any, ...]]] = {
        "gamma": (rng.gamma, (4.5,)),
        "binomial by inversion": (rng.binomial, (30, 0.2)),
        "binomial by rejection": (rng.binomial, (1000, 0.4)),
        "hypergeometric one by one": (rng.hypergeometric, (9, 5, 6)),
        "hypergeometric by rejection": (rng.hypergeometric, (300, 200, 150)),
    }
    return {
        "philox": [int(word) for word in rng.philox(*counter, *key)],
        "uniforms": list(rng.uniforms(*counter, *key)),
        "normals": list(rng.normals(*counter, *key)),
        **{
            name: [float(value), int(free)]
            for name, (sampler, arguments) in samplers.items()
            for value, free in [sampler(*arguments, *counter, *key)]
        },
    }


# A family's file holds these regimes; every other regime has a file of its own, which holds these families.
REGIMES_OF_A_FAMILY = ("replace", "accumulate", "accumulate-subsample", "fresh-fraction", "fresh-fraction 0",
                       "fresh-fraction 1", "fixed-real", "window")  # fmt: skip
FAMILIES_OF_A_REGIME = ("gaussian ml", "gaussian points", "categorical", "ngram words")


def golden() -> dict[str, Any]:
    """File name -> what makes its content."""
    makers: dict[str, Any] = {"rng": of_rng}
    for family in FAMILY_CARDS:
        regimes = [regime for regime in REGIMES_OF_A_FAMILY if possible(family, regime)]
        makers[family.replace(" ", "-")] = partial(of_cards, [(family, regime) for regime in regimes], 1)
    for regime in REGIME_CARDS:
        if regime not in REGIMES_OF_A_FAMILY:
            families = [family for family in FAMILIES_OF_A_REGIME if possible(family, regime)]
            makers[f"regime-{regime.replace(' ', '-')}"] = partial(of_cards, [(name, regime) for name in families], 0)
    return makers


def of_cards(pairs: list[tuple[str, str]], named_by: int) -> dict[str, Any]:
    """Records of (family, regime) cards, by the name of one of the two."""
    return {pair[named_by]: of_record(small(*pair)) for pair in pairs}


def assert_same(got: Any, kept: Any, path: str) -> None:
    """Integers and words exactly, floats to 1e-9: libraries of other machines round their last digits otherwise."""
    if isinstance(kept, dict):
        assert list(got) == list(kept), path
        for name, value in kept.items():
            assert_same(got[name], value, f"{path}/{name}")
    elif isinstance(kept, list):
        assert len(got) == len(kept), path
        for i, value in enumerate(kept):
            assert_same(got[i], value, f"{path}/{i}")
    elif isinstance(kept, float) and path.split("/")[-2] not in INTEGERS:
        assert got == pytest.approx(kept, rel=1e-9, abs=1e-12), path
    else:
        assert got == kept, path


@pytest.mark.parametrize("name", golden())
def test_golden(name: str) -> None:
    got = golden()[name]()
    path = FOLDER / f"{name}.json"
    if REWRITE:
        path.write_text(json.dumps(got, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert_same(got, kept, name)


def test_every_golden_file_has_its_maker() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(golden())
