"""Ids of the catalogue's discrete half: labs side by side, curation, Zipf tails, budgets, estimators, and their kin."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from catalogue_params import Float, Params, by_law, heterozygosity, last, law, sizes

from lightcollapse.predictions import (
    absorption,
    branching,
    budget,
    curation,
    decoding,
    estimators,
    innovation,
    islands,
    markov,
    mixture,
    pairs,
    verification,
    weighted,
    wright_fisher,
    zipf,
)

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


# -- Zipf tails --------------------------------------------------------------------------------------------------------


def heaps_effective(params: Params) -> float:
    """Heaps' law with the effective sample size; of V symbols, with their own norm and the correction."""
    b, whole = float(params["beta"]), params["V"] == "inf"
    total = None if whole else float(np.sum(np.arange(1.0, int(params["V"]) + 1) ** -b))
    effective = branching.effective_sample_size(sizes(params))[-1]
    return float(zipf.heaps(b, effective, total=total, corrected=not whole))


# -- budgets -----------------------------------------------------------------------------------------------------------


def pooled_drift_exponent(params: Params) -> float:
    return budget.pooled_drift_exponent(params["m"] / (params["m"] + params["k"]))


# -- estimators --------------------------------------------------------------------------------------------------------

RECORDED_PRIORS = float(np.exp(9.0 + 0.5 * 23.0 / 2000.0))  # the strongest prior in the recorded quadrature


def estimate(name: str) -> Callable[[Params], float]:
    return lambda params: float(ESTIMATORS[name](params["counts"]))


ESTIMATORS: dict[str, Callable[..., Float]] = {
    "plugin": estimators.plug_in,
    "miller_madow": estimators.miller_madow,
    "jackknife": estimators.jackknife,
    "grassberger": estimators.grassberger,
    "chao_shen": estimators.chao_shen,
    "chao_wang_jost": estimators.chao_wang_jost,
    "shrink_K": estimators.shrinkage,
    "nsb_K": lambda counts: estimators.nsb(counts, strongest=RECORDED_PRIORS),
    "simpson_unbiased": estimators.heterozygosity,
    "good_turing_missing_mass": estimators.good_turing,
    "chao1_bc": estimators.chao1,
    "coverage_chao": estimators.coverage,
}


def by_points(function: Callable[[Float, int], float]) -> Callable[[Params], float]:
    """A function of probabilities and the number of points, m where the sample is thinned to m."""
    return lambda params: function(law(params), int(params["m"] if "m" in params else params["n"]))


def true_entropy(params: Params) -> float:
    """What an estimator of entropy is after."""
    return float(wright_fisher.expected_sum(law(params), [], wright_fisher.entropy_term)[0])


# -- mixtures, chains, times -------------------------------------------------------------------------------------------


def numbers(value: object, count: int) -> Float:
    """Numbers of a mixture from texts such as "-1,0,3" and "\u00b12" (two components), or one for all."""
    if isinstance(value, list | tuple):
        return np.asarray(value, dtype=np.float64)
    text = str(value).strip("[]")
    if text.startswith("\u00b1"):
        return np.array([-float(text[1:]), float(text[1:])])
    return np.broadcast_to(np.array([float(part) for part in text.split(",")]), (count,))


def mixture_total(params: Params) -> float:
    fresh = int(params.get("m", 0)) if params.get("regime") == "fresh" else 0
    shares, means, variances = (numbers(params[name], int(params["K"])) for name in ("pi", "mu", "s2"))
    return last(mixture.total_variance_mean(shares, means, variances, sizes(params), fresh))


def mixture_within(params: Params) -> float:
    """Three separated components of variance 1 where none are named."""
    shares = numbers(params.get("pi", (0.5, 0.3, 0.2)), 3)
    variances = numbers(params.get("s2", 1.0), len(shares))
    return last(mixture.within_variance_mean(shares, variances, sizes(params)))


def contexts(params: Params) -> tuple[Float, Float, Float]:
    """Shares, diversities and sizes of contexts; the default law where no diversities are given."""
    n = np.asarray(params.get("n_c", np.zeros(0)), dtype=np.float64)
    shares = np.asarray(params["pi"], dtype=np.float64) if "pi" in params else n / n.sum()
    return shares, np.asarray(params.get("H_c", np.full(len(shares), heterozygosity({}))), dtype=np.float64), n


def contexts_fixed(params: Params) -> float:
    return last(markov.context_diversity(*contexts(params), params["t"]))


def contexts_random(params: Params) -> float:
    return last(markov.context_diversity_random(*contexts(params)[:2], int(params["n"]), params["t"]))


def matrix(value: Any) -> Float:
    """A matrix from a list of rows, or from text such as "[[.5,.5],[.2,.8]]"."""
    rows = ast.literal_eval(re.sub(r"(?<!\d)\.", "0.", value)) if isinstance(value, str) else value
    return np.asarray(rows, dtype=np.float64)


def partial(params: Params) -> Float:
    """Drift from the frequencies r of the real sample; where none are given, the recorded sample of four symbols."""
    r = np.asarray(params.get("r", RECORDED_SAMPLE), dtype=np.float64)
    drift = markov.partial_drift(float(1.0 - r @ r), int(params["N"]), int(params["n"]), int(params["t"]))
    return np.array([drift[-1], float(markov.total_distance_bound(drift[-1], len(r)))])


RECORDED_SAMPLE = (0.39, 0.35, 0.18, 0.08)  # four symbols with the recorded sum of squares, 0.3134


def ewens(params: Params) -> float:
    return innovation.ewens_distinct(params["n"], 2.0 * params["n"] * params["u"])


def ewens_matched(params: Params) -> float:
    theta = params["theta"] if "theta" in params else innovation.matched_theta(params["n"], params["u"])
    return innovation.ewens_distinct(params["n"], theta)


def first_loss(method: absorption.Method) -> Callable[[Params], float]:
    return lambda params: absorption.first_loss_time(law(params), params["n"], method=method)


def no_loss(method: absorption.Method) -> Callable[[Params], float]:
    return lambda params: last(absorption.no_loss_probability(law(params), sizes(params), method=method))


def claimed_share(params: Params) -> float:
    """A claim found wrong, X1: the variance settles at the fraction of fresh data, named in the text."""
    return float(re.findall(r"alpha=([\d.]+)", str(params["quantity"]))[0].rstrip("."))


def claimed_power(params: Params) -> float:
    """A claim found wrong, X2: (n/(n + 1))^n, n named in the text."""
    n = float(re.findall(r"n=(\d+)", str(params["quantity"]))[0])
    return float((n / (n + 1.0)) ** n)


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
    "Z1.missing.exact": lambda p: last(wright_fisher.missing_mass_mean(law(p), [p["n"]])),
    "Z1.hutter": lambda p: float(zipf.missing_mass_power(p["beta"], p["T"])),
    "Z2.distinct.exact": by_points(estimators.distinct_mean),
    "Z2.heaps": lambda p: float(zipf.heaps(p["beta"], p["n"], corrected=False)),
    "Z2.heaps.corr": lambda p: float(zipf.heaps(p["beta"], p["n"])),
    "Z3.tailcut": lambda p: zipf.tail_mass_power(p["beta"], p["k"]),
    "Z4.multigen": by_law(branching.missing_mass),
    "Z4.multigen.mc": by_law(branching.missing_mass),
    "Z5.heaps.neff": heaps_effective,
    "Z6.grok": lambda p: float(zipf.mixed_error_power(p["beta"], p["k"], p["pi_real"], p["T"])),
    "P2.budget": lambda p: weighted.pooled_points_needed(p["delta"], p["n"]),
    "P2.budget.mc": lambda p: heterozygosity(p) * pairs.fresh_limit(p["n"], p["m"]),
    "P3.horizon": lambda p: weighted.generations_of_grace(p["delta"], p["n"]),
    "P4.nr.opt": lambda p: weighted.real_points_needed(p["delta"], p["n_syn"]),
    "P4.nr.opt.mc": lambda p: weighted.stationary_risk(p["w"], p["nr"], p["ns"]),
    "B1.bertrand.rate": lambda p: budget.stability_rate(p["lam"], p["L_eps_over_alpha"]),
    "B2.taori.closed": lambda p: last(budget.feedback_factor(p["n0"], p["m"], p["k"], p["t"])),
    "B2.taori.limit": lambda p: budget.feedback_limit(p["m"], p["k"]),
    "A3.accfresh.var": lambda p: last(budget.pooled_drift(p["m"], p["k"], p["t"] + 1)),
    "A3.accfresh.exponent": pooled_drift_exponent,
    **{f"estimator.{name}": estimate(name) for name in ESTIMATORS},
    "estimator.rarefaction_m": lambda p: float(estimators.rarefaction(p["counts"], p["m"])),
    "H1.plugin.exact": by_points(estimators.plug_in_mean),
    "H2.grassberger.exact": by_points(estimators.grassberger_mean),
    "H3.mm.exact": by_points(estimators.miller_madow_mean),
    "H4.simpson.unb": lambda p: estimators.heterozygosity_mean(law(p)),
    "H5.goodturing": by_points(estimators.good_turing_mean),
    "H6.rarefy": by_points(estimators.distinct_mean),
    "H7.bias.chao_shen": true_entropy,
    "H7.bias.chao_wang_jost": true_entropy,
    "H7.bias.jackknife": true_entropy,
    "H7.bias.nsb": true_entropy,
    "H8.chao1": lambda p: float(np.count_nonzero(law(p))),
    "H9.eval.extra.gen": lambda p: last(wright_fisher.entropy_mean(law(p), [*sizes(p), p["N_eval"]])),
    "H9.eval.extra.gen.H": lambda p: last(wright_fisher.heterozygosity_mean(law(p), [*sizes(p), p["N_eval"]])),
    "GM1.totalvar": mixture_total,
    "GM2.separated": lambda p: last(mixture.separated_component(p["pi_k"], sizes(p))),
    "GM2.separated.within": mixture_within,
    "GM3.lost": lambda p: last(wright_fisher.loss_probability([p["pi_k"]], sizes(p))[:, 0]),
    "N1.collapseprob": by_law(wright_fisher.collapse_probability),
    "N2.partial.L2": lambda p: float(partial(p)[0]),
    "N2.partial.L1bound": lambda p: float(partial(p)[1]),
    "N3.ngram.fixed": contexts_fixed,
    "N3.ngram.random": contexts_random,
    "N4.markovpath": lambda p: last(markov.path_diversity(matrix(p["T"]), p["n"], p["t"])),
    "I1.innov.F": lambda p: innovation.agreement_limit(p["n"], p["u"]),
    "I2.ewens.K": ewens,
    "I2.ewens.K.matched": ewens_matched,
    "I3.innov.K.exact": lambda p: innovation.distinct_limit(p["n"], p["u"]),
    "C13.fixtime2": lambda p: absorption.collapse_time([p["p"], 1.0 - p["p"]], p["n"]),
    "C13.absorb.mean": lambda p: float(absorption.absorption_time_diffusion(p["count"] / p["n"], p["n"])),
    "C14.tmrca": lambda p: absorption.collapse_time_from_counts(np.ones(int(p["n"]))),
    "C25.firstext.mean.branch": first_loss("branching"),
    "C25.firstext.mean.feller": first_loss("diffusion"),
    "C25.firstext.cdf.branch": no_loss("branching"),
    "C25.firstext.cdf.feller": no_loss("diffusion"),
    "C25.firstext.cdf.exactmarg": no_loss("exact"),
    "X1.wild.claim": claimed_share,
    "X2.wild.claim": claimed_power,
}
