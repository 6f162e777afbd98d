"""Sources: laws of real data. To add one: a file beside this, and a line in SOURCES."""

from __future__ import annotations

from lightcollapse.sources.base import Source, SymbolSource
from lightcollapse.sources.grammar import Grammar
from lightcollapse.sources.hidden_markov import HiddenMarkov
from lightcollapse.sources.linear_model import LinearModel
from lightcollapse.sources.markov import Markov, RandomMarkov
from lightcollapse.sources.mixture import Mixture
from lightcollapse.sources.normal import Normal
from lightcollapse.sources.numbers import Bernoulli, Exponential, Gamma, Geometric, Ising, NumberSource, Poisson
from lightcollapse.sources.symbols import Probabilities, Uniform, Zipf
from lightcollapse.sources.text import Text

SOURCES: tuple[type[Source], ...] = (
    Normal,
    Mixture,
    LinearModel,
    Uniform,
    Zipf,
    Probabilities,
    Text,
    Bernoulli,
    Poisson,
    Geometric,
    Exponential,
    Gamma,
    Ising,
    Markov,
    RandomMarkov,
    HiddenMarkov,
    Grammar,
)

__all__ = [
    "SOURCES",
    "Bernoulli",
    "Exponential",
    "Gamma",
    "Geometric",
    "Grammar",
    "HiddenMarkov",
    "Ising",
    "LinearModel",
    "Markov",
    "Mixture",
    "Normal",
    "NumberSource",
    "Poisson",
    "Probabilities",
    "RandomMarkov",
    "Source",
    "SymbolSource",
    "Text",
    "Uniform",
    "Zipf",
]
