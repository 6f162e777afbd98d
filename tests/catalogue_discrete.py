"""Ids of the catalogue's discrete half: labs side by side, curation, Zipf tails, budgets, estimators, and their kin."""

from __future__ import annotations

from collections.abc import Callable

from catalogue_params import Params, heterozygosity, last, sizes

from lightcollapse.predictions import islands

# -- islands -----------------------------------------------------------------------------------------------------------


def labs(params: Params) -> tuple[int, float, float]:
    """Labs, the chance of an own point, and the chance of a shared one."""
    return int(params["D"]), 1.0 - params["a"] - params["s"], float(params["s"])


def island(part: str) -> Callable[[Params], float]:
    """Expected diversity of one kind: in units of the source's for a Gaussian, as heterozygosity otherwise."""

    def evaluate(params: Params) -> float:
        unit = 1.0 if params.get("model") == "gaussian" else heterozygosity(params)
        return unit * last(getattr(islands.island_diversity(sizes(params), *labs(params)), part))

    return evaluate


def island_stationary(params: Params) -> float:
    limit = islands.island_limit(params["n"], *labs(params))
    quantity = str(params.get("quantity", "Hw"))
    if "F" in quantity:
        return 1.0 - limit.within / limit.between
    if "Hb" in quantity:
        return limit.between
    return limit.total if "HT" in quantity or "H_T" in quantity else limit.within


DISCRETE: dict[str, Callable[[Params], float]] = {
    "E1.island.Hw": island("within"),
    "E1.island.Hb": island("between"),
    "E2.island.HT": island("total"),
    "E3.Fst": lambda p: last(islands.fixation_index(sizes(p), *labs(p))),
    "E4.island.stat": island_stationary,
    "E5.island.decay": lambda p: islands.island_decay(p["n"], *labs(p)),
    "E6.island.gauss.within": island("within"),
    "E6.island.gauss.between": island("between"),
}
