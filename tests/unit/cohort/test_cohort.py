"""The cohort: ids brought together, symbols summed, the intersection; a small one by hand."""

import logging
import re
import shutil
import subprocess

import anndata
import numpy as np
import pandas as pd
import pytest
from sex_genes import OTHERS, PEOPLE, sex_counts, sex_gene_map
from tissuestate.cohort.merge import (
    assemble_cohort,
    choose_genes,
    keep_samples,
    training_classes,
)
from tissuestate.cohort.sex import sex_facts, sex_table
from tissuestate.cohort.split import split_samples
from tissuestate.errors import InputError
from tissuestate.h5ad import write_h5ad
from tissuestate.matrices.gene_map import COLUMNS, GeneMap
from tissuestate.matrices.gene_sources import build_gene_map
from tissuestate.sheet.classes import ClassTable
from tissuestate.sheet.sheet import read_sheet

GENE_MAP = GeneMap(
    pd.DataFrame(
        [
            ("A1BG", "ENSG00000000001", "1", "OLDA", ""),
            ("KRAS", "ENSG00000000002|ENSG00000000022", "2", "", ""),
            ("MYC", "ENSG00000000003", "3", "", ""),
            ("TP53", "ENSG00000000004", "4", "P53", ""),
        ],
        columns=list(COLUMNS),
    )
)


def sheet(rows: list[tuple[str, str, str, str, str]]) -> pd.DataFrame:
    """Validated samples from (sample, source, matrix, unit, split); matrix '' = from reads."""
    frame = pd.DataFrame(rows, columns=["sample", "source", "matrix", "unit", "split"])
    return frame.assign(
        donor=frame["sample"],
        specimen=frame["sample"],
        sex="",
        project="",
        study="S",
        laboratory="S",
        disease_state="neoplastic",
        tissue="kidney",
        subtype="kirc",
        origin=np.where(frame["matrix"] == "", "bam", "matrix"),
        column=frame["sample"],
        strandedness="auto",
    )


@pytest.fixture
def two_sources(tmp_path):
    """Symbols with an alias in one file, versioned Ensembl ids in another, counts of reads."""
    (tmp_path / "a.tsv").write_text(
        "gene\ts1\ts2\nTP53\t1\t2\nOLDA\t3\t4\nKRAS\t5\t6\nKRAS\t7\t8\nnovel\t9\t9\n"
    )
    (tmp_path / "b.tsv").write_text(
        "gene\ts3\nENSG00000000004.7\t10\nENSG00000000001.1\t20\nENSG00000000002.1\t30\n"
        "ENSG00000000022\t40\nENSG00000000003\t50\nENSG00000009999\t60\n"
    )
    for name, base in (("r1", 100), ("r2", 200)):
        rows = "".join(f"ENSG0000000000{i}.1\tc\t1\t2\t+\t2\t{base + i}\n" for i in (4, 3, 2, 1))
        header = f"Geneid\tChr\tStart\tEnd\tStrand\tLength\tx/{name}.bam"
        (tmp_path / f"{name}.tsv").write_text(f"# Program:featureCounts\n{header}\n{rows}")
    samples = sheet(
        [
            ("r2", "lab", "", "count", "train"),
            ("s2", "a", str(tmp_path / "a.tsv"), "count", "train"),
            ("s3", "b", str(tmp_path / "b.tsv"), "count", "train"),
            ("s1", "a", str(tmp_path / "a.tsv"), "count", "test"),
            ("r1", "lab", "", "count", "train"),
        ]
    )
    return samples, {name: tmp_path / f"{name}.tsv" for name in ("r1", "r2")}


def test_sources_are_merged_on_symbols(two_sources):
    samples, counts = two_sources
    cohort, table = assemble_cohort(samples, GENE_MAP, counts)
    assert cohort.obs_names.tolist() == ["r2", "s2", "s3", "s1", "r1"]
    assert cohort.var_names.tolist() == ["A1BG", "KRAS", "TP53"]
    np.testing.assert_array_equal(
        cohort.X, [[201, 202, 204], [4, 14, 2], [20, 70, 10], [3, 12, 1], [101, 102, 104]]
    )
    assert cohort.X.dtype == np.float32
    assert cohort.var.loc["KRAS"].tolist() == ["ENSG00000000002|ENSG00000000022", "2"]
    assert table.to_dict("list") == {
        "dataset": ["a", "b", "reads"],
        "genes": [3, 4, 4],
        "recognised": [4, 5, 4],
        "id_type": ["symbol", "ensembl", "ensembl"],
        "common_without": [4, 3, 3],
    }


@pytest.fixture
def with_panel(two_sources, tmp_path) -> tuple[pd.DataFrame, dict]:
    """The two sources, three copies of b's sample and a panel of two of the four genes."""
    samples, counts = two_sources
    (tmp_path / "panel.tsv").write_text("gene\tp1\nMYC\t5\nKRAS\t6\n")
    files = {"p1": "panel", "s4": "c", "s5": "d", "s6": "e"}
    for name in ("c", "d", "e"):
        shutil.copy(tmp_path / "b.tsv", tmp_path / f"{name}.tsv")
    rows = [(s, f, str(tmp_path / f"{f}.tsv"), "count", "train") for s, f in files.items()]
    more = sheet(rows).assign(donor="s3", column=["p1", *["s3"] * 3])
    return pd.concat([samples, more], ignore_index=True), counts


def test_genes_that_a_data_set_lacks_are_missing(with_panel):
    samples, counts = with_panel
    samples.loc[samples["sample"] == "p1", "split"] = "background"
    cohort, table = assemble_cohort(samples, GENE_MAP, counts, genes="most")
    assert cohort.var_names.tolist() == ["A1BG", "KRAS", "MYC", "TP53"]  # s2 alone lacks MYC
    np.testing.assert_array_equal(cohort["p1"].X, [[np.nan, 6, 5, np.nan]])
    np.testing.assert_array_equal(cohort["s2"].X, [[4, 14, np.nan, 2]])
    np.testing.assert_array_equal(cohort["r1"].X, [[101, 102, 103, 104]])
    assert np.isfinite(cohort[["s3", "s4", "r2"]].X).all()
    assert table.set_index("dataset")["genes"]["panel"] == 2


def test_the_genes_of_most_training_samples_are_kept():
    lists = [np.array(names) for names in (["a", "b", "c"], ["b", "c"], ["a", "d"])]
    assert choose_genes(lists, [60, 25, 15]).tolist() == ["b", "c"]
    assert choose_genes(lists, [60, 15, 25]).tolist() == ["a"]
    assert choose_genes(lists, [80, 20, 0]).tolist() == ["a", "b", "c"]  # none of it trains
    with pytest.raises(InputError, match="no gene is common to most training samples"):
        choose_genes(lists[1:], [1, 1])


def test_samples_with_few_of_the_genes_are_refused(with_panel, tmp_path):
    samples, counts = with_panel
    (tmp_path / "panel.tsv").write_text("gene\tp1\nKRAS\t6\n")
    sentence = (
        r"panel\.tsv: sample 'p1' has 1 of the 4 genes .* at least 30% are needed; leave the "
        "file's samples out of the sheet"
    )
    samples.loc[samples["sample"] == "p1", "split"] = "background"
    with pytest.raises(InputError, match=sentence):
        assemble_cohort(samples, GENE_MAP, counts, genes="most")


def test_an_unexpected_number_of_genes_is_logged(two_sources, caplog):
    samples, counts = two_sources
    with caplog.at_level(logging.INFO):
        assemble_cohort(samples, GENE_MAP, counts, expected_genes=4)
    assert re.search("has 3 genes, expected 4; .*: a 1$", caplog.text, re.MULTILINE)
    assert "b.tsv: 5 of 6 genes found as Ensembl ids" in caplog.text
    caplog.clear()
    assemble_cohort(samples, GENE_MAP, counts, expected_genes=3)
    assert "expected" not in caplog.text


def test_logarithms_are_summed_on_the_linear_scale(tmp_path):
    path = tmp_path / "log.tsv"
    path.write_text("gene\ts1\nKRAS\t3\nKRAS\t4\nTP53\t-1\n")  # log2 of a value + 0.5
    cohort, _ = assemble_cohort(sheet([("s1", "a", str(path), "log2", "train")]), GENE_MAP)
    np.testing.assert_allclose(cohort[:, "KRAS"].X, np.log2(7.5 + 15.5 + 0.5), rtol=1e-6)
    assert cohort[:, "TP53"].X == -1


MANY = [f"G{i}" for i in range(1200)]
MANY_MAP = GeneMap(pd.DataFrame({name: MANY if name == "symbol" else "" for name in COLUMNS}))


def of_two(tmp_path, first: np.ndarray, second: np.ndarray, unit: str, **changes: object):
    """The cohort of two samples, a matrix each."""
    for name, values in (("s1", first), ("s2", second)):
        pd.DataFrame({name: values}, MANY).to_csv(tmp_path / f"{name}.tsv", sep="\t")
    rows = [(name, "a", str(tmp_path / f"{name}.tsv"), unit, "train") for name in ("s1", "s2")]
    return assemble_cohort(sheet(rows).assign(**changes), MANY_MAP)[0]


@pytest.fixture(scope="module")
def counts_of_two() -> np.ndarray:
    return np.random.default_rng(1).negative_binomial(0.3, 0.003, (2, len(MANY)))


def test_values_of_another_unit_than_stated_are_refused(counts_of_two, tmp_path, caplog):
    first, second = counts_of_two
    parts = second / second.sum() * 1e6
    assert not of_two(tmp_path, first, second, "count").obs.empty and not caplog.records
    with pytest.raises(
        InputError, match=r"s2\.tsv, column 's2', stated as count: no value is abov"
    ):
        of_two(tmp_path, first, np.log2(parts + 1), "count")
    with pytest.raises(
        InputError, match=r"s1\.tsv, column 's1', stated as log2: its largest value"
    ):
        of_two(tmp_path, first, np.log2(parts + 1), "log2")
    with pytest.raises(InputError, match=r"column 's2', stated as log2: .*natural logarithms"):
        of_two(tmp_path, np.log2(parts + 1), np.log(parts + 1), "log2")
    of_two(tmp_path, first, parts, "count")
    assert "s2.tsv: 1 samples, such as s2: The values may be divided by gene length" in caplog.text
    of_two(tmp_path, np.log2(first + 1), np.log2(parts + 0.001), "log2")
    assert "of the logarithms are below 0" in caplog.text


@pytest.mark.parametrize("kind", ["constant", "single cell", "centred", "missing"])
def test_values_that_are_no_sample_are_refused(counts_of_two, tmp_path, kind):
    first, second = counts_of_two
    unit, bad, sentence = {
        "constant": ("count", second * 0 + 5, "all genes have the same value, 5"),
        "single cell": (
            "count",
            np.where(np.random.default_rng(2).random(len(second)) < 0.1, second, 0),
            "of the genes are zero, as in a single cell",
        ),
        "centred": (
            "log2",
            np.log2((second + 1) / (first + 1)),
            "column 's2', stated as log2: its values look centred or scaled",
        ),
        "missing": (
            "count",
            np.full(len(second), np.nan),
            "all 1,200 values in column .s2. are missing",
        ),
    }[kind]
    good = np.log2(first + 1) if unit == "log2" else first
    with pytest.raises(InputError, match=rf"s2\.tsv.*{sentence}"):
        of_two(tmp_path, good, bad, unit)


def test_rows_that_are_no_genes_are_left_out_and_logged(tmp_path, caplog):
    rows = "".join(f"{name}\t{n + 1}\t9\n" for n, name in enumerate(["TP53", "KRAS", "MYC"]))
    more = "".join(f"{name}\t500\t400\n" for name in ("no_feature", "TOTAL", "EGFP", "ERCC-00002"))
    (tmp_path / "a.tsv").write_text(f"gene\ts1\ts2\n{rows}{more}")
    path = str(tmp_path / "a.tsv")
    with caplog.at_level(logging.INFO):
        cohort, _ = assemble_cohort(sheet([("s1", "a", path, "count", "train")]), GENE_MAP)
    assert cohort.var_names.tolist() == ["KRAS", "MYC", "TP53"]
    assert "4 ids are unknown and left out, such as no_feature, TOTAL, EGFP" in caplog.text


def test_transcripts_without_a_gene_are_refused_or_logged(tmp_path, caplog):
    """Of genes whose transcripts are not all known, a part of the reads would be lost."""
    known = GeneMap(GENE_MAP.table.assign(transcripts=[f"ENST{n:011d}" for n in range(4)]))
    path = tmp_path / "quant.tsv"

    def assembled(lost: int):
        rows = "".join(f"ENST{n:011d}.1\t{n + 1 if n < 4 else lost}\n" for n in range(8))
        path.write_text(f"Name\ts1\n{rows}")
        return assemble_cohort(sheet([("s1", "a", str(path), "count", "train")]), known)[0]

    with pytest.raises(
        InputError, match="4 of its 8 transcripts, with 80% of the reads, cannot be"
    ):
        assembled(10)
    assert not caplog.records
    assert assembled(1).X.tolist() == [[1, 2, 3, 4]]
    assert "4 of its 8 transcripts, with 29% of the reads, cannot be placed" in caplog.text
    with pytest.raises(InputError, match="transcripts, with 100% of the reads, cannot be placed"):
        assemble_cohort(sheet([("s1", "a", str(path), "count", "train")]), GENE_MAP)


def test_equal_rows_of_a_gene_count_once(counts_of_two, tmp_path, caplog):
    """As a join of tables leaves them; the same in training as in calls, by one function."""
    first, _ = counts_of_two
    table = pd.DataFrame({"s1": first}, MANY)
    for name, more in (("once", table.iloc[:0]), ("twice", table.iloc[:400])):
        pd.concat([table, more]).to_csv(tmp_path / f"{name}.tsv", sep="\t")
    once, twice = (
        assemble_cohort(
            sheet([("s1", "a", str(tmp_path / f"{name}.tsv"), "count", "train")]), MANY_MAP
        )[0]
        for name in ("once", "twice")
    )
    np.testing.assert_array_equal(once.X, twice.X)
    assert "twice.tsv: " in caplog.text and "these rows count once" in caplog.text
    assert "once.tsv: " not in caplog.text


def test_a_copy_of_another_donors_sample_is_refused(counts_of_two, tmp_path, caplog):
    first, _ = counts_of_two
    with pytest.raises(
        InputError, match=r"'s2' of donor 's2' has the same value as sample 's1' of"
    ):
        of_two(tmp_path, first, first, "count")
    of_two(tmp_path, first, first, "count", donor="d")
    assert "sample s2 has the same values as s1" in caplog.text


def test_unknown_ids_are_refused(two_sources, tmp_path):
    samples, counts = two_sources
    (tmp_path / "b.tsv").write_text("gene\ts3\nENSMUSG00000000001\t1\nENSMUSG00000000002\t1\n")
    with pytest.raises(InputError, match=r"b\.tsv: 0 of its 2 genes .*Ensembl ids.*ENSMUSG"):
        assemble_cohort(samples, GENE_MAP, counts)
    rows = "".join(f"{name}\t1\n" for name in ("Tp53", "Kras", "Myc", "Gapdh", "TP53", "Actb"))
    (tmp_path / "b.tsv").write_text(f"gene\ts3\n{rows}")
    with pytest.raises(InputError, match=r"1 of its 6 genes are known .*those of mouse or rat"):
        assemble_cohort(samples, GENE_MAP, counts)


def test_an_empty_intersection_is_refused(two_sources, tmp_path):
    samples, counts = two_sources
    (tmp_path / "b.tsv").write_text("gene\ts3\nENSG00000000003\t1\n")
    with pytest.raises(
        InputError, match=r"no gene is common.*a 3 \(gene symbols\), b 1 \(Ensembl ids\), reads 4"
    ):
        assemble_cohort(samples, GENE_MAP, counts)


def test_counts_on_other_genes_are_refused(two_sources):
    samples, counts = two_sources
    path = counts["r1"]
    path.write_text(path.read_text().replace("ENSG00000000004", "ENSG00000000005"))
    with pytest.raises(InputError, match=r"r1\.tsv: sample 'r1' was counted on other genes"):
        assemble_cohort(samples, GENE_MAP, counts)


def test_a_sample_without_counts_is_refused(two_sources):
    samples, counts = two_sources
    with pytest.raises(InputError, match="sample 'r1' comes from reads and has no count table"):
        assemble_cohort(samples, GENE_MAP, {"r2": counts["r2"]})


def test_the_setting_for_missing_values_is_applied_to_files(two_sources, tmp_path):
    samples, counts = two_sources
    text = (tmp_path / "a.tsv").read_text().replace("TP53\t1", "TP53\tNA")
    (tmp_path / "a.tsv").write_text(text)
    with pytest.raises(InputError, match="1 values of 1 genes are missing"):
        assemble_cohort(samples, GENE_MAP, counts)
    cohort, _ = assemble_cohort(samples, GENE_MAP, counts, missing="drop")
    assert cohort.var_names.tolist() == ["A1BG", "KRAS"]


def test_equal_inputs_give_equal_bytes(two_sources, tmp_path):
    samples, counts = two_sources
    for name in ("1.h5ad", "2.h5ad"):
        cohort, _ = assemble_cohort(samples, GENE_MAP, counts)
        write_h5ad(tmp_path / name, cohort)
    assert (tmp_path / "1.h5ad").read_bytes() == (tmp_path / "2.h5ad").read_bytes()
    again = anndata.read_h5ad(tmp_path / "1.h5ad")
    assert again.obs["split"].tolist() == samples["split"].tolist()


def test_samples_that_fail_quality_control_are_left_out(two_sources):
    samples = two_sources[0]
    quality = pd.DataFrame({"sample": ["r1", "r2"], "kept": [True, False]})
    assert keep_samples(samples, quality)["sample"].tolist() == ["s2", "s3", "s1", "r1"]
    assert len(keep_samples(samples, None)) == 5


def test_a_class_without_training_sample_is_refused(two_sources, caplog):
    samples = two_sources[0]
    samples.loc[samples["sample"].isin(["r1", "s1"]), "tissue"] = "liver"
    quality = pd.DataFrame({"sample": ["r1"], "kept": [False]})
    with pytest.raises(InputError, match=r"tissue 'liver' has 1 sample\(s\) to validate or test"):
        keep_samples(samples, quality)
    both = pd.DataFrame({"sample": ["r1", "s1"], "kept": [False, False]})
    keep_samples(samples, both)
    assert "no sample of tissue 'liver' passes quality control" in caplog.text
    nothing = pd.DataFrame({"sample": samples["sample"], "kept": False})
    with pytest.raises(InputError, match="no sample passes quality control"):
        keep_samples(samples, nothing)


def test_classes_are_those_of_training_samples(two_sources, root):
    samples, counts = two_sources
    samples.loc[samples["sample"] == "s3", ["tissue", "subtype"]] = ["liver", ""]
    samples.loc[samples["sample"] == "s1", ["tissue", "subtype"]] = ["lung", "luad"]
    cohort, _ = assemble_cohort(samples, GENE_MAP, counts)
    classes = ClassTable.read(root / "resources" / "classes.tsv")
    assert training_classes(cohort, classes) == {
        "disease_state": ["neoplastic"],
        "tissue": ["kidney", "liver"],
        "subtype": ["kirc"],
        "subtypes_of": {"kidney": ["kirc"]},
    }


@pytest.mark.slow
def test_real_cohort(data, root, tmp_path):
    """All four sources; the intersection is checked against plain set arithmetic."""
    if shutil.which("Rscript") is None:
        pytest.skip("Rscript is not installed")
    query = 'cat(system.file("extdata", "org.Hs.eg.sqlite", package = "org.Hs.eg.db"))'
    found = subprocess.run(["Rscript", "-e", query], capture_output=True, text=True).stdout
    if not found:
        pytest.skip("R package org.Hs.eg.db is not installed")
    from real_sheet import real_sheet

    real_sheet(data / "tcga_gtex").to_csv(tmp_path / "real.tsv", sep="\t", index=False)
    samples = read_sheet(tmp_path / "real.tsv", ClassTable.read(root / "resources/classes.tsv"))
    samples["split"] = split_samples(samples)
    cohort, table = assemble_cohort(samples, build_gene_map(found), missing="zero")
    assert cohort.shape[0] == 1825
    # 3,262 without looking at aliases and Entrez ids, 3,291 with shared Ensembl ids by alphabet
    assert cohort.shape[1] == 3306
    assert np.isfinite(cohort.X).all()
    kinds = dict(zip(table["dataset"], table["id_type"], strict=True))
    assert kinds == {
        "damirseq": "ensembl",
        "metagsca": "symbol",
        "rnaseqdb": "symbol",
        "tcgaworkflow": "symbol",
    }
    row = samples.iloc[700]
    witness = pd.read_csv(row["matrix"], sep="\t", index_col=0)[row["column"] or row["sample"]]
    for gene in ("TP53", "EGFR", "MYC", "KRT8"):
        if gene in cohort.var_names:
            assert cohort.X[700, cohort.var_names.get_loc(gene)] == np.float32(witness[gene])


def test_the_sex_is_read_before_genes_are_cut(tmp_path, caplog):
    counts = sex_counts().rename_axis("gene")
    names = list(counts.index.str.replace(r"\W", "", regex=True))
    counts = counts.set_axis(names, axis=0)
    counts.T.to_csv(tmp_path / "whole.tsv", sep="\t")
    counts[list(OTHERS)].T.set_axis([f"x{n}" for n in names], axis=1).to_csv(
        tmp_path / "panel.tsv", sep="\t"
    )
    rows = [(name, "a", str(tmp_path / "whole.tsv"), "count", "train") for name in names]
    rows += [(f"x{name}", "b", str(tmp_path / "panel.tsv"), "count", "train") for name in names]
    samples = sheet(rows).assign(donor=names * 2)
    samples.loc[0, "sex"] = "male"
    samples.loc[2, ["sex", "tissue"]] = "male", "uterus"
    cohort, _ = assemble_cohort(samples, sex_gene_map())
    assert set(cohort.var_names) == set(OTHERS)
    truth = [sex for _, _, sex in PEOPLE.values()]
    assert cohort.obs["sex_expressed"].tolist() == truth + [""] * len(truth)
    table = sex_table(cohort.obs)
    assert table["contradicts"].tolist()[:4] == ["sex", "", "tissue", ""]
    assert "2 sample(s) express another sex" in caplog.text and names[0] in caplog.text
    table.to_csv(tmp_path / "sex.tsv", sep="\t", index=False)
    facts = sex_facts(tmp_path / "sex.tsv")
    assert (facts["samples"], facts["expressed"], facts["stated"]) == (14, 4, 2)
    assert [row["sample"] for row in facts["contradicted"]] == [names[0], names[2]]
    assert facts["contradicted"][1]["contradicts"] == "tissue"


def test_the_sex_of_samples_from_reads_is_known(tmp_path):
    counts = sex_counts()
    names = [f"s{number}" for number in range(len(counts))]
    for name, values in zip(names, counts.to_numpy(int), strict=True):
        lines = [f"{gene}\tc\t1\t2\t+\t2\t{n}" for gene, n in zip(counts, values, strict=True)]
        header = f"# Program:featureCounts\nGeneid\tChr\tStart\tEnd\tStrand\tLength\tx/{name}.bam"
        (tmp_path / f"{name}.tsv").write_text("\n".join([header, *lines, ""]))
    samples = sheet([(name, "lab", "", "count", "train") for name in names])
    cohort, _ = assemble_cohort(
        samples, sex_gene_map(), {name: tmp_path / f"{name}.tsv" for name in names}
    )
    assert cohort.obs["sex_expressed"].tolist() == [sex for _, _, sex in PEOPLE.values()]
