"""A whole process measured: wall and processor seconds, memory at its peak.

Run as a small process between: a child's peak begins at its parent's, so that a large parent would hide it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time


def spent(line: list[str], environment: dict[str, str] | None = None, folder: str | None = None, core: bool = False
          ) -> dict[str, float]:  # fmt: skip
    """Seconds by the clock, processor seconds and bytes of a command that runs in silence; `core` keeps it to one core.

    Raises RuntimeError where it fails.
    """
    between = [sys.executable, "-S", "-E", __file__, "one" if core else "all", *line]
    done = subprocess.run(between, env=environment, cwd=folder, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    if found["code"]:
        raise RuntimeError(f"{' '.join(line)} failed with exit code {found['code']:.0f}")
    return found


def _measured(cores: str, line: list[str]) -> dict[str, float]:
    if cores == "one" and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    begin = time.perf_counter()
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return {
        "code": process.returncode,
        "wall": time.perf_counter() - begin,
        "processor": usage.ru_utime + usage.ru_stime,
        "memory": 1024.0 * usage.ru_maxrss,
    }


if __name__ == "__main__":
    print(json.dumps(_measured(sys.argv[1], sys.argv[2:])))
