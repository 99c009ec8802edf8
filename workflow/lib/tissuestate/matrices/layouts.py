"""Layouts of text tables: the line where rows begin, the columns of ids and of samples."""

import csv
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from tissuestate.errors import InputError
from tissuestate.matrices.columns import is_annotation, positions_by_name
from tissuestate.text import detect_kind, open_content

NUMBER = re.compile(r"[ \t]*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[ \t]*")
NULL = ("", "NA", "N/A", "NaN", "nan", "-nan", "null", "NULL", "None", "#N/A", "n/a")
_LOOKED_AT = 20  # rows
_LONGEST = 1 << 26  # bytes of a line: a million names have fewer
_ID_NAME = re.compile(
    r"(?i)(.*[^a-z0-9])?((gene|transcript|probe|probeset|target|ensembl|entrez|hgnc|hugo|feature)?_?"
    r"(ids?|names?|symbols?)|genes?|transcripts?|target|feature|ensembl|entrez|hgnc|hugo|probe)"
    r"([^a-z0-9].*)?"
)
_SINGLE = {  # one sample per file: first columns of the header, counts, abundances, id column
    "RSEM": (("gene_id", "transcript_id(s)"), "expected_count", "TPM", 0),
    "RSEM isoforms": (("transcript_id", "gene_id"), "expected_count", "TPM", 1),
    "salmon": (("Name", "Length", "EffectiveLength"), "NumReads", "TPM", 0),
    "kallisto": (("target_id", "length", "eff_length"), "est_counts", "tpm", 0),
    "GDC STAR": (("gene_id", "gene_name", "gene_type"), "unstranded", "tpm_unstranded", 0),
    "StringTie": (("Gene ID", "Gene Name", "Reference"), "", "TPM", 0),
}
_STRANDS = {"unstranded": "none", "stranded_first": "forward", "stranded_second": "reverse"}
# Layouts whose values are counts unless another unit is stated.
COUNTED = {*_SINGLE, "STAR", "htseq-count", "featureCounts"} - {"StringTie"}
_FEATURE_COUNTS = ("Geneid", "Chr", "Start", "End", "Strand", "Length")
_GENERIC = ("quant", "abundance", "ReadsPerGene", "t_data", "gene_abund")  # names of any sample's


@dataclass(frozen=True)
class Layout:
    """Layout of a text table: its first row, the columns of ids and the columns of values."""

    name: str
    delimiter: str
    skip: int  # lines before the first row
    header: list[str]
    ids: tuple[int, ...]  # columns whose cells, joined by '|', are the ids
    values: dict[str, int]  # sample: column
    others: dict[str, int] = field(default_factory=dict)  # read only if the sheet names them
    empty: tuple[int, ...] = ()  # columns without name that must hold nothing
    nameless: str = ""  # of one sample: which column is read
    unread: tuple[str, ...] = ()  # of one sample: columns that are there, but are not read
    sums: tuple[int, ...] = ()  # columns whose sums show the strand: STAR's
    strands: dict[str, str] = field(default_factory=dict)  # column: strandedness that reads it
    rows: int | None = None  # the number that the file announces


def split_cells(path: Path, line: bytes, delimiter: str) -> list[str]:
    """The stripped cells of a line."""
    try:
        rows = list(csv.reader([line.decode("utf-8").rstrip("\r\n")], delimiter=delimiter))
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: its text is not UTF-8 ({line[:40]!r}); save it as UTF-8."
        ) from error
    except csv.Error as error:
        raise InputError(f"{path}: not a text table ({error}).") from error
    return [cell.strip() for cell in rows[0]] if rows else []


def recognise_layout(path: Path, unit: str, strandedness: str) -> Layout:
    """The layout of a text table, recognised from its first lines.

    Raises InputError for a file that is no text table, naming what it is.
    """
    kind = detect_kind(path)
    if kind.name:
        raise InputError(f"{path}: {kind}, not a table of text; {kind.advice}.")
    lines, skip = _first_lines(path)
    if b"\r" in lines[0].rstrip(b"\r\n"):
        raise InputError(
            f"{path}: its lines end as those of old Macintosh computers; save it with Windows or "
            "Unix line ends."
        )
    if not lines[0].strip(b"\t, \r\n"):
        raise InputError(f"{path}: no header line; a matrix begins with the names of its samples.")
    if lines[0].startswith((b"#1.2", b"#1.3")):
        return _gct_layout(path, lines, skip)
    delimiter = "\t" if b"\t" in lines[0] else ","
    header = split_cells(path, lines[0], delimiter)
    if len(header) < 2:
        raise InputError(
            f"{path}: its first line has one column, {header[0][:40]!r}; a matrix is separated by "
            "tabs or commas, not by semicolons or spaces, ids first. Delete a title above the "
            "header."
        )
    rows = [split_cells(path, line, delimiter) for line in lines[1:] if line.strip()]
    plain = Layout("matrix", delimiter, skip + 1, header, (0,), {})
    if header[0] == "N_unmapped" or _is_row(header, rows):
        return _headerless_layout(path, replace(plain, skip=skip), strandedness)
    header, empty = _match_header(path, header, rows[0] if rows else header, skip + 2)
    plain = replace(plain, header=header, empty=empty)
    for layout, (first, counts, abundances, _) in _SINGLE.items():
        if tuple(header[: len(first)]) == first and {counts, abundances} - {""} <= set(header):
            return _single_sample_layout(path, layout, plain, unit, strandedness)
    if header[:2] == ["Hugo_Symbol", "Entrez_Gene_Id"]:
        columns = range(2, len(header) - len(empty))
        values = positions_by_name(path, [header[i] for i in columns], columns)
        return replace(plain, name="RNAseqDB", ids=(0, 1), values=values)
    return _many_samples_layout(path, plain, rows)


def _first_lines(path: Path) -> tuple[list[bytes], int]:
    """The first line that is no comment with some that follow, and the number of lines before."""
    with open_content(path) as stream:
        line, skip = stream.readline(_LONGEST), 0
        while (line.startswith(b"#") and not line.startswith((b"#1.2", b"#1.3"))) or (
            not skip and line[:4].lower() == b"sep=" and len(line.rstrip()) <= 5
        ):
            line, skip = stream.readline(_LONGEST), skip + 1
        lines = [line, *(stream.readline(_LONGEST) for _ in range(_LOOKED_AT))]
    if any(len(line) == _LONGEST for line in lines):
        raise InputError(f"{path}: a line of more than {_LONGEST:,} bytes; this is no table.")
    return lines, skip


def _names_ids(header: list[str]) -> bool:
    """Whether the first cell of a header is the name of the ids, not of a sample as the others."""
    like = [_ID_NAME.fullmatch(name) is not None for name in header]
    return bool(header) and (not header[0] or (like[0] and (len(like) == 1 or not all(like))))


def _is_row(cells: list[str], rows: list[list[str]]) -> bool:
    """Whether a first line is a row as those below, of an id, numbers and text, and no header."""
    if rows and all(len(row) == len(cells) + 1 and row[-1] for row in rows):
        return False  # of a header without a name above the ids
    values = [cell for i, cell in enumerate(cells) if i and cell and not _is_text(rows, i)]
    named = (
        not cells[0]
        or _ID_NAME.fullmatch(cells[0])
        or any(is_annotation(cells[i]) for i in range(1, len(cells)) if _is_text(rows, i))
    )
    return not named and bool(values) and all(v in NULL or NUMBER.fullmatch(v) for v in values)


def _match_header(
    path: Path, header: list[str], row: list[str], number: int
) -> tuple[list[str], tuple[int, ...]]:
    """The header with a name for each cell of a row, and the columns that must be empty.

    Those arise if rows or header end in delimiters. A header that is one cell short lacks the name
    above the ids, as R's write.table leaves it. Raises InputError if this is ambiguous.
    """
    names, cells = list(header), list(row)
    while names and not names[-1]:
        names.pop()
    while len(cells) > len(names) and not cells[-1]:
        cells.pop()
    ended, named = len(header) > len(names), _names_ids(names)
    if len(cells) == len(names) + 1 and not ended and not named:
        names = ["", *names]
    if len(cells) > len(names) or (len(row) > len(header) == len(names) and not named):
        end = " ends in a delimiter and" if ended else ""
        found, above = (", ".join(map(repr, line[:4])) for line in (row, header))
        raise InputError(
            f"{path}, row {number}: {len(row)} cells ({found}, …), but the header{end} has "
            f"{len(header)} ({above}, …), so that the names cannot be assigned; give each "
            "column its name, the ids too, and delete a title above the header."
        )
    extra = range(len(names), max(len(row), len(names)))
    return [*names, *("" for _ in extra)], tuple(extra)


def _headerless_layout(path: Path, plain: Layout, strandedness: str) -> Layout:
    """The layout of counts of htseq-count or STAR, which have no header."""
    width = len(plain.header)
    star = plain.header[0] == "N_unmapped" or (width == 4 and "ReadsPerGene" in path.name)
    if width != 2 and not (star and width == 4):
        raise InputError(
            f"{path}: its first line is a row ({', '.join(plain.header[:4])}), not a header; write "
            "the names of the samples above it, and 'gene' above the ids."
        )
    column = {"forward": 2, "reverse": 3}.get(strandedness, 1) if width == 4 else 1
    others = {name: column for name in _possible_names(path)}
    return replace(
        plain,
        name="STAR" if width == 4 else "two columns",
        values={path.name.split(".")[0]: column},
        others=others,
        nameless="the file has no header and one sample: leave column empty in the sheet",
        sums=(2, 3) if width == 4 and strandedness != "none" else (),
    )


def _single_sample_layout(
    path: Path, layout: str, plain: Layout, unit: str, strandedness: str
) -> Layout:
    """The layout of a table of one sample that a quantifier wrote."""
    header = plain.header
    _, counts, abundances, ids = _SINGLE[layout]
    counted = unit in ("count", "") and bool(counts)
    if unit == "count" and not counts:
        raise InputError(
            f"{path}: a table of {layout} has no counts; give the unit as normalised (its "
            f"{abundances} is read)."
        )
    column = header.index(counts if counted else abundances)
    sums: tuple[int, ...] = ()
    strands: dict[str, str] = {}
    read, where = header[column], f"the unit is {unit or 'left empty'}"
    if layout == "GDC STAR" and counted and {*_STRANDS} <= set(header):
        if strandedness != "none":
            sums = (header.index("stranded_first"), header.index("stranded_second"))
        if strandedness == "auto":
            strands = _STRANDS
            read = f"{counts}, or the strand that has the reads,"
        else:
            read = next(name for name, strand in _STRANDS.items() if strand == strandedness)
            where += f" and strandedness {strandedness}"
        column = header.index(counts if strands else read)
    taken = (header[column], *strands, *_possible_names(path))
    return replace(
        plain,
        name=layout,
        ids=(ids,),
        values={path.name.split(".")[0]: column},
        others=dict.fromkeys(taken, column),
        nameless=f"of this table of {layout} {read} is read where {where}: leave column empty in "
        "the sheet or name that",
        unread=tuple(header),
        sums=sums,
        strands=strands,
    )


def _many_samples_layout(path: Path, plain: Layout, rows: list[list[str]]) -> Layout:
    """The layout of a table with one column per sample, beside ids and descriptions of genes."""
    header = plain.header
    feature_counts = tuple(header[:6]) == _FEATURE_COUNTS
    first = 6 if feature_counts else 1
    columns = [
        i
        for i in range(first, len(header))
        if header[i] and not is_annotation(header[i]) and not _is_text(rows, i)
    ]
    names = [header[i] for i in columns]
    if feature_counts:
        names = _sample_names_of_bams(names)
    others = {header[i]: i for i in range(first, len(header)) if header[i] and i not in columns}
    if feature_counts:
        files = [header[i].rpartition("/")[2] for i in columns]
        others |= {f: i for f, i in zip(files, columns, strict=True) if files.count(f) == 1}
        others |= {header[i]: i for i in columns}
    values = positions_by_name(path, names, columns)
    layout = "featureCounts" if feature_counts else "matrix"
    return replace(plain, name=layout, values=values, others=others)


def _sample_names_of_bams(paths: list[str]) -> list[str]:
    """The samples of BAM files: short names, or their folders if those are not unique."""
    parts = [path.rpartition("/") for path in paths]
    folders = [folder.rpartition("/")[2] for folder, _, _ in parts]
    short = [re.sub(r"(\.sorted|\.?Aligned\.\w+\.out)?\.[bs]am$", "", file) for *_, file in parts]
    own = [name or folder for name, folder in zip(short, folders, strict=True)]
    for names in (own, folders):
        if all(names) and len({*names}) == len(names):
            return names
    return paths


def _is_text(rows: list[list[str]], column: int) -> bool:
    cells = [row[column] for row in rows if len(row) > column]
    known = [cell for cell in cells if cell not in NULL]
    return len(known) > 1 and not any(NUMBER.fullmatch(cell.replace(",", "")) for cell in known)


def _gct_layout(path: Path, lines: list[bytes], skipped: int) -> Layout:
    sizes = lines[1].split() if len(lines) > 1 else []
    header = split_cells(path, lines[2], "\t") if len(lines) > 2 else []
    if len(sizes) < 2 or not all(size.isdigit() for size in sizes) or len(header) < 3:
        raise InputError(f"{path}: the second line of a GCT file holds its size, the third names.")
    before, ids, skip = 2, 0, skipped + 3
    if len(sizes) == 4:
        before, skip = 1 + int(sizes[2]), skip + int(sizes[3])
    else:
        lower = [name.lower() for name in header]
        ids = lower.index("name") if "name" in lower else 0
        before = max(ids, lower.index("description") if "description" in lower else 1) + 1
    rows = [split_cells(path, line, "\t") for line in lines[3:] if line.strip()]
    header, empty = _match_header(path, header, rows[0] if rows else header, skip + 1)
    names = header[before : len(header) - len(empty)]
    values = positions_by_name(path, names, range(before, before + len(names)))
    if len(names) != int(sizes[1]):
        raise InputError(
            f"{path}: its second line announces {int(sizes[1]):,} samples, its third names "
            f"{len(names):,}; the file is damaged or was edited: correct the second line."
        )
    rows_announced = int(sizes[0])
    return Layout("GCT", "\t", skip, header, (ids,), values, empty=empty, rows=rows_announced)


def name_of_sample(path: Path) -> str:
    """The name that a file gives to its only sample: its own, or that of its folder."""
    return [path.name, *_possible_names(path.absolute())][-1]


def _possible_names(path: Path) -> list[str]:
    """The names that a file of one sample may have for it."""
    stem = path.name.split(".")[0]
    short = re.sub(r"[._-]?(ReadsPerGene|Aligned)$", "", stem)
    folder = [path.parent.name] if stem in _GENERIC else []
    return [name for name in (stem, short, *folder) if name]
