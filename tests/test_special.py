"""scipy's special functions: scipy's own numbers, and no import of the package around them."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.special

from lightcollapse import special

POSITIVE = np.geomspace(1e-3, 1e6, 400)


def test_ufuncs_are_those_of_scipy() -> None:
    for name in ("gammaln", "ndtr", "stdtrit", "xlogy", "betainc", "loggamma"):
        assert getattr(special, name) is getattr(scipy.special, name)


def test_functions_around_ufuncs_give_scipys_numbers() -> None:
    for order in (1, 2, 3):
        assert np.array_equal(special.polygamma(order, POSITIVE), scipy.special.polygamma(order, POSITIVE))
    assert np.array_equal(special.digamma(POSITIVE), scipy.special.digamma(POSITIVE))
    assert np.array_equal(special.zeta(1.1 + POSITIVE), scipy.special.zeta(1.1 + POSITIVE))
    assert np.array_equal(special.zeta(2.0, POSITIVE), scipy.special.zeta(2.0, POSITIVE))


@pytest.mark.parametrize("logs", [[-1e4, -1e4 - 1], [1e4, 3.0], [-np.inf, -np.inf], [np.inf, 0.0], [-np.inf, 2.0]])
def test_logsumexp_is_free_of_overflow(logs: list[float]) -> None:
    rows = np.array([logs, logs[::-1]])
    assert float(special.logsumexp(np.array(logs))) == pytest.approx(float(scipy.special.logsumexp(logs)), rel=1e-15)
    for keepdims in (False, True):
        ours = special.logsumexp(rows, axis=1, keepdims=keepdims)
        scipys = scipy.special.logsumexp(rows, axis=1, keepdims=keepdims)
        assert ours.shape == scipys.shape
        assert np.allclose(ours, scipys, rtol=1e-15)


def test_an_unknown_function_is_told() -> None:
    with pytest.raises(AttributeError, match="no_such_function"):
        special.no_such_function  # noqa: B018


def test_a_run_and_its_theory_leave_the_package_alone_and_whole() -> None:
    code = (
        "import sys, lightcollapse.loop, lightcollapse.compare;"
        "names = ('scipy.special', 'scipy.linalg', 'scipy.stats', 'scipy.optimize', 'numba', 'matplotlib', 'rich');"
        "loaded = [name for name in names if name in sys.modules]; assert not loaded, loaded;"
        "import scipy.special, scipy.stats; from lightcollapse.special import ndtr, comb;"
        "assert scipy.special.ndtr is ndtr and scipy.special.comb is comb"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
