"""Rows of one gene added up: doubled rows once, chance equality and transcripts in full."""

import numpy as np
import pandas as pd
import pytest
from tissuestate.classification.inputs import Genes
from tissuestate.cohort.merge import assemble_cohort
from tissuestate.matrices.gene_map import GeneMap
from tissuestate.matrices.gene_rows import GeneRows
from tissuestate.matrices.genes import are_transcripts
from tissuestate.matrices.read import read_matrix

RNG = np.random.default_rng(8)
COUNTS = RNG.negative_binomial(1, 0.01, (2, 500)).astype(np.float32)
NAMES = [f"G{n}" for n in range(500)]


def collapse(values, genes, ids, unit="count"):
    rows = GeneRows.from_ids(np.array(genes), ids, are_transcripts(ids))
    return rows.collapse(np.asarray(values), [unit] * len(values))


@pytest.mark.parametrize("unit", ["count", "log2"])
def test_rows_of_one_gene_are_added_up_on_the_linear_scale(unit):
    values = np.array([[3, 1, 7, 2], [5, 8, 0, 4]], np.float32)
    given = np.log2(values + 1) if unit == "log2" else values
    found, once = collapse(given, [1, 0, 1, -1], ["a", "b", "c", "d"], unit)
    expected = np.array([[1, 10], [8, 5]])
    np.testing.assert_allclose(found, np.log2(expected + 1) if unit == "log2" else expected)
    assert once.tolist() == [0, 0] and found.dtype == np.float32


def test_sums_of_logarithms_have_what_was_added_to_all_of_the_sample():
    values = np.array([[3, 1, 7, 0, 0, 0]])
    given = np.log2(values + 0.001)
    found, _ = collapse(given, [1, 0, 1, 2, 2, -1], list("abcdef"), "log2")
    np.testing.assert_allclose(found, np.log2(np.array([[1, 10, 0]]) + 0.001), rtol=1e-6)
    assert found[0, 2] == given.astype(np.float32)[0, 3]  # still the smallest


def test_doubled_rows_count_once_and_others_are_added_up():
    doubled = np.concatenate([COUNTS, COUNTS[:, :300]], axis=1)
    found, once = collapse(doubled, [*range(500), *range(300)], [*NAMES, *NAMES[:300]])
    np.testing.assert_array_equal(found, COUNTS)
    assert once.tolist() == (COUNTS[:, :300] > 0).sum(axis=1).tolist()
    alone, _ = collapse(doubled[1:], [*range(500), *range(300)], [*NAMES, *NAMES[:300]])
    np.testing.assert_array_equal(alone, found[1:])  # whatever the other samples are


def test_small_counts_that_are_equal_by_chance_are_added_up():
    """Of a name that hundreds of genes share, such as Y_RNA, most rows are 0 or 1."""
    shared = RNG.integers(0, 3, (2, 400)).astype(np.float32)
    other = RNG.permuted(COUNTS, axis=1)[:, :100]
    values = np.concatenate([COUNTS, shared, other], axis=1)
    genes = [*range(500), *[500] * 400, *range(100)]
    found, once = collapse(values, genes, [str(n) for n in range(1000)])
    np.testing.assert_array_equal(found[:, 500], shared.sum(axis=1))
    assert (once < 5).all()


def test_transcripts_of_equal_abundance_are_added_up():
    ids = [f"ENST{n:011d}.1" for n in range(1000)]
    found, once = collapse(np.tile(COUNTS, 2), [*range(500)] * 2, ids)
    np.testing.assert_array_equal(found, 2 * COUNTS)
    assert not once.any()
    found, _ = collapse(np.tile(COUNTS, 2), [*range(500)] * 2, ids[:500] * 2)
    np.testing.assert_array_equal(found, COUNTS)  # the same transcripts twice


def test_transcripts_beside_their_gene_are_left_out():
    """A gene's row holds their counts already; those of a gene without one are added up."""
    ids = ["ENSG00000000001.1", *(f"ENST{n:011d}.1" for n in range(4))]
    found, once = collapse([[10, 4, 6, 2, 3]], [0, 0, 0, 1, 1], ids)
    np.testing.assert_array_equal(found, [[10, 5]])
    assert not once.any()


def test_missing_rows_are_left_out_and_missing_genes_stay_missing():
    values = np.array([[np.nan, 2, np.nan, np.nan, 5]], np.float32)
    found, _ = collapse(values, [0, 0, 1, 1, 3], list("abcde"))
    np.testing.assert_array_equal(found, [[2, np.nan, 5]])


SYMBOLS = [f"S{n:03d}" for n in range(150)]
GENE_MAP = GeneMap(
    pd.DataFrame(
        {
            "symbol": SYMBOLS,
            "ensembl": [f"ENSG{n:011d}|ENSG{n + 500:011d}" for n in range(150)],
            "entrez": "",
            "aliases": [f"OLD{n}" for n in range(150)],
            "transcripts": [f"ENST{n:011d}|ENST{n + 500:011d}" for n in range(150)],
        }
    )
)
TABLES = {
    "several ids": [f"ENSG{n + add:011d}.1" for add in (0, 500) for n in range(150)],
    "transcripts": [f"ENST{n + add:011d}.1" for add in (0, 500) for n in range(150)],
    "transcripts beside their genes": SYMBOLS[:90] + [f"ENST{n:011d}" for n in range(150)],
    "joined tables": [*SYMBOLS, *SYMBOLS[20:150], "TOTAL", "EGFP"],
    "symbols and aliases": [*SYMBOLS[:100], *(f"OLD{n}" for n in range(60, 150)), "?"],
}


@pytest.mark.parametrize("unit", ["count", "log2"])
@pytest.mark.parametrize("table", TABLES)
def test_training_and_calls_add_up_the_same_numbers(table, unit, tmp_path):
    """By the cohort's way and by the classifier's, whose bundle holds a part of the genes."""
    ids = TABLES[table]
    rng = np.random.default_rng(3)
    values = rng.negative_binomial(0.5, 0.003, (3, len(ids))).astype(np.float32)
    if table == "joined tables":  # some of which chance, not the join, made equal
        values[:, 150:280] = values[:, 20:150]
        values[:2, 150:270] = rng.negative_binomial(0.5, 0.003, (2, 120))
    frame = pd.DataFrame(np.log2(values + 1) if unit == "log2" else values, columns=ids)
    frame.index = ["s1", "s2", "s3"]
    frame.T.to_csv(tmp_path / "m.tsv", sep="\t", index_label="gene")
    trained = assemble_cohort(sheet(tmp_path / "m.tsv", frame.index, unit), GENE_MAP)[0].to_df()

    # of these genes alone most repeated ones would have equal rows, of the table's genes few
    bundle = [*rng.permutation(SYMBOLS[:20] + SYMBOLS[140:]), "not in the table"]
    read = read_matrix(tmp_path / "m.tsv", dict(zip(frame.index, frame.index, strict=True)))
    given = pd.DataFrame(read.values, read.samples, read.ids)
    called, *_ = Genes.of(given, bundle, GENE_MAP).gather(read.values, [unit] * 3)
    np.testing.assert_array_equal(called[:, :-1], trained[bundle[:-1]])
    assert np.isnan(called[:, -1]).all()


def sheet(path, samples, unit):
    """Validated samples of one matrix."""
    return pd.DataFrame({"sample": samples, "donor": samples, "specimen": samples}).assign(
        column=samples,
        matrix=str(path),
        unit=unit,
        source="a",
        sex="",
        study="a",
        laboratory="a",
        project="",
        disease_state="neoplastic",
        tissue="kidney",
        subtype="kirc",
        origin="matrix",
        split="train",
        strandedness="auto",
    )
