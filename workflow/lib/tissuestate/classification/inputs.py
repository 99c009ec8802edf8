"""Preparation of tables of new samples for a bundle: numbers, units and genes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from tissuestate.errors import InputError
from tissuestate.labels import STATED_UNITS, UNITS, is_unit, plain_unit
from tissuestate.matrices.gene_ids import describe_id_problem
from tissuestate.matrices.gene_map import GeneMap
from tissuestate.matrices.gene_rows import MappedRows
from tissuestate.matrices.genes import KINDS, Recognition
from tissuestate.matrices.screening import find_dates, guess_unit
from tissuestate.matrices.sex import express_sex, find_genes
from tissuestate.matrices.units import to_plain_unit


@dataclass(frozen=True)
class Block:
    """Samples × the bundle's genes in their own unit (NaN = missing), and facts of each sample."""

    values: np.ndarray
    samples: pd.DataFrame
    warnings: list[list[str]]  # about the values of each sample

    @property
    def is_accepted(self) -> np.ndarray:
        """Whether each sample is not refused."""
        return (self.samples["refused"] == "").to_numpy()

    def accepted_values(self) -> tuple[np.ndarray, list[str], list[str]]:
        """Values, units and names of accepted samples, as the chain takes them."""
        about = self.samples[self.is_accepted]
        return self.values[self.is_accepted], about["unit"].tolist(), about.index.tolist()


@dataclass(frozen=True)
class Genes:
    """The assignment of a table's columns to the bundle's genes."""

    mapped: MappedRows  # the columns, all genes of the map
    places: np.ndarray  # position of each symbol among the bundle's genes, or -1
    sex: np.ndarray  # position of each gene that tells the sex among the symbols, or -1
    count: int  # genes of the bundle
    sentence: str
    problem: Callable[[], str]  # advice if too few genes are found

    @classmethod
    def of(cls, frame: pd.DataFrame, genes: Sequence[str], gene_map: GeneMap) -> "Genes":
        """The assignment for a frame of samples × ids."""
        ids = [str(name) for name in frame.columns]
        # a bundle may hold genes by names that its map does not know
        mapped = MappedRows.from_ids(ids, gene_map, own_names=set(genes))
        places = pd.Index(genes).get_indexer(pd.Index(mapped.symbols))
        found = int((places >= 0).sum())
        added = int((places[mapped.rows.repeated] >= 0).sum())

        @cache
        def problem() -> str:
            if found < len(genes) / 2:
                turned = set(gene_map.to_symbols(frame.index.astype(str))[0]) & set(genes)
                if len(turned) > max(found, len(frame) / 2):
                    return "genes are in rows, expected samples there: transpose the table"
            return describe_id_problem(ids, mapped.recognition)

        sentence = _recognition_sentence(found, len(genes), mapped.recognition, ids, added)
        return cls(mapped, places, find_genes(mapped.symbols), len(genes), sentence, problem)

    @property
    def found(self) -> int:
        """Number of the bundle's genes in the table."""
        return int((self.places >= 0).sum())

    def gather(
        self, given: np.ndarray, units: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Samples × the bundle's genes, float32, NaN = missing; see `GeneRows.collapse`.

        Also of how many genes of each sample equal rows count once, and its expressed sex.
        """
        beyond = np.setdiff1d(self.sex[self.sex >= 0], np.flatnonzero(self.places >= 0))
        places = self.places.copy()
        places[beyond] = self.count + np.arange(len(beyond))
        result = np.full((len(given), self.count + len(beyond)), np.nan, dtype=np.float32)
        wanted = np.flatnonzero(places >= 0)
        result[:, places[wanted]], once = self.mapped.rows.collapse(given, units, wanted)
        sex = express_sex(result, np.append(places, -1)[self.sex], given, units)
        return result[:, : self.count], once, sex


def read_numbers(frame: pd.DataFrame) -> tuple[np.ndarray, dict[str, str]]:
    """The values as float32 (NaN = missing), and a refusal of each sample with other content."""
    kinds = {dtype.kind for dtype in frame.dtypes}
    refused: dict[str, str] = {}

    def refuse(row: int, column: int, found: str) -> None:
        refused.setdefault(
            frame.index[row],
            f"gene {str(frame.columns[column])!r}: found {found}; expected a number.",
        )

    with np.errstate(over="ignore"):
        if kinds <= set("fiu"):
            result = frame.to_numpy(np.float32, na_value=np.nan)
        else:
            result = np.empty(frame.shape, np.float32)
            for column in range(frame.shape[1]):
                for row, cell in enumerate(frame.iloc[:, column].astype(object)):
                    try:
                        absent = cell is None or cell is pd.NA or cell is pd.NaT
                        result[row, column] = np.nan if absent else float(cell)
                    except (TypeError, ValueError, OverflowError):
                        result[row, column] = np.nan
                        refuse(row, column, repr(str(cell)[:40]))
    infinite = np.isinf(result)
    for row in np.flatnonzero(infinite.any(axis=1)).tolist():
        column = int(infinite[row].argmax())
        cell = frame.iat[row, column]
        finite = np.isfinite(float(cell))
        refuse(row, column, f"{cell}, which is too large" if finite else str(cell))
    return np.where(infinite, np.float32(np.nan), result), refused


def resolve_units(
    values: np.ndarray, stated: Sequence[str], samples: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, dict[str, str]]:
    """The unit of each sample, whether it was stated, and refusals of impossible units.

    Values in a stated logarithm, such as ln(x+1), become log2(x + 1) in place.
    """
    known = ~np.isin(np.asarray(stated, dtype=object), ["", "auto"])
    units, refused = [], {}
    for name, row, unit, is_known in zip(samples, values, stated, known, strict=True):
        is_valid = is_known and is_unit(unit)
        if is_known and not is_valid:
            refused[name] = f"unit {unit!r} is unknown; use one of {STATED_UNITS}."
        if is_valid and unit not in UNITS:
            (row[:],), reasons = to_plain_unit(row[None], unit)
            if reasons:
                refused[name] = reasons[0]
        units.append(plain_unit(unit) if is_valid else guess_unit(row))
        if units[-1] != "log2" and (row < 0).any():
            refused.setdefault(
                name,
                f"{row[row < 0][0]:g} cannot be a {units[-1]} value; correct it, or the unit.",
            )
    return np.array(units, dtype=object), known, refused


def index_by_sample(series: pd.Series, what: str) -> pd.Series:
    """The series by the samples' names as text. Raises InputError for a repeated sample."""
    if isinstance(series.index, pd.MultiIndex):
        raise InputError(f"{what} has an index of {series.index.nlevels} levels; expected samples.")
    series = series.set_axis(series.index.astype(str))
    if series.index.has_duplicates:
        repeated = series.index[series.index.duplicated()][0]
        raise InputError(f"{what} of sample {repeated!r} is repeated; give it once.")
    return series


def read_mrin(mrin: pd.Series | None) -> pd.Series:
    """mRIN by sample, NaN if not known. Raises InputError if a value is not a number."""
    if mrin is None:
        return pd.Series(dtype=float)
    if not isinstance(mrin, pd.Series):
        raise InputError(f"mrin is {type(mrin).__name__}; expected a pandas Series by sample.")
    found = index_by_sample(mrin, "mrin")
    values = pd.to_numeric(found, errors="coerce").astype(float)
    wrong = found[(values.isna() & found.notna()) | np.isinf(values)]
    if len(wrong):
        raise InputError(
            f"mrin of sample {wrong.index[0]!r}: found {str(wrong.iloc[0])!r}; expected a number."
        )
    return values


def check_frame(frame: pd.DataFrame) -> None:
    """Raise InputError if `frame` is not a table of samples × genes."""
    if not isinstance(frame, pd.DataFrame):
        raise InputError("samples × genes are expected as a pandas DataFrame.")
    for axis, names, what in ((frame.index, "index", "sample"), (frame.columns, "columns", "gene")):
        if isinstance(axis, pd.MultiIndex):
            raise InputError(
                f"the {names} of the table have {axis.nlevels} levels (such as {axis[0]!r}); "
                f"expected one, a name per {what} (see droplevel)."
            )
    names = frame.index.astype(str)
    if not len(names):
        raise InputError("there is no sample to classify.")
    if names.has_duplicates:
        repeated = names[names.duplicated()][0]
        raise InputError(f"sample {repeated!r} is repeated; give each sample once.")


def _recognition_sentence(
    found: int, expected: int, recognition: Recognition, ids: Sequence[str], added: int
) -> str:
    remarks, dated = [], find_dates(ids)
    if recognition.n_aliases:
        remarks.append(f"{recognition.n_aliases:,} ids by an alias or previous symbol")
    if added and recognition.kind != "transcript":
        remarks.append(f"{added:,} genes were added up from several ids")
    if recognition.unknown:
        remarks.append(recognition.describe_unknown())
    if dated:
        remarks.append(
            f"{len(dated):,} ids are dates such as {dated[0]}, as spreadsheets make of SEPT2 or "
            "MARCH1, and are lost"
        )
    more = f" ({'; '.join(remarks)})" if remarks else ""
    return f"{found:,} of {expected:,} genes found as {KINDS[recognition.kind]}{more}"
