"""Ids of the catalogue of results, each with the call of a public function that evaluates it.

EVALUATE[id] takes the parameters of a vector (with the vector's `quantity`, where an id stands for several) and gives
one number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from catalogue_continuous import CONTINUOUS, covariance
from catalogue_discrete import DISCRETE
from catalogue_params import (
    Float,
    Params,
    by_law,
    by_sizes,
    estimator,
    evaluator,
    heterozygosity,
    last,
    law,
    one,
    sizes,
)

from lightcollapse.predictions import (
    branching,
    gaussian,
    gaussian_law,
    gaussian_mixed,
    gaussian_pool,
    pairs,
    smoothing,
    weighted,
    wright_fisher,
    wright_fisher_mixed,
)
from lightcollapse.schedule import ALL, blank

# -- one-dimensional Gaussian ------------------------------------------------------------------------------------------


def fresh_moments(params: Params) -> gaussian_mixed.Moments:
    return gaussian_mixed.fresh_moments(
        [params["n"]] * int(params["t"]),
        params["m"],
        variance=estimator(params),
        scale=float(params.get("lam", 1.0)),
        first_real=False,
    )


MOMENTS = {"E[s2]": 0, "E[mu2]": 1, "E[s2^2]": 2, "E[mu2 s2]": 3, "E[mu^4]": 4}


def chosen_moment(params: Params, moments: gaussian_mixed.Moments) -> float:
    quantity = str(params.get("quantity", "E[s2]")).replace("stat", "").strip()
    return last(moments[MOMENTS[quantity]])


def fresh_stationary(params: Params) -> float:
    moments, _ = gaussian_mixed.fresh_stationary_moments(
        params["n"], params["m"], variance=estimator(params), scale=float(params.get("lam", 1.0))
    )
    return chosen_moment(params, moments)


def matched(function: Callable[..., Float], kind: str) -> Callable[[Params], float]:
    return lambda params: last(function(fresh_moments(params), kind))


def biased(function: Callable[..., Float]) -> Callable[[Params], float]:
    """Sampling with a variance scale, the first sample too."""

    def evaluate(params: Params) -> float:
        scale = params["lam"] if "lam" in params else gaussian.truncation_scale(params["c"])
        return last(function(sizes(params), float(scale), variance=estimator(params), first_real=False))

    return evaluate


def median_probability(params: Params) -> float:
    n, kind = sizes(params), estimator(params)
    median = gaussian_law.variance_quantile(n, [0.5], variance=kind)
    return last(gaussian_law.variance_cdf(n, median, variance=kind))


def fixed_real(params: Params) -> float:
    return last(pairs.fixed_real(params["n0"], params["ksyn"], params["t"], params["a"]))


def weighted_diversity(params: Params) -> float:
    return last(weighted.weighted_diversity(params["w"], params["nr"], params["ns"], params["t"]))


def window_diversity(params: Params) -> float:
    rows = blank(np.full(int(params["t"]), params["n"], dtype=np.int64))
    generations = np.arange(2, len(rows) + 1)
    rows["sample"][1:] = params["n"]
    rows["oldest"][1:] = np.maximum(generations - params["window"], 0)
    rows["take"][1:] = ALL
    return last(pairs.pair_diversity(rows))


# -- categorical laws --------------------------------------------------------------------------------------------------


def smoothed(function: Callable[..., Float]) -> Callable[[Params], float]:
    return lambda params: last(function(law(params), sizes(params), params["k"]))


def stationary(term: Callable[[Float, Float], Float]) -> Callable[[Params], float]:
    return lambda params: wright_fisher_mixed.fresh_limit_sum(law(params), params["n"], params["m"], term)


def fresh_entropy_term(params: Params) -> float:
    """E[-p log p] of one symbol; the other symbol of the pair is left out."""
    p = float(params["p"])

    def term(share: Float, source: Float) -> Float:
        return np.where(source == p, wright_fisher_mixed.entropy_terms(share, source), 0.0)

    return last(wright_fisher_mixed.fresh_expected_sum([p, 1.0 - p], sizes(params), params["m"], term))


def pooled(term: Callable[[Float, Float], Float]) -> Callable[[Params], float]:
    return lambda params: last(wright_fisher_mixed.accumulate_expected_sum(law(params), sizes(params), term))


def pooled_kl(params: Params) -> float:
    values = wright_fisher_mixed.accumulate_expected_sum(law(params), sizes(params), wright_fisher_mixed.entropy_terms)
    return float(values[0] - values[-1])


def branching_loss(params: Params) -> float:
    return last(branching.loss_probability([one(params)], sizes(params))[:, 0])


def fresh_branching_loss(params: Params) -> float:
    effective = branching.effective_sample_size(sizes(params), params["m"] / params["n"])
    return float(np.exp(-effective[-1] * params["p"]))


def surrogate_entropy(params: Params) -> float:
    steps = round(params["t"] * params["n_surrogate"] / params["n"])
    return last(wright_fisher.entropy_mean(law(params), [params["n_surrogate"]] * steps))


def distinct_left(params: Params) -> float:
    """Distinct items left of n all different: the support from a sample of n different symbols."""
    n = int(params["n"])
    return last(n * (1.0 - wright_fisher.loss_from_count(1, [n] * (int(params["t"]) + 1))))


def separated_component(params: Params) -> float:
    """E[w_k sigma_k^2] of one well-separated component, backward over its count."""
    n = int(params["n"])
    counts = np.arange(n + 1, dtype=np.float64)
    shrink = np.where(counts > 0, 1.0 - 1.0 / np.maximum(counts, 1.0), 0.0)
    values = counts / n
    for _ in range(int(params["t"]) - 1):
        values = wright_fisher.transition(n, n) @ (shrink * values)
    return float(wright_fisher.binomial_rows(n, [params["pi_k"]])[0] @ (shrink * values))


def mixture_variance(params: Params) -> float:
    """Total variance of the source mixture, from texts such as "-1,0,3" and "\u00b12" (two components)."""

    def numbers(value: Any, count: int) -> Float:
        text = str(value)
        if text.startswith("\u00b1"):
            return np.array([-float(text[1:]), float(text[1:])])
        return np.broadcast_to(np.array([float(part) for part in text.split(",")]), (count,))

    count = int(params["K"])
    mean, spread, share = (numbers(params[name], count) for name in ("mu", "s2", "pi"))
    return float(share @ (spread + mean**2) - (share @ mean) ** 2)


def mixture(params: Params) -> float:
    fresh = params.get("m", 0) if params.get("regime") == "fresh" else 0
    return mixture_variance(params) * last(pairs.fresh_fraction(params["n"], fresh, params["t"]))


def covariance_trace(params: Params) -> float:
    return float(np.trace(covariance(params)))


def tempered_mean(params: Params) -> float:
    """E p_t of one of two symbols when samples are drawn at a temperature: a chain with logit(p) / tau."""
    p, tau = float(params["p"]), float(params["tau"])

    def cooled(share: Float) -> Float:
        a, b = share ** (1.0 / tau), (1.0 - share) ** (1.0 / tau)
        return np.asarray(a / (a + b))

    values = wright_fisher.expected_sum_by_symbol(
        [p, 1.0 - p],
        sizes(params),
        lambda share, source: np.where(source == p, share, 0.0),
        chance=cooled,
    )
    return last(values)


# -- Zipf tails --------------------------------------------------------------------------------------------------------


def seen(p: Float, n: float) -> float:
    return float(np.sum(-np.expm1(n * np.log1p(-p))))


EVALUATE: dict[str, Callable[[Params], float]] = {
    # 1.1 replace
    "G1.var": by_sizes(gaussian.variance_moment),
    "G2.std": by_sizes(gaussian.std_mean),
    "G2.m2": by_sizes(gaussian.variance_moment, 2.0),
    "G3.logmean": by_sizes(gaussian.log_variance_cumulant, 1),
    "G3.logvar": by_sizes(gaussian.log_variance_cumulant, 2),
    "G3.logk3": by_sizes(gaussian.log_variance_cumulant, 3),
    "G4.median": median_probability,
    "G5.cdf": lambda p: float(gaussian_law.variance_cdf(sizes(p), p["eps2"], variance=estimator(p))),
    "G5.tail.bounds": lambda p: 1.0 - float(gaussian_law.variance_cdf(sizes(p), p["eps"] ** 2, variance=estimator(p))),
    "G6.meanvar": by_sizes(gaussian.mean_variance),
    "G6.mu4": by_sizes(gaussian.mean_fourth_moment),
    "G7.W2": by_sizes(gaussian.w2_squared_mean),
    "G7.shumailov": lambda p: last(gaussian.w2_squared_first_order(sizes(p))),
    "G8.KLmr": by_sizes(gaussian.kl_model_source_mean),
    "G8.KLrm": by_sizes(gaussian.kl_source_model_mean),
    "G9.sched.var": by_sizes(gaussian.variance_moment),
    "G9.sched.W2": by_sizes(gaussian.w2_squared_mean),
    "G9.sched.log": by_sizes(gaussian.log_variance_cumulant, 1),
    "G15.hit": lambda p: gaussian.generations_until(p["n"], p["eps2"], variance=estimator(p)),
    "C26.improve": lambda p: last(gaussian.improvement_probability([p["n0"], *p["ns"]])),
    # 1.3 accumulate
    "G12.acc.var": by_sizes(gaussian_pool.accumulate_variance_moment, 1),
    "G12.acc.var.unb": by_sizes(gaussian_pool.accumulate_variance_moment, 1),
    "G12.acc.m2": by_sizes(gaussian_pool.accumulate_variance_moment, 2),
    "G12.acc.m2.unb": by_sizes(gaussian_pool.accumulate_variance_moment, 2),
    "G12.acc.meanvar": by_sizes(gaussian_pool.accumulate_mean_variance),
    "G12.acc.limit": lambda p: pairs.accumulate_limit(p["n"]),
    "G12.acc.log": by_sizes(gaussian_pool.accumulate_log_variance_mean),
    "G12.acc.std": by_sizes(gaussian_pool.accumulate_std_mean),
    "G12.acc.W2": by_sizes(gaussian_pool.accumulate_w2_squared_mean),
    "G12.acc.KL": by_sizes(gaussian_pool.accumulate_kl_model_source_mean),
    # 1.4 accumulate-subsample
    "G13.accsub.var": by_sizes(gaussian_pool.accumulate_subsample_variance_mean),
    "G13.accsub.var.unb": by_sizes(gaussian_pool.accumulate_subsample_variance_mean),
    "G13.accsub.meanvar": lambda p: 1.0 - last(pairs.accumulate_subsample(p["n"], p["t"])),
    "G13.accsub.limit": lambda p: p["n"] * (1.0 - pairs.accumulate_subsample_limit(p["n"])),
    # 1.5 fresh data
    "G10.fresh.var": lambda p: last(pairs.fresh_fraction(p["n"], p["m"], p["t"])),
    "G10.fresh.mom": lambda p: chosen_moment(p, fresh_moments(p)),
    "G10.fresh.mom.big": lambda p: chosen_moment(p, fresh_moments(p)),
    "G10.fresh.stat": fresh_stationary,
    "G10.fresh.std.gamma": matched(gaussian_mixed.matched_std_mean, "gamma"),
    "G10.fresh.std.lognormal": matched(gaussian_mixed.matched_std_mean, "lognormal"),
    "G10.fresh.log.gamma": matched(gaussian_mixed.matched_log_variance_mean, "gamma"),
    "G10.fresh.log.lognormal": matched(gaussian_mixed.matched_log_variance_mean, "lognormal"),
    "G10.fresh.W2.gamma": matched(gaussian_mixed.matched_w2_squared_mean, "gamma"),
    # 1.6 and 1.7 fixed real data, weights
    "F1.fixedreal.H": lambda p: heterozygosity(p) * fixed_real(p),
    "F1.fixedreal.var": fixed_real,
    "W1.weighted.H": lambda p: heterozygosity(p) * weighted_diversity(p),
    "W1.weighted.var": weighted_diversity,
    "W1.weighted.mean": lambda p: 1.0 - weighted_diversity(p),
    "W2.golden.w": lambda p: weighted.best_weight(p["nr"], p["ns"]),
    "W2.golden.risk": lambda p: weighted.stationary_risk(p["w"], p["nr"], p["ns"]),
    "W3.exact.w": lambda p: weighted.best_diversity_weight(p["nr"], p["ns"]),
    # 1.8 biased sampling
    "G11.lambda.var": biased(gaussian.biased_variance_mean),
    "G11.lambda.meanvar": biased(gaussian.biased_mean_variance),
    "G11.lambda.log": biased(gaussian.biased_log_variance_mean),
    "G11.truncate.var": biased(gaussian.biased_variance_mean),
    # 3 mixtures: what follows from pairs and the chain
    "GM2.separated": separated_component,
    "GM3.lost": lambda p: last(wright_fisher.loss_probability([p["pi_k"]], sizes(p))[:, 0]),
    "GM1.totalvar": mixture,
    "M1.trace": lambda p: covariance_trace(p) * last(pairs.replace(sizes(p))),
    "M5.meandrift": lambda p: covariance_trace(p) * (1.0 - last(pairs.replace(sizes(p)))),
    # 4 categorical laws
    "C1.replace.H": by_law(wright_fisher.heterozygosity_mean),
    "C1.sched.H": by_law(wright_fisher.heterozygosity_mean),
    "C2.acc.H": lambda p: heterozygosity(p) * last(pairs.accumulate(sizes(p))),
    "C3.accsub.H": lambda p: (
        heterozygosity(p)
        * last(pairs.accumulate_subsample(p["n"], p["t"], with_replacement=bool(p.get("with_replacement", False))))
    ),
    "C4.fresh.H": lambda p: heterozygosity(p) * last(pairs.fresh_fraction(p["n"], p["m"], p["t"])),
    "C4.freshrandom.H": lambda p: heterozygosity(p) * last(pairs.fresh_random_split(p["n"], p["a"], p["t"])),
    "A1.polya1": lambda p: heterozygosity(p) * pairs.accumulate_one_by_one(p["n0"], p["M"]),
    "A2.accfresh.H": lambda p: heterozygosity(p) * last(pairs.accumulate_fresh(p["m"], p["k"], p["t"])),
    "P1.window.H": lambda p: heterozygosity(p) * window_diversity(p),
    "C5.entropy": by_law(wright_fisher.entropy_mean),
    "C5.entropy.miller": by_law(wright_fisher.entropy_miller),
    "C6.support": by_law(wright_fisher.support_mean),
    "C7.KL": by_law(wright_fisher.kl_model_source_mean),
    "C8.L2": by_law(wright_fisher.squared_distance_mean),
    "C9.lost.exact": lambda p: last(wright_fisher.loss_probability([one(p)], sizes(p))[:, 0]),
    "C10.lost.branch": branching_loss,
    "C10.support.branch": by_law(branching.support_mean),
    "C10.s_t": lambda p: last(branching.survival(p["t"])),
    "C10.forget.median": lambda p: float(branching.forgetting_time(p["count"])),
    "C11.neff": by_law(branching.support_mean),
    "C11.neff.zipf": by_law(branching.support_mean),
    "C12.kimura": lambda p: wright_fisher.kimura_loss(p["p"], p["n"], p["t"]),
    "C15.distinct": distinct_left,
    "C16.moments": lambda p: last(wright_fisher.power_sum_mean(law(p), sizes(p), p["k"])),
    "C17.hetvar": by_law(wright_fisher.heterozygosity_variance),
    "C23.TV": by_law(wright_fisher.total_variation_mean),
    "C23.hell": by_law(wright_fisher.hellinger_squared_mean),
    "C23.chi2": by_law(wright_fisher.chi_squared_mean),
    "C24.coarse": surrogate_entropy,
    "C24.richardson": lambda p: wright_fisher.entropy_extrapolated(law(p), p["n"], p["t"]),
    "C18.fresh.lost": lambda p: last(wright_fisher_mixed.fresh_loss_probability(p["p"], sizes(p), p["m"])),
    "C18.fresh.ent": fresh_entropy_term,
    "C18.fresh.lost.branch": fresh_branching_loss,
    "C19.fresh.dirichlet": lambda p: wright_fisher_mixed.dirichlet_entropy(law(p), p["n"], p["m"]),
    "C19.fresh.ent.exact": stationary(wright_fisher_mixed.entropy_terms),
    "C20.fresh.support": lambda p: float(np.sum(-np.expm1(-branching.stationary_sample_size(p["n"], p["m"]) * law(p)))),
    "C20.fresh.support.exact": stationary(wright_fisher_mixed.presences),
    "C21.acc.support": lambda p: last(wright_fisher_mixed.accumulate_support_mean(law(p), p["n"], p["t"])),
    "C22.acc.ent": pooled(wright_fisher_mixed.entropy_terms),
    "C22.acc.KL": pooled_kl,
    "S1.addk.H": smoothed(smoothing.smoothed_heterozygosity_mean),
    "S1.addk.Hstat": lambda p: smoothing.smoothed_heterozygosity_limit(p["V"], p["n"], p["k"]),
    "S2.addk.ent": smoothed(smoothing.smoothed_entropy_mean),
    "S3.addk.CE": smoothed(smoothing.smoothed_cross_entropy_mean),
    "S4.addk.seen": smoothed(smoothing.smoothed_seen_mean),
    "S5.addk.mean": lambda p: float(smoothing.smoothed_probability_mean(law(p), sizes(p), p["k"])[-1, 0]),
    "T1.temp.K2": tempered_mean,
    # 6 Zipf tails
    **CONTINUOUS,
    **DISCRETE,
}
EVALUATE = {name: evaluator(function) for name, function in EVALUATE.items()}
