"""The words of the field, as `explain` says them and as tables and figures label them."""

from __future__ import annotations

from typing import NamedTuple


class Term(NamedTuple):
    """A term of the glossary.

    Attributes:
        label: short name for a table's head or an axis.
        formula: how it is computed; empty for terms that are no number.
        meaning: what it is, in a sentence or two, with its unit.
    """

    label: str
    formula: str
    meaning: str


METRICS: dict[str, Term] = {
    "mean": Term("mean", "mu_t", "Mean of model t. Its expectation never moves; its spread over replicates grows."),
    "variance": Term(
        "variance",
        "sigma_t^2",
        "Variance of model t. Under replacement the maximum-likelihood variance loses the factor 1 - 1/n a generation; "
        "the unbiased one keeps its mean while every path goes to zero.",
    ),
    "std": Term("std", "sigma_t", "Standard deviation of model t."),
    "log_variance": Term(
        "log variance",
        "ln sigma_t^2",
        "Logarithm of the variance, nats. It says what a typical path does; the mean of the variance does not.",
    ),
    "w2_squared": Term(
        "squared W2",
        "(mu_t - mu_0)^2 + (sigma_t - sigma_0)^2",
        "Squared Wasserstein-2 distance of model t from the source.",
    ),
    "kl_model_source": Term(
        "KL model to source",
        "KL(M_t || P_0) = E_M log(M_t / P_0)",
        "Divergence of model t from the source, nats: how unlike real data its own samples are. For text: nats per "
        "symbol, on text that model t wrote.",
    ),
    "kl_source_model": Term(
        "KL source to model",
        "KL(P_0 || M_t) = E_P log(P_0 / M_t)",
        "Divergence of the source from model t, nats: what real data costs the model. Infinite once the model holds "
        "something real impossible. For text: nats per symbol, on held-out human text.",
    ),
    "heterozygosity": Term(
        "heterozygosity",
        "H_t = 1 - sum p^2",
        "Chance that two draws from model t differ. Its mean loses the factor 1 - 1/n a generation under replacement.",
    ),
    "entropy": Term("entropy", "-sum p ln p", "Shannon entropy of model t, nats."),
    "support": Term(
        "support",
        "#{p > 0}",
        "Symbols (of chains: moves) that model t can still produce; for text, distinct symbols in what it wrote. "
        "Without "
        "smoothing a lost symbol never comes back.",
    ),
    "tail_mass": Term(
        "tail mass",
        "sum of p over the tail",
        "Mass that model t gives to the rarest symbols of the source, those that together hold at most 5 % of it.",
    ),
    "total_variation": Term(
        "total variation",
        "1/2 sum |p_t - p_0|",
        "Total variation distance of model t from the source, in [0, 1].",
    ),
    "edge_case_failure": Term(
        "edge-case failure",
        "P_0(p_t < p_0 / 10 | rarest 5 %)",
        "Share of the source's edge cases, its rarest 5 %, to which model t gives less than a tenth of the source's "
        "probability, in [0, 1]. For text: of the symbols inside rare words of the held-out text, against model 0.",
    ),
    "rare_retention": Term(
        "rare retention",
        "#{rare symbols with p_t > 0} / #{rare symbols}",
        "Share of the source's rare symbols (of text: rare words) that are still produced, in [0, 1].",
    ),
    "calibration": Term(
        "calibration",
        "P_0(smallest set with 90 % of M_t)",
        "Share of real data inside the smallest set that holds 90 % of the model's mass: 0.9 for a calibrated model, "
        "less for an overconfident one.",
    ),
    "sharpness": Term(
        "sharpness",
        "size of the smallest set with 90 % of M_t",
        "Size of the smallest set that holds 90 % of the model's mass: width of an interval, or symbols.",
    ),
    "unknown_mass": Term(
        "unknown mass",
        "mean M_t(unknown | history)",
        "Chance that model t keeps for symbols that the training part lacks, the mean over places in held-out text. "
        "0 where the vocabulary is closed.",
    ),
    "unknown_share": Term(
        "unknown share",
        "",
        "Share of the held-out symbols that the training part lacks. A closed vocabulary leaves them out of all "
        "scores.",
    ),
    "within": Term("within labs", "H_w", "Diversity of two draws from one lab's model, the mean over labs."),
    "between": Term("between labs", "H_b", "Diversity of a draw from one lab's model and one from another's."),
    "total": Term("whole ecosystem", "H_T", "Diversity of two draws from the pool of all labs' models."),
    "fst": Term("F_ST", "1 - H_w / H_b", "Share of the ecosystem's diversity that lies between labs, in [0, 1]."),
    "samples_drawn": Term(
        "samples drawn",
        "",
        "Points that model t wrote for the next training set, those that curation dropped among them.",
    ),
    "evaluations": Term(
        "evaluations", "", "Densities, scores or tests that curation asked for while model t wrote, one a point."
    ),
    "mean_score": Term("mean score", "", "Mean score of what model t wrote, before the selection."),
    "accuracy": Term("accuracy", "", "Share of right answers in what model t wrote, before any is removed."),
    "pass_rate": Term("pass rate", "", "Share of what model t wrote that passes the verifier."),
    "closeness": Term(
        "closeness",
        "",
        "How much closer what model t wrote lies to earlier generations than to real data, nats or a share.",
    ),
    "suspected": Term("suspected", "", "Share of what model t wrote that the detector suspects."),
    "perplexity": Term(
        "perplexity",
        "exp(-mean log-likelihood)",
        "Perplexity of model t per symbol of held-out human text: among how many equally likely symbols it seems to "
        "choose.",
    ),
    "rare_perplexity": Term(
        "rare-word perplexity",
        "exp(-mean log-likelihood inside rare words)",
        "Perplexity of model t per symbol inside rare words of held-out human text. Rare words are the rarest word "
        "types of the training part that make up at most 5 % of all words.",
    ),
    "distinct_1": Term("distinct symbols", "#{1-grams}", "Distinct symbols in text that model t wrote."),
    "distinct_2": Term("distinct 2-grams", "#{2-grams}", "Distinct 2-grams in text that model t wrote."),
    "distinct_3": Term("distinct 3-grams", "#{3-grams}", "Distinct 3-grams in text that model t wrote."),
    "distinct_4": Term(
        "distinct 4-grams",
        "#{4-grams}",
        "Distinct 4-grams in text that model t wrote, as many symbols as the human sample it is compared with.",
    ),
    "ngram_entropy": Term("4-gram entropy", "-sum f ln f", "Plug-in entropy of the 4-grams that model t wrote, nats."),
    "vocabulary": Term(
        "word types", "#{words}", "Word types of the human training text that still occur in text that model t wrote."
    ),
    "rare_vocabulary": Term(
        "rare word types",
        "#{rare words}",
        "Rare word types of the human training text that still occur in text that model t wrote.",
    ),
    "alive": Term(
        "alive",
        "1 where V(m_t) > 0",
        "Whether model t can still produce anything but one value: 1 or 0, its mean the share of chains that can.",
    ),
    "distinct": Term(
        "distinct points",
        "#{x}",
        "Different points in training set t. Of a continuous source under replacement: points of the first real sample "
        "that still have copies.",
    ),
    "bandwidth": Term("bandwidth", "h_t", "Standard deviation of the normal density about each point of model t."),
    "negative_log_likelihood": Term(
        "negative log-likelihood",
        "-E_P log M_t",
        "What real data costs model t, nats a point; evaluated at fixed points that stand for the source.",
    ),
    "coupling": Term(
        "coupling",
        "J_t",
        "Coupling of the spins of model t; infinite once all the configurations it learned from were aligned.",
    ),
}

METRICS |= {
    "entropy_rate": Term(
        "entropy rate",
        "-E ln M_t(document) / symbols",
        "Entropy of a document that model t writes, nats per symbol; 0 once it writes the same document for ever.",
    ),
}

METRICS |= {
    "total_variance": Term(
        "total variance",
        "tr Sigma_t",
        "Sum of the variances of model t's coordinates. Its mean falls like the variance of one coordinate.",
    ),
    "effective_rank": Term(
        "effective rank",
        "(tr Sigma_t)^2 / tr Sigma_t^2",
        "Participation ratio of the eigenvalues of model t's covariance: how many directions hold its variance, from 1 "
        "to the dimension; 0 where there is no variance.",
    ),
    "mean_squared": Term("squared shift", "|mu_t - mu_0|^2", "Squared distance of model t's mean from the source's."),
    "log_det": Term(
        "log determinant",
        "ln det Sigma_t",
        "Logarithm of the determinant of model t's covariance, nats; minus infinity once a direction is lost.",
    ),
    "test_error": Term(
        "test error",
        "E (x'w_t - x'w_0)^2",
        "Squared error of model t's labels on new inputs, beyond the noise that no model can foresee.",
    ),
    "weight_norm": Term("weight norm", "|w_t|", "Length of model t's vector of weights."),
    "agreement": Term(
        "agreement",
        "1 - angle(w_t, w_0) / pi",
        "Share of new inputs on which the likelier label is the same under model t and under the source.",
    ),
    "label_error": Term(
        "label error",
        "P(y != sign)",
        "Share of the source's labels of new inputs that model t's likelier label misses.",
    ),
    "log_loss": Term("log loss", "E -ln p_t(y | x)", "Mean log loss of model t on the source's labels, nats."),
    "converged": Term(
        "converged",
        "",
        "Whether the fit of model t found the least loss, 1 or 0. Without a ridge separable labels have none.",
    ),
}

METRICS |= {
    "components": Term(
        "components", "#{pi_k > 0}", "Components of mixture t that are left. A lost one never comes back by itself."
    ),
    "largest_weight": Term("largest weight", "max pi_k", "Weight of the heaviest component of mixture t."),
    "smallest_weight": Term(
        "smallest weight", "min pi_k", "Weight of the lightest component of mixture t that is left."
    ),
    "weight_entropy": Term(
        "weight entropy",
        "-sum pi_k ln pi_k",
        "Entropy of the weights of mixture t, nats: its exponential is how many components seem to share the points.",
    ),
    "weight_k": Term(
        "weight of component k",
        "pi_k",
        "Metrics weight_1, weight_2 ...: the weight of each component of mixture t; 0 once it is lost. With a warm "
        "start "
        "a component keeps its number, and that of the source's component where the source is a mixture of as many.",
    ),
    "log_likelihood": Term(
        "log-likelihood",
        "1/n sum ln M_t(x_i)",
        "Mean log density of the points of training set t under model t, nats; of the source under itself in row 0. "
        "Infinite where the model has no density any more.",
    ),
    "coverage": Term(
        "coverage",
        "share of modes",
        "Share of the source's components at whose mean model t has at least a tenth of the source's density.",
    ),
    "l2_squared": Term(
        "squared L2", "int (M_t - P_0)^2", "Integral of the squared difference of model t's and the source's density."
    ),
    "w2_sliced": Term(
        "sliced squared W2",
        "mean over directions of W2^2",
        "Squared Wasserstein-2 distance of model t from the source along a line, mean over 1, 4 or 8 fixed directions "
        "in 1, 2 or more dimensions and over 64 quantiles.",
    ),
}

MEASURED: dict[str, Term] = {
    "distinct": Term(
        "distinct n-grams",
        "sum of 1 - C(N - c, m) / C(N, m)",
        "Expected number of different n-grams among m of a generation's N, m the same for all generations: "
        "rarefaction, without bias at every size.",
    ),
    "support": Term("n-grams in all", "#{c > 0}", "Different n-grams that a generation's text holds, at its own size."),
    "chao1": Term(
        "n-grams, at least",
        "S + (N - 1)/N f1 (f1 - 1) / (2 (f2 + 1))",
        "How many n-grams the law behind the text has at least: those seen, and a lower bound on the unseen from the "
        "numbers seen once (f1) and twice (f2).",
    ),
    "missing_mass": Term(
        "mass unseen", "f1 / N", "Chance that the next n-gram would be one the text does not hold (Good and Turing)."
    ),
    "entropy": Term(
        "n-gram entropy",
        "-sum p ln p",
        "Entropy of the law of n-grams, nats, corrected for the bias of a sample: Chao-Wang-Jost, Grassberger, "
        "Miller-Madow, or none (plug-in).",
    ),
    "heterozygosity": Term(
        "n-gram heterozygosity",
        "1 - sum of c (c - 1) / (N (N - 1))",
        "Chance that two n-grams of a generation differ; without bias at every size.",
    ),
    "overlap": Term(
        "n-grams found elsewhere",
        "1 - sum p (1 - p)^m",
        "Self-overlap: chance that an n-gram occurs again among m others of the same generation; without bias.",
    ),
    "repeated": Term("n-grams repeated", "", "Share of the n-grams that came before in the same document."),
    "rare_retention": Term(
        "rare n-grams kept",
        "sum over rare of 1 - C(N - c, m) / C(N, m), over their number",
        "Share of the types rare in half of the baseline that are expected among m n-grams of a generation; its first "
        "row is the other half of the baseline. Rare types are the rarest that hold at most 5 % of the text.",
    ),
    "perplexity": Term(
        "perplexity of human text",
        "exp(-mean log-likelihood)",
        "Perplexity of held-out human text under an n-gram model of the generation (modified Kneser-Ney, all models "
        "fitted on equally much text).",
    ),
    "rare_perplexity": Term(
        "rare-token perplexity",
        "exp(-mean log-likelihood of rare)",
        "The same, on the symbols of held-out human text that end a rare n-gram of the other half.",
    ),
    "reverse_perplexity": Term(
        "perplexity of the generation",
        "exp(-mean log-likelihood)",
        "Perplexity of the generation under an n-gram model of human text: low where it writes what is likely.",
    ),
    "kl_source_model": Term(
        "KL human to generation",
        "sum p (s(q) - s(p)), s(p) = sum of (1 - p)^v / v, v <= level",
        "Divergence of the generation from human text, nats: what it no longer says. Without bias at its level, and "
        "never infinite; its first row is the noise floor, two halves of the baseline.",
    ),
    "kl_model_source": Term(
        "KL generation to human",
        "the same, p and q exchanged",
        "Divergence of human text from the generation, nats: what it says that nobody says.",
    ),
    "kl_previous": Term(
        "KL from previous", "the same, of the generation before", "Divergence between successive generations, nats."
    ),
    "js": Term(
        "Jensen-Shannon",
        "(KL(p || m) + KL(q || m)) / 2, m = (p + q) / 2",
        "Jensen-Shannon divergence from human text, nats, 0 to ln 2, less its bias of second order.",
    ),
    "shrinkage": Term(
        "probability by frequency",
        "mass in t / mass in the baseline",
        "Mass that a generation gives to the types that half of the baseline has once, 2-3, 4-7, ... times, relative "
        "to what the other half gives them: sampling alone keeps it, sharpening takes from the rare.",
    ),
    "length": Term("symbols a document", "", "Mean length of a document, symbols."),
    "duplicates": Term("duplicate documents", "", "Share of documents that came before, letter by letter."),
    "copied": Term("copied from human", "", "Share of documents that are the baseline's, letter by letter."),
    "compression": Term(
        "compression ratio", "", "Bytes before over bytes after compression of blocks of 32 KiB: higher is more alike."
    ),
    "kept": Term(
        "n-grams kept",
        "#(baseline and generation) / #baseline",
        "Share of the baseline's n-grams that a generation has too, from sketches (--approximate), at its own size.",
    ),
}  # what `measure` says of text; most names end in _n, the length of the n-grams

HEADLINES: dict[str, tuple[str, ...]] = {
    "gaussian": ("variance", "w2_squared", "kl_model_source"),
    "multivariate-gaussian": ("total_variance", "effective_rank", "log_det", "w2_squared"),
    "linear-regression": ("test_error", "weight_norm"),
    "logistic-regression": ("agreement", "label_error", "log_loss", "weight_norm"),
    "gaussian-mixture": ("total_variance", "components", "w2_sliced", "kl_source_model", "coverage"),
    "categorical": ("heterozygosity", "entropy", "support"),
    "bernoulli": ("variance", "alive", "kl_model_source"),
    "poisson": ("mean", "alive", "kl_model_source"),
    "geometric": ("variance", "alive", "kl_model_source"),
    "exponential": ("mean", "entropy", "kl_model_source"),
    "gamma": ("mean", "entropy", "kl_model_source"),
    "gaussian-mean": ("mean", "kl_model_source"),
    "ising": ("mean", "coupling", "entropy", "alive"),
    "markov": ("heterozygosity", "entropy_rate", "support", "kl_model_source"),
    "empirical": ("distinct", "total_variance", "mean_squared"),
    "kernel-density": ("total_variance", "negative_log_likelihood", "mean_squared"),
    "ngram": ("rare_perplexity", "distinct_4", "kl_source_model", "ngram_entropy", "vocabulary", "support"),
    "transformer": ("rare_perplexity", "distinct_4", "kl_source_model", "ngram_entropy", "vocabulary", "support"),
}  # what a table shows of a family where nobody asks for other metrics, the most telling first

WORDS: dict[str, Term] = {
    "collapse": Term(
        "collapse",
        "",
        "What happens to a model's law when each generation is trained on what the last one generated: it forgets the "
        "tails first, then everything. Here it is a result that is recorded, never an error.",
    ),
    "generation": Term(
        "generation",
        "t = 0, 1, ..., T",
        "Generation 0 is the source itself, the human baseline. Model t is fitted on training set t, and training "
        "set 1 is always real.",
    ),
    "replicate": Term(
        "replicate",
        "",
        "One independent chain of generations. Replicate r has the same bits alone or among many, on any number of "
        "threads.",
    ),
    "exact law": Term(
        "exact law", "", "A prediction whose whole distribution is known; the test holds every replicate against it."
    ),
    "exact mean": Term(
        "exact mean", "", "A prediction that is the expectation itself, for every sample size and generation."
    ),
    "approximation": Term("approximation", "", "A prediction that leaves something out; its note says what."),
    "limit": Term("limit", "", "A prediction that is reached as generations or sample sizes grow."),
    "bound": Term("bound", "", "A prediction that the expectation cannot pass, from above or below."),
    "p-value": Term(
        "p-value",
        "",
        "Chance of a mean as far from the prediction as this one if the prediction is right. Valid for any number of "
        "replicates; of many tests, the smallest times their number is what counts.",
    ),
    "interval": Term(
        "95 % interval",
        "",
        "Where the expectation lies with 95 % confidence, given the replicates. Student's, or by quantiles where a few "
        "paths carry the mean.",
    ),
    "absorbed": Term("absorbed", "", "The first generation at which a chain cannot change any more; -1: never."),
    "card": Term(
        "card",
        "",
        "Source, family, regime, curation, sample size and generations. With a seed it decides every bit of a run.",
    ),
    "tilt": Term(
        "tilt",
        "N(mu + b sigma, sigma^2), or p^(1 + b) / sum p^(1 + b)",
        "How fresh real data is biased away from the source: the first real sample is not. A normal law moves by b "
        "standard deviations; of symbols the frequent ones gain where b is above 0.",
    ),
    "weight": Term(
        "weight of the real part",
        "w",
        "Share of the whole weight that the real points of a training set have in the fit, however few they are. "
        "Without one, every point weighs the same.",
    ),
    "document": Term(
        "document",
        "",
        "A run of document_length symbols: what a point is for text and chains. Sample sizes are then in symbols.",
    ),
    "move": Term("move", "", "A symbol of a document and the one after it."),
    "lab": Term(
        "lab",
        "",
        "One of several models side by side, each trained on its own writing, on that of all labs, and on real data.",
    ),
    "effective sample size": Term(
        "effective sample size",
        "n_e = 1 / (F - 1/n - 1/m)",
        "How many independent tokens a generation seems to have learned from: the drift of frequencies between two "
        "generations, F, less what two samples of n and m tokens alone would show. `forecast` estimates it.",
    ),
    "dispersion": Term(
        "dispersion",
        "Var / (n p (1 - p))",
        "Variance of a count in units of that of n independent tokens.",
    ),
    "kept": Term(
        "kept",
        "",
        "In a forecast, kept_2-3 is the share of the types that the baseline has 2 or 3 times that still occur.",
    ),
    "seed": Term("seed", "", "A whole number in [0, 2^64). One that is not given is drawn, printed and kept."),
}


def label(metric: str) -> str:
    """Label of a metric for a table's head or an axis."""
    return METRICS[metric].label if metric in METRICS else metric.replace("_", " ")
