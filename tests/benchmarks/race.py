"""What every benchmark uses: contenders take turns in one process, medians, and memory as the machine counts it.

One thread is timed by processor time, which others on the machine disturb little; two threads and whole processes by
the clock on the wall. A contender that measures itself, such as a child process, returns what it `Spent`.
"""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

REPEATS, QUICK_REPEATS = 5, 3
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


@dataclass(frozen=True)
class Spent:
    """What a contender spent that measures itself: seconds, and bytes at its peak."""

    seconds: float
    memory: float | None = None


Call = Callable[[], Any]


@dataclass(frozen=True)
class Peer:
    """What a user would pick instead.

    Attributes:
        name: as a table shows it.
        call: does the work; None where it is missing.
        goal: the least ratio of its time to ours; None where there is no goal.
        share: of the work that it does, where all of it would take minutes; its time is scaled up, and the row says so.
        missing: how to get it.
    """

    name: str
    call: Call | None
    goal: float | None = None
    share: float = 1.0
    missing: str = ""


@dataclass(frozen=True)
class Row:
    """One line of the table. Times in seconds, memory in bytes; None where there is none."""

    benchmark: str
    work: str
    peer: str
    ours: float | None
    theirs: float | None = None
    goal: float | None = None  # least ratio
    most: float | None = None  # most seconds
    threads: int = 1
    count: float | None = None
    unit: str = ""
    limit: float | None = None  # the least seconds that this machine could take
    limit_of: str = ""
    memory: float | None = None
    memory_theirs: float | None = None
    note: str = ""
    label: str = ""  # the work in a few words, for figures
    times: tuple[float, ...] = field(default=(), repr=False)
    times_theirs: tuple[float, ...] = field(default=(), repr=False)

    @property
    def ratio(self) -> float | None:
        return self.theirs / self.ours if self.theirs and self.ours else None

    @property
    def distance(self) -> float | None:
        """Our time over the limit's."""
        return self.ours / self.limit if self.ours and self.limit else None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none, or nothing to compare with."""
        if self.most is not None:
            return None if self.ours is None else self.ours <= self.most
        return None if self.goal is None or self.ratio is None else self.ratio >= self.goal

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"ratio": self.ratio, "distance": self.distance, "met": self.met}


def missing(module: str) -> str:
    """How to get a module that is not there; empty where it is."""
    return "" if importlib.util.find_spec(module) else 'missing: pip install "lightcollapse[bench]"'


def peer(name: str, module: str, call: Call, goal: float | None = None, share: float = 1.0) -> Peer:
    """A peer that needs a module."""
    lacking = missing(module)
    return Peer(name, None if lacking else call, goal, share, lacking)


def race(
    benchmark: str,
    work: str,
    ours: Call,
    peers: Sequence[Peer],
    *,
    repeats: int = REPEATS,
    threads: int = 1,
    measure_memory: bool = True,
    **facts: Any,
) -> Iterator[Row]:
    """A row for each peer: all take turns, the first turn (compilation, caches) is not counted."""
    present = [one for one in peers if one.call is not None]
    calls = [ours, *(one.call for one in present if one.call)]
    ours()
    memory = [peak(call, measure_memory) for call in calls]  # and a peer's first turn
    times = take_turns(calls, repeats, threads, warm=True)
    for one in peers:
        facts_of = {"threads": threads, "times": tuple(times[0]), "memory": memory[0], "goal": one.goal} | facts
        if one.call is None:
            note = facts_of.pop("note", "")
            yield Row(benchmark, work, one.name, median(times[0]), note="; ".join(filter(None, (one.missing, note))),
                      **facts_of)  # fmt: skip
            continue
        at = 1 + present.index(one)
        whole = [seconds / one.share for seconds in times[at]]
        scaled = "" if one.share == 1.0 else f"peer: {one.share:.2g} of the work, scaled up"
        note = "; ".join(filter(None, (facts_of.pop("note", ""), scaled)))
        yield Row(benchmark, work, one.name, median(times[0]), median(whole), note=note, memory_theirs=memory[at],
                  times_theirs=tuple(whole), **facts_of)  # fmt: skip


def take_turns(calls: Sequence[Call], repeats: int, threads: int = 1, warm: bool = False) -> list[list[float]]:
    """Seconds of each call in each round, after one that is not counted where they are not `warm`."""
    clock = time.process_time if threads == 1 else time.perf_counter
    for call in () if warm else calls:
        call()
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats):
        for call, found in zip(calls, times, strict=True):
            begin = clock()
            result = call()
            found.append(result.seconds if isinstance(result, Spent) else clock() - begin)
    return times


def peak(call: Call, wanted: bool = True) -> float | None:
    """Bytes of memory that a call adds at its peak, as the system counts pages; None where it does not say."""
    if not wanted:
        call()
        return None
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)  # else pages freed earlier would hide what the call takes
        _CLEAR.write_text(_RESET_PEAK)
        before = _status("VmRSS")
    except (OSError, AttributeError):
        return peak(call, wanted=False)
    result = call()
    return result.memory if isinstance(result, Spent) else max(0.0, _status("VmHWM") - before)


def _status(name: str) -> float:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(name))
    return 1024.0 * float(line.split()[1])
