"""Genome and annotation: uncompressed, of one build, or refused with the reason."""

import gzip
import logging
from pathlib import Path

import pytest
from tissuestate.errors import InputError
from tissuestate.reference.chromosomes import read_chromosomes
from tissuestate.reference.genome import gene_ids, prepare_reference

GENOME = b">chr1 first\nACGT\nAC\n>chr2\nGG\n"
EXON = b'chr1\tx\texon\t1\t4\t.\t+\t.\tgene_id "A"; transcript_id "A1";\n'


def prepare(folder: Path, genome: bytes, annotation: bytes) -> Path:
    (folder / "given.fa").write_bytes(genome)
    (folder / "given.gtf").write_bytes(annotation)
    out = folder / "out"
    out.mkdir()
    prepare_reference(
        folder / "given.fa",
        folder / "given.gtf",
        out / "genome.fa",
        out / "annotation.gtf",
        out / "chromosomes.tsv",
    )
    return out


def exon(chrom: str, gene: str, end: int = 2) -> bytes:
    return (
        EXON.replace(b"chr1", chrom.encode())
        .replace(b'"A', b'"' + gene.encode())
        .replace(b"\t4\t", f"\t{end}\t".encode())
    )


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_the_prepared_files_are_plain_text(tmp_path: Path, pack) -> None:
    out = prepare(tmp_path, pack(GENOME), pack(EXON))
    assert (out / "genome.fa").read_bytes() == GENOME
    assert (out / "annotation.gtf").read_bytes() == EXON
    assert read_chromosomes(out / "chromosomes.tsv") == {"chr1": 6, "chr2": 2}
    assert gene_ids(out / "annotation.gtf") == {"A"}


@pytest.mark.parametrize(
    ("genome", "annotation", "words"),
    [
        (GENOME, EXON.replace(b"chr1", b"1"), "share none"),
        (b"ACGT\n", EXON, "FASTA"),
        (GENOME, b"#only a comment\n", "exon"),
        (GENOME, b"chr1 exon 1 4\n", "line 1"),
        (gzip.compress(GENOME * 99)[:60], EXON, "truncated"),
        (gzip.compress(GENOME * 99)[:-20] + b"\xff" * 20, EXON, "truncated or damaged"),
        (
            GENOME,
            exon("chr1", "A", 7),
            r"line 1: an exon ends at base 7 of chr1, which has 6 bases",
        ),
        (GENOME, b"##gff-version 3\n" + EXON, "GFF3.*gffread -T"),
        (GENOME, EXON.replace(b'gene_id "A"; transcript_id "A1";', b"ID=e;Parent=t"), "is GFF3"),
        (GENOME, EXON.replace(b'gene_id "A";', b""), "no gene_id"),
        (
            GENOME,
            EXON.replace(b"\t4\t", b"\tend\t"),
            "line 1: exon from 1 to end, expected",
        ),
        (GENOME.replace(b"\n", b"\r\n"), EXON, "given.fa, line 1: ends as on Windows"),
        (GENOME + b">chr1\nAC\n", EXON, "line 6: 'chr1' once more"),
        (b">chr1\nACGTAC\n>chr2\n", EXON, "'chr2' has no bases"),
    ],
    ids=[
        *("chromosome names", "no FASTA", "no exon", "no table", "truncated", "damaged"),
        *("beyond the end", "GFF3 header", "GFF3 attributes", "no gene", "no number"),
        *("Windows", "twice", "cut off"),
    ],
)
def test_files_that_do_not_fit_are_refused_and_leave_no_output(
    tmp_path: Path, genome: bytes, annotation: bytes, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        prepare(tmp_path, genome, annotation)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("lacking", ["chr3", "3", "chrX", "MT", "NC_000003.11"])
def test_a_partial_genome_is_refused_with_the_number_of_lost_genes(
    tmp_path: Path, lacking: str
) -> None:
    genes = b"".join(exon("chr1", f"G{i}") for i in range(50))
    with pytest.raises(InputError, match=rf"1 of its 51 genes .* lacks: {lacking} \(1 genes\)"):
        prepare(tmp_path, GENOME, genes + exon(lacking, "lost"))


def test_scaffolds_that_a_primary_assembly_lacks_are_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    genes = b"".join(exon("chr1", f"G{i}") for i in range(50))
    patches = exon("GL000192.1", "P1") + exon("chr6_apd_hap1", "P2")
    with caplog.at_level(logging.WARNING):
        prepare(tmp_path, GENOME, genes + patches)
    assert "2 of its 52 genes" in caplog.text and "GL000192.1 (1 genes)" in caplog.text


def test_many_lost_scaffolds_are_refused(tmp_path: Path) -> None:
    patches = b"".join(exon(f"KI{i}.1", f"P{i}") for i in range(20))
    with pytest.raises(InputError, match=r"20 of its 21 genes .* and 15 more"):
        prepare(tmp_path, GENOME, EXON + patches)


def test_a_real_genome_and_annotation_fit(tmp_path: Path, data: Path) -> None:
    folder = data / "hg19_slice"
    genome = (folder / "hg19.chr1-4.first1Mb.fa.gz").read_bytes()
    out = prepare(tmp_path, genome, (folder / "refGene.chr1-4.first1Mb.gtf").read_bytes())
    assert set(read_chromosomes(out / "chromosomes.tsv").values()) == {1_000_000}
