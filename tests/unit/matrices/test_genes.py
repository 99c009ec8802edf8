"""Gene ids of every kind to one symbol a gene; Bioconductor's own look-up is the witness."""

import gzip
import subprocess

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tissuestate.errors import InputError
from tissuestate.matrices import ensembl
from tissuestate.matrices.gene_ids import describe_id_problem
from tissuestate.matrices.gene_map import COLUMNS, GeneMap
from tissuestate.matrices.gene_rows import MappedRows
from tissuestate.matrices.gene_sources import build_gene_map

TABLE = pd.DataFrame(
    [
        ("A1BG", "ENSG00000121410", "1", "A1B|ABG", ""),
        ("KMT2D", "ENSG00000167548", "8085", "MLL2|ALR|C12ORF1", "ENST00000301067"),
        ("KMT2B", "ENSG00000272333", "9757", "MLL4|MLL2", ""),
        ("GFER", "ENSG00000127554", "2671", "ALR", ""),
        ("TWNK", "ENSG00000107815|ENSG00000999999", "56652", "C10orf2|PEO", ""),
        ("ABG2", "", "", "A1BG", ""),
    ],
    columns=list(COLUMNS),
)


@pytest.fixture
def gene_map() -> GeneMap:
    return GeneMap(TABLE)


@pytest.fixture(scope="module")
def database() -> str:
    """The SQLite file of org.Hs.eg.db."""
    query = 'cat(system.file("extdata", "org.Hs.eg.sqlite", package = "org.Hs.eg.db"))'
    try:
        found = subprocess.run(["Rscript", "-e", query], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("Rscript is not installed")
    if not found.stdout.strip():
        pytest.skip("R package org.Hs.eg.db is not installed")
    return found.stdout.strip()


@pytest.fixture(scope="module")
def human(database) -> GeneMap:
    return build_gene_map(database)


@pytest.mark.parametrize(
    ("given_id", "symbol"),
    [
        ("A1BG", "A1BG"),
        (" A1BG ", "A1BG"),
        ("ENSG00000121410", "A1BG"),
        ("ENSG00000121410.12", "A1BG"),
        ("ENSG00000121410.3_PAR_Y", "A1BG"),
        ("ENSG00000999999", "TWNK"),
        ("1", "A1BG"),
        ("A1BG|1", "A1BG"),
        ("anything|56652", "TWNK"),
        ("?|56652", "TWNK"),
        ("?|77", ""),
        ("PEO|77", "TWNK"),
        ("ENST00000301067.4", "KMT2D"),
        ("ENST00000000001.4|ENSG00000167548.9|-|-|KMT2D-1|KMT2D|500|", "KMT2D"),
        ("C10orf2", "TWNK"),
        ("A1B", "A1BG"),
        ("MLL2", ""),  # an alias of two genes says nothing
        ("ALR", ""),
        ("unheard-of", ""),
        *((name, "") for name in ("ERCC-00002", "no_feature", "TOTAL", "EGFP", "2-Sep", "x_1")),
        ("ENSG00000121410.9_6", "A1BG"),
        ("ENSG00000121410.9_6_PAR_Y", "A1BG"),
        ("ENSGR0000121410.2", "A1BG"),
        ("ensg00000121410.2", "A1BG"),
        ("gene:ENSG00000121410.2", "A1BG"),
        ('"ENSG00000121410"', "A1BG"),
        ("'A1BG'", "A1BG"),
        ("1.0", "A1BG"),
        ("ENSG00000121410.5_A1BG", "A1BG"),
        ("A1BG_ENSG00000121410.5", "A1BG"),
        ("ENSG00000121410.5;A1BG", "A1BG"),
        ("ENSG00000107815.2_C10orf2", "TWNK"),  # its previous name
        ("ENSG00000107815_novel", "TWNK"),
        ("ENSG00000000000_KMT2D", "KMT2D"),
        ("ENSG00000121410_KMT2D", ""),  # says two genes
        ("A1BG (1)", "A1BG"),
        ("A1BG_1", "A1BG"),
        ("PEO (56652)", "TWNK"),
        ("A1BG (8085)", ""),
        ("A1BG|8085", "A1BG"),  # a column beside symbols may hold the number of a family
        ("A1BG|", "A1BG"),  # its Entrez id is missing
        ("C10orf2|", "TWNK"),
        ("A1BG_7", ""),
        ("cluster_1", ""),
        ("A1BG;KMT2D", ""),
        ("ENSG00000000000", ""),
        ("ENSMUSG00000000001", ""),
        ("424242", ""),
        ("", ""),
    ],
)
def test_each_kind_of_id(given_id, symbol, gene_map):
    assert gene_map.to_symbols([given_id])[0].tolist() == [symbol]


def test_a_symbol_takes_precedence_over_an_alias(gene_map):
    symbols, found = gene_map.to_symbols(["C10orf2", "TWNK", "A1B"])
    assert symbols.tolist() == ["", "TWNK", "A1BG"]
    assert (found.n_recognised, found.kind) == (2, "symbol")


@pytest.mark.parametrize(
    ("ids", "kind", "sentence"),
    [
        (["A1BG", "C10orf2", "x"], "symbol", "2 of 3 genes found as gene symbols"),
        (["ENSG00000121410.1", "ENSG00000000000"], "ensembl", "1 of 2 genes found as Ensembl ids"),
        (["1", "8085"], "entrez", "2 of 2 genes found as Entrez ids"),
        (["ENST00000301067"], "transcript", "1 of 1 genes found as transcript ids"),
        (["A1BG", "ENSG00000167548"], "mixed", "2 of 2 genes found as ids of several kinds"),
        (["ENSMUSG00000000001"], "ensembl", "0 of 1 genes found as Ensembl ids"),
        (["x", "y"], "unknown", "0 of 2 genes found as ids of no known kind"),
        ([], "unknown", "0 of 0 genes found as ids of no known kind"),
    ],
)
def test_kind_and_number_of_recognised_ids_are_reported(ids, kind, sentence, gene_map):
    found = gene_map.to_symbols(ids)[1]
    assert (found.kind, found.describe()) == (kind, sentence)


def test_sentence_has_thousands_separators(gene_map):
    ids = ["A1BG"] * 17412 + ["x"] * 581
    assert gene_map.to_symbols(ids)[1].describe().startswith("17,412 of 17,993 genes found as")


def test_unknown_ids_are_counted_with_examples(gene_map):
    found = gene_map.to_symbols(["A1BG", "TOTAL", "", "EGFP", "ERCC-1", "ERCC-2"])[1]
    assert found.describe_unknown() == "5 ids are unknown and left out, such as TOTAL, EGFP, ERCC-1"
    assert gene_map.to_symbols(["A1BG"])[1].describe_unknown() == ""


def test_row_numbers_are_not_read_as_entrez_ids():
    """Entrez ids of genes found lately are large; of small numbers four fifths are known here."""
    rng = np.random.default_rng(4)
    known = [*np.flatnonzero(rng.random(5000) < 0.8), *range(100_000, 110_000)]
    text = [str(number) for number in known]
    table = pd.DataFrame({name: text if name == "entrez" else "" for name in COLUMNS})
    numbered = GeneMap(table.assign(symbol=[f"G{number}" for number in known]))
    rows = np.sort(rng.choice(5000, 1500, replace=False)).astype(str)
    symbols, found = numbered.to_symbols(rows)
    assert found.row_numbers and found.n_recognised == 0 and not any(symbols)
    assert numbered.to_symbols([f"{row}.0" for row in rows])[1].row_numbers
    for ids in (text[::3], [*text[:3000:2], "9999999", "9999998"], text[:40]):
        found = numbered.to_symbols(ids)[1]
        assert not found.row_numbers and found.n_recognised >= len(ids) - 2


def test_counts_are_not_read_as_entrez_ids():
    """Counts in the first column repeat; ids of genes hardly do, nor those of their transcripts."""
    rng = np.random.default_rng(6)
    text = [str(number) for number in range(1, 30_000)]
    table = pd.DataFrame({name: text if name == "entrez" else "" for name in COLUMNS})
    every = GeneMap(table.assign(symbol=[f"G{number}" for number in text]))
    for counts in (rng.lognormal(5, 2.5, 4000), rng.lognormal(3, 2, 100)):
        for written in (
            counts.astype(int).astype(str),
            np.char.add(counts.astype(int).astype(str), ".0"),
        ):
            symbols, found = every.to_symbols(written)
            assert found.row_numbers and not any(symbols)
    for ids in (text, text[:200], text[:9000] * 4, text[:500] * 5):
        found = every.to_symbols(ids)[1]
        assert found.n_recognised == len(ids) and not found.row_numbers


@pytest.mark.parametrize("form", ["GeneID:{}", "entrez:{}", "ENTREZID:{}", "hsa:{}", "|{}"])
def test_entrez_ids_with_a_prefix_are_recognised(form, gene_map):
    """However many they are: they are no numbers of rows."""
    ids = [
        form.format(number) for number in ("1", "8085", "9757", "2671", *range(10**6, 10**6 + 99))
    ]
    symbols, found = gene_map.to_symbols(ids)
    assert symbols[:4].tolist() == ["A1BG", "KMT2D", "KMT2B", "GFER"]
    assert (found.n_recognised, found.row_numbers) == (4, False)


def test_no_unknown_id_is_named_if_all_are_known(gene_map):
    for ids, start in (
        (["A1BG"], "(expected human"),
        (["A1BG", "x"], "(found 'x'; expected human"),
    ):
        problem = describe_id_problem(ids, gene_map.to_symbols(ids)[1])
        assert problem.startswith(f"check the gene ids and the species {start} gene symbols")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text() | st.sampled_from([*TABLE["symbol"], "|", "||", "1|", "|1"])))
def test_any_ids_are_mapped_without_an_error(ids):
    symbols, found = GeneMap(TABLE).to_symbols(ids)
    assert len(symbols) == len(ids) == found.n_ids


def test_a_map_is_equal_after_reading_and_written_with_equal_bytes(gene_map, tmp_path):
    gene_map.write(tmp_path / "a.tsv.gz")
    again = GeneMap.read(tmp_path / "a.tsv.gz")
    again.write(tmp_path / "b.tsv.gz")
    pd.testing.assert_frame_equal(again.table, TABLE)
    assert (tmp_path / "a.tsv.gz").read_bytes() == (tmp_path / "b.tsv.gz").read_bytes()


@pytest.mark.parametrize("content", [b"", b"symbol\tensembl\n", b"\x1f\x8bgarbage", b"\xff\xfe"])
def test_a_broken_map_is_refused(content, tmp_path):
    path = tmp_path / "genes.tsv.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match="make it again"):
        GeneMap.read(path)


def test_a_gene_that_the_map_lacks_has_no_ids(gene_map):
    assert gene_map.annotate(["new", "A1BG"])["ensembl"].tolist() == ["", "ENSG00000121410"]


GTF = """#!genome
chr1\tx\tgene\t1\t9\t.\t+\t.\tgene_id "ENSG00000107815.7"; gene_name "C10orf2";
chr1\tx\texon\t1\t9\t.\t+\t.\tgene_id "ENSG00000107815.7"; transcript_id "ENST00000000009.1"; gene_name "C10orf2";
chr1\tx\texon\t1\t9\t.\t+\t.\tgene_id "ENSG00000121410.1"; transcript_id "t1"; gene_name "SIM1";
chr1\tx\texon\t1\t9\t.\t+\t.\tgene_id "Q7x"; transcript_id "Q7x.1";
"""  # noqa: E501


@pytest.mark.parametrize("zipped", [False, True])
def test_a_map_from_an_annotation_alone(zipped, tmp_path):
    path = tmp_path / "a.gtf"
    path.write_bytes(gzip.compress(GTF.encode()) if zipped else GTF.encode())
    found = build_gene_map(None, path)
    ids = ["ENSG00000107815", "ENSG00000121410.9", "Q7x", "SIM1", "ENST00000000009"]
    assert found.to_symbols(ids)[0].tolist() == ["C10orf2", "SIM1", "Q7x", "SIM1", "C10orf2"]


@pytest.mark.slow
def test_a_map_from_annotation_and_database(database, tmp_path):
    path = tmp_path / "a.gtf"
    path.write_text(GTF)
    found = build_gene_map(database, path)
    # an old name is the gene's alias: the database's symbol stays; another gene's name decides
    ids = ["ENSG00000107815", "ENST00000000009", "ENSG00000121410", "Q7x", "A1BG"]
    assert found.to_symbols(ids)[0].tolist() == ["TWNK", "TWNK", "SIM1", "Q7x", "A1BG"]


@pytest.mark.parametrize(
    ("shared", "symbol"),
    [
        ("ENSG00000114374", "USP9Y"),  # and TTTY15
        ("ENSG00000143384", "MCL1"),  # and ADAMTSL4-AS1
        ("ENSG00000159216", "RUNX1"),  # and LOC100506403
        ("ENSG00000100197", "CYP2D6"),  # and two predicted genes that code for a protein
    ],
)
def test_an_ensembl_id_of_several_genes_is_that_of_the_main_one(human, shared, symbol):
    assert human.to_symbols([shared])[0].tolist() == [symbol]


def test_transcripts_of_ensembl_are_recognised(human):
    known = {
        "ENST00000269305": "TP53",
        "ENST00000275493.7": "EGFR",
        "ENST00000229239": "GAPDH",
        "ENST00000373020.9": "TSPAN6",
        "ENST00000256078": "KRAS",
    }
    symbols, found = human.to_symbols([*known, "ENST00000999999", "ENSMUST00000108658"])
    assert symbols.tolist() == [*known.values(), "", ""]
    assert (found.kind, found.n_recognised) == ("transcript", 5)


def test_a_transcript_whose_gene_the_map_lacks_is_not_lost(gene_map):
    rows = MappedRows.from_ids(["ENST00000229239", "ENST00000999999"], gene_map)
    assert (rows.symbols.tolist(), rows.known.tolist()) == ([], [True, False])


@pytest.mark.parametrize(
    ("name", "is_known", "is_transcript"),
    [
        ("ENST00000229239.10|ENSG00000999991.1|-|-|GAPDH-201|", True, True),  # as salmon has them
        ("ENST00000999999.1|ENSG00000999991.1|-|", False, True),
        ("ENSTR0000381192.5", True, True),  # the copy on chromosome Y, as GENCODE 19 has it
        ("ENSTOTAL", False, False),
        ("ENST", False, False),
        ("ENST0000022923", False, False),
    ],
)
def test_any_name_that_begins_as_a_transcript_can_be_asked_for(
    gene_map, name, is_known, is_transcript
):
    rows = MappedRows.from_ids([name], gene_map)
    assert (rows.known.tolist(), rows.transcripts.tolist()) == ([is_known], [is_transcript])


def test_transcripts_of_both_copies_of_a_gene_are_added_up(human):
    """The copy on chromosome Y is no row of the gene itself, which would leave out the others."""
    names = ["ENST00000381192.10|ENSG00000002586.20|", "ENSTR0000381192.5|ENSGR0000002586.13|"]
    for ids in (names, [name.split("|")[0] for name in names]):
        mapped = MappedRows.from_ids(ids, human)
        counts, _ = mapped.rows.collapse(np.array([[7.0, 2.0]]), ["count"])
        assert (mapped.symbols.tolist(), counts.tolist()) == (["CD99"], [[9.0]])


def test_a_damaged_table_of_transcripts_is_refused(monkeypatch, tmp_path):
    path = tmp_path / "transcripts.tsv.gz"
    path.write_bytes(ensembl.TRANSCRIPTS.read_bytes()[:-9])
    monkeypatch.setattr(ensembl, "TRANSCRIPTS", path)
    ensembl._genes_of_transcripts.cache_clear()
    with pytest.raises(InputError, match="is damaged; install the software again"):
        ensembl.find_gene("ENST00000269305")
    ensembl._genes_of_transcripts.cache_clear()


@pytest.mark.parametrize("content", [b"", b"no gtf\n", b"\x1f\x8b\x08\x00", b"\xff\xff"])
def test_a_broken_annotation_is_refused(content, tmp_path):
    path = tmp_path / "a.gtf"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.gtf"):
        build_gene_map(None, path)


def test_a_map_without_sources_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"org\.Hs\.eg\.db"):
        build_gene_map(None)
    (tmp_path / "x.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(InputError, match=r"not org\.Hs\.eg\.db's SQLite file"):
        build_gene_map(tmp_path / "x.sqlite")


@pytest.mark.slow
def test_the_map_agrees_with_bioconductor(human, tmp_path):
    """mapIds of AnnotationDbi, for 400 Ensembl and 400 Entrez ids."""
    script = """
    suppressMessages(library(org.Hs.eg.db))
    for (type in c("ENSEMBL", "ENTREZID")) {
      ids <- keys(org.Hs.eg.db, type)
      ids <- ids[seq(1, length(ids), length.out = 400)]
      found <- suppressMessages(mapIds(org.Hs.eg.db, ids, "SYMBOL", type, multiVals = "list"))
      cat(sprintf("%s\\t%s\\n", ids, sapply(found, paste, collapse = "|")), sep = "")
    }
    """
    run = subprocess.run(["Rscript", "-e", script], capture_output=True, text=True, check=True)
    rows = [line.split("\t") for line in run.stdout.splitlines()]
    assert len(rows) == 800
    symbols, found = human.to_symbols([row[0] for row in rows])
    assert found.n_recognised == 800
    assert all(symbol in row[1].split("|") for symbol, row in zip(symbols, rows, strict=True))


def test_real_ids_are_recognised(human, data):
    with gzip.open(data / "tcga_gtex/damirseq/damirseq_gtex_brain_counts_ensg.tsv.gz", "rt") as f:
        ids = [line.split("\t")[0] for line in f][1:]
    found = human.to_symbols(ids)[1]
    assert found.kind == "ensembl"
    assert found.n_recognised > 0.8 * len(ids)
    assert human.to_symbols(["C1ORF112"])[0].tolist() == human.to_symbols(["C1orf112"])[0].tolist()
