"""The sample sheet: one TSV, one row per sample, checked before anything runs."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from tissuestate.errors import InputError, suggest_nearest
from tissuestate.labels import HEADS, OTHER, SEXES, STATES, UNITS, is_unit
from tissuestate.sheet.checks import check_class_sizes, check_name, check_names, check_unique
from tissuestate.sheet.classes import ClassTable
from tissuestate.sheet.rows import EMPTY_WORDS, ORIGIN_COLUMNS, UNLABELLED, read_rows

STRANDEDNESS = ("auto", "none", "forward", "reverse")
ORIGINS = {"fastq": "fastq_1", "bam": "bam", "sra": "sra", "matrix": "matrix"}

LABELS = ("donor", "study", "source", "disease_state", "tissue", "subtype")
OPTIONAL = ("specimen", "sex", "project", "laboratory", "column", "unit", "strandedness")
COLUMNS = (
    *("sample", "donor", "sex", "specimen", "study", "project", "laboratory", "source"),
    *("disease_state", "tissue", "subtype"),
    *("origin", *ORIGIN_COLUMNS, "column", "unit", "strandedness"),
)

_PATH = re.compile(r"[\w./][\w./+=@%:-]*")
_RUN = re.compile(r"[SED]RR[0-9]{5,12}")

log = logging.getLogger(__name__)


def read_sheet(
    paths: str | Path | Sequence[str | Path],
    classes: ClassTable | None = None,
    labelled: bool = True,
) -> pd.DataFrame:
    """Read one or more sample sheets into one validated frame of strings.

    Columns are `COLUMNS`: the sheet's own, with defaults for empty cells, and
    `origin` (fastq, bam, sra or matrix). Rows keep the order of the sheets; the index is 0, 1, ...
    A BOM and Windows line ends are accepted. With `labelled=False`, as for samples to be
    classified, only sample and origin are needed, and labels are ignored.

    Raises InputError naming file, row (the header is row 1), column, what was found and what was
    expected. The files that the sheet names are checked by `content.check_files`.
    """
    single = isinstance(paths, str | Path)
    sheets: Sequence[str | Path] = [paths] if single else paths  # type: ignore[assignment, list-item]
    required = ("sample", *LABELS) if labelled else ("sample",)
    rows: list[dict[str, str]] = []
    places: list[tuple[str | Path, int]] = []
    for path in sheets:
        for number, row in read_rows(path, required, (*LABELS, *ORIGIN_COLUMNS, *OPTIONAL)):
            check_name(path, number, "sample", row["sample"])
            if not labelled and row["sample"].lower() == "index":
                raise InputError(
                    f"{path}, row {number}, column sample: {row['sample']!r} is the name of the "
                    "page that lists all samples; give the sample another name."
                )
            _complete(row, labelled)
            _check_sex(path, number, row)
            if labelled:
                _check_labels(path, number, row, classes)
            _check_origin(path, number, row, labelled)
            rows.append(row)
            places.append((path, number))
    if not rows:
        raise InputError("no sample sheet is given; name at least one in the config.")
    check_unique(rows, places)
    sheet = pd.DataFrame(rows, columns=list(COLUMNS), dtype=str)
    if labelled:
        check_names(rows, places)
        check_class_sizes(sheet, HEADS, ", ".join(map(str, sheets)))
    return sheet


def _complete(row: dict[str, str], labelled: bool) -> None:
    """Fill in the defaults of one row, in place."""
    for column in (*LABELS, *ORIGIN_COLUMNS, *OPTIONAL):
        row.setdefault(column, "")
    row["strandedness"] = row["strandedness"] or "auto"
    row["specimen"] = row["specimen"] or row["sample"]
    row["laboratory"] = row["laboratory"] or row["study"]
    if not labelled:
        row.update(dict.fromkeys(("study", "laboratory", "source", *HEADS), ""))
        row["donor"] = row["specimen"] = row["sample"]


def _check_sex(path: str | Path, number: int, row: dict[str, str]) -> None:
    if row["sex"] not in ("", *SEXES):
        raise InputError(
            f"{path}, row {number}, column sex: found {row['sex']!r}; expected "
            f"{' or '.join(SEXES)}, or leave it empty."
        )


def _check_labels(
    path: str | Path, number: int, row: dict[str, str], classes: ClassTable | None
) -> None:
    subtype = row["subtype"]
    if not any(row[column] for column in LABELS):
        raise InputError(f"{path}, row {number}: {', '.join(LABELS[:-1])} are empty; {UNLABELLED}.")
    for column, what in (
        ("donor", "name the donor; if it is unknown, give each sample a donor of its own"),
        ("subtype", "leave it empty if a sample has none"),
    ):
        if row[column] in EMPTY_WORDS:
            raise InputError(
                f"{path}, row {number}, column {column}: found {row[column]!r}; {what}."
            )
    allowed: dict[str, tuple[str, ...]] = {"disease_state": STATES}
    if classes is not None:
        allowed |= {"tissue": (*classes.tissues, OTHER), "subtype": classes.subtypes}
    columns = ["donor", "specimen", "study", "laboratory", "source"]
    if row["tissue"] == OTHER:
        _check_no_class(path, number, row)
    else:
        columns += ["disease_state", "tissue", *(["subtype"] if subtype else [])]
    for column in columns:
        names = allowed.get(column)
        if names is None or not row[column]:
            check_name(path, number, column, row[column])
        elif row[column] not in names:
            hint = suggest_nearest(row[column], names)
            if not hint and column != "disease_state":
                hint = " A class of your own belongs into the class table that the config names."
            raise InputError(
                f"{path}, row {number}, column {column}: unknown {row[column]!r}; expected one of "
                f"{', '.join(names)}.{hint}"
            )
    if subtype and row["disease_state"] != "neoplastic":
        raise InputError(
            f"{path}, row {number}, column subtype: a {row['disease_state']} sample has subtype "
            f"{subtype!r}; only neoplastic samples have one: leave it empty."
        )
    if subtype and classes is not None and subtype not in classes.subtypes_of[row["tissue"]]:
        group = ", ".join(classes.subtypes_of[row["tissue"]]) or "none"
        raise InputError(
            f"{path}, row {number}, column subtype: {subtype!r} is no subtype of "
            f"{row['tissue']} (it has: {group})."
        )


def _check_no_class(path: str | Path, number: int, row: dict[str, str]) -> None:
    """Raise InputError for a state or subtype of a sample that has no class."""
    for column in ("disease_state", "subtype"):
        if row[column]:
            raise InputError(
                f"{path}, row {number}, column {column}: found {row[column]!r} for tissue "
                f"{OTHER!r}, which is for samples of no class; leave it empty, or name the tissue."
            )


def _check_origin(path: str | Path, number: int, row: dict[str, str], labelled: bool) -> None:
    where = f"{path}, row {number}"
    given = [name for name, column in ORIGINS.items() if row[column]]
    if row["fastq_2"] and not row["fastq_1"]:
        raise InputError(f"{where}, column fastq_2: there is no fastq_1 to go with it.")
    if len(given) != 1:
        found = "none is given" if not given else f"{' and '.join(given)} are given"
        raise InputError(
            f"{where}: {found} for sample {row['sample']!r}; expected exactly one of fastq_1, "
            "bam, sra, matrix."
        )
    row["origin"] = origin = given[0]
    for column in ("fastq_1", "fastq_2", "bam", "matrix"):
        files = row[column].split(",") if column.startswith("fastq") else [row[column]]
        files = [name.strip() for name in files] if row[column] else []
        for name in files:
            if not _PATH.fullmatch(name):
                raise InputError(
                    f"{where}, column {column}: {name!r} is not a safe path; use letters, digits "
                    "and . _ / + = @ % : -, no spaces (rename the file or link to it)."
                )
        row[column] = ",".join(files)
    lanes, mates = row["fastq_1"].split(","), row["fastq_2"].split(",")
    if row["fastq_2"] and len(lanes) != len(mates):
        raise InputError(
            f"{where}: {len(lanes)} files in fastq_1 and {len(mates)} in fastq_2; give each lane "
            "its two mates, in the same order."
        )
    if origin == "sra" and not _RUN.fullmatch(row["sra"]):
        raise InputError(
            f"{where}, column sra: {row['sra']!r} is not a run accession; expected SRR, ERR or "
            "DRR and digits, such as SRR1039508."
        )
    if row["strandedness"] not in STRANDEDNESS:
        raise InputError(
            f"{where}, column strandedness: unknown {row['strandedness']!r}; expected one of "
            f"{', '.join(STRANDEDNESS)}."
        )
    if origin == "matrix":
        if (row["unit"] or labelled) and not is_unit(row["unit"]):
            raise InputError(
                f"{where}, column unit: found {row['unit'] or 'nothing'!r}; a matrix needs its "
                f"unit, one of {UNITS[0]}, {UNITS[1]} (TPM, FPKM, CPM), {UNITS[2]} (of those + 1), "
                "or a logarithm such as log2(x+0.001) or ln(x+1)."
            )
    else:
        for column in ("column", "unit"):
            if row[column] and (column, row[column]) != ("unit", "count"):
                raise InputError(
                    f"{where}, column {column}: {row[column]!r} is given for a sample from "
                    f"{origin}; leave it empty, it belongs to matrices."
                )
        row["unit"] = "count"
