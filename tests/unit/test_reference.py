"""Genome and annotation: uncompressed, of one build, or refused with the reason."""

import gzip
from pathlib import Path

import pytest
from tissuestate.errors import InputError
from tissuestate.reference import prepare_reference

GENOME = b">chr1 first\nACGT\nAC\n>chr2\nGG\n"
EXON = b'chr1\tx\texon\t1\t4\t.\t+\t.\tgene_id "A"; transcript_id "A1";\n'


def prepare(folder: Path, genome: bytes, annotation: bytes) -> Path:
    (folder / "given.fa").write_bytes(genome)
    (folder / "given.gtf").write_bytes(annotation)
    out = folder / "out"
    out.mkdir()
    prepare_reference(
        folder / "given.fa", folder / "given.gtf", out / "genome.fa", out / "annotation.gtf"
    )
    return out


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_what_comes_out_is_plain_text(tmp_path: Path, pack) -> None:
    out = prepare(tmp_path, pack(GENOME), pack(EXON))
    assert (out / "genome.fa").read_bytes() == GENOME
    assert (out / "annotation.gtf").read_bytes() == EXON


@pytest.mark.parametrize(
    ("genome", "annotation", "words"),
    [
        (GENOME, EXON.replace(b"chr1", b"1"), "share none"),
        (b"ACGT\n", EXON, "FASTA"),
        (GENOME, b"#only a comment\n", "exon"),
        (GENOME, b"chr1 exon 1 4\n", "line 1"),
        (gzip.compress(GENOME * 99)[:60], EXON, "truncated"),
    ],
    ids=["chromosome names", "no FASTA", "no exon", "no table", "truncated"],
)
def test_what_does_not_fit_is_refused_and_nothing_is_left(
    tmp_path: Path, genome: bytes, annotation: bytes, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        prepare(tmp_path, genome, annotation)
    assert list((tmp_path / "out").iterdir()) == []
