"""Numbers that hold: a billion points, a million generations, tiny probabilities; and a word where nothing holds."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from test_notes import FUNCTIONS, HELPERS

from lightcollapse.predictions import (
    branching,
    budget,
    disturbed,
    exponential_family,
    gaussian,
    gaussian_law,
    gaussian_mixed,
    gaussian_pool,
    islands,
    keeping,
    multivariate,
    pairs,
    regression,
    spectrum,
    weighted,
    wright_fisher,
    zipf,
)
from lightcollapse.schedule import ALL, blank

Float = NDArray[np.float64]
BILLION = 10**9
MANY = 100_000  # generations of a recursion; closed products get ten times as many
ESTIMATORS = ("ml", "unbiased")


def sizes(size: int, generations: int) -> NDArray[np.int64]:
    return np.full(generations, size)


def zipf_law(symbols: int, exponent: float = 1.0) -> Float:
    mass = np.arange(1.0, symbols + 1) ** -exponent
    return np.asarray(mass / mass.sum())


def fresh_schedule(generations: int) -> Any:
    rows = blank(sizes(1000, generations))
    rows["fresh"][1:], rows["sample"][1:], rows["take"][1:] = 10, 990, ALL
    rows["oldest"][1:] = np.arange(1, generations)
    return rows


# --- Every public function at sizes it must bear: no warning, no NaN, infinity only where the number is too large.

TEN = zipf_law(10)
RARE = np.array([1e-300, 1e-9, 1.0 - 1e-9])
COUNTS = [10**9, 10**8, 5, 1, 1, 2]
MOMENTS = gaussian_mixed.Moments(*(np.array([1.0, 0.5, 1e-9]),) * 5)


def share_of(frequency: Float, probability: Float) -> Float:
    return np.asarray(frequency * np.ones_like(probability))


def itself(frequency: Float) -> Float:
    return frequency


CALLS: dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]] = {}


def call(name: str, *arguments: Any, **named: Any) -> None:
    CALLS.setdefault(name, []).append((arguments, named))


for fresh in (0, 1, 10**6, BILLION):
    for make in ("keeping.pooled", "keeping.best_weighted"):
        call(make, BILLION, fresh)
    for training in (keeping.pooled(BILLION, fresh), keeping.best_weighted(BILLION, fresh)):
        for generations in (1, MANY, math.inf):
            for name in ("keeping.diversity", "keeping.effective_size"):
                call(name, training, generations)
            for name in ("keeping.support", "keeping.entropy"):
                call(name, RARE, np.ones(3), training, generations)
SEEN = np.array([1.0, 2.0, 5.0, 1e8, 1e9])  # counts that occur
TIMES = np.array([1e6, 1e5, 1e4, 2.0, 1.0])  # types that have them
for name in ("good_shares", "good_spread", "good_doubt", "entropy_of_spectrum"):
    call(f"spectrum.{name}", SEEN, TIMES)
for name in ("band_of", "tally", "classes"):
    call(f"spectrum.{name}", [0, *COUNTS])
call("spectrum.count_rows", [1e-300, 1e-9, 1.0, 1e4], BILLION, [1.0, 0.5, 1.0, 2.0], 50)
call("spectrum.course", spectrum.classes(COUNTS), 100)
call("temporal.loss_dispersion", np.repeat([1e-12, 1.0, 3.9, 1e9], 40), np.tile([0.0, 1.0, 0.0, 1e9], 40))
call("spectrum.course", spectrum.classes(COUNTS), 100, sample_size=BILLION, dispersion=1.5, fresh=1e-9)
for name in ("chain_step", "drift", "jorde_ryman", "nei_tajima", "sample_step"):
    call(f"temporal.{name}", COUNTS, [10**9 + 30_000, 10**8 - 10_000, 4, 2, 1, 2])
for share in (0.0, 1e-300, 1e-12, 0.5, 1.0):
    call("absorption.absorption_time_diffusion", share, BILLION)
call("absorption.absorption_times", 200)
call("absorption.collapse_time", [1e-12, 1.0 - 1e-12], 200)
call("absorption.collapse_time_from_counts", [1] * 300)
call("absorption.first_loss_time", zipf_law(30), BILLION)
call("absorption.no_loss_probability", zipf_law(30), sizes(BILLION, 1000), method="branching")
call("branching.forgetting_time", BILLION)
call("branching.loss_from_count", BILLION, MANY)
call("branching.loss_probability", RARE, sizes(BILLION, 1000))
call("branching.missing_mass", zipf_law(10**4), sizes(BILLION, 100))
call("branching.stationary_sample_size", BILLION, 1)
call("branching.support_mean", zipf_law(10**4), sizes(BILLION, 100))
call("branching.survival", MANY, 1e-6)
call("branching.survival_between", sizes(BILLION, 300))
call("branching.effective_sample_size", sizes(BILLION, MANY))
call("budget.feedback_factor", BILLION, 10, 10**6, 10**6)
call("budget.feedback_limit", 1e-9, BILLION)
call("budget.fresh_points_needed", 0.01, BILLION)
call("budget.fresh_points_needed", 0.01, BILLION, 10**6)
call("budget.gaussian_contraction", [1e-12, 1e12])
call("budget.pool_size_needed", 1e-9, 10**6)
call("budget.pool_size_needed", 1e-9)
call("budget.pooled_drift", 1, 10**6, MANY)
call("budget.pooled_drift_exponent", 1e-12)
call("budget.sample_size_needed", 1e-9, 10**6)
call("budget.stability_rate", 1e-12)
call("curation.chosen_law", zipf_law(100), np.linspace(-300.0, 299.0, 100), 1e6)
call("curation.judged_gaussian", 0.0, 1.0, 3.0, 1.0, 10**6)
call("curation.kl_model_source_bound", 2.0, 1e-12)
call("curation.preferred_law", TEN, np.linspace(0.0, 500.0, 10), 2, 100)
call("curation.reward_gain_bound", zipf_law(100), np.linspace(-300.0, 299.0, 100), 1e6)
call("curation.tilted_law", TEN, np.linspace(0.0, 500.0, 10), MANY)
call("curation.top_fraction_cut", 1e-300)
call("curation.top_fraction_gaussian", 1e-9, MANY)
call("curation.top_fraction_law", zipf_law(1000), np.arange(1000.0), 0.5, 1000)
for temperature in (0.5, 2.0):
    call("decoding.decoded_law", zipf_law(1000), 1000, temperature=temperature)
call("decoding.decode", RARE, temperature=1e-3, top_p=0.9)
call("decoding.decoding_scale", top_p=1e-12)
call("decoding.geometric_support", 0.999, 0.9, MANY)
call("decoding.tempered_expected_sum", RARE, sizes(200, 20), 0.5, itself)
call("decoding.tempered_law", zipf_law(100), 0.5, 10**4)
call("density.accumulate_kernel_variance", sizes(BILLION, MANY), 1e-3)
call("density.kernel_spread", fresh_schedule(100), 1e-9)
call("density.kernel_squared_error", BILLION, 1e-3, 1000)
call("density.kernel_variance", sizes(BILLION, 10**6), 1e-3)
call("density.kernel_variance_limit", BILLION, 1e-9)
call("density.relative_kernel_variance", sizes(50, 10**6), 0.1)
call("density.smoothing_damping", 1e-9, 1.0, [0.0, 1e-9, 1e3])
call("density.smoothing_variance", 1e-9, 1.0, 10**6)
call("density.smoothing_variance_limit", 1e-9, 1e3)
call("disturbed.jittered_variance", sizes(BILLION, MANY), 1e-3)
call("disturbed.jittered_variance", sizes(50, MANY), 1e-3, variance="unbiased")
call("disturbed.noisy_heterozygosity", sizes(BILLION, MANY), 1e-9, 0.5, 10**6)
call("disturbed.replaced_diversity", sizes(BILLION, MANY), 1e-9)
call("disturbed.thinned_diversity", sizes(BILLION, 10**6), 0.3)
call("disturbed.thinned_variance", sizes(10, 10**6), 0.3)
for name in ("plug_in", "miller_madow", "jackknife", "grassberger", "coverage", "chao_shen", "chao_wang_jost",
             "shrinkage", "nsb", "heterozygosity", "good_turing", "chao1"):  # fmt: skip
    call(f"estimators.{name}", COUNTS)
    call(f"estimators.{name}", [1] * 1000)
call("estimators.rarefaction", COUNTS, 10**6)
for name in ("plug_in_mean", "miller_madow_mean", "grassberger_mean", "jackknife_mean"):
    call(f"estimators.{name}", TEN, 10**5)
call("estimators.distinct_mean", zipf_law(10**6), BILLION)
call("estimators.good_turing_mean", RARE, BILLION)
call("estimators.heterozygosity_mean", RARE)
for curvature in (-1.0, 0.0, 1e-12, 1.0):
    call("exponential_family.replace_mean_variance", sizes(BILLION, 10**6), curvature)
    call("exponential_family.accumulate_mean_variance", sizes(10, 10**6), curvature)
    call("exponential_family.accumulate_mean_variance_limit", BILLION, curvature)
    call("exponential_family.fresh_mean_variance", BILLION, 1, MANY, curvature)
    call("exponential_family.fresh_mean_variance_limit", BILLION, 2, curvature)
    call("exponential_family.mean_variance", fresh_schedule(100), curvature)
call("exponential_family.replace_mean_variance", sizes(10, 10**6), 1.0)
call("exponential_family.bernoulli_alive_probability", 1e-9, sizes(1000, 50))
call("exponential_family.bernoulli_undecided_probability", 1e-9, sizes(1000, 50))
call("exponential_family.exponential_moment", sizes(BILLION, 10**6), 0.5)
call("exponential_family.exponential_scale_cdf", sizes(BILLION, 1000), [0.99, 1.0, 1.01])
call("exponential_family.exponential_w2_squared_mean", [1e-300, 1e300])
call("exponential_family.first_order_accumulate_subsample", BILLION, 10**6)
call("exponential_family.kl_first_order", [1e-300, 1e-9])
call("exponential_family.poisson_alive_probability", 1e-12, sizes(BILLION, 1000))
call("exponential_family.poisson_alive_probability", 1e3, sizes(10, 1000))
call("exponential_family.poisson_kl_model_source_mean", 2.0, sizes(100, 50))
call("gaussian.biased_log_variance_mean", sizes(BILLION, 10**6), 0.9)
call("gaussian.biased_mean_variance", sizes(10, 10**6), 1.2, variance="unbiased")
call("gaussian.biased_variance_mean", sizes(10, 10**6), 1.2)
call("gaussian.generations_until", BILLION, 0.1)
call("gaussian.log_moments", sizes(BILLION, 10**6), 0.5, "ml")
for cut in (1e-9, 40.0):
    call("gaussian.truncation_scale", cut)
call("gaussian_law.chernoff_bound", sizes(50, 10**6), 0.1)
call("gaussian_law.markov_bound", sizes(BILLION, 10**6), 0.1)
call("gaussian_law.variance_cdf", sizes(BILLION, 10**6), [0.9, 0.998, 1.0])
call("gaussian_law.variance_cdf", sizes(50, 10**4), [1e-200, 1.0])
call("gaussian_law.variance_quantile", sizes(3, 1000), [0.01, 0.5, 0.99])
call("gaussian_law.variance_quantiles", sizes(BILLION, 5), [0.01, 0.5, 0.99])
call("gaussian_mixed.fixed_real_moments", BILLION, sizes(BILLION, 10**4))
call("gaussian_mixed.fresh_fixed_point", 1e-12, 0.5)
call("gaussian_mixed.fresh_moments", sizes(BILLION, 10**4), 10)
call("gaussian_mixed.fresh_moments", sizes(10, 10**4), 0, variance="unbiased")
call("gaussian_mixed.fresh_stationary_moments", BILLION, 2)
call("gaussian_mixed.fresh_step", 1, BILLION)
for name in ("kl_model_source", "log_variance", "std", "w2_squared"):
    call(f"gaussian_mixed.matched_{name}_mean", MOMENTS)
call("innovation.agreement_limit", BILLION, 1e-12)
call("innovation.distinct_limit", 500, 1e-9)
for theta in (1e-9, 1e6):
    call("innovation.ewens_distinct", BILLION, theta)
call("innovation.heterozygosity_mean", 0.5, sizes(BILLION, MANY), 1e-9)
call("innovation.matched_theta", BILLION, 1e-9)
call("islands.fixation_index", sizes(BILLION, MANY), 5, 0.9, 0.05)
call("islands.island_decay", BILLION, 10, 0.5, 0.5)
call("islands.island_diversity", sizes(BILLION, MANY), 5, 0.9, 0.05)
call("islands.island_limit", BILLION, 10**6, 0.9, 0.1 - 1e-9)
call("markov.collapse_bounds", TEN, sizes(BILLION, 10**6))
call("markov.context_diversity", TEN, [0.5] * 10, [BILLION] * 10, MANY)
call("markov.context_diversity_drifting", TEN, [0.5] * 10, sizes(300, 50))
call("markov.context_diversity_random", TEN, [0.5] * 10, 10**5, MANY)
call("markov.inverse_count_mean", 10**6, [1e-9, 0.5])
call("markov.partial_drift", 0.5, 1, BILLION, MANY)
call("markov.partial_drift_limit", 0.5, 1, BILLION)
call("markov.path_diversity", [[0.5, 0.5], [1e-9, 1.0 - 1e-9]], 1000, 100)
call("markov.stationary_law", [[0.5, 0.5], [1e-9, 1.0 - 1e-9]])
call("markov.total_distance_bound", [1e-300], BILLION)
call("mixture.separated_component", 1e-9, sizes(300, 50))
call("mixture.total_variance", [0.5, 0.5], [-1e9, 1e9], [1e-300, 1.0])
call("mixture.total_variance_mean", [0.5, 0.5], [0.0, 1.0], [1.0, 1.0], sizes(BILLION, 10**6))
call("mixture.within_variance_mean", [1e-9, 1.0 - 1e-9], [1.0, 1.0], sizes(300, 50))
call("mixture_bounds.fourth_moment", [0.5, 0.5], [[0.0], [1e9]], [[[1.0]], [[1e-300]]], [0.0])
call("mixture_bounds.total_square_bound", fresh_schedule(100), 1.0, 3.0)
for name in ("log_det_mean", "kl_model_source_mean", "kl_source_model_mean", "diagonal_log_det_mean",
             "diagonal_kl_model_source_mean", "diagonal_kl_source_model_mean", "log_det_variance",
             "diagonal_log_det_variance"):  # fmt: skip
    call(f"multivariate.{name}", sizes(BILLION, MANY), 10)
call("multivariate.kl_source_model_mean", sizes(50, 10**6), 10)
call("multivariate.kl_model_source_variance", sizes(BILLION, MANY), 10)
call("multivariate.kl_source_model_variance", sizes(BILLION, 1000), 10)
call("multivariate.det_moment", sizes(50, 10**6), 3, 0.5)
call("multivariate.accumulate_square_moments", 1.0, 3.0, sizes(BILLION, MANY))
call("multivariate.effective_rank_trend", 1.0, 3.0, sizes(50, 10**6))
call("multivariate.square_moments", 1.0, 3.0, sizes(50, 10**6), variance="unbiased")
call("multivariate.trace_variance", 1.0, 3.0, sizes(BILLION, 10**6))
call("multivariate.diagonal_trace_variance", 1.0, sizes(BILLION, 10**6))
call("multivariate.diagonal_w2_squared_mean", 10.0, sizes(BILLION, 10**6))
call("multivariate.mean_square", 10.0, sizes(BILLION, 10**6))
call("multivariate.kl_gain", BILLION, 100)
call("multivariate.kl_gain_first_order", BILLION, 100)
call("multivariate.lyapunov_spectrum", BILLION, 1000)
call("pairs.accumulate_fresh", 1, 10**6, MANY)
call("pairs.accumulate_limit", BILLION)
call("pairs.accumulate_one_by_one", 10, BILLION)
call("pairs.accumulate_subsample", BILLION, MANY)
call("pairs.accumulate_subsample_limit", BILLION)
call("pairs.fixed_real", 10, BILLION, 10**6, weight=1e-9)
call("pairs.fresh_fraction", BILLION, 1, 10**6)
call("pairs.fresh_limit", BILLION, 1)
call("pairs.fresh_random_split", BILLION, 1e-9, 10**6)
call("pairs.pair_diversity", fresh_schedule(300))
call("pairs.replace_limit", 2, "geometric", 1.001)
call("pairs.replace_limit", BILLION, "quadratic")
call("pairs.replace_linear", BILLION, 1e-6, 10**6)
call("pairs.tilted_share", fresh_schedule(300))
for name in ("replace_error", "accumulate_error"):
    call(f"regression.{name}", sizes(BILLION, 10**6), 1000)
call("regression.replace_error_variance", sizes(BILLION, MANY), 10)
call("regression.best_label_weight", 10, 1000)
for name in ("replace", "accumulate"):
    call(f"regression.fixed_design_{name}_error", BILLION, 10, 1000)
call("regression.fresh_error", BILLION, 1, 1000, MANY)
call("regression.fresh_error_limit", BILLION, 1, 1000)
call("regression.label_mixing_error", 0.5, 10, BILLION, 1000)
call("regression.label_mixing_limit", 0.5, 10, BILLION)
call("regression.minimum_norm_error", sizes(10, MANY), BILLION)
call("regression.mixing_constant", BILLION, BILLION // 2, 1000)
for ratio in (1e-9, 1e9):
    call("regression.resolvent_traces", ratio, 1e-9)
call("regression.ridge_after_least_squares_error", BILLION, BILLION, 1000, 10, 1e-9)
call("regression.ridge_replace_error", sizes(BILLION, 1000), 1000, 1e-9)
call("regression.strong_collapse_error", BILLION, BILLION // 2, 1000, 1e-9)
for name in ("cross_entropy", "entropy", "seen"):
    call(f"smoothing.smoothed_{name}_mean", TEN, sizes(300, 50), 1e-9)
call("smoothing.smoothed_expected_sum", TEN, sizes(300, 50), 1e-9, itself)
call("smoothing.smoothed_expected_sum_by_symbol", TEN, sizes(300, 50), 1e-9, share_of)
call("smoothing.smoothed_heterozygosity_mean", TEN, sizes(BILLION, MANY), 1e-9)
call("smoothing.smoothed_heterozygosity_limit", 10**6, BILLION, 1e-9)
call("smoothing.smoothed_probability_mean", TEN, sizes(BILLION, MANY), 1e-9)
call("smoothing.smoothing_weight", sizes(BILLION, 10), 1e-12, BILLION)
call("verification.accuracy_plateau", 0.9, 0.3, error=0.1, fraction=1e-9)
call("verification.breakdown_share", 1e-300, 1e-300)
call("verification.coverage", 1e-3, 10.0, [1, BILLION])
call("verification.mean_classifier_accuracy", 0.9, 0.9, 0.3, written=BILLION, dimension=10, separation=1.0)
call("verification.precision", 1e-300, 0.9, 0.3)
call("verification.self_training_accuracy", 1e-12, MANY, 0.9, 0.3)
for name in ("solver", "verifier"):
    call(f"verification.{name}_uncertainty", [0.0, 1e9], solver=1.0, verifier=0.5, solver_gain=0.1,
         verifier_gain=0.05, rate=1.0)  # fmt: skip
for real, written in ((1, BILLION), (BILLION, 1)):
    call("weighted.best_weight", real, written)
    call("weighted.best_diversity_weight", real, written)
call("weighted.generations_of_grace", 0.01, BILLION)
call("weighted.pooled_points_needed", 0.01, BILLION)
call("weighted.real_points_needed", 1e-9, BILLION)
call("weighted.stationary_risk", 1e-9, 10, BILLION)
call("weighted.weighted_diversity", 1e-9, 10, BILLION, MANY)
call("weighted.weighted_limit", 1e-9, 10, BILLION)
for name in ("heterozygosity_mean", "squared_distance_mean", "chi_squared_mean"):
    call(f"wright_fisher.{name}", TEN, sizes(BILLION, 10**6))
call("wright_fisher.heterozygosity_variance", TEN, sizes(BILLION, MANY))
call("wright_fisher.entropy_extrapolated", TEN, 10**5, 1000)
call("wright_fisher.entropy_miller", TEN, sizes(BILLION, 100))
call("wright_fisher.kimura_loss", 1e-3, BILLION, BILLION / 10)
call("wright_fisher.loss_probability", RARE, sizes(BILLION, 100))
call("wright_fisher.loss_from_count", 1, sizes(BILLION, 100))
for name in ("collapse_probability", "entropy_mean", "hellinger_squared_mean", "kl_model_source_mean",
             "missing_mass_mean", "support_mean", "total_variation_mean"):  # fmt: skip
    call(f"wright_fisher.{name}", RARE, sizes(300, 50))
call("wright_fisher.power_sum_mean", TEN, sizes(300, 50), 3)
call("wright_fisher.expected_sum", RARE, sizes(300, 50), itself)
call("wright_fisher.expected_sum_by_symbol", RARE, sizes(300, 50), share_of)
call("wright_fisher_mixed.accumulate_expected_sum", RARE, sizes(50, 10), share_of)
call("wright_fisher_mixed.accumulate_support_mean", zipf_law(10**6), BILLION, 10**6)
call("wright_fisher_mixed.dirichlet_entropy", zipf_law(10**6), BILLION, 1)
call("wright_fisher_mixed.fixed_real_expected_sum", RARE, 50, sizes(50, 10), share_of)
call("wright_fisher_mixed.fixed_share_expected_sum", RARE, 50, sizes(10, 10), sizes(40, 10), share_of)
call("wright_fisher_mixed.fresh_expected_sum", RARE, sizes(100, 20), 10, share_of)
call("wright_fisher_mixed.fresh_limit_sum", RARE, 100, 10, share_of)
call("wright_fisher_mixed.fresh_loss_probability", 1e-9, sizes(300, 20), 10)
call("wright_fisher_mixed.weighted_expected_sum", RARE, 50, sizes(10, 10), sizes(40, 10), 0.5, share_of)
for exponent in (1.0001, 1.5, 5.0):
    for name in ("distinct_mean", "missing_mass", "missing_mass_power"):
        call(f"zipf.{name}", exponent, [1, BILLION])
    call("zipf.heaps", exponent, [10, BILLION])
    call("zipf.missing_mass_generations", exponent, sizes(BILLION, 100))
    call("zipf.tail_mass", exponent, [1, 10**12])
    call("zipf.tail_mass_power", exponent, 1e12)
call("zipf.crossover", 1.5, 1e9, 1e-9)
call("zipf.cut_error", 1.5, 20_000, [1, BILLION])
call("zipf.mixed_error", 1.5, 20_000, 1e-6, [1, BILLION])
call("zipf.mixed_error_power", 1.5, 1e9, 1e-9, [1, BILLION])


call("closed_loop.absorbed_bound", [1e-300, 1e-9], 10**6)
call("closed_loop.lively_generations_bound", 0.5, 0.0, 1.0, BILLION, 1e-12)
call("closed_loop.shrunk_mean_variance", sizes(BILLION, MANY), 1e-9, 1.0)
call("closed_loop.shrunk_mean_variance_limit", BILLION, 1e-9, -1.0)
for fresh in (1e-3, 1e6):
    call("fresh_law.stationary_cdf", [0.0, 1e-300, 1.0, 1e300], fresh)
    call("fresh_law.stationary_quantile", [1e-12, 1.0 - 1e-12], fresh)
    call("fresh_law.stationary_law", fresh, variance="unbiased")
    for name in ("log_mean", "kl", "w2_squared"):
        call(f"fresh_law.stationary_{name}", fresh)
    call("fresh_law.stationary_moment", fresh, -2.0)
call("heavy_tail.moment_growth", BILLION, 1, 10)
call("heavy_tail.tail_index", BILLION, 20)
call("divergence.truncated_surprise", [0, 1, 10**6], 10**6, 1000)
call("divergence.divergence_estimate", [10**6, 1, 0], [0, 1, 10**6], 1000)
call("divergence.divergence_mean", RARE, RARE[::-1], 1000)
call("divergence.divergence_floor", RARE, BILLION, 1)
call("shallow.shallow_divergence", RARE, 1)
call("shallow.shallow_law", np.diag(RARE), 2)
call("shallow.symbol_entropies", np.diag(RARE))
call("wasserstein.w2_squared_bounds", sizes(BILLION, MANY), 10)
call("wasserstein.w2_squared_mean", sizes(50, MANY), 10)


def of_sizes_alone(function: Callable[..., Any]) -> bool:
    first, *others = inspect.signature(function).parameters.values()
    return first.name == "sample_sizes" and all(other.default is not other.empty for other in others)


SLOW = {"exponential_family.exponential_accumulate_kl_source_model_mean": 1000,
        "exponential_family.exponential_accumulate_kl_model_source_mean": 1000,
        "exponential_family.exponential_accumulate_log_mean": 1000}  # fmt: skip
for name, function in FUNCTIONS.items():
    if name not in HELPERS and name not in CALLS and of_sizes_alone(function):
        generations = SLOW.get(name, MANY // 10 if name.startswith("gaussian_pool") else MANY)
        for points in (50, BILLION):
            call(name, sizes(points, generations))
            if "variance" in inspect.signature(function).parameters:
                call(name, sizes(points, generations), variance="unbiased")

# Where the number itself is too large: moments of laws that explode, and generation 0 of an effective size.
TOO_LARGE = {
    "temporal.sample_step",  # an interval without an end
    "branching.effective_sample_size",
    "decoding.geometric_support",
    "disturbed.cut_variance",
    "disturbed.jittered_variance",
    "exponential_family.exponential_kl_model_source_variance",
    "exponential_family.exponential_kl_source_model_mean",
    "exponential_family.exponential_kl_source_model_variance",
    "exponential_family.replace_mean_variance",
    "gaussian.biased_mean_variance",
    "gaussian.biased_variance_mean",
    "gaussian.kl_model_source_variance",
    "gaussian.kl_source_model_mean",
    "gaussian.kl_source_model_variance",
    "gaussian.log_moments",
    "gaussian.mean_fourth_moment",
    "gaussian.w2_squared_variance",
    "gaussian_mixed.fresh_moments",
    "islands.island_square_bound",
    "multivariate.kl_source_model_mean",
    "multivariate.square_moments",
}
UNDEFINED = {"gaussian.improvement_probability"}  # NaN at generations 0 and 1, as it says


def numbers(result: Any) -> Iterator[Float]:
    """Every array or number of a result, through tuples, tables and records."""
    if is_dataclass(result):
        result = vars(result)
    if isinstance(result, dict):
        result = tuple(result.values())
    if isinstance(result, tuple):
        for part in result:
            yield from numbers(part)
    elif result is not None:
        yield np.asarray(result, dtype=np.float64)


@pytest.mark.parametrize("name", sorted(CALLS))
def test_large_and_tiny_arguments_give_numbers(name: str) -> None:
    for arguments, named in CALLS[name]:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = list(numbers(FUNCTIONS[name](*arguments, **named)))
        for values in found:
            if name not in UNDEFINED:
                assert not np.isnan(values).any(), (name, named)
            if name not in TOO_LARGE:
                assert not np.isinf(values).any(), (name, named)


def test_every_public_function_is_called() -> None:
    assert set(CALLS) == set(FUNCTIONS) - HELPERS


# --- Against more digits


def log_gamma(x: Fraction) -> Decimal:
    """log Gamma(x) to about 40 digits: Stirling's series beyond 60."""
    bernoulli = [Fraction(1, 6), Fraction(-1, 30), Fraction(1, 42), Fraction(-1, 30), Fraction(5, 66),
                 Fraction(-691, 2730), Fraction(7, 6), Fraction(-3617, 510), Fraction(43867, 798)]  # fmt: skip
    shift, less = x, Decimal(0)
    while shift < 60:
        less += decimal(shift).ln()
        shift += 1
    y = decimal(shift)
    pi = Decimal("3.14159265358979323846264338327950288419716939937510")
    total = (y - Decimal("0.5")) * y.ln() - y + (2 * pi).ln() / 2
    for k, number in enumerate(bernoulli, start=1):
        total += decimal(number) / (2 * k * (2 * k - 1)) / y ** (2 * k - 1)
    return total - less


def decimal(x: Fraction) -> Decimal:
    return Decimal(x.numerator) / Decimal(x.denominator)


def log_factor(n: int, power: Fraction, unbiased: bool) -> Decimal:
    """log E (chi2(n - 1)/c)^r."""
    half, below = Fraction(n - 1, 2), n - 1 if unbiased else n
    return decimal(power) * (Decimal(2) / below).ln() + log_gamma(half + power) - log_gamma(half)


def exact_w2(n: int, generations: int, unbiased: bool) -> Decimal:
    std = (generations * log_factor(n, Fraction(1, 2), unbiased)).exp()
    return 2 * (1 - std) + (Decimal(generations) / n if unbiased else 0)


def exact_reverse_kl(n: int, generations: int, unbiased: bool) -> Decimal:
    """E KL(P0 || M_t), the mean of log s^2 by a derivative of the log moment."""
    step = Fraction(1, 10**12)
    slope = (log_factor(n, step, unbiased) - log_factor(n, -step, unbiased)) / (2 * decimal(step))
    inverse = log_factor(n, Fraction(-1), unbiased).exp()
    crossed, plain = Decimal(0), Decimal(1)  # E mu^2/s^2 and E 1/s^2
    for _ in range(generations):
        crossed, plain = inverse * (crossed + Decimal(1) / n), plain * inverse
    return (generations * slope + plain - 1 + crossed) / 2


@pytest.mark.parametrize("variance", ESTIMATORS)
@pytest.mark.parametrize("n", [8, 1000, 10**6, BILLION])
def test_distances_have_their_digits_at_any_sample_size(n: int, variance: Any) -> None:
    unbiased = variance == "unbiased"
    with localcontext() as context:
        context.prec = 60
        w2 = float(exact_w2(n, 3, unbiased))
        kl = float(exact_reverse_kl(n, 3, unbiased))
    assert gaussian.w2_squared_mean(sizes(n, 3), variance=variance)[-1] == pytest.approx(w2, rel=1e-11)
    assert gaussian.kl_source_model_mean(sizes(n, 3), variance=variance)[-1] == pytest.approx(kl, rel=1e-11)


@pytest.mark.parametrize("variance", ESTIMATORS)
@pytest.mark.parametrize("n", [BILLION // 10, BILLION])
def test_variances_of_distances_are_those_of_normal_fluctuations(n: int, variance: Any) -> None:
    """To first order mu is N(0, t/n) and s^2 - 1 is N(0, 2t/n), whatever the estimator."""
    t = 5
    scale = (t / n) ** 2
    for function, expected in ((gaussian.kl_model_source_variance, 1.0), (gaussian.kl_source_model_variance, 1.0),
                               (gaussian.w2_squared_variance, 2.5)):  # fmt: skip
        assert function(sizes(n, t), variance=variance)[-1] == pytest.approx(expected * scale, rel=1e-5)


@pytest.mark.parametrize("variance", ESTIMATORS)
def test_narrow_factors_of_a_pool_have_the_same_integrals(variance: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    functions = (gaussian_pool.accumulate_std_mean, gaussian_pool.accumulate_log_variance_mean,
                 gaussian_pool.accumulate_kl_source_model_mean)  # fmt: skip
    monkeypatch.setattr(gaussian_pool, "_NARROW", 0.0)
    integrals = [function(sizes(400, 30), variance=variance) for function in functions]
    monkeypatch.setattr(gaussian_pool, "_NARROW", 1e-3)
    series = [function(sizes(400, 30), variance=variance) for function in functions]
    np.testing.assert_allclose(series, integrals, rtol=1e-8, atol=1e-13)


@pytest.mark.parametrize("n", [10**6, BILLION])
def test_a_pool_of_large_batches_is_first_order(n: int) -> None:
    t = 20
    inverse_squares = float(np.sum(1.0 / np.arange(1.0, t + 1) ** 2))
    expected = inverse_squares / n
    for function, factor in ((gaussian_pool.accumulate_w2_squared_mean, 1.5),
                             (gaussian_pool.accumulate_kl_model_source_mean, 1.0),
                             (gaussian_pool.accumulate_kl_source_model_mean, 1.0)):  # fmt: skip
        assert function(sizes(n, t))[-1] == pytest.approx(factor * expected, rel=20.0 / n + 1e-11)


def test_a_law_of_many_points_is_lognormal() -> None:
    """log s_t^2 of a million fits to a billion points: mean -2t/n, variance 2t/n, skew 4e-8."""
    n, t = BILLION, 10**6
    spread = math.sqrt(2.0 * t / n)
    for z in (-4.0, -1.0, 0.0, 2.0):
        value = math.exp(-2.0 * t / n + z * spread)
        cdf = float(gaussian_law.variance_cdf(sizes(n, t), [value])[0])
        assert cdf == pytest.approx(0.5 * math.erfc(-z / math.sqrt(2.0)), abs=1e-8)


# --- Exact identities


def test_diversities_of_a_billion_points_keep_what_is_lost() -> None:
    t = 10**6
    kept = (1 - Fraction(1, BILLION)) ** 3
    assert float(pairs.replace(sizes(BILLION, 3))[-1]) == pytest.approx(float(kept), rel=1e-15)
    lost = -math.expm1(t * math.log1p(-1.0 / BILLION))
    assert gaussian.mean_variance(sizes(BILLION, t))[-1] == pytest.approx(lost, rel=1e-9)
    assert pairs.replace(sizes(BILLION, t))[-1] == pytest.approx(1.0 - lost, rel=1e-12)
    assert budget.sample_size_needed(lost, t) == pytest.approx(BILLION, rel=1e-6)


def test_limits_are_where_recursions_end() -> None:
    assert pairs.fresh_fraction(100, 3, 10**6)[-1] == pytest.approx(pairs.fresh_limit(100, 3), rel=1e-12)
    assert weighted.weighted_diversity(0.01, 10, 100, 10**5)[-1] == pytest.approx(
        weighted.weighted_limit(0.01, 10, 100), rel=1e-12
    )
    end = islands.island_diversity(sizes(100, 10**5), 4, 0.6, 0.3)
    limit = islands.island_limit(100, 4, 0.6, 0.3)
    assert [part[-1] for part in end] == pytest.approx(list(limit), rel=1e-10)
    assert pairs.accumulate(sizes(50, 10**6))[-1] == pytest.approx(pairs.accumulate_limit(50), rel=1e-6)
    assert pairs.accumulate_subsample(50, 10**6)[-1] == pytest.approx(pairs.accumulate_subsample_limit(50), rel=1e-6)


def test_conservation_holds_for_a_billion_points() -> None:
    """E s^2 + Var mu = 1 by maximum likelihood, whatever the regime."""
    for total in (
        gaussian.variance_moment(sizes(BILLION, 10**6)) + gaussian.mean_variance(sizes(BILLION, 10**6)),
        gaussian_pool.accumulate_variance_moment(sizes(BILLION, 10**4))
        + gaussian_pool.accumulate_mean_variance(sizes(BILLION, 10**4)),
    ):
        np.testing.assert_allclose(total, 1.0, rtol=1e-11)


def test_a_symbol_of_tiny_probability_is_lost_for_sure_and_not_more() -> None:
    lost = wright_fisher.loss_probability([1e-300, 1.0], sizes(1000, 10))
    assert np.all(lost[1:, 0] == 1.0) and np.all(lost[:, 1] == 0.0)
    kept = 1.0 - branching.loss_probability([1e-12], sizes(1000, 3))[1:, 0]
    assert kept[0] == pytest.approx(1e-9, rel=1e-6)


@pytest.mark.parametrize("count", [10**5 // 3, 10**6])
def test_forgetting_time_by_series_and_by_steps(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    by_series = branching.forgetting_time(count)
    monkeypatch.setattr(branching, "_STEPS", 10**9)
    assert branching.forgetting_time(count) == by_series


def test_stationary_sample_size_by_integral_and_by_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    by_integral = branching.stationary_sample_size(10**6, 2)
    monkeypatch.setattr(branching, "_STEPS", 10**8)
    assert branching.stationary_sample_size(10**6, 2) == pytest.approx(by_integral, rel=1e-6)


def test_determinants_of_one_dimension_are_variances() -> None:
    np.testing.assert_allclose(
        multivariate.log_det_mean(sizes(BILLION, 5), 1), gaussian.log_variance_cumulant(sizes(BILLION, 5)), rtol=1e-12
    )


def test_zipf_tails_add_up() -> None:
    exponent = 1.5
    inner = float(np.sum(np.arange(1.0, 1001.0) ** -exponent))
    whole = inner + float(zipf.tail_mass(exponent, 1000)) * inner / (1.0 - float(zipf.tail_mass(exponent, 1000)))
    assert whole == pytest.approx(2.6123753486854883, rel=1e-12)  # zeta(3/2)


# --- A word where nothing holds

REFUSED: list[tuple[Callable[..., Any], tuple[Any, ...], str]] = [
    (gaussian.variance_moment, ([1],), "at least 2"),
    (gaussian.variance_moment, ([2.5],), "whole numbers"),
    (gaussian.variance_moment, ([4], -2.0), "must exceed"),
    (gaussian.kl_source_model_mean, ([3],), "must exceed 3"),
    (gaussian.kl_source_model_variance, ([5],), "must exceed 5"),
    (gaussian.generations_until, (10, 1.5), r"variance_ratio must lie in \(0, 1\)"),
    (gaussian.truncation_scale, (0.0,), "cut must be positive"),
    (gaussian_pool.accumulate_inverse_moments, ([5, 5],), "must exceed 5 points"),
    (gaussian_pool.accumulate_variance_moment, ([5], 5), "order must be 1, 2, 3 or 4"),
    (gaussian_law.markov_bound, ([5], 0.0), "std must be positive"),
    (wright_fisher.entropy_mean, (TEN, [300_000]), "at most 200000 points"),
    (wright_fisher.entropy_mean, ([0.5, 0.4], [50]), "sum to 1"),
    (branching.stationary_sample_size, (10, 0), "fresh must lie between 1 and sample_size"),
    (branching.forgetting_time, (0,), "count must be at least 1"),
    (pairs.fresh_fraction, (10, 11, 3), "fresh"),
    (pairs.replace_limit, (10, "cubic"), "growth"),
    (islands.island_limit, (10, 3, 0.9, 0.2), "own"),
    (regression.replace_error, ([5], 10), "exceed"),
    (zipf.missing_mass, (1.0, [10]), "exponent"),
    (disturbed.thinned_diversity, ([10, 10], 1.5), "removed must lie in"),
    (exponential_family.replace_mean_variance, ([10], -2.0), "curvature"),
    (budget.sample_size_needed, (1.5, 10), "loss"),
    (weighted.pooled_points_needed, (1e-9, 10), "loss"),
    (multivariate.log_det_mean, ([3], 5), "dimension|exceed"),
]


@pytest.mark.parametrize(
    ("function", "arguments", "message"), REFUSED, ids=lambda value: getattr(value, "__name__", "")
)
def test_out_of_range_says_the_condition(
    function: Callable[..., Any], arguments: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        function(*arguments)
