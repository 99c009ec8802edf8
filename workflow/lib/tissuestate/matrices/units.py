"""Expression of any unit on a linear scale."""

import numpy as np


def linear_scale(values: np.ndarray, unit: str, added: np.ndarray | None = None) -> np.ndarray:
    """Values on the linear scale, float64, NaN if missing.

    log2 values y of one sample, or of each row of samples × genes, are read as log2(x + c): x is
    2^y - c, c what was `added` before the logarithm, by default as `added_before_log` infers it.
    """
    linear = np.asarray(values, dtype=np.float64)
    if unit != "log2":
        return linear
    return np.exp2(linear) - (added_before_log(linear) if added is None else added)


def added_before_log(values: np.ndarray) -> np.ndarray:
    """What was added to a sample's values before log2, of shape (1,) or samples × 1.

    It is 1 unless values are below 0, which logarithms of a value + 1 cannot be. Then the smallest
    is taken for the logarithm of 0 + c, because some gene of a tissue is not expressed.
    """
    smallest = np.fmin.reduce(values, axis=-1, keepdims=True, initial=0)
    return np.exp2(np.asarray(smallest, dtype=np.float64))
