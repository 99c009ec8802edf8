"""Annotations in GTF as tables: exons with their line numbers, and names of genes."""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import compute, csv

from tissuestate.errors import InputError

COLUMNS = ("chrom", "source", "feature", "start", "end", "score", "strand", "frame", "attributes")
_USED = ("chrom", "feature", "start", "end", "strand", "attributes")
NAMES = ("gene_id", "gene_name", "gene", "transcript_id")
_EMPTY = b"\t" * (len(COLUMNS) - 1)
_BLOCK = 1 << 22  # bytes that are parsed at a time


@contextmanager
def open_unzipped(path: str | Path) -> Iterator[BufferedIOBase]:
    """Open a file, gzipped or not, for reading its content as bytes.

    Raises InputError if it does not exist, or, also while it is read, if it is cut off or damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the path of an existing one.")
    with path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    with gzip.open(path, "rb") if zipped else path.open("rb") as handle:
        try:
            yield handle
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise InputError(
                f"{path}: truncated or damaged ({error}); get a whole copy."
            ) from error


def read_exons(
    path: str | Path, source: str | Path | None = None, *, transcripts: bool = False
) -> pd.DataFrame:
    """Exons of a GTF, gzipped or not, in its order.

    Columns: line; chrom and strand; start and end, 1-based, both in the exon; gene_id; with
    `transcripts` also transcript_id ('' if missing). Categories stand in the order in which they
    first appear. source: the file that messages name, if it is another one.

    Raises InputError, naming the line, for a row that has not 9 columns, an exon without gene_id or
    with coordinates that are none, and for a file without exons.
    """
    source = path if source is None else source
    names = ["gene_id", "transcript_id"] if transcripts else ["gene_id"]
    parts = []
    for rows in _read_blocks(path, source):
        exons = rows.filter(compute.equal(rows["feature"], "exon"))
        text = exons.select(["start", "end"])
        exons = exons.drop_columns(text.column_names)
        for name in text.column_names:
            exons = exons.append_column(name, _parse_whole_numbers(text[name]))
        exons = _add_names(exons, names)
        _check_exons(exons, text, source)
        parts.append(exons.select(["line", "chrom", "strand", "start", "end", *names]))
    found = _join_tables(parts)
    if not len(found):
        raise InputError(f"{source}: no exon lines; expected a GTF with exon features.")
    return found


def read_names(path: str | Path) -> pd.DataFrame:
    """Each combination of gene_id, gene_name, gene and transcript_id in a GTF, in its order.

    What a line does not have is ''; lines without a gene_id are left out.
    Raises InputError for a row that has not 9 columns, and for a file that cannot be read.
    """
    parts = []
    for rows in _read_blocks(path, path):
        names = _add_names(rows, NAMES).select(NAMES)
        names = names.filter(compute.not_equal(names["gene_id"].cast(pa.string()), ""))
        parts.append(names)
    return _join_tables(parts).drop_duplicates(ignore_index=True)


def _read_blocks(path: str | Path, source: str | Path) -> Iterator[pa.Table]:
    """Rows of a GTF, a few megabytes at a time: their lines and columns as text."""
    first = 1
    for block in _whole_lines(path):
        try:
            rows = _parse_block(block)
        except pa.ArrowInvalid:  # a comment, an empty line, no UTF-8, or a fault
            rows = _parse_block(_tidy_lines(block, first, source))
        lines = pa.array(np.arange(first, first + len(rows)))
        first += len(rows)
        rows = rows.append_column("line", lines)
        comments = compute.starts_with(rows["chrom"], "#")
        yield rows.filter(compute.invert(comments)) if compute.any(comments).as_py() else rows


def _whole_lines(path: str | Path) -> Iterator[bytes]:
    """The content of a file, cut at ends of lines."""
    rest = b""
    with open_unzipped(path) as handle:
        while read := handle.read(_BLOCK):
            block = rest + read
            end = block.rfind(b"\n") + 1
            rest = block[end:]
            if end:
                yield block[:end]
    if rest:
        yield rest


def _parse_block(block: bytes) -> pa.Table:
    return csv.read_csv(
        pa.BufferReader(block),
        csv.ReadOptions(column_names=COLUMNS, use_threads=False, block_size=len(block) + 1),
        csv.ParseOptions(delimiter="\t", quote_char=False, ignore_empty_lines=False),
        csv.ConvertOptions(
            column_types=dict.fromkeys(_USED, pa.string()), include_columns=_USED, null_values=[]
        ),
    )


def _tidy_lines(block: bytes, first: int, source: str | Path) -> bytes:
    """The lines of a block, each with 9 columns in UTF-8; comments and empty lines blanked.

    Raises InputError for the first line with fewer columns.
    """
    lines = []
    for number, line in enumerate(block.splitlines(), first):
        if line.startswith(b"#") or not line.strip():
            lines.append(_EMPTY)
            continue
        fields = line.decode(errors="replace").split("\t", len(COLUMNS) - 1)
        if len(fields) < len(COLUMNS):
            raise InputError(
                f"{source}, line {number}: {len(fields)} tab-separated columns, expected the 9 of "
                f"a GTF; the line begins with {fields[0][:40]!r}."
            )
        lines.append("\t".join([*fields[:-1], fields[-1].replace("\t", " ")]).encode())
    return b"\n".join(lines) + b"\n"


def _parse_whole_numbers(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whole numbers of cells, 0 if a cell holds something else."""
    whole = compute.and_(
        compute.ascii_is_decimal(text), compute.less(compute.binary_length(text), 19)
    )
    return compute.if_else(whole, text, "0").cast(pa.int64())


def _add_names(rows: pa.Table, names: Sequence[str]) -> pa.Table:
    """The rows with these attributes as columns, '' if missing."""
    for name in names:
        pattern = rf'(?:^|[;\s]){name}[ =]"?(?P<value>[^";]+)'
        found = compute.struct_field(compute.extract_regex(rows["attributes"], pattern), "value")
        rows = rows.append_column(name, compute.fill_null(found, "").dictionary_encode())
    return rows


def _check_exons(exons: pa.Table, text: pa.Table, source: str | Path) -> None:
    """Raise InputError for the first exon without gene_id or with impossible coordinates."""
    start, end = exons["start"].to_numpy(), exons["end"].to_numpy()
    nameless = compute.equal(exons["gene_id"].cast(pa.string()), "").to_numpy()
    wrong = (start < 1) | (end < start) | nameless
    if not wrong.any():
        return
    row = int(wrong.argmax())
    where = f"{source}, line {exons['line'][row]}"
    if nameless[row]:
        raise InputError(describe_missing_name(where, "gene_id"))
    raise InputError(
        f"{where}: exon from {text['start'][row]} to {text['end'][row]}, expected two whole "
        "numbers, the first at least 1 and no larger than the second."
    )


def describe_missing_name(where: str, name: str) -> str:
    """The sentence of an exon that lacks an id."""
    return (
        f"{where}: this exon has no {name}; every exon of a GTF names its gene_id and its "
        "transcript_id."
    )


def _join_tables(parts: Sequence[pa.Table]) -> pd.DataFrame:
    """The parts as one frame, text as categories."""
    if not parts:
        return pd.DataFrame()
    table = pa.concat_tables(parts).unify_dictionaries()
    return table.to_pandas(strings_to_categorical=True, ignore_metadata=True)
