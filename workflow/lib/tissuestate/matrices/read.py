"""Expression matrices of every common layout, read into samples × genes."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from tissuestate.errors import InputError
from tissuestate.labels import plain_unit
from tissuestate.matrices.binary import h5ad_samples, parquet_samples, read_h5ad, read_parquet
from tissuestate.matrices.columns import Matrix, Request
from tissuestate.matrices.delimited import are_genes, column_values, parse_table, read_delimited
from tissuestate.matrices.layouts import COUNTED, recognise_layout
from tissuestate.matrices.screening import are_row_positions
from tissuestate.matrices.units import to_plain_unit
from tissuestate.text import HDF5, PARQUET, detect_kind

__all__ = ["COUNTED", "Matrix", "Missing", "list_contents", "read_counts", "read_matrix"]

Missing = Literal["error", "drop", "zero", "keep"]

log = logging.getLogger(__name__)


def read_matrix(
    path: str | Path,
    wanted: Mapping[str, str] | None = None,
    *,
    unit: str = "count",
    missing: Missing = "error",
    strandedness: str = "auto",
) -> Matrix:
    """Read the samples wanted (None: all) of a matrix file.

    `wanted` has for each sample the column that the sheet names, which must be in the file; if
    it is '', the column of the sample's name is read, or the only one of the file.

    Layouts: TSV and CSV (genes in rows, ids first), RNAseqDB, featureCounts, STAR ReadsPerGene, GDC
    STAR counts, GCT, RSEM, salmon, kallisto, StringTie and htseq-count, each gzipped or not;
    Parquet (genes in rows); h5ad (samples × genes); recognised by content, not by name.
    `unit` (see `labels.is_unit`, or '' if it is not stated) chooses between counts and TPM
    if a file has both (counts for ''), and allows negative values for logarithms and ''. A stated
    logarithm such as ln(x+1) comes as log2(x + 1), see `labels.plain_unit`. Missing
    values are an `error`, or `drop` their gene, or mean `zero`, or are kept as NaN (`keep`).
    `strandedness` chooses STAR's column; auto takes the strand that has more than three quarters of
    the stranded counts, a stated one is refused if the other has three quarters or more.

    Raises InputError for a file that is no matrix, is cut short or damaged, and for a sample that
    is not in it, or has text, negative, infinite or no values. With `keep` such a sample is among
    the `refusals` of the result, and the others are read.
    """
    path = Path(path)
    request = Request(path, wanted, missing == "keep")
    kind = _detect_format(path)
    if kind == HDF5:
        matrix = read_h5ad(path, request)
    elif kind == PARQUET:
        matrix = read_parquet(path, request)
    else:
        matrix = read_delimited(path, request, unit, strandedness)
    known = (matrix.ids != "") | ~np.isnan(matrix.values).all(axis=0)
    known &= are_genes(matrix.ids)
    if not known.all():
        matrix = _select_genes(matrix, known)
    if len(matrix.ids) == 0:
        raise InputError(f"{path}: the matrix has no genes.")
    if are_row_positions(matrix.ids):
        raise InputError(
            f"{path}: its first column numbers the rows ({matrix.ids[0]}, {matrix.ids[1]}, …); "
            "write the gene ids there (in pandas index=False, in R row.names = FALSE)."
        )
    matrix = _check_values(matrix, request, plain_unit(unit))
    return _fill_missing(path, _convert_values(matrix, request, unit), missing)


@dataclass(frozen=True)
class Contents:
    """Layout of a matrix file, and the columns that hold samples: [''] if it names no sample."""

    layout: str
    columns: list[str]


def list_contents(path: str | Path, unit: str = "") -> Contents:
    """What a matrix file holds, without reading its values.

    `unit` as in `read_matrix`. Raises InputError for a file that is no matrix.
    """
    path = Path(path)
    kind = _detect_format(path)
    if kind == HDF5:
        return Contents("h5ad", h5ad_samples(path))
    if kind == PARQUET:
        return Contents("Parquet", parquet_samples(path))
    layout = recognise_layout(path, unit, "auto")
    return Contents(layout.name, [""] if layout.nameless else list(layout.values))


def _detect_format(path: Path) -> str:
    """HDF5, PARQUET or '' for text. Raises InputError for a file that is not there or is none."""
    if path.is_dir():
        raise InputError(f"{path}: a folder, expected a file; name the files in it.")
    if not path.is_file():
        raise InputError(f"{path}: no such matrix; correct its path.")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the matrix is empty (0 bytes); copy it again.")
    kind = detect_kind(path)
    if kind.name in (HDF5, PARQUET) and kind.zipped:
        raise InputError(f"{path}: {kind}; unpack it with gunzip.")
    if kind.name not in (HDF5, PARQUET) and path.suffix.lower() in (".h5ad", ".parquet"):
        raise InputError(f"{path}: not a readable {path.suffix[1:]} file (it holds {kind}).")
    return kind.name if kind.name in (HDF5, PARQUET) else ""


def read_counts(path: str | Path) -> tuple[pa.StringArray, np.ndarray]:
    """Ids and counts (float32) of the count table of one sample that featureCounts wrote.

    What `read_matrix` does, for many files with the same ids: they come as an Arrow array, which is
    fast to compare. Raises InputError as `read_matrix` does.
    """
    path = Path(path)
    layout = recognise_layout(path, "count", "none")
    if len(layout.values) != 1:
        raise InputError(f"{path}: {len(layout.values)} samples in the counts of one sample.")
    column = next(iter(layout.values.values()))
    try:
        table, lacks_line_end = parse_table(path, layout, [column])
    except pa.ArrowException as error:
        read_matrix(path)  # raises InputError that names the fault
        raise InputError(f"{path}: not a table of counts ({error}).") from error
    counts = column_values(table, column)
    if lacks_line_end or len(counts) == 0 or not (counts >= 0).all() or np.isinf(counts).any():
        read_matrix(path)
    return table[str(layout.ids[0])].combine_chunks(), counts


def _select_genes(matrix: Matrix, genes: np.ndarray) -> Matrix:
    return replace(matrix, values=matrix.values[:, genes], ids=matrix.ids[genes])


def _check_values(matrix: Matrix, request: Request, unit: str) -> Matrix:
    """The matrix whose samples have values that a unit can have; others are refused."""
    values, path = matrix.values, request.path
    infinite = np.isinf(values)
    negative = values < 0 if unit not in ("log2", "") else np.zeros((len(values), 1), dtype=bool)
    flaws = (
        (
            infinite,
            "is no expression value: it is infinite or too large (above 3.4e38); correct the "
            "matrix.",
        ),
        (
            negative,
            f"is negative, which a {unit} cannot be; correct it, or give the unit as log2 if these "
            "are logarithms.",
        ),
    )
    for found, reason in flaws:
        for row in np.flatnonzero(found.any(axis=1)):
            gene = int(np.argmax(found[row]))
            place = f"gene {str(matrix.ids[gene])!r} in column {matrix.columns[row]!r}"
            sample = matrix.samples[row]
            request.refuse(sample, f"{path}: {values[row, gene]:g} for {place} {reason}")
            values[row] = np.nan
    return matrix


def _convert_values(matrix: Matrix, request: Request, unit: str) -> Matrix:
    """The matrix in the plain form of the unit stated; samples that cannot have it are refused."""
    values, refused = to_plain_unit(matrix.values, unit)
    for row, reason in refused.items():
        request.refuse(matrix.samples[row], f"{request.path}: {reason}")
        values[row] = np.nan
    return replace(matrix, values=values)


def _fill_missing(path: Path, matrix: Matrix, missing: Missing) -> Matrix:
    """The matrix without missing values, or with those that are kept."""
    absent = np.isnan(matrix.values)
    if not absent.any():
        return matrix
    for row in np.flatnonzero(absent.all(axis=1)):
        sentence = (
            f"{path}: all {len(matrix.ids):,} values in column {matrix.columns[row]!r} are missing."
        )
        if missing in ("error", "zero"):
            raise InputError(sentence)
        if missing == "keep":
            matrix.refusals.setdefault(matrix.samples[row], sentence)
    if missing == "keep":
        return matrix
    genes = absent.any(axis=0)
    if missing == "error":
        sample, gene = np.unravel_index(int(np.argmax(absent)), absent.shape)
        place = f"gene {str(matrix.ids[gene])!r} in column {matrix.columns[sample]!r}"
        raise InputError(
            f"{path}: {absent.sum():,} values of {genes.sum():,} genes are missing, the first for "
            f"{place}; fill them in, or set missing_values to 'drop' to leave these genes out or "
            "to 'zero' if they mean zero."
        )
    if missing == "zero":
        log.warning("%s: %d missing values are read as zero", path, absent.sum())
        zero = np.fmin.reduce(matrix.values, axis=1, keepdims=True, initial=0)  # or its logarithm
        return replace(matrix, values=np.where(absent, zero, matrix.values))
    if genes.all():
        raise InputError(f"{path}: every gene has missing values: nothing would be left.")
    log.warning("%s: %d genes with missing values are left out", path, genes.sum())
    return _select_genes(matrix, ~genes)
