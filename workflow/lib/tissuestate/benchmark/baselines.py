"""The classical models that the networks are compared with, one per head."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from tissuestate.benchmark.peers import CanID, sparse_one_against_rest
from tissuestate.errors import InputError


class CommonScale(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Divide all features by one number, the root of their mean variance in training.

    Principal components keep their proportions: scaled each to variance 1, those of noise would
    count as much as the first. On subtypes of real tumours (five splits by donor) 0.97 of the calls
    of logistic regression are then correct, and 0.93 with each component scaled by itself.
    """

    def fit(self, x: np.ndarray, y: object = None) -> "CommonScale":
        """Learn the divisor from samples × features; 1 if nothing varies."""
        self.scale_ = float(np.sqrt(x.var(axis=0, dtype=np.float64).mean())) or 1.0
        return self

    def transform(self, x: np.ndarray) -> np.ndarray:
        """Features, divided."""
        return x / self.scale_


class KernelSVC(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """scikit-learn's SVC with its defaults, its kernel computed before by matrix products.

    Without that, libsvm compares samples one pair at a time: with 7,081 samples and 17,993 genes
    that takes ten times as long.
    """

    def __init__(self, random_state: int | None = None) -> None:
        self.random_state = random_state

    def fit(self, x: np.ndarray, y: np.ndarray) -> "KernelSVC":
        """Learn from samples × features and one class number per sample."""
        self.x_ = x
        self.gamma_ = 1 / (x.shape[1] * float(x.var(dtype=np.float64)) or 1.0)  # 'scale'
        self.svc_ = SVC(kernel="precomputed", random_state=self.random_state, break_ties=True)
        self.svc_.fit(rbf_kernel(x, gamma=self.gamma_), y)
        self.classes_ = self.svc_.classes_
        return self

    def decision_function(self, x: np.ndarray) -> np.ndarray:
        """Samples × classes; one value per sample if there are two classes."""
        return self.svc_.decision_function(rbf_kernel(x, self.x_, gamma=self.gamma_))


# scikit-learn's defaults, as in the paper. SVC breaks ties by the decision function, so that the
# class called is always the one of the highest score. Seeds and threads change no default.
MODELS: dict[str, Callable[[int, int], ClassifierMixin]] = {
    "dt": lambda seed, threads: DecisionTreeClassifier(random_state=seed),
    "et": lambda seed, threads: ExtraTreesClassifier(random_state=seed, n_jobs=threads),
    "svm": lambda seed, threads: KernelSVC(random_state=seed),
    "sgd": lambda seed, threads: SGDClassifier(random_state=seed, n_jobs=threads),
    "knn": lambda seed, threads: KNeighborsClassifier(n_jobs=threads),
    "logreg": lambda seed, threads: make_pipeline(
        CommonScale(), LogisticRegression(max_iter=1000, random_state=seed)
    ),
    "linear_svm": lambda seed, threads: make_pipeline(
        # by itself it chooses the primal problem and stops before it has converged
        CommonScale(),
        LinearSVC(dual=True, max_iter=10_000, random_state=seed),
    ),
    "boosting": lambda seed, threads: HistGradientBoostingClassifier(random_state=seed),
    "canid": lambda seed, threads: CanID(random_state=seed, n_jobs=threads),
    "he2023": sparse_one_against_rest,
}


@dataclass(frozen=True)
class BaselineResult:
    """Probabilities of each head for new samples, and their cost."""

    probabilities: dict[str, np.ndarray]
    fit_seconds: float
    predict_seconds: float


def class_scores(model: ClassifierMixin, x: np.ndarray, n_classes: int) -> np.ndarray:
    """Samples × classes, rows summing to 1; classes absent from training get 0.

    Probabilities if the model gives them, else the softmax of its decision function (svm, sgd):
    ordered as the model ranks the classes, but not calibrated.
    """
    if hasattr(model, "predict_proba"):
        known = model.predict_proba(x)
    else:
        decision = model.decision_function(x)
        if decision.ndim == 1:
            decision = np.column_stack([-decision / 2, decision / 2])
        known = softmax(decision, axis=1)
    scores = np.zeros((len(x), n_classes))
    scores[:, model.classes_] = known
    return scores


def fit_predict(
    name: str,
    x: np.ndarray,
    y: Mapping[str, np.ndarray],
    x_new: np.ndarray,
    classes: Mapping[str, Sequence[str]],
    *,
    seed: int,
    threads: int = 1,
) -> BaselineResult:
    """Fit model `name` for each head of `classes` and score new samples.

    x: samples × features. y: class numbers, -1 if unknown (left out). A head with a single class
    among the training samples gets that class, with probability 1.
    """
    if name not in MODELS:
        raise InputError(f"model {name!r} is unknown; use one of {', '.join(MODELS)}.")
    probabilities: dict[str, np.ndarray] = {}
    fitting = predicting = 0.0
    for head, names in classes.items():
        known = y[head] >= 0
        seen = np.unique(y[head][known])
        if len(seen) < 2:
            probabilities[head] = np.zeros((len(x_new), len(names)))
            probabilities[head][:, seen] = 1.0
            continue
        start = time.perf_counter()
        model = MODELS[name](seed, threads)
        if isinstance(model, KNeighborsClassifier):  # a subtype head may have fewer samples
            model.set_params(n_neighbors=min(model.n_neighbors, int(known.sum())))
        model.fit(x[known], y[head][known])
        fitted = time.perf_counter()
        probabilities[head] = class_scores(model, x_new, len(names))
        fitting += fitted - start
        predicting += time.perf_counter() - fitted
    return BaselineResult(probabilities, fitting, predicting)
