"""A score of how unlike the training samples a sample is.

The score has two distances, in the leading components of the features and in units of the spread
within classes (Lee et al. 2018, "A simple unified framework for detecting out-of-distribution
samples"). One is the distance to the nearest class within the discriminant space, that of the
directions in which classes differ: a tissue that was not in training falls between the classes
there, whereas in the whole space many uninformative directions hide it. The other is the distance
from that space: noise or mixed-up genes, which may by chance fall beside a class within it, lie far
outside. The networks' energy (Liu et al. 2020) added nothing: benchmarks/novelty.tsv.
"""

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np

from tissuestate.cohort.donors import donor_quantile

LEVEL = 0.98  # share of samples like the training samples that are recognised as such
COMPONENTS = 300
WIDE = 1.5  # limit of the distance from the discriminant space, as a multiple of the usual one


class Novelty:
    """Distance of a sample from the training samples; above 1 it is new.

    Fitted: `center_` (features), `axes_` (features × directions, the discriminant ones first),
    `centroids_` (classes × discriminant directions) and `classes_` (their labels) by `fit` on
    training samples; `limits_` of the two distances by `calibrate` on validation samples.
    """

    def __init__(self, components: int = COMPONENTS, level: float = LEVEL) -> None:
        self.components = components
        self.level = level

    def fit(self, X: np.ndarray, labels: Sequence[str] | np.ndarray) -> Self:
        """Learn the discriminant space from samples × features and the class of each sample.

        The spread within classes is estimated in the leading components (a quarter as many as
        there are samples at most) and shrunk after Ledoit & Wolf 2004.
        """
        from sklearn.covariance import ledoit_wolf
        from sklearn.utils.extmath import randomized_svd

        names, codes = np.unique(np.asarray(labels, dtype=str), return_inverse=True)
        self.classes_ = names
        self.center_ = np.mean(X, axis=0, dtype=np.float64)
        centred = (X - self.center_).astype(np.float32)
        components = max(1, min(self.components, len(X) // 4, X.shape[1]))
        _, _, rows = randomized_svd(centred, components, n_iter=8, random_state=0)
        scores = (centred @ rows.T).astype(np.float64)
        means = np.stack([scores[codes == code].mean(axis=0) for code in range(len(names))])
        within = ledoit_wolf(scores - means[codes], assume_centered=True)[0]
        values, vectors = np.linalg.eigh(within)
        white = vectors / np.sqrt(np.maximum(values, values[-1] * 1e-12))
        _, spread, directions = np.linalg.svd(means @ white)
        discriminant = int((spread > spread[0] * 1e-9).sum())
        self.axes_ = (rows.T @ white @ directions.T).astype(np.float32)
        self.centroids_ = means @ white @ directions[:discriminant].T
        return self

    def calibrate(self, X: np.ndarray, donors: Sequence[str] | np.ndarray) -> Self:
        """Set the limits from samples that fitted nothing; every donor weighs the same.

        With too few donors for the level they are the largest distances among them.
        """
        level = min(self.level, 1 - 1 / (len(set(donors)) + 1))
        by_class, rest = self._distances(X)
        near, outside = (
            donor_quantile(part, donors, level) for part in (by_class.min(axis=1), rest)
        )
        # slightly above, so that rounding does not decide about the sample that set a limit
        self.limits_ = np.array([near, WIDE * outside]) * 1.001
        return self

    @property
    def n_features(self) -> int:
        """The number of features."""
        return len(self.axes_)

    def score(self, X: np.ndarray) -> np.ndarray:
        """The distance to the nearest class, of `distances`."""
        return self.distances(X).min(axis=1)

    def distances(self, X: np.ndarray) -> np.ndarray:
        """Distance of each sample to each class (samples × classes); above 1 it is too far.

        The larger of the two distances, each divided by its limit; each sample on its own.
        """
        with np.errstate(divide="ignore"):
            # no distance is no novelty, even if a limit is 0 (a single class has no directions)
            near, outside = (
                np.divide(part, limit, out=np.zeros(part.shape), where=part > 0)
                for part, limit in zip(self._distances(X), self.limits_, strict=True)
            )
        return np.maximum(near, outside[:, None])

    def is_new(self, X: np.ndarray) -> np.ndarray:
        """Whether each sample is unlike the training samples."""
        return self.score(X) > 1

    def _distances(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distances to the classes within the discriminant space, and from that space."""
        places = (np.asarray(X, dtype=np.float64) - self.center_) @ self.axes_
        within, rest = np.split(places, [self.centroids_.shape[1]], axis=1)
        gaps = within[:, None, :] - self.centroids_[None]
        return np.sqrt((gaps**2).sum(axis=2)), np.sqrt((rest**2).sum(axis=1))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The fitted state as plain arrays."""
        return {
            "level": np.array(self.level),
            "center": self.center_,
            "axes": self.axes_,
            "centroids": self.centroids_,
            "limits": self.limits_,
            "classes": self.classes_,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Restore what `to_arrays` returned."""
        novelty = cls(level=float(arrays["level"]))
        novelty.center_, novelty.axes_ = arrays["center"], arrays["axes"]
        novelty.centroids_ = arrays["centroids"]
        novelty.limits_ = arrays["limits"]
        # bundles of earlier releases do not name the classes
        unnamed = np.full(len(novelty.centroids_), "")
        novelty.classes_ = arrays.get("classes", unnamed)
        return novelty
