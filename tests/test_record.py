"""Records: no pickle, written at once or not at all, equal where every bit is, and kept when a run is interrupted."""

from __future__ import annotations

import json
import os
import stat
import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightcollapse.errors import CardError, DataError, LightcollapseError
from lightcollapse.families import Categorical, Gaussian, Simulation
from lightcollapse.families.gaussian import GaussianSimulation
from lightcollapse.loop import Interrupted, run
from lightcollapse.record import Record, replacing
from lightcollapse.scenario import Scenario
from lightcollapse.sources import Normal, Uniform

CARD = Scenario(Normal(), Gaussian(), sample_size=6, generations=3)


@pytest.fixture(scope="module")
def record() -> Record:
    return run(CARD, seed=5, replicates=4)


def edited(record: Record, **fields: Any) -> Record:
    known = {name: getattr(record, name) for name in record.__dataclass_fields__}
    return Record(**(known | fields))


# --- Files ---------------------------------------------------------------------------------------------------------


def test_a_saved_record_is_equal_to_the_loaded_one(record: Record, tmp_path: Path) -> None:
    path = record.save(tmp_path / "run.npz")
    loaded = Record.load(path)
    assert loaded == record
    assert loaded.provenance == record.provenance
    assert all(values.dtype == np.float64 for values in loaded.metrics.values())
    assert loaded.replicates.dtype == np.uint64 and loaded.absorbed.dtype == np.int64


def test_infinities_survive(tmp_path: Path) -> None:
    record = run(Scenario(Uniform(5), Categorical(), sample_size=2, generations=9), seed=1, replicates=30)
    assert np.isinf(record.metrics["kl_source_model"]).any()
    assert Record.load(record.save(tmp_path / "run.npz")) == record


def test_a_record_holds_no_pickle(record: Record, tmp_path: Path) -> None:
    with np.load(record.save(tmp_path / "run.npz"), allow_pickle=False) as stored:
        kinds = {name: stored[name].dtype.kind for name in stored.files}
    assert "O" not in kinds.values()
    assert {name for name in kinds if name.startswith("metric_")} == {f"metric_{name}" for name in record.metrics}


def test_a_pickle_is_never_opened(record: Record, tmp_path: Path) -> None:
    """An object array in the place of a metric would run its code when it is unpickled."""
    mark = tmp_path / "run"

    class Trap:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.mkdir, (str(mark),)

    path = record.save(tmp_path / "run.npz")
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    arrays["metric_mean"] = np.array([Trap()], dtype=object)
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=r"damaged|not a record"):
        Record.load(path)
    assert not mark.exists()


def test_provenance_names_versions_and_neither_host_nor_path(record: Record) -> None:
    assert {"python", "numpy", "numba", "scipy", "lightcollapse", "machine", "platform"} <= set(record.provenance)
    text = json.dumps(record.provenance)
    assert os.getcwd() not in text and os.uname().nodename not in text


DAMAGES = {
    "empty": b"",
    "text": b"not a record\n",
    "half of it": None,
    "a zip of nothing": "zip",
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_file_is_refused(name: str, record: Record, tmp_path: Path) -> None:
    path = record.save(tmp_path / "run.npz")
    damage = DAMAGES[name]
    if damage is None:
        path.write_bytes(path.read_bytes()[:-200])
    elif damage == "zip":
        zipfile.ZipFile(path, "w").close()
    else:
        assert isinstance(damage, bytes)
        path.write_bytes(damage)
    with pytest.raises(DataError) as caught:
        Record.load(path)
    assert str(path) in str(caught.value) and caught.value.exit_code == 4


def test_a_flipped_byte_is_refused_or_changes_nothing(record: Record, tmp_path: Path) -> None:
    """The checksums of the archive find it, wherever it is."""
    path = record.save(tmp_path / "run.npz")
    whole = path.read_bytes()
    found = 0
    for place in range(0, len(whole), max(1, len(whole) // 60)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        try:
            assert Record.load(path) == record
        except DataError:
            found += 1
    assert found > 20


def test_a_directory_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such record"):
        Record.load(tmp_path / "none.npz")
    with pytest.raises(DataError):
        Record.load(tmp_path)


def with_header(path: Path, **fields: Any) -> None:
    """Rewrite the file with fields of its header replaced."""
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    header = json.loads(str(arrays["header"][()])) | fields
    arrays["header"] = np.array(json.dumps(header))
    np.savez(path, **arrays)


@pytest.mark.parametrize("header", ["[]", "3", "{", ""])
def test_a_header_that_is_no_table_is_refused(header: str, record: Record, tmp_path: Path) -> None:
    path = record.save(tmp_path / "run.npz")
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    np.savez(path, **(arrays | {"header": np.array(header)}))
    with pytest.raises(DataError):
        Record.load(path)


@pytest.mark.parametrize(
    "fields",
    [
        {"schema": "lightcollapse/record/99"},
        {"schema": None},
        {"metrics": ["mean", "gone"]},
        {"scenario": {"source": "normal"}},
        {"scenario": []},
        {"seed": "five"},
        {"seed": None},
        {"excerpts": None},
    ],
    ids=str,
)
def test_a_header_that_does_not_fit_is_refused(fields: dict[str, Any], record: Record, tmp_path: Path) -> None:
    path = record.save(tmp_path / "run.npz")
    with_header(path, **fields)
    with pytest.raises((DataError, CardError)):
        Record.load(path)


# --- Written at once or not at all ---------------------------------------------------------------------------------


def test_a_file_is_replaced_at_once(record: Record, tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    path.write_bytes(b"old")
    record.save(path)
    assert Record.load(path) == record
    assert os.listdir(tmp_path) == ["run.npz"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt(), MemoryError()])
def test_an_interrupted_save_leaves_the_old_file(
    error: BaseException, record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = record.save(tmp_path / "run.npz")
    before = path.read_bytes()

    def fail(stream: Any, **arrays: Any) -> None:
        stream.write(b"half of a rec")
        raise error

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises((type(error), LightcollapseError)):
        record.save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["run.npz"]


def test_a_folder_that_is_not_there_is_named(record: Record, tmp_path: Path) -> None:
    with pytest.raises(LightcollapseError, match="cannot write"):
        record.save(tmp_path / "none" / "run.npz")


def test_replacing_leaves_nothing_where_nothing_was(tmp_path: Path) -> None:
    def half(target: Path) -> None:
        with replacing(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half(tmp_path / "new")
    assert os.listdir(tmp_path) == []


# --- Equality ------------------------------------------------------------------------------------------------------


def test_records_are_equal_where_every_bit_is(record: Record) -> None:
    assert record == edited(record)
    assert record == edited(record, provenance={})
    assert record != edited(record, seed=6)
    assert record != edited(record, scenario=Scenario(Normal(), Gaussian(), sample_size=6, generations=4))
    assert record != edited(record, replicates=record.replicates + np.uint64(1))
    assert record != edited(record, absorbed=record.absorbed + 1)
    assert record != edited(record, excerpts=("word",))
    assert record != edited(record, metrics={"mean": record.metrics["mean"]})
    nudged = dict(record.metrics)
    nudged["mean"] = np.nextafter(nudged["mean"], np.inf)
    assert record != edited(record, metrics=nudged)
    assert record != "a record"
    with pytest.raises(TypeError):
        hash(record)


# --- Interrupted ---------------------------------------------------------------------------------------------------


def test_an_interrupt_keeps_the_replicates_that_are_done() -> None:
    whole = run(CARD, seed=5, replicates=640, jobs=2)
    finished = threading.Event()

    def interrupt(done: int, total: int) -> None:
        if done >= 128:
            finished.set()
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        run(CARD, seed=5, replicates=640, jobs=2, progress=interrupt)
    kept = caught.value.record
    assert finished.is_set() and kept is not None
    assert 128 <= len(kept.replicates) <= 640
    assert f"after {len(kept.replicates)} of 640 replicates" in str(caught.value)
    for name, values in kept.metrics.items():
        assert values.tobytes() == whole.metrics[name][kept.replicates.astype(np.int64)].tobytes()
    again = run(CARD, seed=5, replicates=kept.replicates)
    assert again == kept


def test_an_interrupt_before_anything_is_done_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(self: Simulation, replicates: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(GaussianSimulation, "run_block", interrupt)
    with pytest.raises(Interrupted) as caught:
        run(CARD, seed=5, replicates=3, jobs=1)
    assert caught.value.record is None
    assert "after 0 of 3" in str(caught.value)


def test_an_error_in_a_block_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Simulation, replicates: Any) -> Any:
        raise ZeroDivisionError("a bug of ours")

    monkeypatch.setattr(GaussianSimulation, "run_block", fail)
    with pytest.raises(ZeroDivisionError):
        run(CARD, seed=5, replicates=3)
