"""Parquet and h5ad: what fits together is read as their own libraries read it, no more."""

import re
import resource
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import scipy.sparse as sparse
from tissuestate.errors import InputError
from tissuestate.matrices.read import read_matrix

GENES = [f"G{i}" for i in range(40)]
SAMPLES = ["A", "B", "C", "D"]
VALUES = np.random.default_rng(3).poisson(1.0, (4, 40)).astype(np.float32)


@pytest.fixture
def write(tmp_path: Path) -> Callable:
    def write(kind: Callable = np.asarray, name: str = "m.h5ad", **more) -> Path:
        obs, var = pd.DataFrame(index=SAMPLES), pd.DataFrame(index=GENES)
        anndata.AnnData(kind(VALUES), obs, var).write_h5ad(tmp_path / name, **more)
        return tmp_path / name

    return write


# ---- h5ad ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", [None, "gzip", "lzf"])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
def test_h5ad_is_read_in_every_storage(kind, compression, write):
    path = write(kind, compression=compression)
    matrix = read_matrix(path)
    assert (matrix.samples, matrix.ids.tolist()) == (SAMPLES, GENES)
    np.testing.assert_array_equal(matrix.values, VALUES)
    some = read_matrix(path, {"x": "D", "A": "", "y": "B"})
    np.testing.assert_array_equal(some.values, VALUES[[3, 0, 1]])


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int64", "float64", "bool"])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
def test_h5ad_is_read_with_numbers_of_every_type(kind, dtype, write):
    path = write(lambda values: kind(np.minimum(values, 1).astype(dtype)))
    np.testing.assert_array_equal(read_matrix(path).values, np.minimum(VALUES, 1))


def test_h5ad_names_are_read_as_categories_and_in_old_tables(write):
    path = write()
    with h5py.File(path, "r+") as file:
        del file["var/_index"]
        group = file["var"].create_group("_index")
        group["categories"] = np.array(GENES[::-1], dtype=h5py.string_dtype())
        group["codes"] = np.arange(39, -1, -1, dtype=np.int8)
        del file["obs"]
        file["obs"] = np.array([(name.encode(),) for name in SAMPLES], dtype=[("index", "S9")])
    matrix = read_matrix(path)
    assert (matrix.samples, matrix.ids.tolist()) == (SAMPLES, GENES)


PART = {
    "beyond": ("indices", 5, 41, r"X/indices of its sparse matrix holds \d+ \(entry 5\), expec"),
    "far": ("indices", 5, 50_000_000, "X/indices .* holds 50,000,000"),
    "negative": ("indices", 5, -3, "X/indices .* holds -3"),
    "overlapping": ("indptr", 2, 0, "X/indptr of its sparse matrix does not rise"),
    "starts late": ("indptr", 0, 1, "X/indptr of its sparse matrix does not rise"),
    "ends late": ("indptr", -1, 10**6, "X/indptr of its sparse matrix does not rise"),
}


@pytest.mark.parametrize("name", PART)
@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_matrix])
def test_sparse_indices_out_of_range_are_refused(kind, name, write):
    part, place, value, sentence = PART[name]
    path = write(kind)
    with h5py.File(path, "r+") as file:
        array = file["X"][part][:]
        array[place] = value
        file["X"][part][:] = array
    with pytest.raises(InputError, match=rf"m\.h5ad: {sentence}"):
        read_matrix(path)


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_matrix])
def test_two_values_for_one_cell_are_refused(kind, write):
    path = write(kind)
    with h5py.File(path, "r+") as file:
        start, end = file["X/indptr"][3:5]
        assert end - start > 1
        file["X/indices"][start] = file["X/indices"][start + 1]
    with pytest.raises(InputError, match="has two values for one cell"):
        read_matrix(path)


def replace(path: Path, name: str, **dataset) -> None:
    with h5py.File(path, "r+") as file:
        attributes = dict(file[name].attrs)
        del file[name]
        file.create_dataset(name, **dataset).attrs.update(attributes)


@pytest.mark.parametrize("name", ["X/data", "X/indices", "X/indptr"])
@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_matrix])
def test_sparse_parts_of_inconsistent_lengths_are_refused(kind, name, write):
    path = write(kind)
    with h5py.File(path) as file:
        content = file[name][:]
    for other in (content[:-1], np.append(content, content[-1:]), content[:, None], content[:0]):
        replace(path, name, data=other)
        with pytest.raises(InputError, match=r"m\.h5ad: "):
            read_matrix(path)


HUGE = 10**11


@pytest.mark.parametrize(
    ("kind", "name", "shape"),
    [
        (np.asarray, "X", (4, HUGE)),
        (np.asarray, "X", (HUGE, 40)),
        (np.asarray, "X", (4, 39)),
        (np.asarray, "X", (4, 40)),
        (np.asarray, "var/_index", (HUGE,)),
        (np.asarray, "obs/_index", (HUGE,)),
        (sparse.csr_matrix, "X/data", (HUGE,)),
        (sparse.csr_matrix, "X/indices", (HUGE,)),
        (sparse.csc_matrix, "X/indptr", (HUGE,)),
    ],
)
@pytest.mark.parametrize("chunks", [None, True])
def test_a_shape_larger_than_the_data_takes_no_memory(kind, name, shape, chunks, write):
    path = write(kind)
    with h5py.File(path) as file:
        dtype = file[name].dtype
    replace(path, name, shape=shape, dtype=dtype, chunks=chunks)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=r"m\.h5ad: "):
        read_matrix(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB


@pytest.mark.parametrize("shape", [(4, 41), (5, 40), (40, 4)])
def test_a_shape_unequal_to_that_of_the_names_is_refused(shape, write):
    path = write(sparse.csr_matrix)
    with h5py.File(path, "r+") as file:
        file["X"].attrs["shape"] = shape
    with pytest.raises(
        InputError, match=f"X is {shape[0]} × {shape[1]}, obs and var have 4 and 40"
    ):
        read_matrix(path)


def test_category_codes_out_of_range_are_refused(write):
    path = write()
    with h5py.File(path, "r+") as file:
        del file["var/_index"]
        group = file["var"].create_group("_index")
        group["categories"] = np.array(GENES, dtype=h5py.string_dtype())
        group["codes"] = np.arange(1, 41, dtype=np.int8)
    with pytest.raises(InputError, match="names in var are damaged"):
        read_matrix(path)


def hdf5(path: Path, *names: str) -> Path:
    with h5py.File(path, "w") as file:
        for name in names:
            file[name] = [1.0]
    return path


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (("aux/ids", "est_counts"), r"kallisto's HDF5 file; give the abundance\.tsv"),
        (("matrix/barcodes", "matrix/data"), "Cell Ranger's single cells"),
        (("GRCh38/barcodes", "GRCh38/data"), "Cell Ranger's single cells"),
        (("matrix", "row_attrs/Gene", "col_attrs/CellID"), "a loom file"),
        (("mod/rna/X",), r"a file of MuData; .*mdata\.mod"),
        (("x",), r"an HDF5 file, but no h5ad \(it holds x\)"),
        ((), r"an HDF5 file, but no h5ad \(it holds nothing\)"),
    ],
)
def test_hdf5_files_of_other_programs_are_named(names, sentence, tmp_path):
    with pytest.raises(InputError, match=sentence):
        read_matrix(hdf5(tmp_path / "m.h5", *names))


def test_sentences_use_the_terms_of_anndata(tmp_path):
    data = anndata.AnnData(pd.DataFrame(VALUES, SAMPLES, GENES))
    data.T.copy().write_h5ad(tmp_path / "turned.h5ad")
    with pytest.raises(InputError, match=r"'A' is not in its obs.*samples are expected in obs"):
        read_matrix(tmp_path / "turned.h5ad", {"A": ""})
    layer = data.copy()
    layer.layers["counts"], layer.X = layer.X, None
    layer.write_h5ad(tmp_path / "layer.h5ad")
    with pytest.raises(InputError, match=r"it has no X; it has the layers counts"):
        read_matrix(tmp_path / "layer.h5ad")
    wide = anndata.AnnData(np.ones((2, 200), np.float32))
    wide.var["gene_ids"] = [f"ENSG{i}" for i in range(200)]
    wide.write_h5ad(tmp_path / "numbered.h5ad")
    with pytest.raises(InputError, match=r"var_names number the genes .*\(it has gene_ids\)"):
        read_matrix(tmp_path / "numbered.h5ad")


# ---- Parquet -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["m.pq", "m.PARQUET", "m.tsv", "m"])
def test_files_are_recognised_by_content_not_by_name(name, write, tmp_path):
    frame = pd.DataFrame(VALUES.T, GENES, SAMPLES)
    frame.to_parquet(tmp_path / name)
    np.testing.assert_array_equal(read_matrix(tmp_path / name).values, VALUES)
    write(name=f"{name}.h5ad").rename(tmp_path / name)
    np.testing.assert_array_equal(read_matrix(tmp_path / name).values, VALUES)


@pytest.mark.parametrize(
    "kind",
    [
        *(pa.int8(), pa.uint64(), pa.float16(), pa.float64(), pa.decimal128(12, 0)),
        *(pa.decimal256(20, 2), pa.dictionary(pa.int32(), pa.float64())),
    ],
    ids=str,
)
def test_parquet_is_read_with_numbers_of_every_type(kind, tmp_path):
    values = [3, 0, 7, None]
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    cells = [v if v is None or not pa.types.is_decimal(kind) else Decimal(v) for v in values]
    column = pa.array(cells, plain)
    column = column.dictionary_encode() if pa.types.is_dictionary(kind) else column
    ids = pa.array(["a", "b", "c", "d"]).dictionary_encode()
    pyarrow.parquet.write_table(pa.table({"gene": ids, "P1": column}), tmp_path / "m.parquet")
    matrix = read_matrix(tmp_path / "m.parquet", {"P1": ""}, missing="keep")
    np.testing.assert_array_equal(matrix.values, np.float32([[3, 0, 7, np.nan]]))


@pytest.mark.parametrize("cells", [["x"] * 3, [True] * 3, [pd.Timestamp("2020-01-01")] * 3])
def test_parquet_columns_without_numbers_refuse_their_sample(cells, tmp_path):
    table = pd.DataFrame({"gene": ["a", "b", "c"], "P1": cells, "P2": [1.0, 2.0, 3.0]})
    table.to_parquet(tmp_path / "m.parquet")
    wanted = {"P1": "", "P2": ""}
    with pytest.raises(InputError, match=r"column 'P1': it holds .*; expected numbers"):
        read_matrix(tmp_path / "m.parquet", wanted)
    matrix = read_matrix(tmp_path / "m.parquet", wanted, missing="keep")
    assert list(matrix.refusals) == ["P1"]
    assert matrix.values[1].tolist() == [1, 2, 3]


@pytest.mark.parametrize("cells", [["x", "y"], [True, False]])
def test_a_parquet_file_without_numbers_is_refused_with_its_types(cells, tmp_path):
    pd.DataFrame({"gene": ["a", "b"], "P1": cells}).to_parquet(tmp_path / "m.parquet")
    matrix = read_matrix(tmp_path / "m.parquet", {"P1": ""}, missing="keep")
    assert re.search("column 'P1': it holds (text|bool); expected numbers", matrix.refusals["P1"])
    with pytest.raises(InputError, match=r"beside the ids .'P1' holds .*; expected numbers"):
        read_matrix(tmp_path / "m.parquet")


@pytest.mark.parametrize("more", ["index", "gene_type", "chrom"])
def test_the_id_column_of_parquet_is_found(more, tmp_path):
    if more == "index":
        table = pd.DataFrame({"P1": [1.0, 2.0]}, index=pd.Index([7157, 3845], name="entrez"))
    else:
        table = pd.DataFrame({more: ["x", "x"], "gene_id": ["7157", "3845"], "P1 ": [1.0, 2.0]})
    table.to_parquet(tmp_path / "m.parquet")
    matrix = read_matrix(tmp_path / "m.parquet", {"P1": ""})
    assert (matrix.ids.tolist(), matrix.values.tolist()) == (["7157", "3845"], [[1, 2]])
    assert read_matrix(tmp_path / "m.parquet").samples == ["P1"]


def test_blanks_around_names_in_h5ad_are_removed(tmp_path):
    obs, var = pd.DataFrame(index=["P1 ", "P2"]), pd.DataFrame(index=GENES)
    anndata.AnnData(VALUES[:2], obs, var).write_h5ad(tmp_path / "m.h5ad")
    np.testing.assert_array_equal(read_matrix(tmp_path / "m.h5ad", {"P1": ""}).values, VALUES[:1])


def test_a_parquet_column_without_values_refuses_its_sample(tmp_path):
    table = pd.DataFrame({"gene": ["a", "b"], "P1": [None, None], "P2": [1.0, 2.0]})
    table.to_parquet(tmp_path / "m.parquet")
    matrix = read_matrix(tmp_path / "m.parquet", missing="keep")
    assert "all 2 values in column 'P1' are missing" in matrix.refusals["P1"]


def test_damaged_parquet_pages_are_refused(tmp_path):
    path = tmp_path / "m.parquet"
    table = pa.table({"gene": GENES, "P1": np.arange(40.0)})
    pyarrow.parquet.write_table(
        table, path, write_page_checksum=True, compression="none", use_dictionary=False
    )
    content = path.read_bytes()
    for place in (content.index(b"G11"), content.index(np.float64(7).tobytes()) + 6):
        damaged = bytearray(content)
        damaged[place] ^= 0x80
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"m\.parquet: not a readable Parquet .*checksum"):
            read_matrix(path)


def damage(path, times, first, places):
    """Read a matrix `times` with other bytes at some places from `first` on."""
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(times):
        damaged = bytearray(content)
        for place in rng.integers(first, len(content), places):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            read_matrix(path)
        except InputError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize("checksums", [True, False])
def test_any_damage_of_parquet_is_an_input_error_or_a_matrix(checksums, tmp_path):
    path = tmp_path / "m.parquet"
    frame = pd.DataFrame(VALUES.T, GENES, SAMPLES)
    frame.to_parquet(path, write_page_checksum=checksums)
    damage(path, times=300, first=4, places=2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
def test_any_damage_of_h5ad_is_an_input_error_or_a_matrix(kind, write):
    path = write(kind)
    damage(path, times=200, first=8, places=3)


def test_a_parquet_file_with_too_many_rows_is_refused(tmp_path):
    path = tmp_path / "m.parquet"
    table = pa.table({"gene": pa.array(["a"] * 10_000_001).dictionary_encode()})
    pyarrow.parquet.write_table(table, path)
    with pytest.raises(InputError, match="10,000,001 rows are more than there are genes"):
        read_matrix(path)
