"""The command line: what goes where, exit codes, and that nothing a user does shows a traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lightcollapse as lc
from lightcollapse.cli import VERBS, card, explain, failure, main, table, view
from lightcollapse.errors import MissingExtra
from lightcollapse.loop import Interrupted
from lightcollapse.predictions import gaussian
from lightcollapse.theorems import THEOREMS, Theorem

SMALL = ["--replicates", "8", "--generations", "3", "--seed", "5"]


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command line."""
    code = main(arguments)
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, out, err


def strict(text: str) -> Any:
    """JSON without NaN or Infinity."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


def process(*arguments: str, **more: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "lightcollapse", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        **more,
    )


# --- run


def test_run_prints_a_row_a_generation_and_says_where_it_saved(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, "run", "gaussian", *SMALL)
    assert code == 0
    rows = [line.split()[0] for line in out.splitlines() if line[:4].strip().isdigit() and line.startswith(" ")]
    assert rows == ["0", "1", "2", "3"]
    folder = next(Path("lightcollapse-runs").iterdir())
    assert folder.name.startswith("gaussian-5-") and str(folder) in err
    assert sorted(path.name for path in folder.iterdir()) == ["figure.png", "figure.svg", "record.npz"]
    record = lc.Record.load(folder / "record.npz")
    assert lc.run(record.scenario, seed=5, replicates=8) == record


@pytest.mark.parametrize("preset", [name for name in card.preset_names() if not name.startswith("transformer")])
def test_every_preset_fits_80_columns(preset: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "run", preset, "--replicates", "2", "--seed", "1", "--no-figure")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    generations = card.load(preset).scenario.generations
    assert sum(line[:4].strip().isdigit() and "." in line for line in out.splitlines()) >= generations + 1


def test_a_second_run_writes_the_same_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    held = []
    for _ in range(2):
        assert call(capsys, "run", "gaussian", *SMALL)[0] == 0
        held.append({path: path.read_bytes() for path in sorted(Path("lightcollapse-runs").glob("*/*"))})
    assert held[0] == held[1] and len(held[0]) == 3


def test_another_card_seed_or_number_of_replicates_has_another_folder(capsys: pytest.CaptureFixture[str]) -> None:
    for more in ([], ["--sample-size", "50"], ["--replicates", "9"], ["--seed", "6"]):
        call(capsys, "run", "gaussian", *SMALL, *more, "--no-figure")
    assert len(list(Path("lightcollapse-runs").iterdir())) == 4


def test_a_chosen_folder_is_never_taken_from_another_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "run", "gaussian", *SMALL, "-o", "mine", "--no-figure")[0] == 0
    before = Path("mine/record.npz").read_bytes()
    code, out, err = call(capsys, "run", "gaussian", *SMALL, "--seed", "6", "-o", "mine")
    assert (code, out) == (2, "") and "holds another run, of seed 5" in err
    assert Path("mine/record.npz").read_bytes() == before
    Path("mine/record.npz").write_bytes(b"no record")
    assert call(capsys, "run", "gaussian", *SMALL, "-o", "mine")[0] == 2
    Path("file").touch()
    assert call(capsys, "run", "gaussian", *SMALL, "-o", "file")[0] == 2


def test_a_folder_that_cannot_be_written_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").touch()
    code, out, err = call(capsys, "run", "gaussian", *SMALL, "-o", "file/folder")
    assert code == 1 and "cannot write" in err and "--seed" not in out
    assert len(out.splitlines()) > 8
    code, out, _ = call(capsys, "run", "gaussian", *SMALL, "-o", "file/folder", "--json")
    data = strict(out)
    assert code == 1 and data["ok"] is False and data["error"]["kind"] == "runtime" and len(data["rows"]) == 40


def test_a_seed_is_drawn_printed_and_kept(capsys: pytest.CaptureFixture[str]) -> None:
    seeds = set()
    for _ in range(2):
        code, out, _ = call(capsys, "run", "gaussian", "--replicates", "2", "--json", "--no-figure")
        data = strict(out)
        assert code == 0
        assert lc.Record.load(next(path for path in data["files"])).seed == data["recipe"]["seed"]
        seeds.add(data["recipe"]["seed"])
    assert len(seeds) == 2


def test_long_recursions_show_about_sixty_rows() -> None:
    shown = view.generations_shown(1000)
    assert shown[:10] == list(range(10)) and shown[-1] == 1000 and len(shown) < 70
    assert view.generations_shown(50) == list(range(51))


def test_asked_metrics_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = call(capsys, "run", "gaussian", *SMALL, "--no-figure", "--metric", "log_variance")
    assert "log variance" in out and "squared W2" not in out


# --- JSON


def test_json_is_one_object_with_the_rows_of_every_metric(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "run", "gaussian", *SMALL, "--json", "--no-figure")
    data = strict(out)
    assert code == 0 and data["schema"] == "lightcollapse/run/1" and data["ok"] is True
    assert data["recipe"]["seed"] == 5 and data["recipe"]["replicates"] == 8
    assert {"python", "numpy", "numba", "lightcollapse"} <= set(data["environment"])
    assert len(data["rows"]) == 10 * 4
    assert set(view.ROW) <= set(data["rows"][0])
    row = next(row for row in data["rows"] if row["metric"] == "variance" and row["generation"] == 3)
    assert row["predicted"] == pytest.approx(0.99**3) and row["ci_low"] < row["mean"] < row["ci_high"]


def test_json_of_collapse_has_null_and_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["zipf", "--set", "source.size=3", "--sample-size", "1", "--seed", "1", "--replicates", "3"]
    _, out, _ = call(capsys, "run", *arguments, "--json", "--no-figure")
    rows = [row for row in strict(out)["rows"] if row["metric"] == "kl_source_model" and row["generation"] == 1]
    assert rows[0]["mean"] is None and "mean is infinite" in rows[0]["reason"]


def test_the_card_inside_json_runs_again(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = call(capsys, "run", "gaussian", *SMALL, "--json", "--no-figure")
    Path("again.json").write_text(out)
    _, again, _ = call(capsys, "run", "again.json", "--seed", "5", "--replicates", "8", "--json", "--no-figure")
    assert strict(again)["rows"] == strict(out)["rows"]


def test_no_output_names_a_user_a_host_or_an_absolute_path(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = tmp_path / "words.txt"
    text.write_text("the cat sat on the mat and the dog ate the rat by the vat \n\n" * 60)
    _, out, _ = call(capsys, "run", "--corpus", str(text), "--replicates", "2", "--generations", "2", "--json")
    assert str(tmp_path) not in out and "words.txt" in out
    assert os.uname().nodename not in out or len(os.uname().nodename) < 4
    for path in Path("lightcollapse-runs").glob("*/figure.*"):
        assert str(tmp_path).encode() not in path.read_bytes()


@pytest.mark.parametrize(
    "verb", [["predict", "zipf"], ["presets"], ["presets", "text"], ["explain"], ["theory"], ["doctor"]]
)
def test_every_verb_has_json(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, *verb, "--json")
    data = strict(out)
    assert (code, err) == (0, "") and data["schema"] == f"lightcollapse/{verb[0]}/1" and data["rows"]


# --- explain


def test_a_theorem_is_explained_with_three_values(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "explain", "gaussian-replace-w2")
    shown = " ".join(out.split())
    assert code == 0 and max(map(len, out.splitlines())) <= 80
    assert "assumptions: family gaussian, replace; exact mean of w2_squared; where every sample has a variance" in shown
    assert "2305.17493" in shown and "theory/gaussian-distances.md" in shown and "gaussian.w2_squared_mean" in shown
    assert [line.split()[1] for line in out.splitlines() if line.startswith("  generation")] == ["1:", "2:", "3:"]
    (row,) = strict(call(capsys, "explain", "gaussian-replace-w2", "--json")[1])["rows"]
    expected = gaussian.w2_squared_mean([8] * 3)
    assert row["example"].startswith("gaussian on normal, replace, sample size 8")
    assert [value["value"] for value in row["values"]] == pytest.approx(expected[1:])


@pytest.mark.parametrize("theorem", THEOREMS, ids=str)
def test_every_theorem_is_explained(theorem: Theorem, capsys: pytest.CaptureFixture[str]) -> None:
    entry = explain._detailed(explain._theorem(theorem))
    assert entry.text and theorem.kind in entry.assumptions and theorem.note in entry.source
    assert len(entry.values) == 3 and entry.example
    assert max(map(len, explain._paragraphs(entry).splitlines())) <= 80


def test_the_first_part_of_a_name_stands_for_all_such_results(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "explain", "c24")
    assert code == 0
    assert "C24.coarse (result)" in out and "C24.richardson (result)" in out
    assert "C2.acc.H" not in out
    assert call(capsys, "explain", "C240")[0] == 2


def test_a_result_is_explained_by_its_functions_and_theorems(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "explain", "g7.w2")
    assert code == 0 and max(map(len, out.splitlines())) <= 80
    assert "gaussian.w2_squared_mean(sample_sizes, *, variance='ml')" in out
    rows = strict(call(capsys, "explain", "C6.support", "--json")[1])["rows"]
    assert rows[0]["what"] == "result" and rows[0]["functions"] == "wright_fisher.support_mean"
    assert "Derivation: theory/" in rows[0]["text"]
    assert {row["what"] for row in rows[1:]} == {"theorem"} and "categorical-replace-support" in rows[0]["theorems"]


# --- cards


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["rnu"], 2, "did you mean 'run'"),
        (["run", "gausian"], 2, "did you mean 'gaussian'"),
        (["run", "--bogus"], 2, "--bogus"),
        (["run", "none.toml"], 4, "none.toml"),
        (["run", "none.json"], 4, "none.json"),
        (["run", "gaussian", "--set", "family.varianse=ml"], 2, "family.varianse; did you mean 'variance'"),
        (["run", "gaussian", "--set", "sorce.mean=1"], 2, "sorce.mean; did you mean 'source'"),
        (["run", "gaussian", "--set", "family"], 2, "KEY=VALUE"),
        (["run", "gaussian", "--set", "sample_size.rate=1"], 2, "sample_size has no field rate"),
        (["run", "gaussian", "--set", "run.seed=1"], 2, "run.seed"),
        (["run", "gaussian", "--set", "run.replicates=0"], 2, "run.replicates"),
        (["run", "gaussian", "--set", "run.title=3"], 2, "run.title"),
        (["run", "gaussian", "--set", "source.std=nan"], 2, "std"),
        (["run", "gaussian", "--regime", "fresh-fraction:1.5"], 2, "fraction must lie in [0, 1], got 1.5"),
        (["run", "gaussian", "--regime", "fresh-fraction"], 2, "regime.fraction is missing"),
        (["run", "gaussian", "--regime", "replace:3"], 2, "takes no value"),
        (["run", "gaussian", "--regime", "nope"], 2, "Known: accumulate"),
        (["run", "gaussian", "--generations", "0"], 2, "generations must be at least 1, got 0"),
        (["run", "gaussian", "--sample-size", "x"], 2, "sample_size"),
        (["run", "gaussian", "--sample-size", "cubic:1:2"], 2, "unknown growth 'cubic'"),
        (["run", "gaussian", "--sample-size", "1", "--set", "family.variance=unbiased"], 2, "at least 2, got 1"),
        (["run", "gaussian", "--seed", "-1"], 2, "seed must lie in [0, 2^64), got -1"),
        (["run", "gaussian", "--seed", "18446744073709551616"], 2, "seed"),
        (["predict", "text", "--seed", "-1"], 2, "--seed"),
        (["run", "gaussian", "--replicates", "0"], 2, "replicates must be at least 1, got 0"),
        (["run", "gaussian", "--replicates", "999999999999"], 6, "fewer replicates"),
        (["run", "gaussian", "--jobs", "0"], 2, "jobs must be at least 1, got 0"),
        (["run", "gaussian", "--metric", "varianc"], 2, "did you mean 'variance'"),
        (["run", "gaussian", "--corpus", "x"], 2, "source is text, got 'normal'"),
        (["run", "--corpus", "missing.txt"], 4, "missing.txt"),
        (["run", "--corpus", "."], 4, "directory"),
        (["predict", "none"], 2, "no preset is called 'none'"),
        (["presets", "gausian"], 2, "did you mean 'gaussian'"),
        (["explain", "heterozygocity"], 2, "did you mean 'heterozygosity'"),
    ],
)
def test_bad_input_is_refused_on_one_line(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given, out, err = call(capsys, *arguments)
    assert (given, out) == (code, "") and message in err
    assert len(err.splitlines()) <= 2 and err.startswith("error: ")
    assert not Path("lightcollapse-runs").exists()
    given, out, err = call(capsys, *arguments, "--json")
    data = strict(out)
    assert given == code and data["ok"] is False and message in data["error"]["message"]


@pytest.mark.parametrize(
    ("name", "content", "code", "message"),
    [
        ("a.toml", b"generations = ", 2, "not valid TOML"),
        ("a.toml", b"\xff\xfe", 4, "invalid UTF-8"),
        ("a.toml", b"generations = 3", 2, "source is missing"),
        ("a.toml", b"run = 3", 2, "run must be a table"),
        ("a.json", b"[1]", 2, "a card must be a table of fields"),
        ("a.json", b"{", 2, "not valid JSON"),
        ("a.json", b"[" * 100_000, 2, "not valid JSON"),
        ("a.toml", b"#" * (2**20 + 1), 4, "larger than a card"),
    ],
)
def test_a_bad_card_file_is_refused(
    name: str, content: bytes, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(name).write_bytes(content)
    given, _, err = call(capsys, "predict", name)
    assert given == code and message in err


def test_overrides_change_the_card() -> None:
    over = card.Overrides(("family.variance=unbiased", "source.std=2"), "fresh-fraction:0.25", "10,20", None)
    changed = card.load("gaussian", over).scenario
    assert changed == lc.Scenario(
        lc.sources.Normal(std=2.0),
        lc.families.Gaussian("unbiased"),
        lc.regimes.FreshFraction(0.25),
        sample_size=[10, 20],
        generations=2,
    )
    grown = card.load("gaussian", card.Overrides(sample_size="geometric:10:1.5", generations=3)).scenario
    assert grown.sample_sizes().tolist() == [10, 15, 22]
    kind = card.load("zipf", card.Overrides(("source.kind=uniform", "source.size=4"))).scenario
    assert kind.source == lc.sources.Uniform(4)
    whole = card.load("gaussian", card.Overrides(("regime=accumulate", "sample_size=7", "run.replicates=3")))
    assert whole.scenario.regime == lc.regimes.Accumulate() and whole.replicates == 3


@pytest.mark.parametrize("preset", card.preset_names())
def test_presets_are_cards_with_a_title(preset: str, capsys: pytest.CaptureFixture[str]) -> None:
    loaded = card.load(preset)
    assert loaded.title and loaded.replicates >= 2
    code, out, _ = call(capsys, "presets", preset)
    assert code == 0
    Path(f"{preset}.toml").write_text(out)
    assert card.load(f"{preset}.toml").scenario == loaded.scenario


# --- a process of its own


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from lightcollapse.cli import main; main(['--help']);"
        "heavy = {'numpy', 'numba', 'scipy', 'matplotlib', 'rich', 'msgspec'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize(("told", "found"), [({}, "16"), ({"OPENBLAS_THREAD_TIMEOUT": "20"}, "20")])
def test_threads_of_linear_algebra_do_not_spin_unless_told(told: dict[str, str], found: str) -> None:
    script = (
        "import os, sys; from lightcollapse.cli import main; sys.argv = ['lightcollapse', 'presets'];"
        "main(); print(os.environ['OPENBLAS_THREAD_TIMEOUT'])"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS")} | told
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, env=environment)
    assert done.stdout.split()[-1] == found


@pytest.mark.parametrize("verb", ["predict", "explain", "theory", "presets"])
def test_verbs_that_do_not_simulate_import_no_compiler(verb: str) -> None:
    script = (
        f"import sys; from lightcollapse.cli import main; assert main(['{verb}']) == 0;"
        "heavy = {'numba', 'matplotlib', 'rich', 'importlib.metadata'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)


def test_ctrl_c_ends_a_process_without_a_traceback() -> None:
    running = process("run", "text", "--seed", "3", "--replicates", "100000", "--no-figure")
    time.sleep(3)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=120)
    assert running.returncode == 130 and "Traceback" not in err and "interrupted" in err


@pytest.fixture
def default_interrupt() -> Iterator[None]:
    """Ctrl-C as a fresh process has it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class _Dying:
    def __init__(self) -> None:
        self.alive = True

    def __del__(self) -> None:  # what is raised here is lost
        signal.raise_signal(signal.SIGINT)
        time.sleep(0.2)


def _compile() -> None:
    within: dict[str, Any] = {"__name__": "llvmlite.binding.ffi", "signal": signal, "time": time}
    exec("def call():\n    signal.raise_signal(signal.SIGINT)\n    time.sleep(0.2)", within)
    within["call"]()


@pytest.mark.usefixtures("default_interrupt")
@pytest.mark.parametrize("deaf", [_compile, _Dying])
def test_ctrl_c_waits_for_the_compiler_and_for_what_would_swallow_it(deaf: Callable[[], object]) -> None:
    returned, began = False, time.monotonic()
    with failure.guarded([]) as outcome:
        deaf()
        returned = True
        threading.Event().wait(60)  # as `run` waits for its threads
    assert outcome.code == 130 and returned and time.monotonic() - began < 30
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("default_interrupt")
def test_an_error_that_ctrl_c_left_behind_is_an_interruption(capsys: pytest.CaptureFixture[str]) -> None:
    with failure.guarded([]) as outcome:
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            raise RuntimeError("release unlocked lock")
    assert outcome.code == 130 and "interrupted" in capsys.readouterr().err


@pytest.mark.parametrize("as_json", [False, True])
def test_an_interrupted_run_keeps_what_was_done_and_the_rest_can_follow(
    as_json: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole_run = lc.run

    def interrupted(scenario: lc.Scenario, seed: int, replicates: int, **_: Any) -> lc.Record:
        raise Interrupted(whole_run(scenario, seed=seed, replicates=range(3)), replicates)

    with monkeypatch.context() as patch:
        patch.setattr("lightcollapse.loop.run", interrupted)
        code, out, err = call(capsys, "run", "gaussian", *SMALL, *(["--json"] if as_json else []))
    assert code == 130 and "3 of 8 replicates" in err and "--seed 5" in err
    if as_json:
        data = strict(out)
        assert data["ok"] is False and data["error"]["kind"] == "interrupted" and data["recipe"]["replicates"] == 3
    else:
        assert "3 replicates, seed 5" in out
    held = next(Path("lightcollapse-runs").iterdir())
    assert [path.name for path in held.iterdir()] == ["partial.npz"]
    partial = lc.Record.load(held / "partial.npz")
    assert call(capsys, "run", "gaussian", *SMALL, "--no-figure")[0] == 0
    assert [path.name for path in held.iterdir()] == ["record.npz"]
    record = lc.Record.load(held / "record.npz")
    assert np.array_equal(record.metrics["variance"][:3], partial.metrics["variance"])


def test_a_closed_pipe_ends_quietly_and_the_record_is_kept() -> None:
    running = process("run", "gaussian", "--seed", "5", "--no-figure")
    assert running.stdout is not None and running.stderr is not None
    running.stdout.close()
    assert running.wait(timeout=120) == 0
    assert "Traceback" not in running.stderr.read()
    running.stderr.close()
    assert list(Path("lightcollapse-runs").glob("*/record.npz"))


def test_a_terminal_without_unicode_and_without_colour_is_served() -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "NO_COLOR": "1"}
    running = process("run", "gaussian", *SMALL, "--no-figure", env=environment)
    out, err = running.communicate(timeout=120)
    assert running.returncode == 0 and "Traceback" not in err and "\x1b" not in out + err


def test_no_bar_is_drawn_into_a_log() -> None:
    out, err = process("run", "gaussian", *SMALL, "--no-figure").communicate(timeout=120)
    assert all(line.startswith(("saved in", "first use")) for line in err.splitlines())
    assert "\r" not in out + err


# --- errors


def test_an_unexpected_error_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr(card, "preset_names", fail)
    code, out, err = call(capsys, "presets")
    assert (code, out) == (1, "") and err.startswith("error: unexpected ZeroDivisionError: of ours")
    monkeypatch.setenv("LIGHTCOLLAPSE_DEBUG", "1")
    assert main(["presets"]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "kind"),
    [
        (MissingExtra("pip install x"), 5, "missing-extra"),
        (MemoryError(), 6, "limit"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(28, "No space left on device", "f"), 1, "runtime"),
    ],
)
def test_every_kind_of_error_has_its_exit_code(
    error: BaseException, code: int, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(card, "preset_names", fail)
    given, out, _ = call(capsys, "presets", "--json")
    assert given == code and strict(out)["error"]["kind"] == kind


def test_control_characters_of_a_text_never_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    text = "red \x1b[31m alert \x07 and \u202e back, [bold]markup[/bold] and {}s {}y \n\n"
    words = ["cat", "dog", "owl", "ant", "bee", "elk", "hen", "pig", "rat", "yak"]
    Path("evil.txt").write_text("".join(text.format(words[i % 10], words[i % 7]) for i in range(80)), encoding="utf-8")
    code, out, _ = call(capsys, "run", "--corpus", "evil.txt", "--seed", "1", *SMALL[:4], "--no-figure")
    assert code == 0
    assert not {"\x1b", "\x07", "\u202e"} & set(out)


# --- tables


def test_numbers_show_two_digits_of_their_interval() -> None:
    assert table.number(0.98765, table.decimals_of(0.0028)) == "0.9877"
    assert table.number(28995.2, table.decimals_of(110.0)) == "28995"
    assert table.number(float("inf")) == "inf"
    assert table.number(3.2e-9, table.decimals_of(1e-10)) == "3.20e-09"
    assert table.decimals_of(0.0) is None


def test_wide_letters_take_two_columns() -> None:
    assert table.shorten("漢字かな", 5) == "漢字"


def test_every_verb_is_a_module_of_the_same_name() -> None:
    folder = Path(lc.__file__).parent / "cli"
    assert all((folder / f"{verb}.py").exists() for verb in VERBS)


@pytest.mark.parametrize(
    ("size", "code", "message"),
    [
        ("1M", 6, "2,000 replicates of 50 generations take about 15.6 MiB, and max_memory is 1 MiB"),
        ("1X", 2, "max-memory must be a number of bytes such as 500M or 4G, got '1X'"),
        ("0", 2, "max_memory must be positive, got 0.0"),
    ],
)
def test_memory_is_limited(size: str, code: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    given, out, err = call(capsys, "run", "gaussian", "--no-figure", "--max-memory", size)
    assert (given, out) == (code, "") and message in err
    assert not Path("lightcollapse-runs").exists()


def test_a_limit_that_is_kept_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(
        capsys, "run", "gaussian", "--no-figure", "--max-memory", "1G", "--replicates", "5", "--seed", "1"
    )
    assert code == 0 and "5 replicates, seed 1" in out


def test_a_curation_is_chosen_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = (
        "run",
        "zipf",
        "--no-figure",
        "--replicates",
        "3",
        "--generations",
        "2",
        "--sample-size",
        "50",
        "--json",
    )
    code, out, _ = call(capsys, *arguments, "--curation", "decoding:0.8", "--curation", "noise:0.1:source")
    steps = json.loads(out)["recipe"]["card"]["curation"]
    assert code == 0 and [step["kind"] for step in steps] == ["decoding", "noise"]
    assert steps[0]["temperature"] == 0.8 and steps[1]["form"] == "source"
    code, _, err = call(capsys, *arguments, "--curation", "decoding:1:2:0.5:7")
    assert code == 2 and "curation decoding takes temperature, top_k, top_p" in err
    code, _, err = call(capsys, *arguments, "--curation", "decodin")
    assert code == 2 and "did you mean 'decoding'" in err
