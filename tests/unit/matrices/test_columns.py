"""Which column a sample is read from: as the sheet says, or refused by a sentence."""

import gzip
import logging
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matrix_files import GDC, HTSEQ, ISOFORMS, KALLISTO, LAYOUTS, ONE_BAM, RSEM, SALMON, STAR
from tissuestate.errors import InputError
from tissuestate.matrices.read import Matrix, read_matrix

GENES = [f"ENSG{i:011d}" for i in range(12)]
COUNTS = pd.DataFrame(
    np.arange(36).reshape(12, 3) + 1, index=GENES, columns=["P1", "P2", "P3"]
)  # fmt: skip
FIXED = {
    "P7.genes.results": pd.DataFrame(
        {"gene_id": GENES, "transcript_id(s)": "t", "length": 9, "effective_length": 8,
         "expected_count": range(12), "TPM": 2.5, "FPKM": 3.5}),
    "quant.sf": pd.DataFrame(
        {"Name": GENES, "Length": 9, "EffectiveLength": 8, "TPM": 2.5, "NumReads": range(12)}),
    "abundance.tsv": pd.DataFrame(
        {"target_id": GENES, "length": 9, "eff_length": 8, "est_counts": range(12), "tpm": 2.5}),
    "P7.rna_seq.augmented_star_gene_counts.tsv": pd.DataFrame(
        {"gene_id": GENES, "gene_name": "A", "gene_type": "x", "unstranded": range(12),
         "stranded_first": 6, "stranded_second": 6, "tpm_unstranded": 2.5,
         "fpkm_unstranded": 3.5, "fpkm_uq_unstranded": 4.5}),
    "gene_abund.tab": pd.DataFrame(
        {"Gene ID": GENES, "Gene Name": "-", "Reference": "chr1", "Strand": "+", "Start": 1,
         "End": 9, "Coverage": 1.5, "FPKM": 3.5, "TPM": 2.5}),
}  # fmt: skip
READ = {
    "P7.genes.results": ("expected_count", "TPM"),
    "quant.sf": ("NumReads", "TPM"),
    "abundance.tsv": ("est_counts", "tpm"),
    "P7.rna_seq.augmented_star_gene_counts.tsv": ("unstranded", "tpm_unstranded"),
    "gene_abund.tab": ("", "TPM"),
}


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str, name: str = "m.tsv") -> Path:
        (tmp_path / "P9").mkdir(exist_ok=True)
        path = tmp_path / "P9" / name
        path.write_text(text)
        return path

    return write


def refused(path: Path, wanted: dict[str, str], sentence: str, **options) -> Matrix:
    """The matrix with one sample refused; without `keep` the same fault is an InputError."""
    with pytest.raises(InputError, match=sentence):
        read_matrix(path, wanted, **options)
    matrix = read_matrix(path, wanted, missing="keep", **options)
    (found,) = matrix.refusals.values()
    assert pd.Series([found]).str.contains(sentence, regex=True).all(), found
    assert np.isnan(matrix.values[matrix.samples.index(*matrix.refusals)]).all()
    return matrix


# ---- a column that is written --------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tsv", "csv", "gct", "parquet", "h5ad"])
def test_a_stated_column_must_exist_and_an_empty_one_takes_the_only_column(kind, write, caplog):
    one = COUNTS[["P2"]].astype(float)
    path = write("", f"m.{kind}")
    if kind == "parquet":
        one.to_parquet(path)
    elif kind == "h5ad":
        import anndata

        anndata.AnnData(one.T).write_h5ad(path)
    elif kind == "gct":
        table = one.rename_axis("Name").assign(Description="x")[["Description", "P2"]]
        path.write_text("#1.2\n12\t1\n" + table.to_csv(sep="\t"))
    else:
        one.to_csv(path, sep="\t" if kind == "tsv" else ",", index_label="gene")
    refused(path, {"P1": "P1"}, r"there is no column 'P1' among its 1 samples \('P2'\)")
    with caplog.at_level(logging.WARNING):
        matrix = read_matrix(path, {"P1": ""})
        assert "sample P1 is read from the only column, 'P2'" in caplog.text
        caplog.clear()
        assert read_matrix(path, {"P1": "P2"}).samples == ["P1"]
        assert read_matrix(path, {"P2": ""}).columns == ["P2"]
        assert not caplog.text
    assert matrix.sole_columns == {"P1": "P2"} and not read_matrix(path, {"P1": "P2"}).sole_columns
    assert (matrix.samples, matrix.columns) == (["P1"], ["P2"])
    np.testing.assert_array_equal(matrix.values[0], COUNTS["P2"])


@pytest.mark.parametrize("name", FIXED)
@pytest.mark.parametrize("unit", ["count", "normalised"])
def test_files_of_one_sample_accept_the_column_that_is_read_or_their_name(name, unit, write):
    path = write(FIXED[name].to_csv(sep="\t", index=False), name)
    read = READ[name][unit != "count"]
    if not read:
        with pytest.raises(InputError, match="StringTie has no counts; give the unit as norm"):
            read_matrix(path, unit=unit)
        return
    own = "P7" if name.startswith("P7") else "P9"
    for column in ("", read, own):
        matrix = read_matrix(path, {"any": column}, unit=unit)
        np.testing.assert_array_equal(matrix.values[0], FIXED[name][read])
    refused(path, {"any": "P8"}, "no column 'P8'; of this table of", unit=unit)
    for column in {"fpkm_uq_unstranded", "FPKM", "length", *READ[name]} & {*FIXED[name]} - {read}:
        sentence = f"its column '{column}' is not read: of this table of .* {read}.* is read where"
        refused(path, {"any": column}, sentence, unit=unit)


def test_a_stated_column_of_another_strand_is_refused(write):
    table = FIXED["P7.rna_seq.augmented_star_gene_counts.tsv"].assign(stranded_second=99)
    path = write(table.to_csv(sep="\t", index=False), "P7.tsv")
    assert read_matrix(path, {"x": ""}).values[0, 0] == 99
    assert read_matrix(path, {"x": "stranded_second"}).values[0, 0] == 99
    for column in ("unstranded", "stranded_first"):
        refused(path, {"x": column}, f"so 'stranded_second' is read and not '{column}'")
    assert read_matrix(path, {"x": "unstranded"}, strandedness="none").values[0, 1] == 1


@pytest.mark.parametrize("layout", ["GDC", "STAR"])
def test_a_stated_strand_is_compared_with_the_counts(layout, write):
    table = FIXED["P7.rna_seq.augmented_star_gene_counts.tsv"].assign(stranded_second=99)
    text = table.to_csv(sep="\t", index=False)
    if layout == "STAR":
        columns = ["gene_id", "unstranded", "stranded_first", "stranded_second"]
        text = "N_unmapped\t1\t1\t1\n" + table[columns].to_csv(sep="\t", index=False, header=False)
    path = write(text, "P7.tsv")
    sentence = (
        r"forward, but .* 72 \(6%\) are on that one and 1,188 \(94%\) .* write reverse, or auto"
    )
    refused(path, {"x": ""}, sentence, strandedness="forward")
    assert read_matrix(path, {"x": ""}, strandedness="reverse").values[0, 0] == 99
    assert read_matrix(path, {"x": ""}, strandedness="none").values[0, 1] == 1
    path = write(text.replace("\t99", "\t17"), "P7.tsv")
    assert read_matrix(path, {"x": ""}, strandedness="forward").values[0, 0] == 6


def test_only_the_sample_that_is_absent_is_refused(write):
    path = write(COUNTS.to_csv(sep="\t", index_label="gene"))
    matrix = refused(path, {"a": "P3", "b": "P4", "c": "P1"}, "no column 'P4'")
    np.testing.assert_array_equal(matrix.values[[0, 2]], COUNTS[["P3", "P1"]].T)
    assert matrix.columns == ["P3", "b", "P1"]
    refused(path, {"P1": "", "b": "P1"}, "the same column is wanted twice, 'P1'")
    refused(path, {"P1": "", "P9": ""}, r"no column 'P9' among its 3 samples \('P1', 'P2', 'P3'\)")


def test_two_samples_from_a_file_of_one_sample_are_refused(write):
    path = write(COUNTS[["P2"]].to_csv(sep="\t", index_label="gene"))
    refused(path, {"P1": "", "P2": ""}, "no column 'P1' among its 1 samples")
    path = write(FIXED["quant.sf"].to_csv(sep="\t", index=False), "P5.sf")
    refused(path, {"P5": "", "P6": ""}, "no column 'P6'")


@pytest.mark.parametrize("column", ["name", "length", "Gene Name"])
def test_a_sample_may_have_the_name_of_an_annotation_column(column, write):
    table = COUNTS.rename(columns={"P1": column})
    path = write(table.to_csv(sep="\t", index_label="gene"))
    matrix = read_matrix(path, {"x": column, "P2": ""})
    np.testing.assert_array_equal(matrix.values, COUNTS[["P1", "P2"]].T)


@pytest.mark.parametrize(
    "extra", ["gene_name", "Gene Name", "gene_biotype", "HGNC symbol", "my_notes", "level of it"]
)
def test_columns_that_describe_genes_are_no_samples(extra, write):
    described = [f"text {i}" for i in range(12)]
    table = COUNTS[["P2"]].copy()
    table.insert(0, extra, described)
    path = write(table.to_csv(sep="\t", index_label="gene"))
    assert read_matrix(path).samples == ["P2"]
    np.testing.assert_array_equal(read_matrix(path, {"x": ""}).values[0], COUNTS["P2"])
    counted = table.rename_axis("Geneid").reset_index()
    for place, name in enumerate(["Chr", "Start", "End", "Strand", "Length"], 1):
        counted.insert(place, name, "1;5")
    counted = counted.rename(columns={"P2": "bam/P2.sorted.bam"})
    path = write("# Program:featureCounts\n" + counted.to_csv(sep="\t", index=False))
    for column in ("", "P2", "bam/P2.sorted.bam", "P2.sorted.bam"):
        matrix = read_matrix(path, {"x": column})
        np.testing.assert_array_equal(matrix.values[0], COUNTS["P2"])


@pytest.mark.parametrize("extra", ["entrez_id", "Entrez ID", "NCBI.gene.ID", "EntrezGene_ID"])
def test_columns_of_entrez_ids_are_no_samples(extra, write):
    table = COUNTS.copy()
    table.insert(0, extra, range(100, 112))
    assert read_matrix(write(table.to_csv(sep="\t", index_label="gene"))).samples == list(COUNTS)


# ---- rows and header that do not fit -------------------------------------------------------------


def table(header: str, ending: str = "", delimiter: str = "\t") -> str:
    rows = [delimiter.join(map(str, row)) for row in COUNTS.itertuples()]
    return "\n".join([header.replace(" ", delimiter), *(row + ending for row in rows), ""])


@pytest.mark.parametrize("delimiter", ["\t", ","])
@pytest.mark.parametrize(
    ("header", "ending"),
    [
        ("gene P1 P2 P3", "X"),
        ("gene P1 P2 P3", "XXX"),
        ("gene P1 P2 P3 ", ""),
        ("gene P1 P2 P3 ", "X"),
        ("gene P1 P2 P3  ", "X"),
        (" P1 P2 P3", "X"),
        ("Gene_ID P1 P2 P3", "X"),
        ("P1 P2 P3", ""),
        ("P1 P2 P3", "X"),
        ("ID_1 ID_2 ID_3", ""),
    ],
)
def test_sample_columns_are_recognised_by_header_and_rows(header, ending, delimiter, write):
    path = write(table(header, ending.replace("X", delimiter), delimiter))
    matrix = read_matrix(path)
    assert [name[-1] for name in matrix.samples] == ["1", "2", "3"]
    np.testing.assert_array_equal(matrix.values, COUNTS.T)
    assert matrix.ids.tolist() == GENES


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (table("P1 P2 P3 "), "row 2: 4 cells .*header ends in a delimiter and has 4 "),
        (table("gene P1 P2"), "row 2: 4 cells .'ENSG.*header has 3 .'gene', 'P1', 'P2'"),
        (table("X1 P1 P2 P3", "\t"), "row 2: 5 cells .*header has 4"),
        (table("gene P1"), "row 2: 4 cells .*header has 2"),
        (table("gene P1 P2 P3", "\t").replace("\t36\t", "\t36\t7"), "row 13: its cell 5, '7', st"),
        (table("gene P1 P2 P3", "\t").replace("\t36\t", "\t36"), "row 13: 4 cells, but the head"),
        (table("gene P1 P2 P3").split("\n", 1)[1], "first line is a row .*, not a header"),
        (table("gene P1 P2 P3") + "# made by\n", "row 14: a comment .'# made by'. among the rows"),
    ],
)
def test_an_ambiguous_header_is_refused_with_row_and_cells(text, sentence, write):
    for missing in ("error", "keep"):
        with pytest.raises(InputError, match=sentence):
            read_matrix(write(text), {"P1": ""}, missing=missing)


def test_numbers_as_sample_names_are_read_as_a_header(write):
    path = write(table("gene 101 102 103"))
    assert read_matrix(path).samples == ["101", "102", "103"]
    path = write(table("101 102 103"))
    assert read_matrix(path).samples == ["101", "102", "103"]
    np.testing.assert_array_equal(read_matrix(path, {"x": "102"}).values[0], COUNTS["P2"])
    path = write("gene_id\t101\nTP53\t4\nKRAS\t5\n")
    assert read_matrix(path).samples == ["101"]
    assert read_matrix(path).ids.tolist() == ["TP53", "KRAS"]


def test_rows_without_header_are_counts_if_all_are_whole_numbers(write):
    assert read_matrix(write("TP53\t4.5\nKRAS\t5\n")).layout == "two columns"
    assert read_matrix(write("TP53\t4\nKRAS\t5\n__no_feature\t5\n")).layout == "htseq-count"
    rows = "ENSG1\t9\t1\t8\nENSG2\t9\t1\t8\n"
    assert read_matrix(write(rows, "P1_ReadsPerGene.out.tab"), {"P1": "P1"}).values[0, 0] == 8
    with pytest.raises(InputError, match="first line is a row"):
        read_matrix(write(rows, "P1.tab"))


@pytest.mark.parametrize("first", ["SYM0\t29", "SYM0\tNA", "29\tSYM0", "NA\tSYM0"])
def test_a_first_row_with_text_or_an_empty_cell_is_not_taken_for_a_header(first, write):
    texts = first.split("\t").index("SYM0")
    rows = [f"{g}\tS{i}\t{i}" if not texts else f"{g}\t{i}\tS{i}" for i, g in enumerate(GENES)]
    text = f"ENSG00000000099\t{first}\n" + "\n".join(rows) + "\n"
    with pytest.raises(InputError, match=r"its first line is a row \(ENSG00000000099, .*header"):
        read_matrix(write(text), {"x": ""})
    titled = "gene_name\t101" if not texts else "101\tgene_name"
    assert read_matrix(write("Row\t" + titled + text[text.index("\n") :])).samples == ["101"]


def test_a_missing_first_count_is_read_as_data(write):
    matrix = read_matrix(write("ENSG1\tNA\nENSG2\t5\nENSG3\t6\n"), {"x": ""}, missing="keep")
    assert matrix.ids.tolist() == ["ENSG1", "ENSG2", "ENSG3"]


def test_a_header_shifted_by_one_column_is_refused(write):
    path = write(table("P1 P2 P3 total"))
    for missing in ("error", "keep"):
        with pytest.raises(InputError, match="'P1', a sample of the sheet, stands above the ids"):
            read_matrix(path, {"P1": "", "P2": ""}, missing=missing)


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/a/P1/Aligned.sortedByCoord.out.bam", "/a/P2/Aligned.sortedByCoord.out.bam"], "P1 P2"),
        (["/a/x.bam", "/b/x.bam"], "a b"),
        (["/a/P1/x.bam", "/b/P1/x.bam"], "/a/P1/x.bam /b/P1/x.bam"),
        (["/a/P1.bam", "/a/P2.bam"], "P1 P2"),
    ],
)
def test_samples_of_bams_with_one_name_are_named_after_their_folders(paths, names, write):
    rows = "".join(f"{gene}\t1\t1\t9\t+\t9\t{i}\t7\n" for i, gene in enumerate(GENES))
    path = write("Geneid\tChr\tStart\tEnd\tStrand\tLength\t" + "\t".join(paths) + "\n" + rows)
    assert read_matrix(path).samples == names.split()
    for column in (paths[0], names.split()[0]):
        np.testing.assert_array_equal(read_matrix(path, {"x": column}).values[0], np.arange(12))
    if paths[0].endswith("x.bam"):
        refused(path, {"x": "x.bam"}, "no column 'x.bam'")


def test_empty_rows_and_the_separator_line_of_excel_are_skipped(write):
    path = write("sep=,\n" + table("gene P1 P2 P3", delimiter=",") + ",,,\n,,,\n\n")
    assert read_matrix(path).ids.tolist() == GENES


@pytest.mark.parametrize("cell", ['"', '5" end', '"open'])
def test_a_quote_that_spans_rows_is_refused(cell, write):
    text = COUNTS.assign(note="x").to_csv(sep="\t", index_label="gene")
    lines = text.split("\n")
    lines[3] = lines[3].removesuffix("x") + cell
    lines[8] = lines[8].removesuffix("x") + cell
    path = write("\n".join(lines))
    if cell.startswith('"'):
        with pytest.raises(InputError, match=r"row 4: a quote .* closed in row 9, or never"):
            read_matrix(path, {"P1": ""})
    else:
        np.testing.assert_array_equal(read_matrix(path, {"P1": ""}).values[0], COUNTS["P1"])


# ---- announced sizes and ends --------------------------------------------------------------------


def gct(first: str = "Name", rows: int = 12, columns: int = 3, more: str = "") -> str:
    described = COUNTS.rename_axis(first).assign(Description="x")[["Description", *COUNTS]]
    if more:
        described = described.reset_index()
        described.insert(0, more, range(12))
        described = described.set_index(more)
    return f"#1.2\n{rows}\t{columns}\n" + described.to_csv(sep="\t")


def test_gct_files_of_other_programs_are_read(write):
    for text in (gct(), "\ufeff" + gct(), gct(more="id"), gct("NAME"), gct().replace("\n", "\r\n")):
        matrix = read_matrix(write(text, "m.gct"))
        assert (matrix.samples, matrix.ids.tolist()) == (list(COUNTS), GENES)
        np.testing.assert_array_equal(matrix.values, COUNTS.T)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (gct(rows=13), "announces 13 rows, 12 were found"),
        (gct(rows=11), "announces 11 rows, 12 were found"),
        (gct(columns=4), "announces 4 samples, its third names 3"),
    ],
)
def test_gct_of_another_size_than_announced_is_refused(text, sentence, write):
    with pytest.raises(InputError, match=sentence):
        read_matrix(write(text, "m.gct"))


def test_a_cut_last_row_is_refused(write, caplog):
    text = COUNTS.to_csv(sep="\t", index_label="gene")
    decimals = COUNTS.to_csv(sep="\t", index_label="gene", float_format="%.2f")
    decimals = (COUNTS + 0.25).to_csv(sep="\t", index_label="gene")
    for cut in (text[: text.rindex("\t") + 1], decimals[:-2], decimals[:-4], text[:-1] + "\r",
                text[:-1] + "0" * (4096 - len(text) + 1)):  # fmt: skip
        with pytest.raises(InputError, match=r"row 13: the last row, .* was cut short"):
            read_matrix(write(cut))
    whole = read_matrix(write(text[:-1]))
    assert whole.lacks_line_end
    assert "its last row has no line end; the file may be cut short" in caplog.text
    np.testing.assert_array_equal(whole.values, COUNTS.T)
    assert not read_matrix(write(text)).lacks_line_end
    assert read_matrix(write(decimals[:-1])).lacks_line_end


# ---- one bad sample of many ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "sentence"),
    [
        ("n.d.", r"row 4, column 'P2': found 'n\.d\.' \(gene 'ENSG00000000002'\); expected a numb"),
        ("\u00a08", r"row 4, column 'P2': found '.*8' \(gene"),
        ("1,5", "row 4, column 'P2': found '1,5'.* a point for decimals"),
        ("٣", "row 4, column 'P2': found '٣'"),
        ("1e39", r"inf for gene 'ENSG00000000002' in column 'P2' .* too large \(above 3.4e38\)"),
        ("-inf", "-inf for gene 'ENSG00000000002' in column 'P2'"),
        ("-8", "-8 for gene 'ENSG00000000002' in column 'P2' is negative, which a count cannot"),
    ],
)
def test_a_sample_with_a_bad_cell_is_refused_and_the_others_are_read(cell, sentence, write):
    lines = COUNTS.to_csv(sep="\t", index_label="gene").split("\n")
    lines[3] = lines[3].replace("\t8\t", f"\t{cell}\t")
    matrix = refused(write("\n".join(lines)), {"a": "P1", "b": "P2", "c": "P3"}, sentence)
    assert list(matrix.refusals) == ["b"]
    np.testing.assert_array_equal(matrix.values[[0, 2]], COUNTS[["P1", "P3"]].T)


def test_each_bad_sample_has_its_own_reason(write):
    frame = COUNTS.astype(object)
    frame.iloc[3, 0], frame.iloc[5, 1], frame["P3"] = "x", -1, "NA"
    path = write(frame.to_csv(sep="\t", index_label="gene"))
    matrix = read_matrix(path, dict.fromkeys(["P1", "P2", "P3", "P4"], ""), missing="keep")
    assert sorted(matrix.refusals) == ["P1", "P2", "P3", "P4"]
    assert "row 5, column 'P1': found 'x'" in matrix.refusals["P1"]
    assert "-1 for gene" in matrix.refusals["P2"]
    assert "all 12 values in column 'P3' are missing" in matrix.refusals["P3"]
    assert "no column 'P4'" in matrix.refusals["P4"]
    assert np.isnan(matrix.values).all()


def test_a_sample_without_values_is_refused_in_training(write):
    path = write(COUNTS.assign(P3="NA").to_csv(sep="\t", index_label="gene"))
    for missing in ("error", "zero"):
        with pytest.raises(InputError, match="all 12 values in column 'P3' are missing"):
            read_matrix(path, missing=missing)


def test_an_endless_line_takes_no_memory(tmp_path):
    path = tmp_path / "m.tsv.gz"
    with gzip.open(path, "wb", compresslevel=1) as stream:
        for _ in range(70):
            stream.write(b"A" * (1 << 20))
    with pytest.raises(InputError, match="a line of more than 67,108,864 bytes"):
        read_matrix(path)


ANY = {**LAYOUTS, "STAR": STAR, "GDC": GDC, "RSEM": RSEM, "isoforms": ISOFORMS, "salmon": SALMON,
       "kallisto": KALLISTO, "htseq": HTSEQ, "one bam": ONE_BAM}  # fmt: skip


@pytest.mark.parametrize("change", ["rows", "header", "both", "bom", "windows", "empty", "blank"])
@pytest.mark.parametrize("layout", ANY)
def test_another_layout_of_the_same_table_has_equal_values(layout, change, write):
    """The same table as programs write it otherwise is read the same, or refused with its row."""
    text = ANY[layout].removeprefix("\ufeff").replace("\r\n", "\n").rstrip("\n") + "\n"
    delimiter = "\t" if "\t" in text else ","
    lines = text.split("\n")[:-1]
    first = next(i for i, line in enumerate(lines) if not line.startswith("#"))
    first += 1 if layout.startswith("GCT") else 0
    if change in ("header", "both"):
        lines[first] += delimiter
    if change in ("rows", "both"):
        lines[first + 1 :] = [line + delimiter for line in lines[first + 1 :]]
    if change == "empty":
        lines += [delimiter * lines[-1].count(delimiter)] * 3
    end = "\r\n" if change == "windows" else "\n"
    changed = end.join([*lines, ""]) + (end * 3 if change == "blank" else "")
    expected = read_matrix(write(text))
    try:
        found = read_matrix(write("\ufeff" * (change == "bom") + changed))
    except InputError as error:
        assert change in ("rows", "header", "both") and layout in ("R", "STAR", "htseq")
        assert re.search(r"row 2: \d cells|first line is a row", str(error))
    else:
        np.testing.assert_array_equal(found.values, expected.values)
        assert (found.samples, found.ids.tolist()) == (expected.samples, expected.ids.tolist())
