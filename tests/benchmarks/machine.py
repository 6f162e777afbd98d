"""What the numbers were measured on: processor, cores, versions; no host, user or path."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

PACKAGES = ("lightcollapse", "numpy", "numba", "scipy", "scikit-learn", "kenlm", "polars", "duckdb", "nltk")


def describe() -> dict[str, Any]:
    facts = _processor()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": facts.get("model name", platform.processor() or platform.machine()),
        "megahertz": round(float(facts.get("cpu MHz", 0.0))) or None,
        "avx512": "avx512f" in facts.get("flags", "").split(),
        "avx2": "avx2" in facts.get("flags", "").split(),
        "cores": cores,
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30),
        "python": platform.python_version(),
        "system": platform.system(),
        **{package: _version(package) for package in PACKAGES},
    }


def load() -> float | None:
    """Processes that wanted a core over the last minute: above 1 the machine was not quiet."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def lines(machine: dict[str, Any]) -> list[str]:
    simd = "AVX-512" if machine["avx512"] else "AVX2" if machine["avx2"] else "no AVX2"
    here = ", ".join(f"{package} {machine[package]}" for package in PACKAGES if machine[package])
    return [
        f"{machine['processor']}, {machine['megahertz']} MHz, {simd}, {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB, Python {machine['python']}",
        here,
    ]


def _processor() -> dict[str, str]:
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return {}
    pairs = (line.split(":", 1) for line in path.read_text().split("\n\n")[0].splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
