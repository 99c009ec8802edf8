"""The validated sample sheet, as the stages read it."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from tissuestate.tables import read_strings


def read_samples(path: str | Path) -> pd.DataFrame:
    """Read a validated sheet that a stage wrote (cohort/samples.tsv); strings, sample as index."""
    samples = read_strings(path)
    return samples.set_index("sample", drop=False).rename_axis(None)


def with_local_matrices(
    samples: pd.DataFrame, matrices: Sequence[str], here: Sequence[str | Path]
) -> pd.DataFrame:
    """The samples with the local paths of their matrices, which `here` has in the same order.

    A matrix on S3 or the web has been copied; any other keeps the path of the sheet.
    """
    places = dict(zip(matrices, map(str, here), strict=True))
    return samples.assign(matrix=samples["matrix"].replace(places))
