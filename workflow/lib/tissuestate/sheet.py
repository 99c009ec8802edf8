"""The sample sheet: one TSV, a row a sample, checked before anything runs."""

import csv
import difflib
import io
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tissuestate.errors import InputError, nearest
from tissuestate.sheet_checks import (
    check_class,
    check_class_sizes,
    check_name,
    check_names,
    check_unique,
)
from tissuestate.tables import read_strings
from tissuestate.text import read_text

STATES = ("non-neoplastic", "peri-neoplastic", "neoplastic")
HEADS = ("disease_state", "tissue", "subtype")
UNITS = ("count", "normalised", "log2")
STRANDEDNESS = ("auto", "none", "forward", "reverse")
ORIGINS = {"fastq": "fastq_1", "bam": "bam", "sra": "sra", "matrix": "matrix"}

LABELS = ("donor", "study", "source", "disease_state", "tissue", "subtype")
ORIGIN_COLUMNS = ("fastq_1", "fastq_2", "bam", "sra", "matrix")
OPTIONAL = ("specimen", "project", "column", "unit", "strandedness")
COLUMNS = (
    *("sample", "donor", "specimen", "study", "project", "source"),
    *("disease_state", "tissue", "subtype"),
    *("origin", *ORIGIN_COLUMNS, "column", "unit", "strandedness"),
)

_PATH = re.compile(r"[\w./][\w./+=@%:-]*")
_RUN = re.compile(r"[SED]RR[0-9]{5,12}")
_UNLABELLED = (
    "training needs those; to classify new samples name the model, too: classify needs "
    "bundle=FOLDER beside samples=SHEET"
)
_NOTHING = ("NA", "N/A", "#N/A", "NaN", "nan", "None", "null", "NULL")  # how programs write it

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClassTable:
    """The classes that a sample can belong to, in the order in which they are always listed."""

    tissues: tuple[str, ...]
    subtypes_of: dict[str, tuple[str, ...]]

    @property
    def states(self) -> tuple[str, ...]:
        """The three disease states."""
        return STATES

    @property
    def subtypes(self) -> tuple[str, ...]:
        """The subtypes of all tissues."""
        return tuple(subtype for group in self.subtypes_of.values() for subtype in group)

    def of(self, head: str) -> tuple[str, ...]:
        """The classes of one head (disease_state, tissue or subtype)."""
        return {"disease_state": self.states, "tissue": self.tissues, "subtype": self.subtypes}[
            head
        ]

    def present(self, samples: pd.DataFrame) -> dict[str, list[str] | dict[str, list[str]]]:
        """The classes that occur among `samples`, in the table's order.

        Returns lists under disease_state, tissue and subtype, and under subtypes_of the subtypes
        of each tissue that has any.
        """
        here = {head: set(samples[head]) for head in HEADS}
        groups = {
            tissue: [name for name in group if name in here["subtype"]]
            for tissue, group in self.subtypes_of.items()
        }
        return {
            **{head: [name for name in self.of(head) if name in here[head]] for head in HEADS},
            "subtypes_of": {tissue: group for tissue, group in groups.items() if group},
        }

    @classmethod
    def read(cls, path: str | Path) -> "ClassTable":
        """Read a TSV with the columns tissue and subtype, a row a pair (subtype may be empty).

        Raises InputError for missing columns, unsafe names, a subtype given to two tissues, and two
        spellings of one name.
        """
        rows = _read_table(path, ("tissue", "subtype"))
        subtypes: dict[str, list[str]] = {}
        owner: dict[str, str] = {}
        tissues: dict[str, str] = {}
        own: dict[str, str] = {}
        for number, row in rows:
            tissue, subtype = row["tissue"], row["subtype"]
            check_class(path, number, "tissue", tissue, tissues)
            group = subtypes.setdefault(tissue, [])
            if not subtype:
                continue
            check_class(path, number, "subtype", subtype, own)
            if subtype in _NOTHING:
                where = f"{path}, row {number}, column subtype"
                raise InputError(f"{where}: found {subtype!r}; leave it empty where there is none.")
            if subtype in owner:
                raise InputError(
                    f"{path}, row {number}: subtype {subtype!r} is already listed under tissue "
                    f"{owner[subtype]!r}; give each subtype one tissue and one row."
                )
            owner[subtype] = tissue
            group.append(subtype)
        return cls(tuple(subtypes), {name: tuple(group) for name, group in subtypes.items()})


def read_sheet(
    paths: str | Path | Sequence[str | Path],
    classes: ClassTable | None = None,
    labelled: bool = True,
) -> pd.DataFrame:
    """Read one or more sample sheets into one validated frame of strings.

    Columns are `COLUMNS`: the sheet's own, defaults filled in ('' where nothing is said), and
    `origin` (fastq, bam, sra or matrix). Rows keep the order of the sheets; the index is 0, 1, ...
    A BOM and Windows line ends are accepted. With `labelled=False`, as for samples to be
    classified, only sample and origin are needed and labels are not looked at.

    Raises InputError naming file, row (the header is row 1), column, what was found and what was
    expected. Files that the sheet names are not looked for: see `sheet_files.check_files`.
    """
    single = isinstance(paths, str | Path)
    sheets: Sequence[str | Path] = [paths] if single else paths  # type: ignore[assignment, list-item]
    required = ("sample", *LABELS) if labelled else ("sample",)
    rows: list[dict[str, str]] = []
    places: list[tuple[str | Path, int]] = []
    for path in sheets:
        for number, row in _read_table(path, required, (*LABELS, *ORIGIN_COLUMNS, *OPTIONAL)):
            check_name(path, number, "sample", row["sample"])
            _complete(row, labelled)
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


def read_samples(path: str | Path) -> pd.DataFrame:
    """Read a validated sheet that a stage wrote (cohort/samples.tsv); strings, sample as index."""
    samples = read_strings(path)
    return samples.set_index("sample", drop=False).rename_axis(None)


def fetched(
    samples: pd.DataFrame, matrices: Sequence[str], here: Sequence[str | Path]
) -> pd.DataFrame:
    """The samples with their matrices under the paths where a job has them, `here`.

    One on S3 or the web has been copied; any other is where the sheet says.
    """
    places = dict(zip(matrices, map(str, here), strict=True))
    return samples.assign(matrix=samples["matrix"].replace(places))


def _read_table(
    path: str | Path, required: Sequence[str], known: Sequence[str] = ()
) -> list[tuple[int, dict[str, str]]]:
    """The rows of a TSV as (row number, {column: stripped cell}); the header is row 1."""
    text = read_text(path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t", strict=True)
    try:
        lines = [
            (number, [cell.strip() for cell in cells])
            for number, cells in enumerate(reader, start=1)
        ]
    except csv.Error as error:
        raise InputError(
            f"{path}, row {reader.line_num}: not tab-separated text ({error}); check its quotes."
        ) from error
    lines = [line for line in lines if any(line[1])]
    if not lines:
        raise InputError(f"{path}: the file is empty; expected a header and a row a sample.")
    header = lines[0][1]
    while header and not header[-1]:
        header.pop()
    _check_header(path, header, required, known)
    if len(lines) == 1:
        raise InputError(f"{path}: a header and no row below it; add a row a sample.")
    _check_last(path, lines, len(header), text.endswith("\n"))
    rows = []
    for number, cells in lines[1:]:
        for cell in cells:
            if "\n" in cell and "\t" in cell:
                raise InputError(
                    f'{path}, row {number}: a quote (") is opened in {cell[:20]!r} and closed rows '
                    "below, or never; remove it, or close it in its cell."
                )
        if any(cells[len(header) :]):
            raise InputError(
                f"{path}, row {number}: {len(cells)} cells under {len(header)} columns; "
                "remove the extra tabs."
            )
        cells = cells + [""] * (len(header) - len(cells))
        rows.append((number, dict(zip(header, cells, strict=False))))
    return rows


def _check_last(
    path: str | Path, lines: list[tuple[int, list[str]]], width: int, ended: bool
) -> None:
    """Raise InputError where the last row, without line end, is the only one that is too short."""
    number, last = lines[-1]
    others = [len(cells) for _, cells in lines[1:-1]]
    if not ended and others and len(last) < width <= min(others):
        raise InputError(
            f"{path}, row {number}: {len(last)} cells and no line end where the rows before have "
            f"{min(others)}; the file may be cut short: complete its last row, or copy it again."
        )


def _check_header(
    path: str | Path, header: list[str], required: Sequence[str], known: Sequence[str]
) -> None:
    for name in header:
        if header.count(name) > 1:
            raise InputError(f"{path}: two columns are named {name!r}; remove one.")
    missing = [name for name in required if name not in header]
    if missing:
        if len(header) == 1 and any(mark in header[0] for mark in ",; "):
            raise InputError(
                f"{path}: its header has one column, {header[0]!r}: separate columns by tabs "
                "(save as tab-separated text)."
            )
        if {"disease_state", "tissue"} <= set(missing) and "sample" in header:
            raise InputError(
                f"{path}: the columns {', '.join(missing)} are missing; {_UNLABELLED}."
            )
        raise InputError(
            f"{path}: column {missing[0]!r} is missing (found {', '.join(header)}); expected "
            f"{', '.join(required)}."
        )
    absent = [name for name in known if name not in header]
    for name in header:
        if known and name not in known and name not in required:
            hint = difflib.get_close_matches(name.lower(), absent, n=1, cutoff=0.8)
            if hint:
                raise InputError(f"{path}: unknown column {name!r}. Did you mean {hint[0]!r}?")
            log.info("%s: column %r is not used", path, name)
    if known and not any(name in header for name in ORIGIN_COLUMNS):
        raise InputError(
            f"{path}: no column says where the samples come from; add one of "
            f"{', '.join(ORIGIN_COLUMNS)}."
        )


def _complete(row: dict[str, str], labelled: bool) -> None:
    """Fill in the defaults of one row, in place."""
    for column in (*LABELS, *ORIGIN_COLUMNS, *OPTIONAL):
        row.setdefault(column, "")
    row["strandedness"] = row["strandedness"] or "auto"
    row["specimen"] = row["specimen"] or row["sample"]
    if not labelled:
        row.update(dict.fromkeys(("study", "source", "disease_state", "tissue", "subtype"), ""))
        row["donor"] = row["specimen"] = row["sample"]


def _check_labels(
    path: str | Path, number: int, row: dict[str, str], classes: ClassTable | None
) -> None:
    subtype = row["subtype"]
    if not any(row[column] for column in LABELS):
        raise InputError(
            f"{path}, row {number}: {', '.join(LABELS[:-1])} are empty; {_UNLABELLED}."
        )
    for column, what in (
        ("donor", "name the donor, or where that is not known each sample another"),
        ("subtype", "leave it empty where a sample has none"),
    ):
        if row[column] in _NOTHING:
            raise InputError(
                f"{path}, row {number}, column {column}: found {row[column]!r}; {what}."
            )
    allowed: dict[str, tuple[str, ...]] = {"disease_state": STATES}
    if classes is not None:
        allowed |= {"tissue": classes.tissues, "subtype": classes.subtypes}
    for column in ("donor", "specimen", "study", "source", "disease_state", "tissue", "subtype"):
        names = allowed.get(column)
        if column == "subtype" and not subtype:
            continue
        if names is None or not row[column]:
            check_name(path, number, column, row[column])
        elif row[column] not in names:
            hint = nearest(row[column], names)
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
        if (row["unit"] or labelled) and row["unit"] not in UNITS:
            raise InputError(
                f"{where}, column unit: found {row['unit'] or 'nothing'!r}; a matrix needs its "
                f"unit, one of {UNITS[0]}, {UNITS[1]} (TPM, FPKM, CPM), {UNITS[2]} (of those + 1)."
            )
    else:
        for column in ("column", "unit"):
            if row[column] and (column, row[column]) != ("unit", "count"):
                raise InputError(
                    f"{where}, column {column}: {row[column]!r} is given for a sample from "
                    f"{origin}; leave it empty, it belongs to matrices."
                )
        row["unit"] = "count"
