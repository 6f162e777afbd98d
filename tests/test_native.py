"""Kernels loaded without numba: the same numbers, and numba for whatever is not as it was kept."""

from __future__ import annotations

import importlib
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightcollapse import native

pytestmark = [
    pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled"),
    pytest.mark.skipif(not native._possible(), reason="kernels are left to numba here"),
]


def mixed(yes, whole, word, number, pair, plane):  # type: ignore[no-untyped-def]
    """Every kind of argument, and an array made inside."""
    lines, shift = pair
    made = np.empty(plane.shape[0])
    for i in range(plane.shape[0]):
        made[i] = number * whole + float(lines[i])
        for j in range(plane.shape[1]):
            plane[i, j] += made[i] + np.log(float(word)) + float(shift)
    return made.sum() if yes else -made.sum()


def shaped(flat, rows):  # type: ignore[no-untyped-def]
    """A part of a line as a table, and back."""
    table = flat[: rows * 3].reshape((rows, 3))
    for i in range(rows):
        for j in range(3):
            table[i, j] += 10.0 * i + j
    return table.reshape(rows * 3)[3 * rows - 1]


def arguments() -> tuple[Any, ...]:
    lines = np.arange(3, dtype=np.int64)
    return True, -7, np.uint64(2**63 + 5), 0.3, (lines, np.uint64(9)), np.ones((3, 2))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A file of a kernel, and numba's dispatcher for it."""
    numba: Any = importlib.import_module("numba")
    path = tmp_path_factory.mktemp("kept") / "mixed.native"
    dispatcher = numba.njit(mixed, nogil=True, error_model="numpy", no_cfunc_wrapper=True)
    dispatcher(*arguments())
    native.keep(path, dispatcher)
    assert path.exists()
    return path, dispatcher


def test_a_loaded_kernel_gives_the_bits_that_numba_gives(kept: tuple[Path, Any]) -> None:
    path, dispatcher = kept
    loaded = native.load(path)
    assert loaded is not None
    for yes in (True, np.False_):
        ours, theirs = arguments(), arguments()
        assert loaded(yes, *ours[1:]) == dispatcher(yes, *theirs[1:])
        assert ours[5].tobytes() == theirs[5].tobytes()


@pytest.mark.parametrize(
    ("place", "other"),
    [
        (0, 1),
        (1, True),
        (1, 2**63),
        (1, 0.5),
        (2, 5),
        (3, 1),
        (3, np.float32(1.0)),
        (4, (np.arange(3, dtype=np.int32), np.uint64(9))),
        (4, (np.arange(3, dtype=np.int64),)),
        (5, np.ones(6)),
        (5, np.asfortranarray(np.ones((3, 2)))),
        (5, np.ones((3, 4))[:, ::2]),
        (5, np.ones((3, 2), dtype=np.float32)),
        (5, [[1.0]]),
    ],
)
def test_arguments_of_another_type_are_left_to_numba(kept: tuple[Path, Any], place: int, other: object) -> None:
    loaded = native.load(kept[0])
    assert loaded is not None
    given = list(arguments())
    given[place] = other
    assert loaded(*given) is NotImplemented
    assert loaded(*given[1:]) is NotImplemented


def test_an_array_that_must_not_be_written_is_left_to_numba(kept: tuple[Path, Any]) -> None:
    loaded = native.load(kept[0])
    given = arguments()
    given[5].flags.writeable = False
    assert loaded is not None and loaded(*given) is NotImplemented


def test_threads_share_a_loaded_kernel(kept: tuple[Path, Any]) -> None:
    loaded = native.load(kept[0])
    assert loaded is not None
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.extend(loaded(*arguments()) for _ in range(200))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 800 and len(set(found)) == 1


def test_memory_that_cannot_be_had_is_an_error(tmp_path: Path) -> None:
    numba: Any = importlib.import_module("numba")

    def wish(count):  # type: ignore[no-untyped-def]
        return np.empty(count)[0]

    dispatcher = numba.njit(wish, error_model="numpy", no_cfunc_wrapper=True)
    dispatcher(3)
    native.keep(tmp_path / "wish.native", dispatcher)
    loaded = native.load(tmp_path / "wish.native")
    assert loaded is not None
    with pytest.raises(MemoryError):
        loaded(2**58)


@pytest.mark.parametrize(("rows", "counted"), [(1, True), (4, True), (4, False)])
def test_a_kernel_may_give_arrays_another_shape(tmp_path: Path, rows: int, counted: bool) -> None:
    numba: Any = importlib.import_module("numba")
    dispatcher = numba.njit(shaped, error_model="numpy", no_cfunc_wrapper=True, _nrt=counted)
    theirs, ours = np.ones(14), np.ones(14)
    last = dispatcher(theirs, rows)
    native.keep(tmp_path / "shaped.native", dispatcher)
    loaded = native.load(tmp_path / "shaped.native")
    assert loaded is not None
    assert loaded(ours, rows) == last == 10.0 * (rows - 1) + 3.0
    assert ours.tobytes() == theirs.tobytes()


def test_what_cannot_be_passed_on_is_not_kept(tmp_path: Path) -> None:
    numba: Any = importlib.import_module("numba")
    for function, argument in ((lambda x: np.empty(x), 3), (lambda x: len(x), "text")):
        dispatcher = numba.njit(function)
        dispatcher(argument)
        native.keep(tmp_path / "no.native", dispatcher)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x80\x04N."])
def test_a_file_that_cannot_be_read_is_left_to_numba(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.native"
    assert native.load(path) is None
    path.write_bytes(content)
    assert native.load(path) is None


def test_a_symbol_that_nobody_has_is_left_to_numba(kept: tuple[Path, Any], tmp_path: Path) -> None:
    parts = native.Kept(*pickle.loads(kept[0].read_bytes()))._replace(needs=("no_such_symbol",))
    (tmp_path / "other.native").write_bytes(pickle.dumps(tuple(parts)))
    assert native.load(tmp_path / "other.native") is None


CARD = """
import sys
import lightcollapse as lc
law, family = lc.sources.Zipf(12, 1.0), lc.families.Categorical()
card = lc.Scenario(law, family, lc.regimes.Replace(), sample_size=20, generations=3)
record = lc.run(card, 5, 7, jobs=2)
print("numba" in sys.modules, record.metrics["heterozygosity"].tobytes().hex())
"""


def test_a_second_process_runs_without_numba_to_the_same_bits(tmp_path: Path) -> None:
    told = [
        subprocess.run(
            [sys.executable, "-c", CARD],
            env=os.environ | {"LIGHTCOLLAPSE_CACHE_DIR": str(tmp_path), "NUMBA_OPT": "0"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for _ in range(2)
    ]
    assert [first for first, _ in told] == ["True", "False"]
    assert told[0][1] == told[1][1]
