"""Exons and names of a GTF with their lines, however the file is written and cut into blocks."""

import gzip
from pathlib import Path

import pytest
from tissuestate.errors import InputError
from tissuestate.reference import gtf
from tissuestate.reference.gtf import read_exons, read_names

EXON = 'chr1\tx\texon\t{}\t9\t.\t+\t.\tgene_id "{}"; transcript_id "t";\n'


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "a.gtf"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.fixture(params=[1, 50, 1 << 22])
def _block(request, monkeypatch):
    monkeypatch.setattr(gtf, "_BLOCK", request.param)


@pytest.mark.usefixtures("_block")
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_an_exon_has_the_number_of_its_line(end, pack, tmp_path):
    lines = [
        "#!genome-build GRCh37",
        EXON.format(1, "a").strip(),
        "",
        "chr2\tx\tgene\t1\t9\t.\t-\t.\tgene_id a",
        EXON.format(2, "b").strip() + " # a remark\tbehind a tab",
        "#" + EXON.format(3, "c").strip(),
        "  ",
        EXON.format(4, "a").strip(),
    ]
    exons = read_exons(write(tmp_path, pack(end.join(lines).encode())), transcripts=True)
    assert exons["line"].tolist() == [2, 5, 8]
    assert exons["start"].tolist() == [1, 2, 4] and exons["end"].tolist() == [9, 9, 9]
    assert exons["gene_id"].tolist() == ["a", "b", "a"]
    assert set(exons["chrom"]) == {"chr1"} and set(exons["transcript_id"]) == {"t"}


@pytest.mark.usefixtures("_block")
def test_each_combination_of_names_appears_once_in_file_order(tmp_path):
    rows = [
        'havana_gene "H"; gene_id "b.1"; transcript_id ""; gene_name "B"',
        'gene_id "a"; ref_gene_id "r"; transcript_id "t"; gene "A";',
        'note "no gene"',
        "gene_id b.1; gene_name B",
        "gene_id c",
    ]
    text = "".join(f"1\tx\tgene\t1\t9\t.\t+\t.\t{row}\n" for row in rows)
    names = read_names(write(tmp_path, text))
    assert list(names.itertuples(index=False, name=None)) == [
        ("b.1", "B", "", ""),
        ("a", "", "A", "t"),
        ("c", "", "", ""),
    ]


def test_text_in_another_encoding_is_read(tmp_path):
    text = EXON.format(1, "a") + "#façade\n" + EXON.format(2, "b").replace('"t"', '"é"')
    exons = read_exons(write(tmp_path, text.encode("latin-1")))
    assert exons["line"].tolist() == [1, 3]


def test_equal_files_give_the_categories_in_the_order_of_the_file(tmp_path, monkeypatch):
    rows = [EXON.format(1, gene).replace("chr1", chrom) for gene, chrom in ("b2", "a1", "c2")]
    path = write(tmp_path, "".join(rows * 3))
    for block in (1, 200, 1 << 22):
        monkeypatch.setattr(gtf, "_BLOCK", block)
        exons = read_exons(path)
        assert exons["gene_id"].cat.categories.tolist() == ["b", "a", "c"]
        assert exons["chrom"].cat.categories.tolist() == ["2", "1"]


@pytest.mark.usefixtures("_block")
@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("chr1 exon 1 9\n", "1 tab-separated columns, expected the 9 of a GTF; .*'chr1 exon 1 9'"),
        (EXON.format(0, "a"), "exon from 0 to 9"),
        (EXON.format(10, "a"), "exon from 10 to 9"),
        (EXON.format("1.5", "a"), "exon from 1.5 to 9"),
        (EXON.format(-1, "a"), "exon from -1 to 9"),
        (EXON.format("", "a"), "exon from  to 9"),
        (EXON.format(1, ""), "no gene_id"),
    ],
)
def test_the_first_fault_is_named_with_its_line(row, words, tmp_path):
    text = "#\n" + EXON.format(1, "a") * 5 + "\n" + row + EXON.format(1, "a") + row
    with pytest.raises(InputError, match=rf"^given\.gtf, line 8: .*{words}"):
        read_exons(write(tmp_path, text), "given.gtf")


@pytest.mark.parametrize("content", [b"", b"#\n", b"\n", b"1\tx\tgene\t1\t9\t.\t+\t.\tgene_id a\n"])
def test_a_file_without_exons_is_refused(content, tmp_path):
    with pytest.raises(InputError, match=r"a\.gtf: no exon lines"):
        read_exons(write(tmp_path, content))


def test_missing_cut_and_damaged_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_exons(tmp_path / "none.gtf")
    packed = gzip.compress(EXON.format(1, "a").encode() * 500)
    for content in (packed[:60], packed[:-20] + b"\xff" * 20, packed[:2] + b"\x00" + packed[3:]):
        with pytest.raises(InputError, match=r"a\.gtf: truncated or damaged"):
            read_exons(write(tmp_path, content))
