"""Matrices of every layout, and the sentence for what is none; pandas is the witness."""

import gzip
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matrix_files import (
    FRAME,
    GDC,
    GENES,
    HTSEQ,
    ISOFORMS,
    KALLISTO,
    LAYOUTS,
    ONE_BAM,
    RSEM,
    SALMON,
    STAR,
    tsv,
)
from tissuestate.errors import InputError
from tissuestate.matrices.read import list_contents, read_counts, read_matrix


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str | bytes, name: str = "m.tsv") -> Path:
        content = text if isinstance(text, bytes) else text.encode()
        path = tmp_path / name
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return write


def to_parquet(frame: pd.DataFrame, path: Path) -> None:
    frame.to_parquet(path)


@pytest.mark.parametrize("zipped", ["", ".gz"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_with_many_samples(layout, zipped, write):
    path = write(LAYOUTS[layout], f"m.{layout}{zipped}")
    matrix = read_matrix(path)
    assert matrix.samples == ["s1", "s2", "s3"]
    assert [name.split("|")[0] for name in matrix.ids] == GENES
    assert matrix.values.dtype == np.float32
    np.testing.assert_array_equal(matrix.values, FRAME.T.to_numpy(dtype=np.float32))
    assert list_contents(path).columns == matrix.samples
    swapped = read_matrix(path, {"s3": "", "s1": "s1"})
    assert swapped.samples == ["s3", "s1"]
    np.testing.assert_array_equal(swapped.values, matrix.values[[2, 0]])


def test_rnaseqdb_keeps_both_ids(write):
    assert read_matrix(write(LAYOUTS["RNAseqDB"])).ids.tolist() == [
        "A1BG|1",
        "TP53|7157",
        "KRAS|3845",
    ]


@pytest.mark.parametrize("how", ["index", "column", "large strings"])
def test_parquet(how, tmp_path):
    path = tmp_path / "m.parquet"
    frame = FRAME.astype({"s1": np.int32, "s2": np.float32})
    if how == "index":
        frame.to_parquet(path)
    else:
        frame = frame.rename_axis("gene").reset_index()
        if how == "large strings":
            frame["gene"] = frame["gene"].astype("string[pyarrow]")
        frame.to_parquet(path, index=False)
    matrix = read_matrix(path, {"s2": "", "s1": ""})
    np.testing.assert_array_equal(matrix.values, FRAME[["s2", "s1"]].T)
    assert matrix.ids.tolist() == GENES


@pytest.mark.parametrize("sparse", [False, True])
def test_h5ad(sparse, tmp_path):
    values = FRAME.T.to_numpy(dtype=np.float32)
    anndata.AnnData(
        scipy.sparse.csr_matrix(values) if sparse else values,
        obs=pd.DataFrame(index=FRAME.columns),
        var=pd.DataFrame(index=GENES),
    ).write_h5ad(tmp_path / "m.h5ad")
    matrix = read_matrix(tmp_path / "m.h5ad", {"s3": "", "s1": ""})
    assert matrix.ids.tolist() == GENES
    np.testing.assert_array_equal(matrix.values, values[[2, 0]])


@pytest.mark.parametrize(
    ("text", "unit", "strandedness", "expected"),
    [
        (STAR, "count", "none", [10, 20]),
        (STAR.replace("\t1\t9", "\t9\t1"), "count", "forward", [9, 2]),
        (STAR, "count", "reverse", [9, 18]),
        (STAR, "count", "auto", [9, 18]),
        (GDC, "count", "auto", [10, 20]),
        (GDC, "count", "reverse", [5, 11]),
        (RSEM, "count", "auto", [10, 20]),
        (RSEM, "normalised", "auto", [0.5, 1.5]),
        (ISOFORMS, "count", "auto", [10, 20]),
        (SALMON, "count", "auto", [10, 20]),
        (SALMON, "normalised", "auto", [0.5, 1.5]),
        (KALLISTO, "count", "auto", [10, 20]),
        (HTSEQ, "count", "auto", [10, 20]),
        (ONE_BAM, "count", "auto", [10, 20]),
    ],
)
def test_layouts_with_one_sample(text, unit, strandedness, expected, write):
    path = write(text, "patient7.txt.gz")
    for wanted in (None, {"any name": ""}):
        matrix = read_matrix(path, wanted, unit=unit, strandedness=strandedness)
        assert [name.split(".")[0] for name in matrix.ids] == ["ENSG01", "ENSG02"]
        np.testing.assert_array_equal(matrix.values, np.float32([expected]))
    assert matrix.samples == ["any name"]


def test_count_table_of_one_sample(write):
    ids, counts = read_counts(write(ONE_BAM))
    assert ids.to_pylist() == ["ENSG01", "ENSG02"]
    assert counts.tolist() == [10, 20]
    with pytest.raises(InputError, match="3 samples in the counts of one"):
        read_counts(write(LAYOUTS["featureCounts"]))


def damaged(old: str, new: str) -> str:
    assert old in tsv()
    return tsv().replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", r"the matrix is empty"),
        ("\n", r"no header line"),
        ("gene\ts1\ts2\n", r"a header and no genes|not a table"),
        ("justtext\nmore\n", r"first line has one column, 'justtext'"),
        (damaged("4.0", "four"), r"row 3, column 's1': found 'four' \(gene 'TP53'\)"),
        (damaged("4.0", "1,5"), r"row 3, column 's1': found '1,5'"),
        (damaged("4.0", "0x1F"), r"row 3, column 's1': found '0x1F'"),
        (damaged("4.0", "-4"), r"-4 for gene 'TP53' in column 's1' is negative"),
        (damaged("4.0", "inf"), r"found 'inf'|inf for gene 'TP53'"),
        (damaged("4.0", "1e99"), r"inf for gene 'TP53' in column 's1' is no expression value"),
        (damaged("4.0", "NA"), r"1 values of 1 genes are missing, .*'TP53' in column 's1'.*'drop'"),
        (damaged("4.0", ""), r"1 values of 1 genes are missing"),
        (damaged("4.0", "4,5"), r"found '4,5' .* expected a number with a point for decimals"),
        (tsv().replace("\t", ";"), "separated by tabs or commas, not by semicolons"),
        (
            b"PK\x03\x04" + bytes(60),
            "an Excel workbook or a zip file, not a table of text; unpack it, or save",
        ),
        (damaged("s2", "s1"), r"the column 's1' occurs 2 times"),
        (damaged("\t9.0\n", ""), r"row 4: 3 cells, but the header has 4; the file may be cut off"),
        (damaged("4.0", "4.0\t7"), r"row 3: 5 cells, but the header has 4"),
        (tsv(FRAME.T), None),
        (b"\xff\xfe\x00\x01" * 9, r"UTF-16 text, not a table of text; save it as tab-separated"),
        (tsv().replace("\n", "\r"), r"lines end as those of old Macintosh"),
        ("gene\tChr\nA\tB\n", r"no columns of samples|not a table|row 2"),
        (LAYOUTS["GCT 1.2"].replace("3\t3\n", "x\n", 1), "second line of a GCT file"),
    ],
)
def test_files_that_are_no_matrix_are_refused(text, sentence, write):
    path = write(text)
    wanted = {"s1": ""} if sentence is None else None
    with pytest.raises(InputError, match=sentence or "transpose the matrix") as caught:
        read_matrix(path, wanted)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("start", [0, 1])
def test_numbered_rows_are_not_taken_for_entrez_ids(start, write):
    table = pd.DataFrame({"gene": [f"G{i}" for i in range(200)], "s1": 1.0})
    table.index += start
    with pytest.raises(InputError, match=rf"first column numbers the rows \({start}, {start + 1}"):
        read_matrix(write(table.to_csv(), "m.csv"), {"s1": ""})
    assert read_matrix(write(table.to_csv(index=False), "m.csv"), {"s1": ""}).ids[0] == "G0"


def test_a_missing_column_is_refused_with_the_most_similar_name(write):
    with pytest.raises(InputError, match=r"no column 's33' among its 3 samples.*mean 's3'\?"):
        read_matrix(write(tsv()), {"s33": ""})


def test_the_only_sample_of_a_file_needs_no_name(write):
    matrix = read_matrix(write("Geneid\tresults/alignment/x.bam\nTP53\t4\n"), {"P1": ""})
    assert matrix.samples == ["P1"] and matrix.values.tolist() == [[4]]


def test_a_missing_sample_in_a_transposed_file_is_refused(write):
    wide = "sample\t" + "\t".join(f"G{i}" for i in range(50)) + "\ns1" + "\t1" * 50 + "\n"
    with pytest.raises(InputError, match="has 1 rows: if those are the samples, transpose"):
        read_matrix(write(wide), {"P1": ""})


def test_damage_in_columns_not_wanted_is_ignored(write):
    matrix = read_matrix(write(damaged("4.0", "text")), {"s2": "", "s3": ""})
    np.testing.assert_array_equal(matrix.values, FRAME[["s2", "s3"]].T)


def test_zero_is_the_smallest_logarithm_if_that_is_below_0(write):
    path = write("gene\ts1\ts2\nA\t-2\t3\nB\tNA\tNA\nC\t4\t5\n")
    found = read_matrix(path, unit="log2", missing="zero").values
    assert found.tolist() == [[-2, -2, 4], [3, 0, 5]]  # log2(0 + 0.25), log2(0 + 1)


def test_missing_values_are_treated_as_configured(write):
    path = write(damaged("4.0", "NA"))
    assert read_matrix(path, missing="drop").ids.tolist() == ["A1BG", "KRAS"]
    assert read_matrix(path, missing="zero").values[0].tolist() == [1, 0, 0]
    assert np.isnan(read_matrix(path, missing="keep").values[0, 1])
    assert read_matrix(path, {"s2": ""}, missing="drop").ids.tolist() == GENES
    with pytest.raises(InputError, match="every gene has missing values"):
        read_matrix(write("gene\ts1\nA\t\nB\tNA\n"), missing="drop")


def test_logarithms_may_be_negative(write):
    assert read_matrix(write(damaged("4.0", "-4")), unit="log2").values[0, 1] == -4


@pytest.mark.parametrize("cut", [20, 60, -9, -4])
def test_truncated_gzip_is_refused(cut, tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.integers(0, 10**6, (500, 5)), index=[f"g{i}" for i in range(500)])
    path = tmp_path / "m.tsv.gz"
    path.write_bytes(gzip.compress(tsv(frame).encode())[:cut])
    with pytest.raises(InputError, match="truncated or damaged"):
        read_matrix(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such matrix"):
        read_matrix(tmp_path / "x.tsv")


@pytest.mark.parametrize("suffix", [".parquet", ".h5ad"])
def test_damaged_binary_files_are_refused(suffix, tmp_path):
    path = tmp_path / f"m{suffix}"
    path.write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(InputError, match="not a readable"):
        read_matrix(path)
    if suffix == ".parquet":
        FRAME.to_parquet(path)
    else:
        anndata.AnnData(FRAME.T).write_h5ad(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="not a readable"):
        read_matrix(path)


def test_text_in_a_parquet_column_is_refused(tmp_path):
    FRAME.assign(s2="x").to_parquet(tmp_path / "m.parquet")
    with pytest.raises(InputError, match="column 's2': it holds text"):
        read_matrix(tmp_path / "m.parquet", {"s2": ""})


CELL = st.text(max_size=5) | st.sampled_from(
    [*("1", "2.5", "-1", "NA", "", "gene", "s1", "1e400", '"', "N_unmapped", "Geneid", "#1.2")]
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    table=st.lists(st.lists(CELL, max_size=5), max_size=5),
    delimiter=st.sampled_from(["\t", ","]),
    name=st.sampled_from(["m.tsv", "m.tsv.gz"]),
)
def test_any_cells_are_read_or_raise_an_input_error(table, delimiter, name, write):
    path = write("\n".join(delimiter.join(row) for row in table), name)
    for wanted in (None, {"s1": ""}):
        try:
            matrix = read_matrix(path, wanted)
        except InputError as error:
            assert "\n" not in str(error)
        else:
            assert np.isfinite(matrix.values).all()
            assert matrix.values.shape == (len(matrix.samples), len(matrix.ids))


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=st.binary(max_size=80),
    name=st.sampled_from(["m.tsv", "m.parquet", "m.h5ad"]),
    head=st.sampled_from([b"", b"\x1f\x8b\x08", b"PAR1", b"\x89HDF\r\n\x1a\n", b"gene\ts1\n"]),
)
def test_any_bytes_are_read_or_raise_an_input_error(content, name, head, write):
    path = write(head + content, name)
    try:
        matrix = read_matrix(path)
    except InputError:
        return
    assert np.isfinite(matrix.values).all()


def test_real_files_as_pandas_reads_them(data):
    folder = data / "tcga_gtex"
    for name, unit in (
        ("rnaseqdb/bladder-rsem-count-gtex.txt.gz", "count"),
        ("metagsca/metagsca_stad_log2rsem.tsv.gz", "log2"),
        ("damirseq/damirseq_gtex_brain_counts_ensg.tsv.gz", "count"),
    ):
        witness = pd.read_csv(folder / name, sep="\t", index_col=0)
        witness = witness.drop(columns="Entrez_Gene_Id", errors="ignore")
        matrix = read_matrix(folder / name, unit=unit, missing="keep")
        assert matrix.samples == list(witness.columns)
        np.testing.assert_array_equal(matrix.values, witness.T.to_numpy(dtype=np.float32))
