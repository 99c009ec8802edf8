"""Text tables read into matrices, with the faults of those that are damaged."""

import csv
import io
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from tissuestate.errors import InputError
from tissuestate.matrices.columns import Matrix, Request
from tissuestate.matrices.layouts import NULL, NUMBER, Layout, recognise_layout
from tissuestate.matrices.screening import guess_unit
from tissuestate.text import detect_kind, open_content

_NOT_GENES = ("N_unmapped", "N_multimapping", "N_noFeature", "N_ambiguous", "__")
_BLOCK = 4096  # bytes: a file cut short by a full disk is often a multiple of them
_ENOUGH = 10  # rows from which equal numbers of decimals are no chance
_CHANCE = 20  # counts by strand, below which the wrong one may be chance

log = logging.getLogger(__name__)


def are_genes(ids: np.ndarray) -> np.ndarray:
    """Mask that leaves out the rows in which STAR and htseq-count sum up reads without a gene."""
    return np.array([not name.startswith(_NOT_GENES) for name in ids.tolist()], dtype=bool)


def read_delimited(path: Path, request: Request, unit: str, strandedness: str) -> Matrix:
    """The samples wanted of a text table: see `matrices.read_matrix`."""
    layout = recognise_layout(path, unit, strandedness)
    chosen = request.choose_columns(
        layout.values,
        layout.others,
        lambda: _first_column(path, layout),
        layout.nameless,
        layout.unread,
        "" if layout.nameless else layout.header[layout.ids[0]],
    )
    if not layout.values and not chosen:
        raise InputError(f"{path}: no columns of samples beside the ids.")
    table, lacks_line_end = _parse_readable(path, layout, request, chosen)
    ids = [table[str(i)].to_numpy(zero_copy_only=False).astype(str) for i in layout.ids]
    if layout.rows is not None and (found := int((ids[0] != "").sum())) != layout.rows:
        raise InputError(
            f"{path}: its second line announces {layout.rows:,} rows, {found:,} were found; the "
            "file is cut or was edited: copy it again, or correct the second line."
        )
    if layout.sums:
        _choose_strand(table, layout, ids[0], request, chosen, strandedness)
    joined = ids[0]
    for more in ids[1:]:
        added = np.char.add(np.char.add(joined, "|"), np.char.strip(more))
        joined = np.where((joined == "") & (more == ""), "", added)
    values = {sample: column_values(table, column) for sample, column in chosen.items()}
    name = layout.name
    if name == "two columns" and all(map(_are_counts, values.values())):
        name = "htseq-count"
    return request.build_matrix(values, joined, name, lacks_line_end)


def _are_counts(values: np.ndarray) -> bool:
    return bool((values == np.round(values)).all()) or guess_unit(values) == "count"


def column_values(table: pa.Table, column: int) -> np.ndarray:
    """The values of one column of a parsed table."""
    return table[str(column)].to_numpy(zero_copy_only=False)


def parse_table(path: Path, layout: Layout, columns: Sequence[int]) -> tuple[pa.Table, bool]:
    """The named columns of the rows: ids as strings, values as float32, named by their position.

    Also whether the last row lacks its line end. Raises pyarrow.ArrowInvalid for what is no number,
    and InputError for quotes that span rows and cells beyond the header.
    """
    names = [str(i) for i in range(len(layout.header))]
    texts = {*layout.ids, *layout.empty}
    types = {
        str(i): pa.string() if i in texts else pa.float32()
        for i in sorted({*columns, *layout.ids, *layout.empty})
    }
    with open_content(path) as stream:
        for _ in range(layout.skip):
            stream.readline()
        lines = _Lines(stream)
        table = pyarrow.csv.read_csv(
            pa.PythonFile(lines, mode="r"),
            read_options=pyarrow.csv.ReadOptions(
                column_names=names, block_size=max(1 << 24, 64 * len(names))
            ),
            parse_options=pyarrow.csv.ParseOptions(delimiter=layout.delimiter),
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=list(types), column_types=types, null_values=list(NULL)
            ),
        )
    if lines.count != table.num_rows:
        _check_quotes(path, layout)
    for i in layout.empty:
        filled = pc.not_equal(pc.utf8_trim_whitespace(table[str(i)]), "")
        if pc.any(filled).as_py():
            _refuse_filled(path, layout, i)
    if lines.lacks_line_end:
        _check_end(path, layout, lines.end)
    return table, lines.lacks_line_end


class _Lines:
    """A stream whose lines are counted while it is read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._ends = 0
        self.end = b""
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(size)
        # Three times as fast as bytes.count if lines are short.
        self._ends += int(np.count_nonzero(np.frombuffer(chunk, np.uint8) == ord("\n")))
        self.end = chunk[-1:] or self.end
        return chunk

    def close(self) -> None:
        self.closed = True

    @property
    def lacks_line_end(self) -> bool:
        return self.end not in (b"", b"\n")

    @property
    def count(self) -> int:
        return self._ends + self.lacks_line_end


def _parse_readable(
    path: Path, layout: Layout, request: Request, chosen: dict[str, int]
) -> tuple[pa.Table, bool]:
    """The table of the samples that can be read; the others are refused and leave `chosen`."""
    wanted = [*layout.sums, *chosen.values()]
    try:
        return parse_table(path, layout, wanted)
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        reason = str(error).splitlines()[0]
    faults = find_faults(path, layout, sorted({*wanted}), first=not request.refuses_alone)
    for sample, column in list(chosen.items()):
        if column in faults:
            request.refuse(sample, faults[column])
            del chosen[sample]
    for column in layout.sums:
        if column in faults:
            raise InputError(faults[column])
    try:
        return parse_table(path, layout, [*layout.sums, *chosen.values()])
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        raise InputError(f"{path}: not a table of numbers ({reason}).") from error


def _choose_strand(
    table: pa.Table,
    layout: Layout,
    ids: np.ndarray,
    request: Request,
    chosen: dict[str, int],
    stated: str,
) -> None:
    """Read the strand with more than three quarters of the stranded counts, if there is one.

    Samples are refused if the sheet states the other strand, or names a column that is not read.
    """
    genes = are_genes(ids)
    sums = [float(np.nansum(column_values(table, i)[genes])) for i in layout.sums]
    forward, reverse = sums
    if stated != "auto":
        right, wrong = sums if stated == "forward" else sums[::-1]
        if wrong >= _CHANCE and wrong >= 3 * right:
            other, all_ = "reverse" if stated == "forward" else "forward", right + wrong
            sentence = (
                f"{request.path}: the sheet says strandedness {stated}, but of its counts by "
                f"strand {right:,.0f} ({right / all_:.0%}) are on that one and "
                f"{wrong:,.0f} ({wrong / all_:.0%}) on the other; write {other}, or auto."
            )
            for sample in list(chosen):
                request.refuse(sample, sentence)
                del chosen[sample]
        return
    clear = max(sums) > 3 * min(sums)
    for sample, side in list(chosen.items()):
        if clear:
            side = layout.sums[0] if forward > reverse else layout.sums[1]
        written = (request.wanted_columns or {}).get(sample, "")
        if written in layout.strands and written != layout.header[side]:
            request.refuse(
                sample,
                f"{request.path}: its reads are of {'one strand' if clear else 'both strands'}, so "
                f"{layout.header[side]!r} is read and not {written!r}; leave column empty, or set "
                f"strandedness to {layout.strands[written]}.",
            )
            del chosen[sample]
        else:
            chosen[sample] = side


def _read_rows(path: Path, layout: Layout) -> Iterator[tuple[int, int, list[str]]]:
    """First and last line number and cells of the rows, read slowly, to describe faults."""
    with open_content(path) as stream:
        for _ in range(layout.skip):
            stream.readline()
        lines = io.TextIOWrapper(stream, encoding="utf-8", errors="replace", newline="")
        try:
            reader = csv.reader(lines, delimiter=layout.delimiter)
            first = layout.skip + 1
            for cells in reader:
                last = layout.skip + reader.line_num
                if cells:
                    yield first, last, cells
                first = last + 1
        except csv.Error as error:
            raise InputError(f"{path}: not a text table ({error}).") from error


def _first_column(path: Path, layout: Layout) -> set[str]:
    return {cells[0] for _, _, cells in _read_rows(path, layout)}


def _check_quotes(path: Path, layout: Layout) -> None:
    """Raise InputError for a quote that is not closed in its row."""
    for first, last, _ in _read_rows(path, layout):
        if last > first:
            raise InputError(
                f'{path}, row {first}: a quote (") is opened and closed in row {last}, or never; '
                "remove it, or close it in its cell."
            )


def _refuse_filled(path: Path, layout: Layout, column: int) -> None:
    names = len(layout.header) - len(layout.empty)
    for number, _, cells in _read_rows(path, layout):
        if cells[column].strip():
            raise InputError(
                f"{path}, row {number}: its cell {column + 1}, {cells[column][:40]!r}, stands "
                f"under no name (the header has {names}, other rows are empty "
                "there); give each column its name, the ids too."
            )


def _check_end(path: Path, layout: Layout, end: bytes) -> None:
    """Raise InputError if a last row without line end shows that the file was cut."""
    *before, (number, _, last) = list(_read_rows(path, layout)) or [(0, 0, [""])]
    cells = [cells[-1].strip() for _, _, cells in before]
    decimals = {len(cell.partition(".")[2]) for cell in cells}
    cut = (
        (end == b"\r" and bool(before))
        or (path.stat().st_size % _BLOCK == 0 and not detect_kind(path).zipped)
        or (bool(cells) and not last[-1].strip() and all(cells))
        or (
            len(cells) >= _ENOUGH
            and len(decimals) == 1
            and len(last[-1].strip().partition(".")[2]) < min(decimals)
        )
    )
    if cut:
        raise InputError(
            f"{path}, row {number}: the last row, {layout.delimiter.join(last)[-40:]!r}, has no "
            "line end and is not complete; the file was cut short: copy it again."
        )
    log.warning("%s: its last row has no line end; the file may be cut short", path)


def find_faults(
    path: Path, layout: Layout, columns: Sequence[int], *, first: bool
) -> dict[int, str]:
    """{column: sentence on its first cell that is no number}, of all columns or the first.

    Raises InputError for rows of another length than the header and if there is no row.
    """
    faults: dict[int, str] = {}
    odd: tuple[int, list[str]] | None = None
    number = 0
    for number, last, cells in _read_rows(path, layout):
        if last > number:
            _check_quotes(path, layout)
        if odd is not None:
            break
        if len(cells) != len(layout.header):
            odd = number, cells
            continue
        if "\ufffd" in cells[layout.ids[0]]:
            raise InputError(
                f"{path}, row {number}: the id {cells[layout.ids[0]][:40]!r} is not UTF-8 text; "
                "save the file as UTF-8."
            )
        for i in columns:
            cell = cells[i].strip(" \t")
            if i in faults or cell in NULL or NUMBER.fullmatch(cell):
                continue
            comma = NUMBER.fullmatch(cell.replace(",", ""))
            how = " with a point for decimals and nothing for thousands" if comma else ""
            faults[i] = (
                f"{path}, row {number}, column {layout.header[i]!r}: found {cells[i][:40]!r} "
                f"(gene {cells[layout.ids[0]][:40]!r}); expected a number{how}."
            )
        if faults and first:
            return faults
    if number == 0:
        raise InputError(f"{path}: a header and no genes below it.")
    if odd is not None:
        raise InputError(_describe_odd_row(path, layout, *odd, last=number == odd[0]))
    return faults


def _describe_odd_row(
    path: Path, layout: Layout, number: int, cells: list[str], *, last: bool
) -> str:
    if cells[0].startswith("#"):
        return f"{path}, row {number}: a comment ({cells[0][:40]!r}) among the rows; remove it."
    short = len(cells) < len(layout.header)
    what = "the file may be cut off" if short and last else "correct the row"
    return (
        f"{path}, row {number}: {len(cells)} cells, but the header has {len(layout.header)}; "
        f"{what} ({', '.join(map(repr, cells[-3:]))[:80]} at its end)."
    )
