"""The tandem rule: subtypes are called among those of the tissue that was called."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd


def route_subtypes(
    subtype: np.ndarray, called_tissue: Sequence[str] | pd.Series, classes: Mapping[str, Any]
) -> np.ndarray:
    """Probabilities of the subtypes, given the called tissue.

    subtype: samples × subtypes, of the subtype network. Only the subtypes of the called tissue
    keep theirs, scaled to sum to 1; a sample of a tissue without subtypes has NaN throughout.
    """
    names = list(classes["subtype"])
    tissues = {tissue: np.isin(names, own) for tissue, own in classes["subtypes_of"].items() if own}
    none = np.zeros(len(names), dtype=bool)
    allowed = np.array([tissues.get(tissue, none) for tissue in called_tissue], dtype=bool)
    allowed = allowed.reshape(len(subtype), len(names))
    kept = np.where(allowed, subtype, 0.0)
    total = kept.sum(axis=1, keepdims=True)
    # If every allowed subtype underflowed to 0, they are equally likely.
    kept = np.where(allowed & (total == 0), 1.0, kept)
    total = kept.sum(axis=1, keepdims=True)
    return np.divide(kept, total, out=np.full(kept.shape, np.nan), where=total > 0)


def apply_tandem(
    probabilities: Mapping[str, np.ndarray], classes: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Probabilities as a user sees them: those of subtypes given the most probable tissue."""
    shown = dict(probabilities)
    if "subtype" in shown:
        called = np.asarray(classes["tissue"])[shown["tissue"].argmax(axis=1)]
        shown["subtype"] = route_subtypes(shown["subtype"], called.tolist(), classes)
    return shown
