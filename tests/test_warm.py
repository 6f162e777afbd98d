"""`warm`: what it compiles, where, and what it says where it cannot."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lightcollapse.cli import card, main, warm
from lightcollapse.cli.compilation import Compilation
from lightcollapse.cli.progress import Progress
from lightcollapse.families import FAMILIES

needs_compiler = pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled")


def started(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A process with a cache of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "lightcollapse", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=os.environ | {"LIGHTCOLLAPSE_CACHE_DIR": str(folder)},
    )


@needs_compiler
def test_two_processes_warm_at_once_and_then_all_is_there(tmp_path: Path) -> None:
    both = [started(tmp_path, "warm", "zipf", "--jobs", "1", "--json") for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        told = json.loads(out)
        assert told["schema"] == "lightcollapse/warm/1" and told["ok"]
        assert told["directory"].startswith(str(tmp_path)) and told["bytes"] > 0
    out, err = started(tmp_path, "warm", "zipf", "--jobs", "2").communicate(timeout=300)
    assert "zipf  all there" in out and "all kernels were there already" in out and err == ""
    run = started(tmp_path, "run", "zipf", "--replicates", "2", "--no-figure", "-o", str(tmp_path / "run"), "--json")
    before = {path.name for path in tmp_path.rglob("*.nb[ic]")}
    assert before and run.communicate(timeout=300)[0] and run.returncode == 0
    assert {path.name for path in tmp_path.rglob("*.nb[ic]")} == before


@pytest.mark.parametrize("as_json", [False, True])
def test_a_cache_that_cannot_be_written_is_told(
    as_json: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    process = started(file, "warm", "zipf", *(["--json"] if as_json else []))
    out, err = process.communicate(timeout=300)
    assert process.returncode == 1 and str(file) in err and "LIGHTCOLLAPSE_CACHE_DIR" in err
    assert (json.loads(out)["ok"] is False) if as_json else out == ""


@pytest.mark.parametrize(
    ("arguments", "message"), [(["nope"], "no preset is called 'nope'"), (["zipf", "--jobs", "0"], "at least 1, got 0")]
)
def test_a_wrong_call_is_told_before_anything_is_compiled(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["warm", *arguments]) == 2
    out, err = capsys.readouterr()
    assert message in err and out == ""


@needs_compiler
@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_keeps_what_was_compiled(jobs: str, tmp_path: Path) -> None:
    process = started(tmp_path, "warm", "zipf", "gaussian", "--jobs", jobs)
    for _ in range(600):
        if any(tmp_path.rglob("*.nbi")):
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130 and "interrupted after" in err and "Traceback" not in err
    assert any(tmp_path.rglob("*.nbi"))


def test_every_preset_and_every_family_is_warmed() -> None:
    names = warm.everything()
    kinds = {family.kind for family in FAMILIES if family.own_kernels}
    presets = {name for name in card.preset_names() if card.load(name).scenario.family.kind in kinds}
    assert set(names) == presets | {f"family:{kind}" for kind in kinds}
    assert set(card.preset_names()) - presets == {"transformer-small", "transformer-tiny"}
    for kind in ("gaussian", "poisson"):
        cards = list(warm._scenarios(f"family:{kind}"))
        assert {scenario.family.kind for scenario in cards} == {kind}
        assert {scenario.regime.kind for scenario in cards} >= {"replace", "accumulate-subsample", "fresh-fraction"}
        assert any(scenario.curation for scenario in cards)


@needs_compiler
def test_compilation_names_what_it_compiles_and_counts_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    from lightcollapse import compiler
    from lightcollapse.compiler import kernel
    from lightcollapse.kernels import rng

    monkeypatch.setattr(compiler, "cache_directory", lambda: None)

    said: list[str] = []

    class Noting(Progress):
        def say(self, what: str) -> None:
            said.append(what)

    def outer(value):  # type: ignore[no-untyped-def]
        return rng_kernel(value) + 1.0  # noqa: F821

    def inner(value):  # type: ignore[no-untyped-def]
        return value * 2.0

    for function in (outer, inner):
        function.__module__ = rng.__name__
    scope = outer.__globals__
    scope["rng_kernel"] = kernel(inner)
    try:
        with Compilation(Noting()) as compilation:
            assert kernel(outer)(2.0) == 5.0
    finally:
        del scope["rng_kernel"]
    assert said == ["compiling rng.outer, kernel 1 of 2", "compiling rng.inner, kernel 2 of 2"]
    assert compilation.compiled == ["rng.inner", "rng.outer"]
