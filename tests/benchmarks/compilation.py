"""Compiling kernels anew: processor seconds of each, in processes with an empty cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from .race import Row
from .setting import Setting

PRESETS = ("gaussian", "zipf", "multivariate", "mixture", "text")
MOST = 1.5
SLOWEST = 6  # rows of single kernels

_SCRIPT = """
import json, sys, time
from numba.core import event
from lightcollapse.cli.card import load
from lightcollapse.loop import run

class Watch(event.Listener):
    def __init__(self):
        self.open, self.found = [], {}

    def on_start(self, happened):
        self.open.append([time.process_time(), 0.0])

    def on_end(self, happened):
        begin, inside = self.open.pop()
        whole = time.process_time() - begin
        function = happened.data["dispatcher"].py_func
        if not function.__module__.startswith("lightcollapse"):
            return  # a part of numba, compiled for the kernel that asked for it
        if self.open:
            self.open[-1][1] += whole
        name = function.__module__.rpartition(".")[2] + "." + function.__name__
        self.found[name] = self.found.get(name, 0.0) + whole - inside

watch = Watch()
event.register("numba:compile", watch)
run(load(sys.argv[1]).scenario, seed=1, replicates=1, jobs=1)
print(json.dumps(watch.found))
"""


def rows(setting: Setting) -> Iterator[Row]:
    done: dict[str, float] = {}
    for preset in PRESETS[: 1 if setting.quick else None]:
        found = compiled(preset)
        total = sum(found.values())
        yield Row("compilation", f"preset {preset}: {len(found)} kernels", "", total, count=float(len(found)),
                  unit="kernel", times=(total,))  # fmt: skip
        done |= found
    for name, seconds in sorted(done.items(), key=lambda item: -item[1])[:SLOWEST]:
        yield Row("compilation", f"kernel {name}", "", seconds, most=MOST, times=(seconds,))


def compiled(preset: str) -> dict[str, float]:
    """Processor seconds of each kernel that a preset compiles, without those of the kernels inside it."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"LIGHTCOLLAPSE_CACHE_DIR": folder}
        line = [sys.executable, "-c", _SCRIPT, preset]
        done = subprocess.run(line, env=environment, cwd=folder, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found
