"""A user's own table of transcripts and genes, as tximport takes it, or an annotation in GTF."""

import re
from pathlib import Path

from tissuestate.errors import InputError
from tissuestate.matrices.genes import are_transcripts, plain_id
from tissuestate.matrices.layouts import split_cells
from tissuestate.reference.gtf import read_names
from tissuestate.text import detect_kind, open_content

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
    path = Path(path)
    kind = detect_kind(path)
    if kind.name:
        raise InputError(
            f"{path}: {kind}; expected a text of transcripts and their genes: {kind.advice}."
        )
    with open_content(path) as stream:
        lines = (line for line in stream if line.strip() and not line.startswith(b"#"))
        first = next(lines, b"")
    is_annotation = first.count(b"\t") == _GTF_COLUMNS - 1
    rows = _read_annotation(path) if is_annotation else _read_rows(path, first)
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


def _read_annotation(path: str | Path) -> list[tuple[int, str, str]]:
    """(0, transcript, gene) of each transcript of a GTF."""
    names = read_names(path)
    rows = [
        (0, str(transcript), str(gene))
        for transcript, gene in zip(names["transcript_id"], names["gene_id"], strict=True)
        if transcript
    ]
    if not rows:
        raise InputError(f"{path}: no line has a transcript_id; give an annotation in GTF.")
    return rows


def _read_rows(path: Path, first: bytes) -> list[tuple[int, str, str]]:
    """(row, transcript, gene) of each row of a table, its header left out; `first` is its first."""
    mark = next((mark for mark in "\t,; " if mark.encode() in first), None)
    if mark is None:
        raise InputError(
            f"{path}: found {first.decode(errors='replace').strip()[:40]!r} in its first row, "
            "expected two columns, transcripts and their genes. Separate them by tabs."
        )
    rows = []
    with open_content(path) as stream:
        for number, line in enumerate(stream, start=1):
            cells = split_cells(path, line, mark)
            if mark == " ":
                cells = list(filter(None, cells))
            if not any(cells):
                continue
            if len(cells) < 2 or not all(cells[:2]):
                raise InputError(
                    f"{path}, row {number}: found {mark.join(cells)[:60]!r}, expected a transcript "
                    "and its gene. Complete the row, or remove it."
                )
            rows.append((number, cells[0], cells[1]))
    if rows and _HEADER.match(rows[0][1]) and not are_transcripts(rows[0][1:]).any():
        rows = rows[1:]
    if not rows:
        raise InputError(f"{path}: a header, but no row below it; add one row per transcript.")
    first_ones, second_ones = [row[1] for row in rows], [row[2] for row in rows]
    if are_transcripts(second_ones).sum() > are_transcripts(first_ones).sum():
        return [(number, second, first) for number, first, second in rows]
    return rows
