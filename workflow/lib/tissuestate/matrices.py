"""Expression matrices of every common layout, read into samples × genes."""

import csv
import gzip
import io
import logging
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from tissuestate.errors import InputError
from tissuestate.screening import number_rows
from tissuestate.sheet import UTF16, WORKBOOK, nearest

Missing = Literal["error", "drop", "zero", "keep"]

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
_NULL = ("", "NA", "N/A", "NaN", "nan", "-nan", "null", "NULL", "None", "#N/A", "n/a")
_ANNOTATION = {
    *("chr", "chrom", "start", "end", "strand", "length", "description", "gene_name", "gene_type"),
    *("gene_symbol", "symbol", "hgnc_symbol", "hugo_symbol", "entrez_gene_id", "entrez"),
    *("entrezid", "entrezgene", "gene_biotype", "biotype", "name", "ensembl", "ensembl_id"),
    "geneid",
}  # fmt: skip
_NOT_GENES = ("N_unmapped", "N_multimapping", "N_noFeature", "N_ambiguous", "__")
_SINGLE = {  # one sample a file: first columns of the header, counts, abundances, id column
    "RSEM": (("gene_id", "transcript_id(s)"), "expected_count", "TPM", 0),
    "RSEM isoforms": (("transcript_id", "gene_id"), "expected_count", "TPM", 1),
    "salmon": (("Name", "Length", "EffectiveLength"), "NumReads", "TPM", 0),
    "kallisto": (("target_id", "length", "eff_length"), "est_counts", "tpm", 0),
    "GDC STAR": (("gene_id", "gene_name", "gene_type"), "unstranded", "tpm_unstranded", 0),
}
# Layouts whose values are counts where no other unit is asked for.
COUNTED = {*_SINGLE, "STAR", "htseq-count", "featureCounts"}
_COLUMNS = 1024  # of a Parquet file read at once, which bounds the memory that thousands need
_FEATURE_COUNTS = ("Geneid", "Chr", "Start", "End", "Strand", "Length")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Matrix:
    """Values (samples × genes, float32) with the genes' ids as they stand in the file."""

    values: np.ndarray
    ids: np.ndarray
    samples: list[str]
    layout: str
    refused: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Text:
    """How a text table is laid out: where rows begin, which columns are ids, which values."""

    layout: str
    delimiter: str
    skip: int  # lines before the first row
    header: list[str]
    ids: tuple[int, ...]  # columns whose cells, joined by '|', are the ids
    values: dict[str, int]  # sample: column
    single: bool = False  # one sample, whose name does not matter
    sums: tuple[int, ...] = ()  # columns added up over the file to choose a strand: STAR's


def read_matrix(
    path: str | Path,
    columns: Sequence[str] | None = None,
    *,
    unit: str = "count",
    missing: Missing = "error",
    strandedness: str = "auto",
) -> Matrix:
    """Read the samples `columns` (all where None) of a matrix file.

    Layouts: TSV and CSV (genes in rows, ids first), RNAseqDB, featureCounts, STAR ReadsPerGene, GDC
    STAR counts, GCT, RSEM, salmon, kallisto and htseq-count, each gzipped or not; Parquet (genes in
    rows); h5ad (samples × genes). `unit` (count, normalised, log2, or '' where it is not stated)
    chooses between counts and TPM where a file has both (counts for ''), and allows negative values
    for log2 and ''. Missing values are an `error`, or `drop` their gene, or mean `zero`, or are
    kept as NaN (`keep`). `strandedness` chooses STAR's column; auto takes the strand that has more
    than three quarters of the stranded counts.

    Raises InputError for what is no such file: text in a cell, negative, infinite or missing
    values, a sample named twice or not at all, a truncated gzip file, an empty file.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such matrix; correct its path.")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the matrix is empty (0 bytes).")
    if path.suffix == ".h5ad":
        matrix = _read_h5ad(path, columns)
    elif path.suffix == ".parquet":
        matrix = _read_parquet(path, columns)
    else:
        matrix = _read_text(path, columns, unit, strandedness)
    genes = _are_genes(matrix.ids)
    if not genes.all():
        matrix = _select(matrix, genes)
    if len(matrix.ids) == 0:
        raise InputError(f"{path}: the matrix has no genes.")
    if number_rows(matrix.ids):
        raise InputError(
            f"{path}: its first column numbers the rows ({matrix.ids[0]}, {matrix.ids[1]}, …); "
            "write the gene ids there (in pandas index=False, in R row.names = FALSE)."
        )
    return _check_values(path, matrix, unit, missing)


def sample_names(path: str | Path) -> list[str]:
    """The samples of a text matrix, from its header alone."""
    return list(_lay_out(Path(path), "count", "auto").values)


def read_counts(path: str | Path) -> tuple[pa.StringArray, np.ndarray]:
    """Ids and counts (float32) of the count table of one sample that featureCounts wrote.

    What `read_matrix` does, for many files with the same ids: they come as an Arrow array, which is
    quick to compare. Raises InputError as `read_matrix` does.
    """
    path = Path(path)
    text = _lay_out(path, "count", "none")
    if len(text.values) != 1:
        raise InputError(f"{path}: {len(text.values)} samples in the counts of one sample.")
    column = next(iter(text.values.values()))
    table = _parse(path, text, [text.ids[0], column])
    counts = _column(table, column)
    if len(counts) == 0 or not (counts >= 0).all() or np.isinf(counts).any():
        read_matrix(path)  # which says what is wrong
    return table[str(text.ids[0])].combine_chunks(), counts


def _are_genes(ids: np.ndarray) -> np.ndarray:
    """False for the rows in which STAR and htseq-count sum up what is no gene."""
    return np.array([not name.startswith(_NOT_GENES) for name in ids.tolist()], dtype=bool)


def _select(matrix: Matrix, genes: np.ndarray) -> Matrix:
    return replace(matrix, values=matrix.values[:, genes], ids=matrix.ids[genes])


def _check_values(path: Path, matrix: Matrix, unit: str, missing: Missing) -> Matrix:
    def first(found: np.ndarray) -> str:
        sample, gene = np.unravel_index(int(np.argmax(found)), found.shape)
        value = matrix.values[sample, gene]
        return f"{value:g} for gene {str(matrix.ids[gene])!r} in column {matrix.samples[sample]!r}"

    infinite = np.isinf(matrix.values)
    if infinite.any():
        raise InputError(f"{path}: {first(infinite)} is no expression value; correct the matrix.")
    if unit not in ("log2", ""):
        negative = matrix.values < 0
        if negative.any():
            raise InputError(
                f"{path}: {first(negative)} is negative, which a {unit} cannot be; correct it, or "
                "give the unit as log2 if these are logarithms."
            )
    absent = np.isnan(matrix.values)
    if missing == "keep" or not absent.any():
        return matrix
    genes = absent.any(axis=0)
    if missing == "error":
        sample, gene = np.unravel_index(int(np.argmax(absent)), absent.shape)
        place = f"gene {str(matrix.ids[gene])!r} in column {matrix.samples[sample]!r}"
        raise InputError(
            f"{path}: {absent.sum():,} values of {genes.sum():,} genes are missing, the first for "
            f"{place}; fill them in, or set missing_values to 'drop' to leave these genes out or "
            "to 'zero' if they mean zero."
        )
    if missing == "zero":
        log.warning("%s: %d missing values are taken for zero", path, absent.sum())
        return replace(matrix, values=np.nan_to_num(matrix.values, nan=0.0))
    if genes.all():
        raise InputError(f"{path}: every gene has missing values: nothing would be left.")
    log.warning("%s: %d genes with missing values are left out", path, genes.sum())
    return _select(matrix, ~genes)


def _choose(
    path: Path, available: dict[str, int], wanted: Sequence[str] | None, rows: Callable[[], set]
) -> dict[str, int]:
    """{sample: position} of the wanted samples; `rows` gives the ids, to see a transposed file."""
    if wanted is None:
        return available
    chosen = {}
    for name in wanted:
        if name not in available:
            ids = rows()
            if name in ids:
                raise InputError(
                    f"{path}: {name!r} stands in the first column; genes are expected in rows and "
                    "samples in columns: transpose the matrix."
                )
            hint = nearest(name, available) or " Correct the column in the sheet."
            if len(available) > 10 * len(ids):
                hint = f" It has {len(ids):,} rows: if those are the samples, transpose the matrix."
            raise InputError(
                f"{path}: there is no column {name!r} among its {len(available):,} samples.{hint}"
            )
        chosen[name] = available[name]
    if len(chosen) != len(wanted):
        raise InputError(f"{path}: the same column is wanted twice.")
    return chosen


def _by_name(path: Path, names: Sequence[str], positions: Sequence[int]) -> dict[str, int]:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise InputError(
            f"{path}: the column {repeated[0]!r} occurs {names.count(repeated[0])} times; give "
            "each sample a column of its own."
        )
    return dict(zip(names, positions, strict=True))


# ---- text ----------------------------------------------------------------------------------------


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, unzipped; what is wrong with a gzip file becomes an InputError."""
    with path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
    try:
        if zipped:
            with gzip.open(path) as stream:
                yield stream  # type: ignore[misc]
        else:
            with path.open("rb") as plain:
                yield plain
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(
            f"{path}: the gzip file is truncated or damaged ({error}); copy or download it again."
        ) from error


def _cells(path: Path, line: bytes, delimiter: str) -> list[str]:
    try:
        rows = list(csv.reader([line.decode("utf-8-sig").rstrip("\r\n")], delimiter=delimiter))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a text table ({error}).") from error
    return [cell.strip() for cell in rows[0]] if rows else []


def _lay_out(path: Path, unit: str, strandedness: str) -> _Text:
    """Recognise the layout from the first lines."""
    with _opened(path) as stream:
        lines, skip = [stream.readline()], 0
        gct = lines[0].startswith((b"#1.2", b"#1.3"))
        while not gct and lines[-1].startswith(b"#"):
            lines, skip = [stream.readline()], skip + 1
        lines += [stream.readline() for _ in range(2 if gct else 1)]
    if lines[0].startswith(WORKBOOK):
        raise InputError(
            f"{path}: an Excel workbook or a zip file; save the table as text separated by tabs."
        )
    if lines[0].startswith(UTF16):
        raise InputError(f"{path}: its text is UTF-16; save it as tab-separated UTF-8 text.")
    if b"\r" in lines[0].rstrip(b"\r\n"):
        raise InputError(
            f"{path}: its lines end as those of old Macintosh computers; save it with Windows or "
            "Unix line ends."
        )
    if not lines[0].strip():
        raise InputError(f"{path}: no header line; a matrix begins with the names of its samples.")
    if gct:
        return _lay_out_gct(path, lines)
    delimiter = "\t" if b"\t" in lines[0] else ","
    header = _cells(path, lines[0], delimiter)
    if len(header) < 2:
        raise InputError(
            f"{path}: its first line has one column, {header[0][:40]!r}; a matrix is separated by "
            "tabs or commas, not by semicolons or spaces, ids first."
        )
    row = _cells(path, lines[1], delimiter)
    plain = _Text("matrix", delimiter, skip + 1, header, (0,), {})
    if header[0] == "N_unmapped" or (len(header) == 2 and _NUMBER.fullmatch(header[1])):
        layout = "STAR" if len(header) == 4 else "htseq-count"
        strand = {"forward": 2, "reverse": 3}.get(strandedness, 1) if layout == "STAR" else 1
        return replace(
            plain,
            layout=layout,
            skip=skip,
            values={path.name.split(".")[0]: strand},
            single=True,
            sums=(2, 3) if layout == "STAR" and strandedness == "auto" else (),
        )
    for layout, (first, counts, abundances, ids) in _SINGLE.items():
        if tuple(header[: len(first)]) == first and {counts, abundances} <= set(header):
            counted = unit in ("count", "")
            column = header.index(counts if counted else abundances)
            sums: tuple[int, ...] = ()
            strands = {"forward": "stranded_first", "reverse": "stranded_second"}
            if layout == "GDC STAR" and counted and {*strands.values()} <= set(header):
                column = header.index(strands.get(strandedness, counts))
                sums = tuple(map(header.index, strands.values())) if strandedness == "auto" else ()
            stem = path.name.split(".")[0]
            return replace(
                plain, layout=layout, ids=(ids,), values={stem: column}, single=True, sums=sums
            )
    if len(header) == len(row) - 1:  # as R's write.table does: no name above the ids
        header = ["", *header]
        plain = replace(plain, header=header)
    if tuple(header[:6]) == _FEATURE_COUNTS:
        names = [re.sub(r"(\.sorted|\.?Aligned\.\w+\.out)?\.[bs]am$", "", n.rpartition("/")[2])
                 for n in header[6:]]  # fmt: skip
        values = _by_name(path, names, range(6, len(header)))
        return replace(plain, layout="featureCounts", values=values, single=len(names) == 1)
    if header[:2] == ["Hugo_Symbol", "Entrez_Gene_Id"]:
        values = _by_name(path, header[2:], range(2, len(header)))
        return replace(plain, layout="RNAseqDB", ids=(0, 1), values=values)
    columns = [i for i, name in enumerate(header) if i and name.lower() not in _ANNOTATION]
    values = _by_name(path, [header[i] for i in columns], columns)
    return replace(plain, values=values, single=len(values) == 1)


def _lay_out_gct(path: Path, lines: list[bytes]) -> _Text:
    sizes = lines[1].split()
    header = _cells(path, lines[2], "\t")
    if len(sizes) < 2 or not all(size.isdigit() for size in sizes) or len(header) < 3:
        raise InputError(f"{path}: the second line of a GCT file holds its size, the third names.")
    before = 1 + int(sizes[2]) if len(sizes) == 4 else 2
    skip = 3 + (int(sizes[3]) if len(sizes) == 4 else 0)
    values = _by_name(path, header[before:], range(before, len(header)))
    return _Text("GCT", "\t", skip, header, (0,), values)


def _read_text(path: Path, columns: Sequence[str] | None, unit: str, strandedness: str) -> Matrix:
    text = _lay_out(path, unit, strandedness)
    if text.single and columns is not None and len(columns) == 1:
        chosen = {columns[0]: next(iter(text.values.values()))}
    else:
        chosen = _choose(path, text.values, columns, lambda: set(_first_column(path, text)))
    if not chosen:
        raise InputError(f"{path}: no columns of samples beside the ids.")
    table = _parse(path, text, sorted({*text.ids, *text.sums, *chosen.values()}))
    ids = [table[str(i)].to_numpy(zero_copy_only=False).astype(str) for i in text.ids]
    if text.sums:
        genes = _are_genes(ids[0])
        forward, reverse = (np.nansum(_column(table, i)[genes]) for i in text.sums)
        if max(forward, reverse) > 3 * min(forward, reverse):
            side = text.sums[0] if forward > reverse else text.sums[1]
            chosen = dict.fromkeys(chosen, side)
    values = np.empty((len(chosen), table.num_rows), dtype=np.float32)
    for row, column in enumerate(chosen.values()):
        values[row] = _column(table, column)
    joined = ids[0]
    for more in ids[1:]:
        joined = np.char.add(np.char.add(joined, "|"), np.char.strip(more))
    return Matrix(values, joined, list(chosen), text.layout)


def _column(table: pa.Table, column: int) -> np.ndarray:
    return table[str(column)].to_numpy(zero_copy_only=False)


def _parse(path: Path, text: _Text, columns: list[int]) -> pa.Table:
    """The named columns of the rows: ids as strings, values as float32, named by their position."""
    names = [str(i) for i in range(len(text.header))]
    types = {str(i): pa.string() if i in text.ids else pa.float32() for i in columns}
    with _opened(path) as stream:
        for _ in range(text.skip):
            stream.readline()
        try:
            return pyarrow.csv.read_csv(
                pa.PythonFile(stream, mode="r"),
                read_options=pyarrow.csv.ReadOptions(
                    column_names=names, block_size=max(1 << 24, 64 * len(names))
                ),
                parse_options=pyarrow.csv.ParseOptions(delimiter=text.delimiter),
                convert_options=pyarrow.csv.ConvertOptions(
                    include_columns=list(types), column_types=types, null_values=list(_NULL)
                ),
            )
        except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
            reason = str(error).splitlines()[0]
    _explain(path, text, [i for i in columns if i not in text.ids])
    raise InputError(f"{path}: not a table of numbers ({reason}).")


def _rows(path: Path, text: _Text) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and cells of the rows, read slowly: to say what is wrong."""
    with _opened(path) as stream:
        for _ in range(text.skip):
            stream.readline()
        lines = io.TextIOWrapper(stream, encoding="utf-8", errors="replace", newline="")
        try:
            reader = csv.reader(lines, delimiter=text.delimiter)
            for cells in reader:
                if cells:
                    yield text.skip + reader.line_num, cells
        except csv.Error as error:
            raise InputError(f"{path}: not a text table ({error}).") from error


def _first_column(path: Path, text: _Text) -> list[str]:
    return [cells[0] for _, cells in _rows(path, text)]


def _explain(path: Path, text: _Text, values: list[int]) -> None:
    """Raise InputError for the first row of another length and the first cell that is no number."""
    empty = True
    for number, cells in _rows(path, text):
        empty = False
        if len(cells) != len(text.header):
            raise InputError(
                f"{path}, row {number}: {len(cells)} cells where the header has "
                f"{len(text.header)}; the file may be cut off."
            )
        for i in values:
            if cells[i].strip() not in _NULL and not _NUMBER.fullmatch(cells[i]):
                comma = _NUMBER.fullmatch(cells[i].replace(",", ""))
                how = " with a point for decimals and nothing for thousands" if comma else ""
                raise InputError(
                    f"{path}, row {number}, column {text.header[i]!r}: found {cells[i][:40]!r} "
                    f"(gene {cells[text.ids[0]][:40]!r}); expected a number{how}."
                )
    if empty:
        raise InputError(f"{path}: a header and no genes below it.")


# ---- binary --------------------------------------------------------------------------------------


def _read_parquet(path: Path, columns: Sequence[str] | None) -> Matrix:
    try:
        file = pyarrow.parquet.ParquetFile(path)
        schema = file.schema_arrow
        header = schema.names  # asked once: it is made anew each time
        strings = [
            i
            for i, kind in enumerate(schema.types)
            if pa.types.is_string(kind)
            or pa.types.is_large_string(kind)
            or (pa.types.is_dictionary(kind) and pa.types.is_string(kind.value_type))
        ]
        numbers = [
            i
            for i, kind in enumerate(schema.types)
            if pa.types.is_integer(kind) or pa.types.is_floating(kind)
        ]
        if not strings:
            raise InputError(f"{path}: no column of text holds the gene ids.")
        index = (schema.pandas_metadata or {}).get("index_columns", [])
        named = [header.index(name) for name in index if name in header]
        ids = next((i for i in named if i in strings), strings[0])
        usable = [i for i in numbers if header[i].lower() not in _ANNOTATION]
        available = _by_name(path, [header[i] for i in usable], usable)
        text = [header[i] for i in strings if i != ids]
        for name in columns or ():
            if name in text:
                raise InputError(f"{path}, column {name!r}: it holds text; expected numbers.")
        name = header[ids]
        chosen = _choose(path, available, columns, lambda: set(file.read([name])[name].to_pylist()))
        if not chosen:
            raise InputError(f"{path}: no columns of samples beside the ids.")
        genes = [str(cell or "") for cell in file.read([name])[name].to_pylist()]
        samples = list(chosen)
        values = np.empty((len(samples), len(genes)), dtype=np.float32)
        for start in range(0, len(samples), _COLUMNS):
            part = samples[start : start + _COLUMNS]
            table = file.read(part)
            for row, sample in enumerate(part, start):
                values[row] = table[sample].to_numpy(zero_copy_only=False)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: not a readable Parquet file ({error}).") from error
    return Matrix(values, np.array(genes, dtype=str), samples, "Parquet")


def _read_h5ad(path: Path, columns: Sequence[str] | None) -> Matrix:
    import anndata

    try:
        data = anndata.read_h5ad(path, backed="r")
    except Exception as error:  # h5py and anndata raise many kinds for a damaged file
        raise InputError(f"{path}: not a readable h5ad file ({error}).") from error
    try:
        available = _by_name(path, data.obs_names.astype(str).tolist(), range(data.n_obs))
        chosen = _choose(path, available, columns, lambda: set(data.var_names.astype(str)))
        if not chosen:
            raise InputError(f"{path}: it has no samples.")
        rows = np.fromiter(chosen.values(), dtype=int)
        block = data[np.sort(rows)].X
        block = block.toarray() if hasattr(block, "toarray") else np.asarray(block)
        values = block[np.argsort(np.argsort(rows))].astype(np.float32)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{path}: not a readable h5ad file ({error}).") from error
    finally:
        data.file.close()
    return Matrix(values, data.var_names.to_numpy(dtype=str), list(chosen), "h5ad")
