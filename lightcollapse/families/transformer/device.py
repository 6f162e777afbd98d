"""Where the arithmetic is done, and with how many threads."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import torch

from lightcollapse.errors import LightcollapseError

_lock = threading.RLock()
_gpu = threading.RLock()
_inside = [0, 0]  # how many blocks are in `exactly`, and the threads that torch had before


def device_of(wanted: str) -> torch.device:
    """The device that a card names; "auto" asks torch whether there is a GPU, "cpu" asks nothing."""
    if wanted == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    if wanted == "cuda":
        raise LightcollapseError('device "cuda" was asked for, but torch reports no GPU; take device "auto" or "cpu"')
    return torch.device("cpu")


@contextlib.contextmanager
def exactly(device: torch.device) -> Iterator[None]:
    """One thread of torch, so that bits depend on no machine's cores; a GPU for one replicate at a time."""
    with _gpu if device.type == "cuda" else contextlib.nullcontext():
        with _lock:
            if _inside[0] == 0:
                _inside[1] = torch.get_num_threads()
            _inside[0] += 1
            torch.set_num_threads(1)
        try:
            yield
        finally:
            with _lock:
                _inside[0] -= 1
                if _inside[0] == 0:
                    torch.set_num_threads(_inside[1])
