"""Differences between laboratories: what distinguishes their samples beyond tissue and tumour."""

import numpy as np
import pandas as pd

from tissuestate.cohort.composition import batches
from tissuestate.labels import NEOPLASTIC, has_class

FULL = 10  # samples of a cell from which on it has full weight
PRIOR = 2  # samples by which the mean of a cell is shrunk towards no shift
PENALTIES = (0.05, 0.05, 0.5)  # of tissue, of tumour and of their interaction


def laboratory_shifts(X: np.ndarray, obs: pd.DataFrame) -> np.ndarray:
    """The shifts of laboratories, cells × features, of samples × features.

    A cell is the samples of one batch, tissue and state. Its shift is its mean less what an
    additive model (tissue + tumour + their interaction, by ridge regression) expects of it, times
    √(n / (n + 2)). obs: study, source, tissue and disease_state; samples of no class do not count.
    """
    known = has_class(obs).to_numpy()
    labels = np.stack(
        [
            batches(obs).to_numpy(str)[known],
            obs["tissue"].to_numpy(str)[known],
            obs["disease_state"].to_numpy(str)[known],
        ],
        axis=1,
    )
    cells, codes = np.unique(labels, axis=0, return_inverse=True)
    sizes = np.bincount(codes).astype(float)
    means = np.zeros((len(cells), X.shape[1]))
    np.add.at(means, codes, np.asarray(X, dtype=np.float64)[known])
    means /= sizes[:, None]
    design, penalty = _design(cells[:, 1], cells[:, 2] == NEOPLASTIC)
    weighted = design * (np.minimum(sizes, FULL) / FULL)[:, None]
    effects = np.linalg.solve(design.T @ weighted + np.diag(penalty), weighted.T @ means)
    return (means - design @ effects) * np.sqrt(sizes / (sizes + PRIOR))[:, None]


def _design(tissues: np.ndarray, tumour: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cells × (one, tissues, tumour, tumour of each tissue), and the penalty of each column."""
    own = (tissues[:, None] == np.unique(tissues)[None]).astype(float)
    is_tumour = tumour.astype(float)[:, None]
    design = np.hstack([np.ones((len(tissues), 1)), own, is_tumour, own * is_tumour])
    of_tissue, of_tumour, of_both = PENALTIES
    n = own.shape[1]
    return design, np.r_[1e-6, np.full(n, of_tissue), of_tumour, np.full(n, of_both)]


def principal_shifts(shifts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal directions of the shifts (directions × features), and their mean squares.

    The mean squares are divided by that of the shifts as a whole.
    """
    _, lengths, directions = np.linalg.svd(shifts, full_matrices=False)
    total = float((lengths**2).sum()) / max(len(shifts), 1)
    return directions, lengths**2 / max(total, 1e-12)
