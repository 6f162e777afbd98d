"""Ids of the catalogue's continuous half: several dimensions, regression, kernel densities, one-parameter families."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from catalogue_params import Float, Params, estimator, last, sizes

from lightcollapse.predictions import density, exponential_family, multivariate, pairs, regression

# -- several dimensions ------------------------------------------------------------------------------------------------


def covariance(params: Params) -> Float:
    """The source's covariance: "diag(1..d)", "I+.3 11^T", or "I" where none is named."""
    d = int(params["d"])
    text = str(params.get("Sigma0", "I")).replace(" ", "")
    if text.startswith("diag"):
        return np.diag(np.arange(1.0, d + 1.0))
    if text.startswith("I+"):
        return np.eye(d) + float(text[2:].split("11")[0].rstrip("*"))
    return np.eye(d)


def by_dimension(function: Callable[..., Float], *arguments: Any) -> Callable[[Params], float]:
    return lambda p: last(function(sizes(p), int(p["d"]), *arguments, variance=estimator(p)))


def squares(params: Params) -> tuple[float, float]:
    given = covariance(params)
    return float(np.sum(given * given)), float(np.trace(given)) ** 2


def square_moments(params: Params) -> multivariate.Squares:
    return multivariate.square_moments(*squares(params), sizes(params), variance=estimator(params))


def lyapunov(params: Params) -> float:
    spectrum = multivariate.lyapunov_spectrum(params["n"], params["d"], variance=estimator(params))
    return float(spectrum[int(params["i"]) - 1])


def lyapunov_rank(params: Params) -> float:
    """Participation ratio of eigenvalues that follow their Lyapunov exponents."""
    values = np.exp(params["t"] * multivariate.lyapunov_spectrum(params["n"], params["d"]))
    return float(values.sum() ** 2 / np.sum(values**2))


def fresh_trace(params: Params) -> float:
    """The recorded case that names no covariance has three dimensions and the trace 3.5."""
    trace = float(np.trace(covariance(params))) if "Sigma0" in params else params["d"] + 0.5
    return trace * last(pairs.fresh_fraction(params["n"], params["m"], params["t"]))


def fresh_off_diagonal(params: Params) -> float:
    """Where no covariance is named its off-diagonal element is 0.3."""
    element = float(covariance(params)[0, 1]) if "Sigma0" in params else 0.3
    return element * last(pairs.fresh_fraction(params["n"], params["m"], params["t"]))


# -- regression --------------------------------------------------------------------------------------------------------


def label_sizes(params: Params) -> list[int]:
    """Points a generation: a list, or t times T with T0 in front."""
    if "Ts" in params:
        return [int(n) for n in params["Ts"]]
    n = [int(params["T"])] * int(params["t"])
    if "T0" in params:
        n[0] = int(params["T0"])
    return n


def label_noise(params: Params) -> Float:
    """Variance of the labels' noise a generation: sigma2, or standard deviations s1 with s0 in front."""
    n = np.full(len(label_sizes(params)), float(params.get("sigma2", 1.0)))
    if "s1" in params:
        n[:] = params["s1"] ** 2
    if "s0" in params:
        n[0] = params["s0"] ** 2
    return n


def regress(function: Callable[..., Float]) -> Callable[[Params], float]:
    return lambda p: last(function(label_sizes(p), int(p["d"]), label_noise(p)))


def norm(params: Params) -> float:
    return float(params.get("norm_w0", 1.0))


def mixing(params: Params) -> float:
    return regression.mixing_constant(params["n"], params["k_syn"], params["d"])


def ridge(params: Params) -> float:
    return regression.ridge_after_least_squares_error(
        params["T"], params["T0"], params["d"], params["gens"], params["lam"], params["sigma2"], norm=norm(params)
    )


def label_mixing(fixed_design: bool) -> Callable[[Params], float]:
    return lambda p: regression.label_mixing_limit(
        p["w"], p["T"], p["d"], p.get("sigma2", 1.0), norm=norm(p), fixed_design=fixed_design
    )


# -- one-parameter families --------------------------------------------------------------------------------------------


def universal(params: Params) -> float:
    return float(params["n"]) * last(exponential_family.first_order_accumulate(sizes(params)))


def universal_kl(params: Params) -> float:
    first = exponential_family.first_order_accumulate(sizes(params))
    return last(exponential_family.kl_first_order(first, params.get("k", 2)))


CONTINUOUS: dict[str, Callable[[Params], float]] = {
    # 2 several dimensions
    "M2.logdet": by_dimension(multivariate.log_det_mean),
    "M2.logdetvar": lambda p: last(multivariate.log_det_variance(sizes(p), p["d"])),
    "M2.detmom": lambda p: last(
        multivariate.det_moment(sizes(p), p["d"], float(p.get("r", 0.5)), variance=estimator(p))
    ),
    "M3.trS2": lambda p: last(square_moments(p).of_covariance),
    "M3.tr2": lambda p: last(square_moments(p).of_trace),
    "M3.PR_ratio": lambda p: last(multivariate.effective_rank_trend(*squares(p), sizes(p))),
    "M3.PR_lyap": lyapunov_rank,
    "M4.KLrm": by_dimension(multivariate.kl_source_model_mean),
    "M4.KLmr": by_dimension(multivariate.kl_model_source_mean),
    "M7.lyapunov": lyapunov,
    "M8.fresh.trace": fresh_trace,
    "M8.fresh.offdiag": fresh_off_diagonal,
    "U4.KLrate.gauss": lambda p: multivariate.kl_gain(p["n"], 1),
    "U4.KLrate.mv": lambda p: multivariate.kl_gain_first_order(p["n"], p["d"] * (p["d"] + 3) / 2),
    # 7 regression
    "L1.ols.replace": regress(regression.replace_error),
    "L2.ols.accumulate": regress(regression.accumulate_error),
    "L3.rho": mixing,
    "L3.rho.closed": mixing,
    "L4.ols.fresh": lambda p: last(regression.fresh_error(p["n"], p["m"], p["d"], p["t"], p["sigma2"])),
    "L5.strong": lambda p: regression.strong_collapse_error(p["n"], p["k_syn"], p["d"], p["c2"], p["sigma2"]),
    "L6.minnorm": lambda p: last(regression.minimum_norm_error(label_sizes(p), p["d"], label_noise(p), norm=norm(p))),
    "L7.ridge.DE": ridge,
    "L8.minnorm.mix.fresh": label_mixing(fixed_design=False),
    "L8.minnorm.mix.fixed": label_mixing(fixed_design=True),
    # 7 universality
    "U1.universality": universal,
    "U2.exp.acc.exact": lambda p: last(exponential_family.accumulate_mean_variance(sizes(p), 1.0)),
    "U3.exp.replace.exact": lambda p: last(exponential_family.exponential_log_mean(sizes(p))),
    "U3.exp.KL": lambda p: last(exponential_family.exponential_kl_model_source_mean(sizes(p))),
    "U5.acc.KL.univ": universal_kl,
    # 7 kernel densities
    "K1.kde.replace": lambda p: last(density.kernel_variance(sizes(p), p["h"])),
    "K2.kde.accumulate": lambda p: last(density.accumulate_kernel_variance(sizes(p), p["h"])),
    "K3.smooth.fresh": lambda p: density.smoothing_variance_limit(p["a"], p["h"]),
    "K3.smooth.cf": lambda p: float(
        density.smoothing_damping(p["a"], p["h"], p["freq"]) * np.exp(-0.5 * p["freq"] ** 2)
    ),
}
