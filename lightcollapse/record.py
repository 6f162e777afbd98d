"""Record: what a run measured, with everything needed to repeat it."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightcollapse.errors import DataError, LightcollapseError
from lightcollapse.replacing import replacing
from lightcollapse.scenario import Scenario

_SCHEMA = "lightcollapse/record/1"
_DAMAGED = (
    *(OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError),  # of the archive
    *(KeyError, ValueError, TypeError, AttributeError),  # of what it holds
)


@dataclass(frozen=True, eq=False)
class Record:
    """The kernels' testimony about one card.

    Attributes:
        scenario: the card, its sample size written out.
        seed: the seed, in [0, 2^64).
        replicates: uint64 (replicates,), which replicates of that seed were run.
        metrics: name -> float64 (replicates, generations + 1); column 0 is the source's own value.
        absorbed: int64 (replicates,), generation at which a chain could not change any more, -1 where it never came.
        excerpts: a few words that each generation of the first replicate wrote (text only).
        provenance: versions and input hashes.
    """

    scenario: Scenario
    seed: int
    replicates: NDArray[np.uint64]
    metrics: Mapping[str, NDArray[np.float64]]
    absorbed: NDArray[np.int64]
    excerpts: tuple[str, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        """Same card, seed and replicates, and the same bits in every metric. Provenance does not count."""
        if not isinstance(other, Record):
            return NotImplemented
        return (
            self.scenario == other.scenario
            and self.seed == other.seed
            and np.array_equal(self.replicates, other.replicates)
            and self.metrics.keys() == other.metrics.keys()
            and all(
                array.shape == other.metrics[name].shape and array.tobytes() == other.metrics[name].tobytes()
                for name, array in self.metrics.items()
            )
            and np.array_equal(self.absorbed, other.absorbed)
            and self.excerpts == other.excerpts
        )

    __hash__ = None  # type: ignore[assignment]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the record as .npz without pickle; a file of that name is replaced at once or not at all.

        Returns the path written. Raises LightcollapseError where it cannot be written.
        """
        target = Path(path)
        header = {
            "schema": _SCHEMA,
            "scenario": self.scenario.to_dict(),
            "seed": self.seed,
            "metrics": list(self.metrics),
            "excerpts": list(self.excerpts),
            "provenance": self.provenance,
        }
        arrays = {f"metric_{name}": values for name, values in self.metrics.items()}
        with replacing(target) as temporary, open(temporary, "wb") as stream:
            np.savez(
                stream,
                allow_pickle=False,
                header=np.array(json.dumps(header, ensure_ascii=False)),
                replicates=self.replicates,
                absorbed=self.absorbed,
                **arrays,
            )
        return target

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Record:
        """Read a record that `save` wrote. Raises DataError where the file is none."""
        try:
            with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as stored:
                header = json.loads(str(stored["header"][()]))
                if header.get("schema") != _SCHEMA:
                    raise DataError(f"{path}: schema must be {_SCHEMA}, got {header.get('schema')!r}")
                record = cls(
                    scenario=Scenario.from_dict(header["scenario"]),
                    seed=int(header["seed"]),
                    replicates=stored["replicates"],
                    metrics={name: stored[f"metric_{name}"] for name in header["metrics"]},
                    absorbed=stored["absorbed"],
                    excerpts=tuple(header["excerpts"]),
                    provenance=header["provenance"],
                )
                shape = (len(record.replicates), record.scenario.generations + 1)
                for name, values in record.metrics.items():
                    if values.shape != shape:
                        raise ValueError(f"metric {name} has shape {values.shape}, the card says {shape}")
                return record
        except FileNotFoundError:
            raise DataError(f"no such record: {path}") from None
        except _DAMAGED as error:
            if isinstance(error, LightcollapseError):
                raise
            raise DataError(f"{path} is not a record of lightcollapse, or it is damaged: {error}") from None
