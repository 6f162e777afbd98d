"""How parameters of the catalogue's vectors are read."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Params = dict[str, Any]

DEFAULT = (0.4, 0.3, 0.15, 0.1, 0.05)
ESTIMATORS = {"mle": "ml", "ml": "ml", "unb": "unbiased", "unbiased": "unbiased"}


def plain(value: Any) -> Any:
    """Numbers as a file would hold them: lists for arrays, and whole numbers without a point."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def evaluator(function: Callable[[Params], float]) -> Callable[[Params], float]:
    """Takes numbers in any dress, the names "variance" and "estimator" for "est", and gives a float."""

    def evaluate(params: Params) -> float:
        read = {name: plain(value) for name, value in params.items()}
        for name in ("variance", "estimator"):
            if read.get(name) in ESTIMATORS:
                read.setdefault("est", read[name])
        return float(function(read))

    return evaluate


def estimator(params: Params) -> Any:
    return ESTIMATORS[params.get("est", "mle")]


def zipf(symbols: int, exponent: float) -> Float:
    mass = np.arange(1.0, symbols + 1) ** -exponent
    return mass / mass.sum()


def law(params: Params) -> Float:
    """The source's probabilities: given as a list, as text, as a Zipf law, or the default."""
    for name in ("p", "p0", "r"):
        given = params.get(name)
        if isinstance(given, str) and "zipf" in given:
            return zipf(int(re.findall(r"V=(\d+)", given)[0]), _zipf_exponent(given))
        if isinstance(given, str) and given.lstrip().startswith("["):
            given = ast.literal_eval(re.sub(r"(?<![\d])\.", "0.", given))
        if isinstance(given, list | tuple):
            return np.asarray(given, dtype=np.float64)
    if "V" in params:
        return zipf(int(params["V"]), float(params.get("zipf", params.get("beta", 1.0))))
    return np.asarray(DEFAULT)


def _zipf_exponent(text: str) -> float:
    """The catalogue writes "zipf V=10" for exponent 1 and "zipf V=30" for exponent 1/2."""
    return 0.5 if "V=30" in text else 1.0


def one(params: Params) -> float:
    """The probability of the one symbol asked for: p itself, a rank, or the one named."""
    if isinstance(params.get("p"), float):
        return float(params["p"])
    return float(law(params)[int(params["symbol_rank"]) - 1])


def sizes(params: Params) -> NDArray[np.int64]:
    """Sample sizes n_1..n_t from n and t, a list, or a formula of s = 1, 2, .."""
    if "ns" in params:
        return np.asarray(params["ns"], dtype=np.int64)
    t = int(params["t"])
    if "schedule" in params:
        return schedule_sizes(str(params["schedule"]), t)
    n = np.full(t, int(params["n"]), dtype=np.int64)
    if "n0" in params:
        n[0] = int(params["n0"])
    return n


def schedule_sizes(text: str, generations: int) -> NDArray[np.int64]:
    """n_s for s = 1, 2, .. from "n_s=10+5(s-1)", "n_s=6*s^2", "n_s=8*1.5^s floor" and the like, rounded down."""
    body = text.split("=", 1)[1].replace("floor", "").strip()
    body = re.sub(r"(\d)\(", r"\1*(", body).replace("^", "**")
    tree = compile(ast.parse(body, mode="eval"), "schedule", "eval")
    values = [eval(tree, {"__builtins__": {}}, {"s": s}) for s in range(1, generations + 1)]
    return np.floor(np.asarray(values, dtype=np.float64)).astype(np.int64)


def heterozygosity(params: Params) -> float:
    p = law(params)
    return float(1.0 - p @ p)


def last(values: Float) -> float:
    return float(values[-1])


def by_sizes(function: Callable[..., Float], *arguments: Any) -> Callable[[Params], float]:
    """A function of sample sizes and a variance estimator, at the last generation."""
    return lambda params: last(function(sizes(params), *arguments, variance=estimator(params)))


def by_law(function: Callable[..., Float]) -> Callable[[Params], float]:
    """A function of probabilities and sample sizes, at the last generation."""
    return lambda params: last(function(law(params), sizes(params)))
