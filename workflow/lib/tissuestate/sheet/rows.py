"""The rows of a TSV that a person wrote, checked as text."""

import csv
import difflib
import io
import logging
from collections.abc import Sequence
from pathlib import Path

from tissuestate.errors import InputError
from tissuestate.text import read_text

log = logging.getLogger(__name__)


ORIGIN_COLUMNS = ("fastq_1", "fastq_2", "bam", "sra", "matrix")


UNLABELLED = (
    "training needs those; new samples are classified by: snakemake classify --cores 2 --config "
    "samples=SHEET"
)


EMPTY_WORDS = (
    "NA",
    "N/A",
    "#N/A",
    "NaN",
    "nan",
    "None",
    "null",
    "NULL",
)  # how programs write an empty cell


def read_rows(
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
        raise InputError(f"{path}: the file is empty; expected a header and one row per sample.")
    header = lines[0][1]
    while header and not header[-1]:
        header.pop()
    _check_header(path, header, required, known)
    if len(lines) == 1:
        raise InputError(f"{path}: a header, but no row below it; add one row per sample.")
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
    """Raise InputError if the last row alone is too short and has no line end."""
    number, last = lines[-1]
    others = [len(cells) for _, cells in lines[1:-1]]
    if not ended and others and len(last) < width <= min(others):
        raise InputError(
            f"{path}, row {number}: {len(last)} cells and no line end, but the rows before have "
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
            raise InputError(f"{path}: the columns {', '.join(missing)} are missing; {UNLABELLED}.")
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
