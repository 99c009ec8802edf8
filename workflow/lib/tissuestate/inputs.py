"""Tables of new samples made ready for a bundle: their numbers, units and genes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tissuestate.errors import InputError
from tissuestate.genes import KINDS, Recognition
from tissuestate.screening import dates, guess_unit
from tissuestate.sheet import UNITS


@dataclass(frozen=True)
class Block:
    """Samples × the bundle's genes as they were given (NaN = missing), and facts of each sample."""

    values: np.ndarray
    samples: pd.DataFrame
    by_length: list[bool]  # whether a sample's values may be divided by gene length

    @property
    def called(self) -> np.ndarray:
        """Which samples are not refused."""
        return (self.samples["refused"] == "").to_numpy()

    def of_called(self) -> tuple[np.ndarray, list[str], list[str]]:
        """Values, units and names of those, as the chain takes them."""
        about = self.samples[self.called]
        return self.values[self.called], about["unit"].tolist(), about.index.tolist()


@dataclass(frozen=True)
class Genes:
    """Where the columns of a table belong among the bundle's genes (-1 = nowhere)."""

    places: np.ndarray
    sentence: str
    problem: str  # what to look at where too few genes are found

    def gather(self, given: np.ndarray, units: np.ndarray, genes: int) -> np.ndarray:
        """Samples × the bundle's genes, float32; several ids of one gene added up, NaN = missing.

        Logarithms are added up on the linear scale.
        """
        result = np.full((len(given), genes), np.nan, dtype=np.float32)
        order = np.argsort(self.places, kind="stable")
        order = order[self.places[order] >= 0]
        targets, starts, counts = np.unique(
            self.places[order], return_index=True, return_counts=True
        )
        result[:, targets] = given[:, order[starts]]
        logs = units == "log2"
        for i in np.flatnonzero(counts > 1):
            block = given[:, order[starts[i] : starts[i] + counts[i]]].astype(np.float64)
            summed = np.nansum(block, axis=1)
            with np.errstate(over="ignore"):  # of counts called logarithms, which are refused
                linear = np.maximum(np.exp2(block[logs]) - 1, 0)
            summed[logs] = np.log2(1 + np.nansum(linear, axis=1))
            result[:, targets[i]] = np.where(np.isnan(block).all(axis=1), np.nan, summed)
        return result


def numbers(frame: pd.DataFrame) -> np.ndarray:
    """The values as float32, NaN where missing. Raises InputError for the first that is none."""
    kinds = {dtype.kind for dtype in frame.dtypes}
    with np.errstate(over="ignore"):
        if kinds <= set("fiu"):
            return frame.to_numpy(np.float32, na_value=np.nan)
        result = np.empty(frame.shape, np.float32)
        for column, name in enumerate(frame.columns):
            for row, cell in enumerate(frame.iloc[:, column].astype(object)):
                try:
                    absent = cell is None or cell is pd.NA or cell is pd.NaT
                    result[row, column] = np.nan if absent else float(cell)
                except (TypeError, ValueError, OverflowError):
                    found = f"found {str(cell)[:40]!r}; expected a number."
                    raise InputError(
                        f"sample {frame.index[row]!r}, gene {str(name)!r}: {found}"
                    ) from None
        return result


def units_of(values: np.ndarray, stated: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The unit of each sample, and whether it was stated rather than told from the values."""
    known = ~np.isin(stated, ["", "auto"])
    units = np.array(
        [
            name if k else guess_unit(row)
            for row, name, k in zip(values, stated, known, strict=True)
        ],
        dtype=object,
    )
    unknown = sorted(set(units) - set(UNITS))
    if unknown:
        raise InputError(f"unit {unknown[0]!r} is unknown; use one of {', '.join(UNITS)}.")
    return units, known


def sentence(found: int, expected: int, recognition: Recognition, ids: Sequence[str]) -> str:
    remarks, dated, repeated = [], dates(ids), len(ids) - len(set(ids))
    if recognition.n_aliases:
        remarks.append(f"{recognition.n_aliases:,} ids by an alias or previous symbol")
    if repeated:
        remarks.append(f"{repeated:,} rows repeat an id and were added up")
    if dated:
        remarks.append(
            f"{len(dated):,} ids are dates such as {dated[0]}, as spreadsheets make of SEPT2 or "
            "MARCH1, and are lost"
        )
    more = f" ({'; '.join(remarks)})" if remarks else ""
    return f"{found:,} of {expected:,} genes found as {KINDS[recognition.kind]}{more}"


def check_values(frame: pd.DataFrame, values: np.ndarray, units: np.ndarray) -> None:
    """Raise InputError for infinite values, and for negative ones that are not logarithms."""
    bad = np.isinf(values) | ((values < 0) & (units != "log2")[:, None])
    if bad.any():
        row, column = np.unravel_index(int(np.argmax(bad)), bad.shape)
        raise InputError(
            f"sample {frame.index[row]!r}, gene {frame.columns[column]!r}: {values[row, column]:g} "
            f"cannot be a {units[row]} value; correct the matrix or its unit."
        )
