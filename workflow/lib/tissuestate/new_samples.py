"""Expression of new samples, read from the files that their sheet names."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from tissuestate.matrices import COUNTED, read_counts, read_matrix


def read_new_samples(
    sheet: pd.DataFrame, counts: Mapping[str, str | Path]
) -> Iterator[tuple[pd.DataFrame, str]]:
    """Yield frames of samples × genes (ids as they stand in the file) with their unit.

    `sheet` is a validated sheet; `counts` has the count table of each sample that comes from
    reads. Samples of the same unit and genes stand in one frame, whatever files they come from.
    Missing values stay missing.
    """
    groups: dict[tuple[str, bytes], tuple[np.ndarray, list[str], list[np.ndarray]]] = {}

    def add(unit: str, ids: np.ndarray, samples: list[str], values: np.ndarray) -> None:
        _, names, blocks = groups.setdefault((unit, ids.tobytes()), (ids, [], []))
        names += samples
        blocks.append(values)

    rows = sheet[sheet["origin"] == "matrix"]
    for keys, group in rows.groupby(["matrix", "unit", "strandedness"], sort=False):
        path, unit, strandedness = (str(key) for key in keys)
        wanted = dict(zip(group["sample"], group["column"], strict=True))
        matrix = read_matrix(path, wanted, unit=unit, missing="keep", strandedness=strandedness)
        told = unit or ("count" if matrix.layout in COUNTED else "")
        add(told, matrix.ids, matrix.samples, matrix.values)
    for sample in sheet.loc[sheet["origin"] != "matrix", "sample"]:
        names, values = read_counts(counts[sample])
        add("count", np.asarray(names, dtype=str), [sample], values[None, :])
    for unit, key in list(groups):
        ids, samples, blocks = groups.pop((unit, key))
        values = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        yield pd.DataFrame(values, samples, ids), unit
