"""A user's own table of transcripts and genes, as tximport takes it, or an annotation in GTF."""

import csv
import io
import re
from pathlib import Path

from tissuestate.errors import InputError
from tissuestate.matrices.genes import are_transcripts, plain_id
from tissuestate.reference.gtf import open_unzipped, read_names
from tissuestate.text import detect_kind

_GTF_COLUMNS = 9
# Names of columns that a header has, and that no transcript or gene has.
_HEADER = re.compile(r"(tx|target|transcript|gene|name|id|symbol|ensembl|feature)", re.I)


def read_tx2gene(path: str | Path) -> dict[str, str]:
    """{transcript: its gene, an id or a symbol}, versions of ids removed.

    The file, gzipped or not, is a GTF, or a table whose first two columns, separated by tabs,
    commas, semicolons or spaces, are transcripts and genes in either order, with or without a
    header. Raises InputError, naming the row, for a row without both, and for a transcript with two
    genes.
    """
    lines = _read_lines(path)
    first = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    if first.count("\t") == _GTF_COLUMNS - 1:
        names = read_names(path)
        rows = [
            (0, str(transcript), str(gene))
            for transcript, gene in zip(names["transcript_id"], names["gene_id"], strict=True)
            if transcript
        ]
        if not rows:
            raise InputError(f"{path}: no line has a transcript_id; give an annotation in GTF.")
    else:
        rows = _parse_rows(path, lines)
    found: dict[str, str] = {}
    for number, transcript, gene in rows:
        name, gene = plain_id(transcript), plain_id(gene)
        if found.setdefault(name, gene) != gene:
            where = f"{path}, row {number}" if number else str(path)
            raise InputError(
                f"{where}: {transcript!r} is of {gene!r} here, and of {found[name]!r} before; "
                "expected one gene of each transcript. Remove one of the two."
            )
    return found


def _read_lines(path: str | Path) -> list[str]:
    with open_unzipped(path) as handle:
        kind = detect_kind(path)
        if kind.name:
            raise InputError(
                f"{path}: {kind}; expected a text of transcripts and their genes: {kind.advice}."
            )
        try:
            return handle.read().decode("utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise InputError(
                f"{path}: its text is not UTF-8 (byte {error.start}); save it as UTF-8 text."
            ) from error


def _parse_rows(path: str | Path, lines: list[str]) -> list[tuple[int, str, str]]:
    """(row, transcript, gene) of each row of a table, its header left out."""
    first = next((line for line in lines if line.strip()), "")
    mark = next((mark for mark in "\t,; " if mark in first), None)
    if mark is None:
        raise InputError(
            f"{path}: found {first[:40]!r} in its first row, expected two columns, transcripts and "
            "their genes. Separate them by tabs."
        )
    cells = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=mark, skipinitialspace=True))
    rows = []
    for number, row in enumerate(cells, start=1):
        if not any(cell.strip() for cell in row):
            continue
        names = [cell.strip() for cell in row[:2]]
        if len(names) < 2 or not all(names):
            raise InputError(
                f"{path}, row {number}: found {mark.join(row)[:60]!r}, expected a transcript and "
                "its gene. Complete the row, or remove it."
            )
        rows.append((number, names[0], names[1]))
    if rows and _HEADER.match(rows[0][1]) and not are_transcripts(rows[0][1:]).any():
        rows = rows[1:]
    if not rows:
        raise InputError(f"{path}: a header, but no row below it; add one row per transcript.")
    first_ones, second_ones = [row[1] for row in rows], [row[2] for row in rows]
    if are_transcripts(second_ones).sum() > are_transcripts(first_ones).sum():
        return [(number, second, first) for number, first, second in rows]
    return rows
