"""Parquet and h5ad files read into matrices, checked before their content is used."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from tissuestate.errors import InputError
from tissuestate.matrices.columns import (
    Matrix,
    Request,
    is_annotation,
    is_description,
    positions_by_name,
)
from tissuestate.matrices.screening import are_row_positions

if TYPE_CHECKING:
    import h5py

_COLUMNS = 1024  # of a Parquet file read at once, which bounds the memory that thousands need
_BLOCK = 1 << 22  # entries of a sparse matrix that are looked at together
_ROWS = 10_000_000  # more than any list of genes or transcripts has
_DENSEST = 2000  # values of a compressed file by its bytes: deflate packs 1,032 into one
_AGAIN = "copy or write it again"


def read_parquet(path: Path, request: Request) -> Matrix:
    """The samples wanted of a Parquet file, genes in rows: see `matrices.read_matrix`."""
    try:
        return _read_parquet(path, request)
    except InputError:
        raise
    except Exception as error:  # pyarrow raises many kinds for a damaged file
        raise InputError(f"{path}: not a readable Parquet file ({error}); {_AGAIN}.") from error


def _read_parquet(path: Path, request: Request) -> Matrix:
    file = pyarrow.parquet.ParquetFile(path, page_checksum_verification=True)
    if file.metadata.num_rows > _ROWS:
        raise InputError(f"{path}: {file.metadata.num_rows:,} rows are more than there are genes.")
    schema = file.schema_arrow
    header = schema.names  # a property that makes the list at each access
    texts, ids, usable = _kinds_of_columns(path, schema)
    samples = [i for i in usable if not is_annotation(header[i])]
    available = positions_by_name(path, [header[i].strip() for i in samples], samples)
    others = {header[i]: i for i in range(len(header)) if i != ids and i not in samples}

    def cells() -> list[str]:
        return [
            "" if cell is None else str(cell)
            for cell in file.read([header[ids]])[header[ids]].to_pylist()
        ]

    chosen = request.choose_columns(
        available, others, lambda: set(cells()), above=header[ids].strip()
    )
    if not available and not chosen:
        held = [f"{name!r} holds {schema.types[i]}" for name, i in others.items()]
        found = f" ({', '.join(held[:5])}; expected numbers)" if held else ""
        raise InputError(f"{path}: no columns of samples beside the ids{found}.")
    for sample, i in list(chosen.items()):
        if i not in usable:
            kind = "text" if i in texts else str(schema.types[i])
            sentence = f"{path}, column {header[i]!r}: it holds {kind}; expected numbers."
            request.refuse(sample, sentence)
            del chosen[sample]
    genes = np.array(cells(), dtype=str)
    values = {}
    names = list(chosen)
    for start in range(0, len(names), _COLUMNS):
        part = names[start : start + _COLUMNS]
        table = file.read([header[chosen[sample]] for sample in part])
        for sample in part:
            column = table[header[chosen[sample]]]
            if not pa.types.is_floating(column.type):
                column = column.cast(pa.float64(), safe=False)
            values[sample] = _as_float32(column.to_numpy(zero_copy_only=False))
    return request.build_matrix(values, genes, "Parquet")


def parquet_samples(path: Path) -> list[str]:
    """The columns of a Parquet file that hold samples, from its schema alone."""
    try:
        schema = pyarrow.parquet.read_schema(path)
        usable = _kinds_of_columns(path, schema)[2]
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{path}: not a readable Parquet file ({error}); {_AGAIN}.") from error
    names = [name.strip() for name in schema.names]
    return [names[i] for i in usable if not is_annotation(names[i])]


def _kinds_of_columns(path: Path, schema: pa.Schema) -> tuple[list[int], int, list[int]]:
    """Positions of the columns of text, of the one that holds the ids, and of those of numbers."""
    header = schema.names
    kinds = [k.value_type if pa.types.is_dictionary(k) else k for k in schema.types]
    texts = [i for i, kind in enumerate(kinds) if _is_text(kind)]
    index = (schema.pandas_metadata or {}).get("index_columns", [])
    named = [header.index(name) for name in index if isinstance(name, str) and name in header]
    ids = _find_id_column(path, header, texts, named, kinds)
    return texts, ids, [i for i, kind in enumerate(kinds) if _is_number(kind) and i != ids]


def _find_id_column(
    path: Path, header: list[str], texts: list[int], index: list[int], kinds: list[pa.DataType]
) -> int:
    """The position of the id column: text first, index before others; or whole numbers.

    `texts` are the columns of text, `index` those of the index of pandas.
    """
    numbers = [i for i in index if pa.types.is_integer(kinds[i])]
    naming = [i for i in texts if not is_description(header[i])]
    ids = [*(i for i in index if i in texts), *naming, *numbers, *texts]
    if not ids:
        raise InputError(f"{path}: no column of text holds the gene ids.")
    return ids[0]


def _is_text(kind: pa.DataType) -> bool:
    return (
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _is_number(kind: pa.DataType) -> bool:
    types = pa.types
    return (
        types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
        or types.is_null(kind)
    )  # fmt: skip


def _as_float32(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # what is too large becomes infinite, which is refused
        return np.asarray(values).astype(np.float32, copy=False)


# ---- h5ad ----------------------------------------------------------------------------------------


def read_h5ad(path: Path, request: Request) -> Matrix:
    """The samples wanted of an h5ad file, samples in obs: see `matrices.read_matrix`."""
    with _open_h5ad(path) as file:
        return _read_h5ad(path, file, request)


def h5ad_samples(path: Path) -> list[str]:
    """The samples of an h5ad file, from its obs alone."""
    with _open_h5ad(path) as file:
        _check_kind(path, file)
        return _read_names(path, file, "obs")


@contextmanager
def _open_h5ad(path: Path) -> "Iterator[h5py.File]":
    """The open file; faults that it has while it is read are InputErrors, too."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            yield file
    except InputError:
        raise
    except Exception as error:  # h5py raises many kinds for a damaged file
        raise InputError(f"{path}: not a readable h5ad file ({error}); {_AGAIN}.") from error


def _read_h5ad(path: Path, file: "h5py.File", request: Request) -> Matrix:
    _check_kind(path, file)
    samples, genes = (_read_names(path, file, axis) for axis in ("obs", "var"))
    available = positions_by_name(path, samples, range(len(samples)))
    known = set(genes.tolist())
    for name in (written or sample for sample, written in (request.wanted_columns or {}).items()):
        if name not in available and (name in known or (len(samples) > 10 * len(genes))):
            raise InputError(
                f"{path}: {name!r} is not in its obs, which has {len(samples):,} entries, var "
                f"{len(genes):,}; samples are expected in obs and genes in var: write adata.T."
            )
    chosen = request.choose_columns(available, {}, lambda: known)
    if not samples:
        raise InputError(f"{path}: it has no samples.")
    if are_row_positions(genes):
        texts = [name for name in file["var"] if name != _index_name(file["var"])]
        raise InputError(
            f"{path}: its var_names number the genes ({genes[0]}, {genes[1]}, …); write the ids "
            f"there, as from a column of var (it has {', '.join(texts) or 'none'}): "
            "adata.var_names = adata.var[COLUMN]."
        )
    rows = np.array(sorted(set(chosen.values())), dtype=np.int64)
    block = _as_float32(_read_rows(path, file["X"], (len(samples), len(genes)), rows))
    places = {int(row): place for place, row in enumerate(rows)}
    values = {sample: block[places[row]] for sample, row in chosen.items()}
    return request.build_matrix(values, genes, "h5ad")


def _check_kind(path: Path, file: "h5py.File") -> None:
    """Raise InputError for HDF5 files of other programs, and for h5ad without its matrix."""
    if "est_counts" in file or "aux" in file:
        raise InputError(f"{path}: kallisto's HDF5 file; give the abundance.tsv beside it.")
    if "mod" in file:
        raise InputError(f"{path}: a file of MuData; write the RNA alone: mdata.mod['rna'].")
    if "row_attrs" in file:
        raise InputError(f"{path}: a loom file; write it as h5ad with anndata.")
    if "obs" not in file or "var" not in file:
        tenx = "matrix" in file or any("barcodes" in file[name] for name in file)
        what = "Cell Ranger's single cells" if tenx else "an HDF5 file, but no h5ad"
        raise InputError(
            f"{path}: {what} (it holds {', '.join(file) or 'nothing'}); give h5ad of bulk samples, "
            "or a table of text."
        )
    if "X" not in file:
        layers = ", ".join(file["layers"]) if "layers" in file else ""
        raise InputError(
            f"{path}: it has no X; it has the layers {layers or '(none)'}: write the values as X "
            "(adata.X = adata.layers[NAME])."
        )


def _index_name(table: Any) -> str:
    """The name of the index of obs or var."""
    name = table.attrs.get("_index", "_index")
    return name.decode() if isinstance(name, bytes) else str(name)


def _read_names(path: Path, file: "h5py.File", axis: str) -> Any:
    """The names in obs (a list) or var (an array), as text."""
    table = file[axis]
    if not hasattr(table, "keys"):  # as anndata before 0.7 wrote it
        _check_stored(path, table, axis)
        names = table[table.dtype.names[0]]
    else:
        names = _read_elements(path, table[_index_name(table)], axis)
    texts = [name.decode() if isinstance(name, bytes) else str(name) for name in names.tolist()]
    texts = [text.strip() for text in texts]
    return texts if axis == "obs" else np.array(texts, dtype=str)


def _read_elements(path: Path, element: Any, axis: str) -> np.ndarray:
    if not hasattr(element, "keys"):
        _check_stored(path, element, axis)
        if element.ndim != 1 or element.size > _ROWS:
            raise InputError(f"{path}: the names in {axis} have the shape {element.shape}.")
        return element[:]
    if "codes" in element:
        codes = _read_elements(path, element["codes"], axis)
        categories = _read_elements(path, element["categories"], axis)
        if len(codes) and not 0 <= int(codes.min()) <= int(codes.max()) < len(categories):
            raise InputError(f"{path}: the names in {axis} are damaged (a code beyond); {_AGAIN}.")
        return categories[codes]
    return _read_elements(path, element["values"], axis)


def _check_stored(path: Path, data: "h5py.Dataset", what: str) -> None:
    """Raise InputError if a file holds less data than its shape announces."""
    chunks = data.chunks
    size, stored = data.size * data.dtype.itemsize, data.id.get_storage_size()
    if chunks is None:
        whole = stored >= size or data.size == 0
    else:
        expected = math.prod(
            -(-length // part) for length, part in zip(data.shape, chunks, strict=True)
        )
        whole = data.id.get_num_chunks() == expected and size <= _DENSEST * max(stored, 1)
    if not whole or stored > path.stat().st_size:
        raise InputError(
            f"{path}: {what} announces {' × '.join(map(str, data.shape))} values, of which the "
            f"file holds {stored:,} bytes; {_AGAIN}."
        )


def _read_rows(path: Path, x: Any, shape: tuple[int, int], rows: np.ndarray) -> np.ndarray:
    """Rows (sorted, unique) of X, dense; `shape` is that of obs and var."""
    found, kind = _shape_and_kind(x)
    if found != shape:
        raise InputError(
            f"{path}: X is {found[0]:,} × {found[1]:,}, obs and var have {shape[0]:,} and "
            f"{shape[1]:,} entries; {_AGAIN}."
        )
    values = x["data"] if kind else x
    if values.dtype.kind not in "iufb":
        raise InputError(f"{path}: X holds {values.dtype}; expected numbers.")
    if not kind:
        _check_stored(path, x, "X")
        if len(rows) == 0:
            return np.empty((0, shape[1]))
        return x[:] if len(rows) == shape[0] else x[rows]
    for part in ("data", "indices", "indptr"):
        if x[part].ndim != 1 or (part != "data" and x[part].dtype.kind not in "iu"):
            raise InputError(f"{path}: X/{part} of its sparse matrix is no list of numbers.")
        _check_stored(path, x[part], f"X/{part}")
    major = shape[0] if kind == "csr" else shape[1]
    if len(x["indptr"]) != major + 1:
        raise InputError(
            f"{path}: X/indptr has {len(x['indptr']):,} entries, expected {major + 1:,}; {_AGAIN}."
        )
    pointers = x["indptr"][:].astype(np.int64)
    size = len(x["indices"])
    if pointers[0] != 0 or (np.diff(pointers) < 0).any() or pointers[-1] != size:
        place = int(np.argmax(np.diff(pointers) < 0)) + 1
        raise InputError(
            f"{path}: X/indptr of its sparse matrix does not rise from 0 to {size:,} (entry "
            f"{place}: {pointers[place]:,}); {_AGAIN}."
        )
    if len(values) != size:
        raise InputError(f"{path}: X has {len(values):,} values and {size:,} indices; {_AGAIN}.")
    return _gather_rows(path, x, kind, pointers, shape, rows)


def _shape_and_kind(x: Any) -> tuple[tuple[int, ...], str]:
    """Shape of X, and csr or csc if it is sparse."""
    if not hasattr(x, "keys"):
        return tuple(x.shape), ""
    shape = x.attrs["shape"] if "shape" in x.attrs else x.attrs["h5sparse_shape"]
    kind = x.attrs["encoding-type"] if "shape" in x.attrs else x.attrs["h5sparse_format"]
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    if kind[:3] not in ("csr", "csc"):
        raise ValueError(f"X is of the kind {kind}")
    return tuple(int(length) for length in shape), kind[:3]


def _gather_rows(
    path: Path, x: Any, kind: str, pointers: np.ndarray, shape: tuple[int, int], rows: np.ndarray
) -> np.ndarray:
    """The rows wanted of a sparse matrix whose pointers fit; its indices are checked in blocks."""
    result = np.zeros((len(rows), shape[1]), dtype=np.float32)
    filled, entries = np.zeros(result.shape, dtype=bool), 0
    minor = shape[1] if kind == "csr" else shape[0]
    place = np.full(shape[0], -1)
    place[rows] = np.arange(len(rows))
    for start, stop in _entry_ranges(pointers, rows if kind == "csr" else None):
        indices = x["indices"][start:stop].astype(np.int64)
        if len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < minor:
            wrong = int(np.argmax((indices < 0) | (indices >= minor)))
            raise InputError(
                f"{path}: X/indices of its sparse matrix holds {indices[wrong]:,} (entry "
                f"{start + wrong:,}), expected 0 to {minor - 1:,}; {_AGAIN}."
            )
        majors = np.repeat(np.arange(len(pointers) - 1), np.diff(pointers.clip(start, stop)))
        sample, gene = (majors, indices) if kind == "csr" else (indices, majors)
        row, data = place[sample], x["data"][start:stop]
        if not (wanted := row >= 0).all():
            row, gene, data = row[wanted], gene[wanted], data[wanted]
        cells = row * shape[1] + gene
        result.ravel()[cells] = _as_float32(data)
        filled.ravel()[cells] = True
        entries += len(cells)
    if filled.sum() != entries:
        raise InputError(f"{path}: X, a sparse matrix, has two values for one cell; {_AGAIN}.")
    return result


def _entry_ranges(pointers: np.ndarray, rows: np.ndarray | None) -> Iterator[tuple[int, int]]:
    """Ranges of the entries of `rows` (None: all), of at most `_BLOCK` entries each."""
    spans = [[0, int(pointers[-1])]]
    if rows is not None:
        spans = []
        for first, last in zip(pointers[rows].tolist(), pointers[rows + 1].tolist(), strict=True):
            if spans and spans[-1][1] == first:
                spans[-1][1] = last
            else:
                spans.append([first, last])
    for first, last in spans:
        for start in range(first, last, _BLOCK):
            yield start, min(start + _BLOCK, last)
