"""Closed forms: plain functions of numbers, one module per result group.

    pairs           one linear recursion for every data regime, and its closed forms
    gaussian        a Gaussian refitted on its own samples: moments, distances, fourth moments
    gaussian_law    the exact law of the variance: distribution function, quantiles, tail bounds
    gaussian_pool   a Gaussian refitted on a growing pool
    gaussian_mixed  a Gaussian refitted on a mix of real and synthetic points
    weighted        real and synthetic points with weights of their own
    wright_fisher   categorical laws: the exact chain of one symbol's count
    wright_fisher_mixed  the same with fresh data, one real sample for ever, or a growing pool
    branching       rare symbols: loss, survival, the effective sample size
    smoothing       categorical laws with add-k smoothing
    islands         labs side by side that train on one another's points
    decoding        temperature, top k and top p on infinite samples
    curation        selection by reward, by a judge, or of the best-scored share, on infinite samples
    verification    answers that are checked before they are learned from
    disturbed       noise, removal and cuts between writing and training, at any sample size
    zipf            Zipf tails: missing mass, vocabularies, cut and mixed laws
    budget          how many points are enough, and bias that feeds back through a growing pool
    divergence      divergence of two laws from a sample of each, and the noise floor
    estimators      entropy, diversity and numbers of symbols from a sample, and what they read on average
    mixture         mixtures of Gaussians: total variance, separated components
    markov          chains of symbols: contexts, part real data, bounds of collapse
    innovation      new symbols now and then
    absorption      how long until symbols are lost
    multivariate    a Gaussian in several dimensions: determinant, rank, divergences
    exponential_family  one-parameter families: the mean in every regime; exponential, Poisson and Bernoulli laws
    density         kernel densities: the variance in every regime, the expected density
    regression      linear regression on labels of its own: least squares, least norm, ridge
    fresh_law       the stationary law of a Gaussian with a few fresh points in each training set
    heavy_tail      which of its moments are finite, at any sample size
    wasserstein     the Wasserstein distance in several dimensions: bounds, and a value between them
    closed_loop     absorbing states of one-parameter families, and what keeps a chain from them
    shallow         what an n-gram model forgets of endless text

Generation 0 is the source and model t is fitted on training set t, so results run over generations 0..T and entry 0
is the source's own value. Logarithms are natural.
"""
