"""Tables in h5ad files: values of samples with their labels."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tissuestate.errors import InputError
from tissuestate.files import atomic
from tissuestate.tables import plain_labels

if TYPE_CHECKING:
    from anndata import AnnData


def read_features(path: str | Path) -> tuple[np.ndarray, pd.DataFrame]:
    """Features (samples × features, float32) and labels (one row per sample) of an h5ad file."""
    import anndata

    try:
        table = anndata.read_h5ad(path)
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path}: not a readable h5ad file ({error}).") from error
    values = table.X.toarray() if hasattr(table.X, "toarray") else np.asarray(table.X)
    return np.ascontiguousarray(values, dtype=np.float32), plain_labels(table.obs)


def write_h5ad(path: str | Path, data: "AnnData") -> None:
    """Write an AnnData whole or not at all."""
    with atomic(path) as temporary:
        data.write_h5ad(temporary)
