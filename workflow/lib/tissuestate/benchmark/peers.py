"""Models after two published classifiers of RNA-seq, for comparison on the same samples.

Both see all genes as this workflow prepares them: normalised, corrected by frozen surrogate
variables and scaled.
"""

import numpy as np
from scipy.stats import rankdata
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from tissuestate.features.transformers import PrincipalComponents

NO_ANSWER = -1  # the class number of a sample without an answer
VARIANCE = 0.8  # share of the variance that CanID's components explain
MOST_COMPONENTS = 500
FOLDS = 3
RIGHT = 0.99  # share of right calls above the threshold of a class
LEAST = 0.5  # smallest threshold
GENES_OF_CLASS = 100


class QuantileMap(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Each sample's values replaced, by rank, by the mean quantiles of the training samples.

    Equal values of a sample stay equal. A sample's result depends on no other new sample.
    """

    def fit(self, x: np.ndarray, y: object = None) -> "QuantileMap":
        """Learn the mean of the sorted rows of samples × genes."""
        self.reference_ = np.zeros(x.shape[1])
        for row in x:
            self.reference_ += np.sort(row)
        self.reference_ /= len(x)
        return self

    def transform(self, x: np.ndarray) -> np.ndarray:
        """Mapped values, float32, samples × genes."""
        mapped = np.empty(x.shape, dtype=np.float32)
        positions = np.arange(1, x.shape[1] + 1)
        for row, values in zip(mapped, x, strict=True):
            row[:] = np.interp(rankdata(values), positions, self.reference_)
        return mapped


class ThresholdedLogistic(LogisticRegression):  # type: ignore[misc]
    """Logistic regression that also fits a threshold per class, from samples left out."""

    def fit(self, x: np.ndarray, y: np.ndarray) -> "ThresholdedLogistic":
        """Learn from samples × features and one class number per sample."""
        super().fit(x, y)
        codes = np.searchsorted(self.classes_, y)
        self.thresholds_ = np.full(len(self.classes_), LEAST)
        if np.bincount(codes).min() >= FOLDS:
            plain = LogisticRegression(max_iter=self.max_iter)
            left_out = cross_val_predict(plain, x, y, cv=FOLDS, method="predict_proba")
            self.thresholds_ = fit_thresholds(left_out, codes)
        return self


def fit_thresholds(scores: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The least score per class from which RIGHT of its calls are right, at least LEAST.

    scores: samples × classes, of samples left out; y: true columns. Infinite if the share is
    reached nowhere; LEAST for a class that is never called.
    """
    best = scores.argmax(axis=1)
    thresholds = np.full(scores.shape[1], LEAST)
    for number in range(scores.shape[1]):
        called = np.flatnonzero(best == number)
        called = called[np.argsort(-scores[called, number], kind="stable")]
        if len(called):
            right = np.cumsum(y[called] == number) / np.arange(1, len(called) + 1)
            enough = scores[called[right >= RIGHT], number]
            thresholds[number] = max(LEAST, enough.min(initial=np.inf))
    return thresholds


class CanID(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Stacked classifiers on components, with a threshold per class, after Putnam et al. (2025).

    CanID maps quantiles, removes frozen surrogate variables, and stacks classifiers on components
    that explain 70 to 85 % of the variance. Here the surrogate variables are those of the features,
    removed before the map. Of its five base learners the multilayer perceptron is left out: it
    takes longest, and networks are compared anyway. How its thresholds were chosen is not
    reproduced. Those here are the least scores from which 99 % of the calls of a class are right on
    samples left out of the last regression, and at least one half.
    """

    def __init__(self, random_state: int | None = None, n_jobs: int | None = None) -> None:
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, x: np.ndarray, y: np.ndarray) -> "CanID":
        """Learn from samples × genes and one class number per sample.

        A class of fewer samples than folds cannot be stacked; all classes are then told apart by
        logistic regression alone.
        """
        self.classes_, sizes = np.unique(y, return_counts=True)
        self.map_ = QuantileMap().fit(x)
        mapped = self.map_.transform(x)
        self.components_ = PrincipalComponents(min(MOST_COMPONENTS, *x.shape)).fit(mapped)
        explained = np.cumsum(self.components_.explained_variance_ratio_)
        self.n_components_ = min(int(np.searchsorted(explained, VARIANCE)) + 1, len(explained))
        z = self.components_.transform(mapped)[:, : self.n_components_]
        self.scaler_ = StandardScaler().fit(z)
        few = sizes.min() < FOLDS
        self.model_ = ThresholdedLogistic(max_iter=1000) if few else self._stack()
        self.model_.fit(self.scaler_.transform(z), y)
        self.thresholds_ = (self.model_ if few else self.model_.final_estimator_).thresholds_
        return self

    def _stack(self) -> StackingClassifier:
        seed = self.random_state
        learners = {
            "svm": LinearSVC(dual=False, random_state=seed),
            "logistic": LogisticRegression(max_iter=1000),
            "discriminant": LinearDiscriminantAnalysis(),
            "forest": RandomForestClassifier(300, random_state=seed, n_jobs=self.n_jobs),
        }
        return StackingClassifier(
            list(learners.items()),
            ThresholdedLogistic(max_iter=1000),
            cv=StratifiedKFold(FOLDS, shuffle=True, random_state=seed),
        )

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        """Samples × classes."""
        z = self.components_.transform(self.map_.transform(x))[:, : self.n_components_]
        return self.model_.predict_proba(self.scaler_.transform(z))

    def predict(self, x: np.ndarray) -> np.ndarray:
        """The most probable class of each sample, NO_ANSWER below the threshold of the class."""
        scores = self.predict_proba(x)
        best = scores.argmax(axis=1)
        answered = scores[np.arange(len(x)), best] >= self.thresholds_[best]
        return np.where(answered, self.classes_[best], NO_ANSWER)


def count_genes(x: np.ndarray) -> int:
    """Number of genes chosen per class: GENES_OF_CLASS, or all."""
    return min(GENES_OF_CLASS, x.shape[1])


def sparse_one_against_rest(seed: int, threads: int) -> OneVsRestClassifier:
    """Lasso logistic regressions, each of one class against the rest, after He et al. (2023).

    They chose 80 genes per class by logistic regression, and then classified. Here the 100 largest
    coefficients of a regression that shrinks all genes choose, and the lasso keeps those that add
    to the others.
    """
    shrunken = LogisticRegression(C=0.01, max_iter=1000)
    best = SelectFromModel(shrunken, threshold=-np.inf, max_features=count_genes)
    lasso = LogisticRegression(l1_ratio=1.0, solver="liblinear", max_iter=1000, random_state=seed)
    return OneVsRestClassifier(make_pipeline(best, lasso), n_jobs=threads)
