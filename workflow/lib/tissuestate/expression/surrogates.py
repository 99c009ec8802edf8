"""Surrogate variables by the algorithms of Bioconductor's sva, with thin linear algebra.

Leek & Storey 2007 and 2008 (two-step and iteratively re-weighted SVA), Gagnon-Bartsch & Speed 2012
(controls), as the R functions `twostepsva.build`, `irwsva.build` and `ssva` compute them. R forms
samples × samples matrices and all of their eigenvectors at every step; here a block Krylov method
finds the few leading singular vectors, and both F-statistics of an iteration come from one product
with a thin orthonormal basis. R computes `edge.lfdr` alone.
"""

from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import scipy.linalg

from tissuestate.expression.krylov import (
    Operator,
    leading_vectors,
    most_correlated,
    sums_of_squares,
)

ITERATIONS = 5
MIN_WEIGHTED_SHARE = 0.01
MAX_SAMPLE_SHARE = 0.5
MIN_RESIDUAL_SHARE = 1e-3


@dataclass(frozen=True)
class Plan:
    """A plan to estimate surrogate variables: method, number, and share of controls."""

    method: str
    n_sv: int
    controls: float | None = None


@dataclass(frozen=True)
class SurrogateFit:
    """Surrogate variables of training samples, and how to compute them from expression.

    `surrogates` (samples × k) equals `centred @ loadings`; `loadings` is genes × k. `weights` is
    the weight of each gene (irw: pprob.gam · (1 − pprob.b) of the R package; two-step: whether it
    was used; supervised: the control vector). `counts`, of two-step: how many variables the first
    1, 2, ... residual vectors gave.
    """

    surrogates: np.ndarray
    loadings: np.ndarray
    weights: np.ndarray
    counts: np.ndarray | None = None

    def leading(self, n_sv: int) -> "SurrogateFit":
        """The fit with fewer variables, for methods whose variables do not depend on their number.

        These are two-step and supervised; the weights of irw differ for each number.
        """
        kept, weights = n_sv, self.weights
        if self.counts is not None:
            kept = int(self.counts[:n_sv].max(initial=0))
            weights = self.loadings[:, :kept].any(axis=1).astype(float)
        return SurrogateFit(self.surrogates[:, :kept], self.loadings[:, :kept], weights)


def model_basis(model: np.ndarray) -> np.ndarray:
    """Orthonormal basis of the columns of a design with intercept, the intercept itself left out.

    `model` is samples × columns, the first column constant, of full rank.
    """
    rest = model[:, 1:] - model[:, 1:].mean(axis=0)
    return np.linalg.qr(rest)[0]


def f_statistics(
    centred: np.ndarray, basis: np.ndarray, surrogates: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """F-statistics of every gene for the design given the surrogates, and for the surrogates alone.

    `centred` is samples × genes, columns of mean zero; `basis` is `model_basis` of the design. The
    first tests [1, design, surrogates] against [1, surrogates], the second [1, surrogates] against
    [1]. Residual sums of squares follow from one product with an orthonormal basis of both.
    """
    samples = len(centred)
    k, p = surrogates.shape[1], basis.shape[1]
    joint = np.hstack([surrogates - surrogates.mean(axis=0), basis])
    squares = (np.ascontiguousarray(np.linalg.qr(joint)[0].T) @ centred) ** 2
    of_surrogates, of_design = squares[:k].sum(axis=0), squares[k:].sum(axis=0)
    left = sums_of_squares(centred) - of_surrogates
    with np.errstate(divide="ignore", invalid="ignore"):
        for_surrogates = (of_surrogates / k) / (left / (samples - 1 - k))
        for_design = (of_design / p) / ((left - of_design) / (samples - 1 - k - p))
    return for_design, for_surrogates


def _fit_leading(
    centred: np.ndarray, weights: np.ndarray, values: np.ndarray, vectors: np.ndarray
) -> np.ndarray:
    """Loadings that reproduce the left singular vectors of centred · diag(weights): W²Cᵀv/σ²."""
    return weights[:, None] ** 2 * (np.ascontiguousarray(vectors.T) @ centred).T / values


def fit_irw(centred: np.ndarray, model: np.ndarray, n_sv: int, seed: int = 0) -> SurrogateFit:
    """Iteratively re-weighted surrogate variables, as `sva::irwsva.build` with five iterations.

    If the weights of all genes are zero there is nothing to decompose: as in R (there through
    LAPACK's answer to a zero matrix) indicators of single samples take the place of the singular
    vectors. A design of an intercept alone, for which R fails, protects nothing: pprob.b = 0.

    Parameters: `centred` samples × genes (means zero), `model` samples × columns with intercept.
    """
    from tissuestate.expression import bioconductor

    samples, genes = centred.shape
    rng = np.random.default_rng(seed)
    basis = model_basis(model)
    p = basis.shape[1]
    values, vectors = leading_vectors(Operator(centred, basis=basis), n_sv, rng)
    weights = b = np.zeros(genes)
    for _ in range(ITERATIONS):
        for_design, for_surrogates = f_statistics(centred, basis, vectors)
        k = vectors.shape[1]
        if p:
            b = 1 - bioconductor.local_fdr(bioconductor.f_tail(for_design, p, samples - 1 - k - p))
        gam = 1 - bioconductor.local_fdr(bioconductor.f_tail(for_surrogates, k, samples - 1 - k))
        weights = gam * (1 - b)
        if weights.any():
            values, vectors = leading_vectors(Operator(centred, weights), n_sv, rng, start=vectors)
        else:
            values, vectors = np.ones(n_sv), np.eye(samples)[:, : -n_sv - 1 : -1]
    if not weights.any():
        vectors = np.eye(samples)[:, :n_sv]
    return SurrogateFit(vectors, _fit_leading(centred, weights, values, vectors), weights)


def fit_two_step(centred: np.ndarray, model: np.ndarray, n_sv: int, seed: int = 0) -> SurrogateFit:
    """Residual surrogate variables, as `sva::twostepsva.build`.

    The leading singular vectors of the residuals are each re-estimated from the genes associated
    with it (local false discovery rate < 0.1): of the singular vectors of those genes, the one
    most correlated with it. Variables with fewer associated genes than samples are dropped; R
    drops the gene set but not the vector it belongs to, and so do we, for equal results.
    """
    from tissuestate.expression import bioconductor

    samples, genes = centred.shape
    rng = np.random.default_rng(seed)
    operator = Operator(centred, basis=model_basis(model))
    residual_vectors = leading_vectors(operator, n_sv, rng)[1]
    squares = sums_of_squares(centred)
    sets, found = [], []
    for explained in (np.ascontiguousarray(residual_vectors.T) @ centred) ** 2:
        with np.errstate(divide="ignore"):
            f = explained / ((squares - explained) / (samples - 2))
        used = bioconductor.local_fdr(bioconductor.f_tail(f, 1, samples - 2)) < 0.1
        if np.count_nonzero(used) >= samples:
            sets.append(used)
        found.append(len(sets))
    surrogates = np.empty((samples, len(sets)))
    loadings = np.zeros((genes, len(sets)))
    for i, used in enumerate(sets):
        target = residual_vectors[:, i : i + 1]
        value, surrogates[:, i] = most_correlated(centred[:, used], target, rng)
        loadings[used, i] = (centred[:, used].T @ surrogates[:, i]) / value
    weights = np.any(sets, axis=0).astype(float) if sets else np.zeros(genes)
    return SurrogateFit(surrogates, loadings, weights, np.array(found))


def fit_supervised(
    centred: np.ndarray, controls: np.ndarray, n_sv: int, seed: int = 0
) -> SurrogateFit:
    """Surrogate variables of control genes, as `sva::ssva`; `controls` in 0..1 for each gene."""
    rng = np.random.default_rng(seed)
    values, vectors = leading_vectors(Operator(centred, controls), n_sv, rng)
    loadings = _fit_leading(centred, controls, values, vectors)
    return SurrogateFit(vectors, loadings, controls)


def control_genes(centred: np.ndarray, model: np.ndarray, share: float) -> np.ndarray:
    """Control vector: 1 for the `share` of genes with the smallest F-statistic for the design.

    The statistic ranks the genes, not its p-value, which is zero for most genes when samples are
    many. Without a design beyond the intercept every gene is a control.
    """
    basis = model_basis(model)
    if not basis.shape[1]:
        return np.ones(centred.shape[1])
    explained = ((basis.T @ centred) ** 2).sum(axis=0)
    association = explained / sums_of_squares(centred)
    count = max(1, round(share * centred.shape[1]))
    controls = np.zeros(centred.shape[1])
    controls[np.argsort(association, kind="stable")[:count]] = 1
    return controls


def estimate_surrogates(
    centred: np.ndarray, model: np.ndarray, plan: Plan, engine: Literal["native", "r"], seed: int
) -> SurrogateFit:
    """The surrogate variables of a plan, by this module or by R's `svaseq` itself."""
    controls = None
    if plan.method == "supervised":
        controls = control_genes(centred, model, cast(float, plan.controls))
    if engine == "r":
        return _estimate_with_r(centred, model, plan, controls)
    if controls is not None:
        return fit_supervised(centred, controls, plan.n_sv, seed)
    if plan.method == "irw":
        return fit_irw(centred, model, plan.n_sv, seed)
    return fit_two_step(centred, model, plan.n_sv, seed)


def _estimate_with_r(
    centred: np.ndarray, model: np.ndarray, plan: Plan, controls: np.ndarray | None
) -> SurrogateFit:
    """R's surrogate variables, with the loadings that R does not return.

    For irw and supervised they follow from the vectors. The vectors of two-step come from gene sets
    that R does not return; their loadings are those of the native estimate, with R's signs.
    """
    from tissuestate.expression import bioconductor

    method = cast(Literal["irw", "two-step", "supervised"], plan.method)
    surrogates, gam, b = bioconductor.svaseq(centred, model, plan.n_sv, method, controls)
    weights = gam if b is None else gam * (1 - b)
    if method == "two-step":
        native = fit_two_step(centred, model, plan.n_sv)
        signs = np.sign(np.einsum("ij,ij->j", native.surrogates, surrogates))
        return SurrogateFit(surrogates, native.loadings * signs, weights)
    thin = np.ascontiguousarray(surrogates.T) @ centred
    values = np.maximum(np.einsum("ij,ij->i", thin * weights**2, thin), np.finfo(float).tiny)
    return SurrogateFit(surrogates, (weights**2 * thin).T / values, weights)


def check_fit(fit: SurrogateFit, basis: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Whether each surrogate variable may be applied, and a message for each reason not to.

    None may if nearly all genes have weight zero. A variable may not if it is (more than half) a
    single sample's indicator, or if the design and the variables before it already determine it:
    its coefficients would rest on almost nothing.
    """
    count = fit.surrogates.shape[1]
    weighted = np.count_nonzero(fit.weights > 0.01) / len(fit.weights)
    if count and weighted < MIN_WEIGHTED_SHARE:
        return np.zeros(count, dtype=bool), [
            f"{weighted:.2%} of the genes have a weight: the surrogate variables are degenerate "
            "and not applied (every gene is associated with the design, or none with a batch)"
        ]
    applied, messages = np.ones(count, dtype=bool), []
    for i, vector in enumerate(fit.surrogates.T):
        vector = vector - vector.mean()
        norm = np.linalg.norm(vector)
        if np.max(vector**2) > MAX_SAMPLE_SHARE * norm**2:
            applied[i] = False
            messages.append(f"surrogate variable {i + 1} is one sample's indicator: not applied")
            continue
        rest = vector - basis @ (basis.T @ vector)
        if np.linalg.norm(rest) ** 2 < MIN_RESIDUAL_SHARE * norm**2:
            applied[i] = False
            messages.append(
                f"surrogate variable {i + 1} cannot be distinguished from the design or from those "
                "before it: not applied"
            )
            continue
        basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
    return applied, messages


def coefficients(centred: np.ndarray, basis: np.ndarray, surrogates: np.ndarray) -> np.ndarray:
    """Coefficients (k × genes) of the surrogates in the regression on [1, design, surrogates]."""
    rest = surrogates - surrogates.mean(axis=0)
    for _ in range(2):
        rest -= basis @ (basis.T @ rest)
    q, r = np.linalg.qr(rest)
    return scipy.linalg.solve_triangular(r, np.ascontiguousarray(q.T) @ centred)
