"""Expression of any unit on a linear scale."""

import numpy as np


def linear_scale(values: np.ndarray, unit: str) -> np.ndarray:
    """Values on the linear scale, float64, NaN if missing.

    log2 values are read as log2(x + 1); values below 0 (logarithms without the 1) become 0.
    """
    linear = np.asarray(values, dtype=np.float64)
    return np.maximum(np.exp2(linear) - 1, 0) if unit == "log2" else linear
