"""Representative transcripts of an annotation, and the BED12 file that carries them."""

import gzip
from pathlib import Path

import pytest
from tissuestate.errors import InputError
from tissuestate.reference.transcripts import (
    Transcript,
    read_bed,
    representative_transcripts,
    select_on_genome,
    write_bed,
)


def gtf(tmp_path: Path, *rows: tuple) -> Path:
    """A GTF of (chrom, feature, first, last, strand, gene, transcript) rows."""
    path = tmp_path / "some.gtf"
    lines = [
        f'{c}\tx\t{f}\t{a}\t{b}\t.\t{s}\t.\tgene_id "{g}"; transcript_id "{t}"; gene_name "n";\n'
        for c, f, a, b, s, g, t in rows
    ]
    path.write_text("##description: some genes\n" + "".join(lines))
    return path


def test_longest_spliced_transcript_represents_its_gene(tmp_path):
    path = gtf(
        tmp_path,
        ("chr1", "gene", 1, 9000, "+", "G", "G"),
        ("chr1", "exon", 1, 100, "+", "G", "wide"),
        ("chr1", "exon", 9001, 9100, "+", "G", "wide"),  # 200 bases over 9,100
        ("chr1", "exon", 501, 600, "+", "G", "long"),
        ("chr1", "exon", 301, 450, "+", "G", "long"),  # 250 bases, exons out of order
    )
    assert representative_transcripts(path) == [
        Transcript("long", "chr1", "+", ((300, 450), (500, 600)))
    ]


def test_ties_go_to_the_transcript_id_that_sorts_first(tmp_path):
    path = gtf(
        tmp_path,
        ("chr1", "exon", 1, 100, "-", "G", "b"),
        ("chr1", "exon", 201, 300, "-", "G", "a"),
        ("chr1", "exon", 401, 500, "-", "G", "c"),
    )
    assert [t.name for t in representative_transcripts(path)] == ["a"]


def test_overlapping_and_touching_exons_are_one(tmp_path):
    path = gtf(
        tmp_path,
        ("chr1", "exon", 11, 20, "+", "G", "t"),
        ("chr1", "exon", 16, 30, "+", "G", "t"),
        ("chr1", "exon", 31, 40, "+", "G", "t"),
        ("chr1", "exon", 42, 50, "+", "G", "t"),
    )
    (transcript,) = representative_transcripts(path)
    assert transcript.exons == ((10, 40), (41, 50))
    assert transcript.length == 39


def test_a_gene_on_two_chromosomes_becomes_two_with_different_names(tmp_path):
    path = gtf(
        tmp_path,
        ("chrX", "exon", 1, 10, "+", "G", "t"),
        ("chrY", "exon", 1, 10, "+", "G", "t"),
    )
    assert [(t.name, t.chrom) for t in representative_transcripts(path)] == [
        ("t", "chrX"),
        ("t_dup1", "chrY"),
    ]


def test_order_is_that_of_chromosomes_in_the_file_then_of_positions(tmp_path):
    path = gtf(
        tmp_path,
        ("chr2", "exon", 500, 510, "+", "A", "a"),
        ("chr1", "exon", 1, 10, "+", "B", "b"),
        ("chr2", "exon", 1, 10, "-", "C", "c"),
    )
    assert [t.name for t in representative_transcripts(path)] == ["c", "a", "b"]


def test_compressed_and_windows_annotations_are_read(tmp_path):
    plain = gtf(tmp_path, ("chr1", "exon", 1, 100, "+", "G", "t"))
    packed = tmp_path / "packed.gtf.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes().replace(b"\n", b"\r\n")))
    assert representative_transcripts(packed) == representative_transcripts(plain)


def test_refseq_slice_equals_its_bed(data):
    """Truth: the same models as BED, made by others."""
    folder = data / "hg19_slice"
    ours = representative_transcripts(folder / "refGene.chr1-4.first1Mb.gtf")
    theirs = read_bed(folder / "refGene.chr1-4.first1Mb.bed")
    assert {(t.name, t.chrom, t.strand, t.exons) for t in ours} == {
        (t.name, t.chrom, t.strand, t.exons) for t in theirs
    }


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("chr1\tx\texon\t1\t9", "line 2: 5 tab-separated columns"),
        ('chr1\tx\texon\t9\t1\t.\t+\t.\tgene_id "g"; transcript_id "t";', "from 9 to 1"),
        ('chr1\tx\texon\tone\t9\t.\t+\t.\tgene_id "g"; transcript_id "t";', "from one to 9"),
        ('chr1\tx\texon\t1\t9\t.\t.\t.\tgene_id "g"; transcript_id "t";', "strand '.'"),
        ('chr1\tx\texon\t1\t9\t.\t+\t.\ttranscript_id "t";', "no gene_id"),
        ('chr1\tx\texon\t1\t9\t.\t+\t.\tgene_id "g";', "no transcript_id"),
        ('chr1\tx\tgene\t1\t9\t.\t+\t.\tgene_id "g";', "no exon lines"),
    ],
)
def test_a_fault_of_an_annotation_is_named_with_its_line(tmp_path, line, sentence):
    path = tmp_path / "bad.gtf"
    path.write_text(f"#comment\n{line}\n")
    with pytest.raises(InputError, match=sentence) as error:
        representative_transcripts(path)
    assert "bad.gtf" in str(error.value)


def test_missing_and_truncated_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        representative_transcripts(tmp_path / "none.gtf")
    cut = tmp_path / "cut.gtf.gz"
    cut.write_bytes(gzip.compress(b"#" * 10_000)[:-12])
    with pytest.raises(InputError, match="truncated or damaged"):
        representative_transcripts(cut)


def test_a_bed_file_is_equal_after_writing_and_reading(tmp_path):
    transcripts = [
        Transcript("a", "chr1", "+", ((10, 20), (30, 45), (50, 51))),
        Transcript("b", "chr2", "-", ((0, 5),)),
    ]
    write_bed(tmp_path / "t.bed", transcripts)
    assert read_bed(tmp_path / "t.bed") == transcripts
    first = (tmp_path / "t.bed").read_text().splitlines()[0]
    assert first == "chr1\t10\t51\ta\t0\t+\t10\t51\t0\t3\t10,15,1\t0,20,40"


def test_a_published_bed_with_repeated_names_is_read(data):
    transcripts = read_bed(data / "mrin" / "refGene.rep.uniq.hg19.bed.gz")
    assert len(transcripts) == len({t.name for t in transcripts}) == 18_338


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("chr1\t0\t10\tt", "line 1: 4 tab-separated columns"),
        ("chr1\t0\tten\tt\t0\t+\t0\t10\t0\t1\t10\t0", "whole numbers"),
        ("chr1\t0\t10\tt\t0\t.\t0\t10\t0\t1\t10\t0", "strand '.'"),
        ("chr1\t0\t10\tt\t0\t+\t0\t10\t0\t2\t10\t0", "2 blocks announced"),
        ("chr1\t0\t10\tt\t0\t+\t0\t10\t0\t2\t6,6\t0,4", "without overlap"),
        ("chr1\t0\t10\tt\t0\t+\t0\t10\t0\t2\t4,4\t6,0", "without overlap"),
        ("chr1\t0\t10\tt\t0\t+\t0\t10\t0\t1\t8\t0", "do not fill chr1:0-10"),
        ("chr1\t-5\t10\tt\t0\t+\t0\t10\t0\t1\t15\t0", "do not fill"),
        ("# nothing", "no transcripts"),
    ],
)
def test_a_fault_of_a_bed_file_is_named_with_its_line(tmp_path, row, sentence):
    path = tmp_path / "bad.bed"
    path.write_text(row + "\n")
    with pytest.raises(InputError, match=sentence) as error:
        read_bed(path)
    assert "bad.bed" in str(error.value)


def test_transcripts_beyond_the_genome_are_refused_or_left_out():
    lengths = {"chr1": 100}
    inside = [Transcript(f"t{i}", "chr1", "+", ((i, i + 10),)) for i in range(20)]
    patch = Transcript("p", "chr6_apd_hap1", "+", ((0, 10),))
    assert select_on_genome("x.bed", [*inside, patch], lengths) == inside
    with pytest.raises(InputError, match=r"x\.bed: transcript b ends at base 101 of chr1"):
        select_on_genome("x.bed", [*inside, Transcript("b", "chr1", "-", ((0, 101),))], lengths)
    with pytest.raises(InputError, match=r"1 of its 21 transcripts .* chr2 \(1 transcripts\)"):
        select_on_genome("x.bed", [*inside, Transcript("c", "chr2", "+", ((0, 5),))], lengths)
    with pytest.raises(InputError, match="share none"):
        select_on_genome("x.bed", [Transcript("d", "1", "+", ((0, 5),))], lengths)
