"""run(): a card to a record, blocks of replicates on threads."""

from __future__ import annotations

import functools
import math
import os
import platform
import secrets
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lightcollapse.errors import CardError, LimitError, MissingExtra, require
from lightcollapse.families import Block, Family
from lightcollapse.measured import NEVER, Measured
from lightcollapse.record import Record
from lightcollapse.scenario import Scenario

_LARGEST_REPLICATE = 2**32
_COPIES = 2  # of every number of a record, while blocks are joined


class Interrupted(KeyboardInterrupt):
    """A run was interrupted; `record` holds the replicates that were done, or None."""

    def __init__(self, record: Record | None, asked: int) -> None:
        super().__init__(f"interrupted after {0 if record is None else len(record.replicates)} of {asked} replicates")
        self.record = record


def draw_seed() -> int:
    """A seed from the system's entropy, short enough to type."""
    return secrets.randbits(32)


def run(
    scenario: Scenario,
    seed: int | None = None,
    replicates: int | Iterable[int] = 100,
    progress: Callable[[int, int], None] | None = None,
    jobs: int | None = None,
    max_memory: float | None = None,
    checkpoints: str | os.PathLike[str] | None = None,
) -> Record:
    """Simulate a card.

    Args:
        scenario: the card.
        seed: a whole number in [0, 2^64); None draws one, which the record keeps.
        replicates: how many independent chains, or which (a range, or numbers below 2^32).
        progress: called with (replicates done, replicates in all) after each block.
        jobs: threads; None takes every core. The numbers do not depend on it.
        max_memory: bytes that the run may take; None: what the machine has.
        checkpoints: a folder for the models of a family that takes long (`transformer`); a run goes on from those of
            its own that the folder holds. None keeps none.

    Returns:
        The record. Replicate r has the same bits whichever others run beside it.

    Raises:
        CardError: an argument breaks a rule. DataError: the corpus cannot be read.
        LimitError: the run would take more memory than it may; nothing was allocated yet.
        Interrupted: Ctrl-C; what was done is on the exception.
    """
    seed, numbers, threads = arguments(scenario, seed, replicates, jobs, max_memory)
    card = scenario.resolved(seed)
    folder = None if checkpoints is None else Path(checkpoints)
    simulation = card.family.prepare_in(folder, card.source, card.schedule(), seed, card.curation)
    size = _even(len(numbers), max(1, simulation.block_size), threads)
    starts = range(0, len(numbers), size)
    _refuse_too_large(card, len(numbers), simulation.memory * min(threads, len(starts)), max_memory)
    if progress is not None:
        progress(0, len(numbers))
    done: dict[int, Block] = {}
    count = 0
    with ThreadPoolExecutor(threads) as pool:
        futures: dict[Future[Block], int] = {}
        try:
            for start in starts:
                futures[pool.submit(simulation.run_block, numbers[start : start + size])] = start
            for future in as_completed(futures):
                start = futures[future]
                done[start] = future.result()
                count += len(numbers[start : start + size])
                if progress is not None:
                    progress(count, len(numbers))
        except BaseException as error:
            pool.shutdown(wait=True, cancel_futures=True)
            if not isinstance(error, KeyboardInterrupt):
                raise
            done |= {futures[f]: f.result() for f in futures if f.done() and not f.cancelled() and not f.exception()}
            raise Interrupted(_join(card, seed, numbers, size, done) if done else None, len(numbers)) from None
    return _join(card, seed, numbers, size, done)


def _even(replicates: int, most: int, threads: int) -> int:
    """Replicates of a block, at most so many: as many blocks for each thread, about as large."""
    rounds = -(-replicates // (most * threads))
    return -(-replicates // (rounds * threads))


def _refuse_too_large(card: Scenario, replicates: int, working: int, most: float | None) -> None:
    """Raise LimitError where record and blocks would not fit into memory."""
    require(most is None or most > 0, "max_memory must be positive", most)
    has = most if most is not None else _memory()
    needed = _COPIES * 8 * replicates * (card.generations + 1) * len(card.metrics) + working
    if needed > has:
        raise LimitError(
            f"{replicates:,} replicates of {card.generations:,} generations take about {_size(needed)}, and "
            f"{'this machine has' if most is None else 'max_memory is'} {_size(has)}; "
            "ask for fewer replicates, generations or points"
        )


def _size(size: float) -> str:
    return f"{size / 2**30:.3g} GiB" if size >= 2**30 else f"{size / 2**20:.3g} MiB"


def _memory() -> float:
    """Bytes of memory that this machine has; infinite where it does not say."""
    if not hasattr(os, "sysconf"):
        return math.inf
    return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def arguments(
    scenario: Scenario, seed: int | None, replicates: int | Iterable[int], jobs: int | None, max_memory: float | None
) -> tuple[int, NDArray[np.uint64], int]:
    """Seed, numbers of the replicates and threads of a run, as `run` takes them; raises what it raises for them."""
    if scenario.family.missing():
        raise MissingExtra(scenario.family.missing())
    seed = _seed(seed)
    if isinstance(replicates, int | np.integer):
        _refuse_too_large(scenario, int(replicates), 0, max_memory)
    numbers = _replicates(replicates)
    threads = jobs if jobs is not None else len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    threads = threads if threads is not None else os.cpu_count() or 1
    require(threads >= 1, "jobs must be at least 1", jobs)
    return seed, numbers, threads


def _join(card: Scenario, seed: int, numbers: NDArray[np.uint64], size: int, done: dict[int, Block]) -> Record:
    """One record from the blocks that were done, in the order of the replicates."""
    starts = sorted(done)
    absorbed = np.concatenate([_absorbed(card.family, done[start]) for start in starts])
    return Record(
        scenario=card,
        seed=seed,
        replicates=np.concatenate([numbers[start : start + size] for start in starts]),
        metrics=Measured.joined([done[start].metrics for start in starts]),
        absorbed=absorbed,
        excerpts=done[starts[0]].excerpts,
        provenance=_provenance() | card.family.provenance() | card.source.provenance(),
    )


def _absorbed(family: Family, block: Block) -> NDArray[np.int64]:
    """First generation at which each chain reached the family's absorbing value, int64 (replicates,)."""
    if block.absorbed is not None:
        return block.absorbed
    name, value = family.absorbed_at
    reached = block.metrics[name] == value
    return np.where(reached.any(axis=1), reached.argmax(axis=1), NEVER).astype(np.int64)


def _seed(seed: int | None) -> int:
    """A seed in [0, 2^64), drawn where none is given."""
    if seed is None:
        return draw_seed()
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise CardError(f"seed must be a whole number, got {seed!r}")
    require(0 <= seed < 2**64, "seed must lie in [0, 2^64)", int(seed))
    return int(seed)


def _replicates(replicates: int | Iterable[int]) -> NDArray[np.uint64]:
    """Numbers of the replicates to run, uint64 (replicates,)."""
    if isinstance(replicates, int | np.integer) and not isinstance(replicates, bool):
        require(replicates >= 1, "replicates must be at least 1", int(replicates))
        require(replicates <= _LARGEST_REPLICATE, f"replicates must be at most {_LARGEST_REPLICATE}", int(replicates))
        return np.arange(replicates, dtype=np.uint64)
    try:
        numbers = [int(number) for number in replicates]  # type: ignore[union-attr]
    except (TypeError, ValueError):
        raise CardError(f"replicates must be a number or a range of numbers, got {replicates!r}") from None
    require(len(numbers) >= 1, "replicates must name at least one replicate", numbers)
    for number in (min(numbers), max(numbers)):
        require(0 <= number < _LARGEST_REPLICATE, "a replicate must lie in [0, 2^32)", number)
    return np.array(numbers, dtype=np.uint64)


@functools.cache  # reading versions takes longer than a small run
def _provenance() -> dict[str, str]:
    """Versions that decide the last digits; no host, user or path."""
    packages = ("lightcollapse", "numpy", "numba", "scipy")
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "platform": sys.platform,
        **{package: version(package) for package in packages},
    }
