"""Expression of any unit on a linear scale."""

import numpy as np

from tissuestate.labels import parse_logarithm

ROUNDED = 0.06  # logarithms may be rounded to a tenth


def linear_scale(values: np.ndarray, unit: str, added: np.ndarray | None = None) -> np.ndarray:
    """Values on the linear scale, float64, NaN if missing.

    log2 values y of one sample, or of each row of samples × genes, are read as log2(x + c): x is
    2^y - c, c what was `added` before the logarithm, by default as `added_before_log` infers it.
    """
    linear = np.asarray(values, dtype=np.float64)
    if unit != "log2":
        return linear
    return np.exp2(linear) - (added_before_log(linear) if added is None else added)


def to_plain_unit(values: np.ndarray, unit: str) -> tuple[np.ndarray, dict[int, str]]:
    """Values of samples × genes in `plain_unit(unit)`, and why rows cannot be of the unit stated.

    A stated logarithm becomes log2(x + 1); other values stay as they are.
    """
    logarithm = parse_logarithm(unit)
    if logarithm is None:
        return values, {}
    base, added = logarithm
    with np.errstate(over="ignore"):
        linear = np.power(base, np.asarray(values, dtype=np.float64)) - added
    smallest = np.fmin.reduce(values, axis=1, initial=np.inf)
    zero, refused = np.log(added) / np.log(base), {}
    for row in np.flatnonzero(smallest < zero - ROUNDED).tolist():
        refused[row] = (
            f"its smallest value, {smallest[row]:.4g}, is below {zero:.4g}, the logarithm of 0 as "
            f"{unit}; state what was added to the values, or log2."
        )
    plain = np.log2(1 + np.maximum(linear, 0))
    return plain.astype(values.dtype, copy=False), refused


def added_before_log(values: np.ndarray) -> np.ndarray:
    """What was added to a sample's values before log2, of shape (1,) or samples × 1.

    It is 1 unless values are below 0, which logarithms of a value + 1 cannot be. Then the smallest
    is taken for the logarithm of 0 + c, because some gene of a tissue is not expressed.
    """
    smallest = np.fmin.reduce(values, axis=-1, keepdims=True, initial=0)
    return np.exp2(np.asarray(smallest, dtype=np.float64))
