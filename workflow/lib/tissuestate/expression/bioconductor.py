"""Bioconductor's sva, called through rpy2: the only module that starts R.

Matrices are samples × genes here and genes × samples in R; a C-contiguous array of the first kind
is, byte for byte, a column-major matrix of the second, so that it crosses with one memory copy.
"""

import logging
import os
from functools import cache
from typing import Any, Literal

import numpy as np

from tissuestate.errors import InputError

log = logging.getLogger(__name__)

_R_FUNCTIONS = """
suppressPackageStartupMessages(library(sva))
list(
  local_fdr = function(p) sva:::edge.lfdr(p),
  f_tail = function(f, df1, df2) 1 - pf(f, df1 = df1, df2 = df2),
  num_sv = function(dat, mod, method, seed)
    as.numeric(num.sv(dat, mod, method = method, seed = seed)),
  svaseq = function(dat, mod, n.sv, method, controls) {
    fit <- svaseq(dat, mod, n.sv = n.sv, method = method, constant = 1,
                  controls = if (length(controls)) controls else NULL)
    b <- if (is.null(fit$pprob.b)) numeric(0) else as.numeric(fit$pprob.b)
    list(as.numeric(fit$n.sv), as.numeric(fit$sv), as.numeric(fit$pprob.gam), b)
  }
)
"""


@cache
def _functions() -> dict[str, Any]:
    """The R functions above, by name; the first call starts R with a silent console.

    Raises InputError if R, rpy2 or the sva package is missing.
    """
    try:
        import rpy2.rinterface_lib.callbacks as callbacks
        from rpy2 import rinterface
    except (ImportError, OSError, ValueError) as error:
        raise InputError(
            f"R could not be started through rpy2 ({error}); install R, rpy2 and the R package "
            "sva, or use a bundle that is already fitted."
        ) from error
    callbacks.consolewrite_print = lambda text: log.debug("R: %s", text.rstrip())
    callbacks.consolewrite_warnerror = lambda text: log.debug("R: %s", text.rstrip())
    library_path = os.environ.get("LD_LIBRARY_PATH")
    rinterface.initr_simple()
    # rpy2 has put R's folders in front; programs that this process starts must not inherit that.
    os.environ.pop("LD_LIBRARY_PATH", None)
    if library_path is not None:
        os.environ["LD_LIBRARY_PATH"] = library_path
    try:
        functions = rinterface.evalr(_R_FUNCTIONS)
    except rinterface.embedded.RRuntimeError as error:
        raise InputError(
            f"the R package sva could not be loaded ({error}); install bioconductor-sva."
        ) from error
    return dict(zip(functions.names, functions, strict=True))


def _call(name: str, *arguments: Any) -> Any:
    from rpy2 import rinterface

    function = _functions()[name]
    try:
        return function(*arguments)
    except rinterface.embedded.RRuntimeError as error:
        raise InputError(f"Bioconductor sva failed in {name}: {str(error).strip()}") from error


def _vector(values: np.ndarray) -> Any:
    _functions()
    from rpy2.rinterface import FloatSexpVector

    flat = np.ascontiguousarray(values, dtype=np.float64).reshape(-1)
    return FloatSexpVector.from_memoryview(flat.data)


def _matrix(transposed: np.ndarray) -> Any:
    """R matrix whose columns are the rows of an array."""
    from rpy2.rinterface import IntSexpVector

    vector = _vector(transposed)
    rows, columns = transposed.shape
    vector.do_slot_assign("dim", IntSexpVector([columns, rows]))
    return vector


def _array(vector: Any) -> np.ndarray:
    return np.array(vector.memoryview(), dtype=np.float64)


def _string(text: str) -> Any:
    from rpy2.rinterface import StrSexpVector

    return StrSexpVector([text])


def local_fdr(p: np.ndarray) -> np.ndarray:
    """Local false discovery rate of each p-value, as `sva::edge.lfdr` estimates it."""
    return _array(_call("local_fdr", _vector(p)))


def f_tail(f: np.ndarray, df1: int, df2: int) -> np.ndarray:
    """The p-values 1 − pf(f) of F-statistics, with R's own distribution function."""
    return _array(_call("f_tail", _vector(f), _vector(np.array([df1])), _vector(np.array([df2]))))


def num_sv(
    Y: np.ndarray, model: np.ndarray, method: Literal["be", "leek"] = "be", seed: int = 0
) -> int:
    """The number of surrogate variables by `sva::num.sv`; Y is samples × genes."""
    seeds = _vector(np.array([seed]))
    return int(_array(_call("num_sv", _matrix(Y), _matrix(model.T), _string(method), seeds))[0])


def svaseq(
    Y: np.ndarray,
    model: np.ndarray,
    n_sv: int,
    method: Literal["irw", "two-step", "supervised"],
    controls: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """`sva::svaseq` itself on the logarithms Y, samples × genes.

    svaseq takes counts and works on log(counts + 1). It gets exp(Y − minimum of the gene) − 1, so
    it works on Y with a shift of each gene, to which it is invariant.

    Returns the surrogate variables (samples × n), `pprob.gam` and `pprob.b` (None except for irw).
    """
    counts = np.expm1(Y - Y.min(axis=0))
    weights = np.zeros(0) if controls is None else controls
    number, surrogates, gamma, beta = _call(
        "svaseq",
        _matrix(counts),
        _matrix(model.T),
        _vector(np.array([n_sv])),
        _string(method),
        _vector(weights),
    )
    n = int(_array(number)[0])
    pprob_b = _array(beta)
    return (
        _array(surrogates).reshape(n, len(Y)).T if n else np.zeros((len(Y), 0)),
        _array(gamma),
        pprob_b if len(pprob_b) else None,
    )
