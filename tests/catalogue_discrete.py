"""Ids of the catalogue's discrete half: labs side by side, curation, Zipf tails, budgets, estimators, and their kin."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from catalogue_params import Float, Params, heterozygosity, last, law, sizes

from lightcollapse.predictions import curation, decoding, islands, verification

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


# -- decoding and selection --------------------------------------------------------------------------------------------


def at(values: Float, params: Params) -> float:
    """The probability of symbol i, the first when none is named, in the last generation."""
    return float(values[-1, int(params.get("i", 0))])


def two_or_more(params: Params) -> Float:
    """The source's law; a single number p stands for two symbols."""
    p = params.get("p")
    return np.array([p, 1.0 - p]) if isinstance(p, float) else law(params)


def tempered(params: Params) -> float:
    return at(decoding.tempered_law(two_or_more(params), params["tau"], params["t"], first_real=False), params)


def preferred(params: Params) -> float:
    choices = params.get("K", 2)
    laws = curation.preferred_law(params["p0"], params["r"], choices, params["t"], first_real=False)
    return at(laws, params)


def tilted(params: Params) -> float:
    return at(curation.tilted_law(params["p0"], params["r"], params["t"], first_real=False), params)


def gain_short_of_bound(params: Params) -> float:
    """How far a round of preference falls short of the bound on its gain: 0, as the bound holds."""
    p = np.asarray(params.get("p0", (0.4, 0.3, 0.2, 0.1)))
    rewards = np.asarray(params.get("r", (0.0, 0.5, 1.0, 2.0)))
    gain = (curation.chosen_law(p, rewards, params["K"]) - p) @ np.exp(rewards)
    return float(min(gain - curation.reward_gain_bound(p, rewards, params["K"]), 0.0))


def judged(params: Params) -> curation.Gaussian:
    return curation.judged_gaussian(
        params["mu0"], params["s0"] ** 2, params["c"], params["s"], params["t"], first_real=False
    )


# -- verification ------------------------------------------------------------------------------------------------------


def rates(params: Params) -> tuple[float, float]:
    """Chances that a right and a wrong answer pass."""
    return params["phi"], params["psi"]


def mostly_right(params: Params) -> float:
    """1 where a share p of wrong answers leaves what passes mostly right."""
    return float(params["p"] < verification.breakdown_share(*rates(params)))


def classifier(params: Params) -> float:
    return verification.mean_classifier_accuracy(
        1.0 - params["p"], *rates(params), written=params["n"], dimension=params["d"], separation=params["mu2"]
    )


def solver(params: Params) -> float:
    function = (
        verification.verifier_uncertainty
        if "U_v" in str(params.get("quantity", ""))
        else verification.solver_uncertainty
    )
    return float(
        function(
            params["t"],
            params["Us0"],
            params["Uv0"],
            solver_gain=params["alpha"],
            verifier_gain=params["beta"],
            rate=params["k"],
            bias=params["b"],
        )
    )


DISCRETE: dict[str, Callable[[Params], float]] = {
    "E1.island.Hw": island("within"),
    "E1.island.Hb": island("between"),
    "E2.island.HT": island("total"),
    "E3.Fst": lambda p: last(islands.fixation_index(sizes(p), *labs(p))),
    "E4.island.stat": island_stationary,
    "E5.island.decay": lambda p: islands.island_decay(p["n"], *labs(p)),
    "E6.island.gauss.within": island("within"),
    "E6.island.gauss.between": island("between"),
    "T2.temp.det": tempered,
    "T3.topp.geom": lambda p: last(decoding.geometric_support(p["r"], p["p"], p["t"], first_real=False)),
    "F2.curate.K2": preferred,
    "F3.curate.Kinf": tilted,
    "F4.reward.lb": gain_short_of_bound,
    "F5.KLbound": lambda p: curation.kl_model_source_bound(p["K"], p["lam"]),
    "F6.gauss.reward.var": lambda p: last(judged(p).variance),
    "F6.gauss.reward.mean": lambda p: last(judged(p).mean),
    "V1.feng.purity": lambda p: float(verification.precision(1.0 - p["p"], *rates(p))),
    "V2.feng.threshold": mostly_right,
    "V3.feng.acc": classifier,
    "V4.passrate.fixed": lambda p: verification.accuracy_plateau(*rates(p), error=p["eps"]),
    "V4.passrate.mc": lambda p: verification.accuracy_plateau(*rates(p), error=p["eps"]),
    "V5.fresh.filter": lambda p: verification.accuracy_plateau(*rates(p), fraction=p["a"], real_accuracy=p["pi_real"]),
    "V6.coverage": lambda p: float(verification.coverage(p["a"], p["b"], p["k"])),
    "V7.expert.pass1": lambda p: float(verification.coverage(p["a"], p["b"], p["k"])),
    "V8.solververifier": solver,
}
