"""Batch correction by surrogate variables: fitted on training samples, frozen, applied to any.

A fitted correction is three arrays: the training mean m of each gene, loadings L that compute a
sample's surrogate variables from its expression, s = L(y − m), and the coefficients Γ of the
regression of expression on [design, surrogate variables]. corrected = y − Γs. For a training
sample s is its row of the surrogate variables. No label of y is used, and R is needed for fitting
only.
"""

import logging
from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from tissuestate.errors import InputError
from tissuestate.expression.surrogates import (
    Plan,
    check_fit,
    coefficients,
    estimate_surrogates,
    model_basis,
)

log = logging.getLogger(__name__)

METHODS = ("auto", "none", "irw", "two-step", "supervised")


def design_matrix(design: pd.DataFrame) -> tuple[np.ndarray, list[str], list[str]]:
    """Intercept and treatment-coded indicators of categorical columns, of full rank.

    Returns the matrix (samples × columns), a name for each of its columns, and a message for each
    omission: a column of one class only, and indicators that the columns before them already
    determine. An empty or missing cell is a class of its own.
    """
    matrix, names, messages = np.ones((len(design), 1)), ["intercept"], []
    basis = matrix / np.sqrt(max(1, len(design)))
    for column in design.columns:
        values = design[column].astype(object).where(design[column].notna(), "").astype(str)
        classes = sorted(values.unique())
        if len(classes) < 2:
            messages.append(f"design column {column} has one class only and is left out")
            continue
        for name in classes[1:]:
            indicator = (values == name).to_numpy(dtype=np.float64)
            rest = indicator - basis @ (basis.T @ indicator)
            rest -= basis @ (basis.T @ rest)
            norm = np.linalg.norm(rest)
            if norm <= 1e-8 * np.linalg.norm(indicator):
                messages.append(
                    f"design column {column}={name} is determined by the columns before it "
                    "and is left out"
                )
                continue
            matrix = np.column_stack([matrix, indicator])
            basis = np.column_stack([basis, rest / norm])
            names.append(f"{column}={name}")
    return matrix, names, messages


class SurrogateVariableCorrection:
    """Surrogate variable correction with a frozen projection (`sva`, made to serve new samples).

    Parameters
    ----------
    method: 'irw', 'two-step', 'supervised' (the genes least associated with the design as
        controls), 'none', or 'auto': chosen by measurement on the training samples
        (`choose_plan`).
    n_sv: number of surrogate variables; 'auto' by the same measurement, 'be' or 'leek' by
        `sva::num.sv` (slow from a thousand samples on).
    engine: 'native' (thin linear algebra, equal results) or 'r' (`sva::svaseq` itself).
    controls: share of genes that are controls of 'supervised'; None: by measurement, else 0.3.
    seed: of the start vectors, of the cross-validation and of `num.sv`.

    Fitted: `method_`, `n_sv_`, `controls_`, `mean_` (genes), `loadings_` and `coefficients_` (n_sv
    × genes), `surrogates_` (training samples × n_sv), `weights_` (genes), `design_` (names of the
    columns used), `trials_` (one row per measured candidate), `messages_` (what the person who runs
    it should know).
    """

    def __init__(
        self,
        method: str = "auto",
        n_sv: int | str = "auto",
        engine: Literal["native", "r"] = "native",
        seed: int = 0,
        controls: float | None = None,
    ) -> None:
        if method not in METHODS:
            raise InputError(f"correction method {method!r}: choose one of {', '.join(METHODS)}.")
        if engine not in ("native", "r"):
            raise InputError(f"correction engine {engine!r}: choose native or r.")
        if isinstance(n_sv, str) and n_sv not in ("auto", "be", "leek"):
            raise InputError(f"n_sv {n_sv!r}: give a number, 'auto', 'be' or 'leek'.")
        if not isinstance(n_sv, str) and n_sv < 0:
            raise InputError(f"n_sv {n_sv}: a number of surrogate variables cannot be negative.")
        self.method, self.n_sv, self.engine, self.seed = method, n_sv, engine, seed
        self.controls = controls

    def fit(
        self, Y: np.ndarray, design: pd.DataFrame, *, obs: pd.DataFrame | None = None
    ) -> "SurrogateVariableCorrection":
        """Fit on training samples and return self.

        Parameters: `Y` samples × genes, log2, NaN if a gene was not measured; `design` one row per
        sample, categorical columns to keep (tissue, disease state); `obs` what is known of the
        samples, for the measurement behind 'auto': any of specimen, source, study, donor, tissue,
        disease_state, subtype.
        """
        Y = np.asarray(Y)
        if Y.ndim != 2 or len(Y) != len(design):
            raise InputError(
                f"correction: the matrix has shape {Y.shape} and the design {len(design)} rows; "
                "give one row of the design per sample."
            )
        self.messages_: list[str] = []
        centred, self.mean_ = self._centre(Y)
        model, self.design_, messages = design_matrix(design)
        for message in messages:
            self._add_message(message)
        varying = np.einsum("ij,ij->j", centred, centred) > 1e-12 * (1 + self.mean_**2) * len(Y)
        if not varying.all():
            self._add_message(
                f"{np.sum(~varying)} genes do not vary in training and are not corrected"
            )
            active = np.ascontiguousarray(centred[:, varying])
        else:
            active = centred
        plan, self.trials_ = self._choose_plan(active, model, obs)
        self._apply(plan, active, model, varying)
        return self

    def transform(self, Y: np.ndarray) -> np.ndarray:
        """Corrected expression of any samples (samples × genes, log2), each on its own.

        A gene that is missing (NaN) takes no part in the surrogate variables and comes out as the
        training mean. A sample's result has the same bytes whatever the other samples are: each row
        is computed by itself, in float64, by sums whose order BLAS does not choose. The result has
        the dtype of Y if that is a float type.
        """
        Y = np.asarray(Y)
        genes = len(self.mean_)
        if Y.ndim != 2 or Y.shape[1] != genes:
            raise InputError(
                f"correction: the matrix has shape {Y.shape}, the correction was fitted on {genes} "
                "genes; bring the matrix to those genes first."
            )
        corrected = np.empty(Y.shape, Y.dtype if Y.dtype.kind == "f" else np.float64)
        deviation = np.empty(genes)
        for i, row in enumerate(Y):
            np.subtract(row, self.mean_, out=deviation)
            missing = np.isnan(deviation)
            deviation[missing] = 0
            if len(self.loadings_):
                surrogates = np.einsum("kj,j->k", self.loadings_, deviation)
                deviation -= np.einsum("k,kj->j", surrogates, self.coefficients_)
                deviation[missing] = 0
            corrected[i] = self.mean_ + deviation
        return corrected

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The fitted state as plain arrays."""
        trials = {f"trials.{name}": column.to_numpy() for name, column in self.trials_.items()}
        for name, column in trials.items():
            if column.dtype == object:
                trials[name] = column.astype(str)
        return {
            "method": np.array(self.method_),
            "engine": np.array(self.engine),
            "seed": np.array(self.seed),
            "controls": np.array(self.controls_),
            "mean": self.mean_,
            "loadings": self.loadings_,
            "coefficients": self.coefficients_,
            "surrogates": self.surrogates_,
            "weights": self.weights_,
            "design": np.array(self.design_, dtype=str),
            "messages": np.array(self.messages_, dtype=str),
            **trials,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "SurrogateVariableCorrection":
        """The fitted correction that `to_arrays` described."""
        controls = float(arrays["controls"])
        correction = cls(
            str(arrays["method"]),
            len(arrays["loadings"]),
            "r" if str(arrays["engine"]) == "r" else "native",
            int(arrays["seed"]),
            None if np.isnan(controls) else controls,
        )
        correction.method_, correction.controls_ = correction.method, controls
        correction.n_sv_ = len(arrays["loadings"])
        correction.mean_, correction.weights_ = arrays["mean"], arrays["weights"]
        correction.loadings_ = arrays["loadings"]
        correction.coefficients_ = arrays["coefficients"]
        correction.surrogates_ = arrays["surrogates"]
        correction.design_ = [str(name) for name in arrays["design"]]
        correction.messages_ = [str(message) for message in arrays["messages"]]
        prefix = "trials."
        correction.trials_ = pd.DataFrame(
            {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
        )
        return correction

    def _add_message(self, message: str) -> None:
        log.warning(message)
        self.messages_.append(message)

    def _centre(self, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The matrix in float64 with column means zero (missing cells at the mean); the means."""
        centred = np.array(Y, dtype=np.float64, order="C")
        missing = np.isnan(centred)
        if np.isinf(centred).any():
            raise InputError("correction: the matrix holds infinite values; give finite log2 ones.")
        if missing.any():
            counts = np.maximum(1, len(Y) - missing.sum(axis=0))
            centred[missing] = 0
            mean = centred.sum(axis=0) / counts
            centred -= mean
            centred[missing] = 0
            self._add_message(f"{int(missing.sum())} missing cells are taken at their gene's mean")
        else:
            mean = centred.mean(axis=0)
            centred -= mean
        return centred, mean

    def _choose_plan(
        self, centred: np.ndarray, model: np.ndarray, obs: pd.DataFrame | None
    ) -> tuple[Plan, pd.DataFrame]:
        """The plan to fit, and the table of the candidates measured for it."""
        from tissuestate.expression.choice import choose_plan

        room = min(len(centred) - model.shape[1] - 2, centred.shape[1])
        nothing = Plan("none", 0)
        if self.method == "none" or self.n_sv == 0:
            return nothing, pd.DataFrame()
        if room < 1:
            self._add_message(
                f"{len(centred)} samples and a design of {model.shape[1]} columns leave no room "
                "for surrogate variables: nothing is corrected"
            )
            return nothing, pd.DataFrame()
        n_sv: int | None = None
        if self.n_sv in ("be", "leek"):
            n_sv = self._num_sv(centred, model)
            if n_sv == 0:
                self._add_message(
                    f"num.sv ({self.n_sv}) finds no surrogate variable: nothing is corrected"
                )
                return nothing, pd.DataFrame()
        elif self.n_sv != "auto":
            n_sv = int(self.n_sv)
        if n_sv is not None and n_sv > room:
            self._add_message(
                f"{n_sv} surrogate variables are configured, {room} is the maximum: {room} used"
            )
            n_sv = room
        if self.method != "auto" and n_sv is not None:
            share = 0.3 if self.controls is None else self.controls
            return Plan(self.method, n_sv, share if self.method == "supervised" else None), (
                pd.DataFrame()
            )
        plan, trials, messages = choose_plan(
            centred, model, obs, self.method, n_sv, self.controls, room, self.seed
        )
        for message in messages:
            self._add_message(message)
        return plan, trials

    def _num_sv(self, centred: np.ndarray, model: np.ndarray) -> int:
        from tissuestate.expression import bioconductor

        method: Literal["be", "leek"] = "be" if self.n_sv == "be" else "leek"
        return bioconductor.num_sv(centred, model, method, self.seed)

    def _apply(
        self, plan: Plan, centred: np.ndarray, model: np.ndarray, varying: np.ndarray
    ) -> None:
        """Fit the plan and keep the variables that may be applied; constant genes get zeros."""
        genes = len(varying)
        self.method_ = plan.method
        self.controls_ = float("nan") if plan.controls is None else plan.controls
        self.weights_ = np.zeros(genes)
        surrogates, loadings = np.zeros((len(centred), 0)), np.zeros((centred.shape[1], 0))
        basis = model_basis(model)
        if plan.method != "none":
            fit = estimate_surrogates(centred, model, plan, self.engine, self.seed)
            applied, messages = check_fit(fit, basis)
            for message in messages:
                self._add_message(message)
            if fit.surrogates.shape[1] < plan.n_sv:
                self._add_message(
                    f"{plan.method} found {fit.surrogates.shape[1]} of the {plan.n_sv} configured "
                    "surrogate variables"
                )
            surrogates, loadings = fit.surrogates[:, applied], fit.loadings[:, applied]
            self.weights_[varying] = fit.weights
            if not applied.any():
                self._add_message(
                    f"{plan.method} gives no surrogate variable to apply: nothing corrected"
                )
        self.surrogates_ = surrogates
        self.n_sv_ = surrogates.shape[1]
        self.loadings_ = np.zeros((self.n_sv_, genes))
        self.coefficients_ = np.zeros((self.n_sv_, genes))
        if self.n_sv_:
            self.loadings_[:, varying] = loadings.T
            self.coefficients_[:, varying] = coefficients(centred, basis, surrogates)
