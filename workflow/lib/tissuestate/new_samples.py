"""Expression of new samples, read from the files that their sheet names."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from tissuestate.matrices import read_counts, read_matrix


def read_new_samples(
    sheet: pd.DataFrame, counts: Mapping[str, str | Path]
) -> Iterator[tuple[pd.DataFrame, str]]:
    """Yield frames of samples × genes (ids as they stand in the file) with their unit.

    `sheet` is a validated sheet; `counts` has the count table of each sample that comes from
    reads. Samples of one matrix and unit, or counted on
    the same genes, stand in one frame. Missing
    values stay missing.
    """
    rows = sheet[sheet["origin"] == "matrix"]
    for keys, group in rows.groupby(["matrix", "unit", "strandedness"], sort=False):
        path, unit, strandedness = (str(key) for key in keys)
        matrix = read_matrix(
            path, group["column"].tolist(), unit=unit, missing="keep", strandedness=strandedness
        )
        yield pd.DataFrame(matrix.values, group["sample"].tolist(), matrix.ids), unit
    tables: dict[bytes, tuple[np.ndarray, dict[str, np.ndarray]]] = {}
    for sample in sheet.loc[sheet["origin"] != "matrix", "sample"]:
        names, values = read_counts(counts[sample])
        ids = np.asarray(names, dtype=str)
        tables.setdefault(ids.tobytes(), (ids, {}))[1][sample] = values
    for ids, rows_of in tables.values():
        yield pd.DataFrame(np.stack(list(rows_of.values())), list(rows_of), ids), "count"
