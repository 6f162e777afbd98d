"""A transformer's runs: checkpoints and going on from them, its presets, and what is refused; some need no torch."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from lightcollapse.cli import card as cards
from lightcollapse.cli import main
from lightcollapse.curation import Decoding
from lightcollapse.errors import CardError, DataError, MissingExtra
from lightcollapse.families import Transformer
from lightcollapse.loop import run
from lightcollapse.record import Record
from lightcollapse.regimes import Accumulate, Weighted
from lightcollapse.scenario import Scenario
from lightcollapse.sources import HiddenMarkov, Markov, Normal, Text

CORPUS = Path(__file__).parent / "data" / "tiny.txt"
SOURCE = HiddenMarkov(
    ((0.9, 0.1), (0.2, 0.8)), ((0.5, 0.4, 0.1), (0.1, 0.1, 0.8)), document_length=10, documents=200, rare_share=0.4
)
CARD = Scenario(SOURCE, Transformer(8, 1, 1, tokens=800, batch=8, device="cpu"), Accumulate(), (Decoding(0.8),),
                sample_size=300, generations=4)  # fmt: skip
SHRUNK = ["--set", "family.width=8", "--set", "family.depth=1", "--set", "family.heads=1", "--set", "family.tokens=640",
          "--sample-size", "600", "--generations", "2", "--device", "cpu", "--replicates", "1",
          "--no-figure"]  # fmt: skip
needs_torch = pytest.mark.skipif(bool(Transformer.missing()), reason=Transformer.missing())


def refused(path: Path, *said: str) -> str:
    """Run the card with checkpoints in a folder that one file spoils; the message."""
    with pytest.raises(DataError) as caught:
        run(CARD, 1, 1, checkpoints=path.parent)
    message = str(caught.value)
    assert caught.value.exit_code == 4 and str(path) in message and "\n" not in message
    assert [word for word in said if word not in message] == []
    return message


# --- cards, with or without torch


BAD: dict[str, tuple[Any, list[str]]] = {
    "no width": (lambda: Transformer(0), ["width must be at least 1", "0"]),
    "odd heads": (lambda: Transformer(30, heads=4), ["multiple of twice the 4 heads", "30"]),
    "no tokens": (lambda: Transformer(tokens=0), ["tokens must be at least 1"]),
    "no rate": (lambda: Transformer(learning_rate=0.0), ["learning_rate must be positive", "0.0"]),
    "unknown start": (lambda: Transformer(start="warm"), ["warm", "previous, scratch"]),  # type: ignore[arg-type]
    "unknown device": (lambda: Transformer(device="gpu"), ["gpu", "auto, cpu, cuda"]),  # type: ignore[arg-type]
    "numbers": (lambda: Scenario(Normal(), Transformer(), sample_size=9), ["transformer needs a text source"]),
    "a short context": (
        lambda: Scenario(Markov(((0.5, 0.5), (0.5, 0.5)), document_length=4), Transformer(), sample_size=50),
        ["document_length, the context of family transformer, must be at least 8 symbols", "4"],
    ),
    "a small sample": (
        lambda: Scenario(Text(), Transformer(), sample_size=255),
        ["sample_size must be at least a context (the source's document_length), 256 symbols", "255"],
    ),
    "weights": (lambda: Scenario(Text(), Transformer(), Weighted(0.5), sample_size=999), ["cannot execute", "weight"]),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_card_is_refused_with_rule_value_and_help(name: str) -> None:
    build, words = BAD[name]
    with pytest.raises(CardError) as caught:
        build()
    assert [word for word in words if word not in str(caught.value)] == [], str(caught.value)
    assert caught.value.exit_code == 2


def test_a_corpus_shorter_than_a_context_is_refused(tmp_path: Path) -> None:
    short = tmp_path / "short.txt"
    short.write_text("A few words are not enough. " * 4)
    with pytest.raises(DataError, match=r"'short.txt' is shorter than a context .*, 256 symbols") as caught:
        Scenario(Text(str(short)), Transformer(), sample_size=300)
    assert caught.value.exit_code == 4


def test_without_torch_a_run_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else found(name))
    monkeypatch.chdir(tmp_path)
    assert main(["run", "transformer-tiny", "--seed", "1"]) == 5
    out, err = capsys.readouterr()
    assert out == "" and 'pip install "lightcollapse[torch]"' in err and "Traceback" not in err
    with pytest.raises(MissingExtra, match="needs torch"):
        run(CARD, 1, 1)
    assert cards.load("transformer-tiny").scenario.generations == 5


def test_a_card_imports_no_torch() -> None:
    script = (
        "import sys, lightcollapse as lc;"
        "lc.Scenario(lc.sources.Text(), lc.families.Transformer(), sample_size=999).metrics; lc.families.FAMILIES;"
        "assert not {'torch', 'safetensors', 'numba'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_small_preset_is_a_set_of_five_regimes_of_ten_million_weights() -> None:
    names = ("", ":accumulate", ":fresh-5", ":fresh-50", ":temperature")
    found = [cards.load(f"transformer-small{name}").scenario for name in names]
    assert [card.regime.kind for card in found] == ["replace", "accumulate", *["fresh-fraction"] * 2, "replace"]
    assert found[-1].curation == (Decoding(0.8),) and {card.generations for card in found} == {10}
    family = found[0].family
    assert isinstance(family, Transformer) and 9e6 < family.weights(100) < 12e6


# --- runs


@needs_torch
@pytest.mark.parametrize("preset", ["transformer-tiny", "transformer-small:temperature"])
def test_the_presets_run_and_fit_80_columns(
    preset: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", preset, "--seed", "1", "--corpus", str(CORPUS), *SHRUNK, "-o", "mine"]) == 0
    out, err = capsys.readouterr()
    assert max(map(len, out.splitlines())) <= 80 and "saved in mine" in err
    assert sorted(path.name for path in (tmp_path / "mine/checkpoints").iterdir()) == [
        "human.safetensors",
        "replicate-0-generation-1.safetensors",
        "replicate-0-generation-2.safetensors",
    ]
    first = Record.load("mine/record.npz")
    assert main(["run", preset, "--seed", "1", "--corpus", str(CORPUS), *SHRUNK, "-o", "mine"]) == 0
    assert Record.load("mine/record.npz") == first


@needs_torch
def test_a_family_without_a_device_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "gaussian", "--device", "cpu"]) == 2
    assert "unknown key family.device" in capsys.readouterr().err


@needs_torch
def test_a_run_goes_on_from_any_generation(tmp_path: Path) -> None:
    from lightcollapse.families.transformer import simulation

    whole = run(CARD, 1, 2)
    assert run(CARD, 1, 2, checkpoints=tmp_path) == whole
    files = sorted(tmp_path.iterdir())
    assert len(files) == 1 + 2 * CARD.generations
    times = [path.stat().st_mtime_ns for path in files]
    assert run(CARD, 1, 2, checkpoints=tmp_path) == whole
    assert [path.stat().st_mtime_ns for path in files] == times
    for generation in (4, 3, 2, 1):
        for replicate in (0, 1):
            (tmp_path / simulation._name(simulation.Turn(generation, replicate, 1))).unlink()
        assert run(CARD, 1, 2, checkpoints=tmp_path) == whole


CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
import test_transformer_runs as test
test.run(test.CARD, 1, 2, jobs=2, checkpoints=sys.argv[2]).save(sys.argv[3])
"""


@needs_torch
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system kills no process so")
def test_a_killed_process_is_gone_on_from_in_another(tmp_path: Path) -> None:
    line = [sys.executable, "-c", CHILD, str(Path(__file__).parent), str(tmp_path / "kept"), str(tmp_path / "r.npz")]
    process = subprocess.Popen(line, env=os.environ)
    for _ in range(6000):
        if len(list((tmp_path / "kept").glob("replicate*"))) >= 2 or process.poll() is not None:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    subprocess.run(line, check=True)
    assert Record.load(tmp_path / "r.npz") == run(CARD, 1, 2)


@needs_torch
def test_a_checkpoint_of_another_card_is_refused(tmp_path: Path) -> None:
    run(CARD, 1, 1, checkpoints=tmp_path)
    others = {
        "family differs": replace(CARD, family=replace(CARD.family, learning_rate=1e-3)),
        "training set differs": replace(CARD, source=replace(SOURCE, seed=5)),
    }
    for said, card in others.items():
        with pytest.raises(DataError, match=f"is a checkpoint of another card: its {said}") as caught:
            run(card, 1, 1, checkpoints=tmp_path)
        assert caught.value.exit_code == 4 and "human.safetensors" in str(caught.value)
    with pytest.raises(DataError, match="its seed or generation differs"):
        run(CARD, 2, 1, checkpoints=tmp_path)
    first, second = (tmp_path / f"replicate-0-generation-{generation}.safetensors" for generation in (1, 2))
    second.write_bytes(first.read_bytes())
    refused(second, "another card", "choose another folder")


@needs_torch
def test_a_damaged_checkpoint_is_refused_by_name(tmp_path: Path) -> None:
    run(CARD, 1, 1, checkpoints=tmp_path)
    path = tmp_path / "replicate-0-generation-2.safetensors"
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[-5] ^= 1
    for content in (b"", b"nothing", whole[:40], whole[:-3], bytes(flipped), b"\xff" * 200):
        path.write_bytes(content)
        refused(path, "damaged", "remove it, and its generation is trained again")
    from safetensors.numpy import save

    path.write_bytes(save({"a": np.zeros(3)}, {"schema": "other"}))
    refused(path, "its schema is 'other'")
    path.unlink()
    assert run(CARD, 1, 1, checkpoints=tmp_path) == run(CARD, 1, 1)


@needs_torch
def test_a_folder_that_cannot_be_written_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    line = ["run", "transformer-tiny", "--seed", "1", "--corpus", str(CORPUS), *SHRUNK, "-o", "file/folder", "--json"]
    assert main(line) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["ok"] is False and "cannot write the checkpoint" in err
