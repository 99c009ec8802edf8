"""A plane through the training samples' features, on which a new sample can be shown."""

from collections.abc import Mapping
from typing import Self

import numpy as np
import pandas as pd

from tissuestate.labels import HEADS


class TrainingMap:
    """The first two principal axes of the training features, and where the samples lie on them.

    Fitted state: `center_` (features), `axes_` (features × 2), `points_` (samples × 2) and
    `labels_`, a frame of the samples' disease_state, tissue and subtype; no names of samples.
    """

    def fit(self, X: np.ndarray, labels: pd.DataFrame) -> Self:
        """Learn the plane from samples × features and keep the labels of the samples."""
        from sklearn.utils.extmath import randomized_svd

        values = np.asarray(X, dtype=np.float64)
        self.center_ = values.mean(axis=0)
        components = min(2, *values.shape)
        _, _, rows = randomized_svd(values - self.center_, components, n_iter=8, random_state=0)
        self.axes_ = np.zeros((values.shape[1], 2))
        self.axes_[:, :components] = rows.T
        self.points_ = self.transform(values)
        self.labels_ = labels[list(HEADS)].astype(str).reset_index(drop=True)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Coordinates of samples × features on the plane, samples × 2."""
        return (np.asarray(X, dtype=np.float64) - self.center_) @ self.axes_

    def frame(self) -> pd.DataFrame:
        """The training samples: x, y and their labels."""
        return self.labels_.assign(x=self.points_[:, 0], y=self.points_[:, 1])

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The fitted state as plain arrays; coordinates in single precision."""
        labels = {name: self.labels_[name].to_numpy(str) for name in HEADS}
        return {
            "center": self.center_.astype(np.float32),
            "axes": self.axes_.astype(np.float32),
            "points": self.points_.astype(np.float32),
            **labels,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Restore what `to_arrays` returned."""
        plane = cls()
        plane.center_ = arrays["center"].astype(np.float64)
        plane.axes_ = arrays["axes"].astype(np.float64)
        plane.points_ = arrays["points"].astype(np.float64)
        plane.labels_ = pd.DataFrame({name: arrays[name] for name in HEADS})
        return plane
