"""RNAseqDB's expected-count matrices as a sample sheet."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from tissuestate.errors import InputError
from tissuestate.labels import HEADS
from tissuestate.matrices.read import list_contents
from tissuestate.tables import read_strings

LABELS = ("study", "source", *HEADS)


def read_file_table(path: str | Path) -> pd.DataFrame:
    """The table of files: file (index), url, blob (git's id), the labels of its samples, note."""
    return read_strings(path).set_index("file")


def rnaseqdb_sheet(matrices: Sequence[str | Path], table: pd.DataFrame) -> pd.DataFrame:
    """A sheet with one row per sample of the matrices, labelled after the file that holds it.

    The donor is the first two fields of a GTEx name, the first three of a TCGA barcode. A name that
    occurs again gets '.2', '.3' ... as sample and stays the specimen.
    Raises InputError for a file that the table does not know, or another kind of name.
    """
    rows: list[dict[str, str]] = []
    times: dict[str, int] = {}
    for path in map(Path, matrices):
        if path.name not in table.index:
            raise InputError(f"{path}: not one of the table's files; add it with its labels.")
        for barcode in list_contents(path).columns:
            times[barcode] = times.get(barcode, 0) + 1
            rows.append(
                {
                    "sample": barcode + (f".{times[barcode]}" if times[barcode] > 1 else ""),
                    "donor": donor_of(path, barcode),
                    "specimen": barcode,
                    **{label: table.at[path.name, label] for label in LABELS},
                    "project": project_of(path),
                    "matrix": str(path),
                    "column": barcode,
                    "unit": "count",
                }
            )
    return pd.DataFrame(rows)


def project_of(path: str | Path) -> str:
    """The tissue of GTEx or the cohort of TCGA that a file of RNAseqDB is named after."""
    return Path(path).name.partition("-rsem")[0]


def donor_of(path: str | Path, barcode: str) -> str:
    """The donor of a GTEx sample name or TCGA barcode."""
    fields = barcode.split("-")
    length = {"GTEX": 2, "TCGA": 3}.get(fields[0], 0)
    if not length or len(fields) < length:
        raise InputError(f"{path}: column {barcode!r} is neither a GTEx name nor a TCGA barcode.")
    return "-".join(fields[:length])
