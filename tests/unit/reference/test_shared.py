"""Transcripts that two references share, by name and exonic length."""

from pathlib import Path

import pytest
from tissuestate.reference.shared import locate_shared, read_shared, without_version
from tissuestate.reference.transcripts import Transcript, read_bed, write_bed

LENGTHS = {"1": 10_000, "2": 10_000}


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("ENST00000456328.2", "ENST00000456328"),
        ("ENST00000456328.9_6", "ENST00000456328"),
        ("ENST00000431238.7_PAR_Y", "ENST00000431238_PAR_Y"),
        ("NM_000014.6_dup1", "NM_000014_dup1"),
        ("NM_000014", "NM_000014"),
    ],
)
def test_a_version_is_no_part_of_a_name(name: str, stem: str) -> None:
    assert without_version(name) == stem


def transcript(name: str, start: int, *sizes: int, chrom: str = "chr1") -> Transcript:
    """A transcript with introns of 50 bases."""
    exons = []
    for size in sizes:
        exons.append((start, start + size))
        start += size + 50
    return Transcript(name, chrom, "+", tuple(exons))


@pytest.fixture
def elsewhere(tmp_path: Path) -> tuple[Path, Path]:
    """Another build: its representative transcripts, and its annotation."""
    found = [
        transcript("ENST00000000001.4", 700, 100, 200, chrom="1"),  # moved, another version
        transcript("ENST00000000002.2", 2000, 100, 250, chrom="1"),  # lengthened
        transcript("ENST00000000003.1", 3000, 300, chrom="1"),  # no longer the longest of its gene
        transcript("ENST00000000009.1", 3000, 400, chrom="1"),
        transcript("ENST00000000005.1", 5000, 300, chrom="unplaced"),
    ]
    lines = [
        f'{t.chrom}\tX\texon\t{start + 1}\t{end}\t.\t+\t.\tgene_id "g"; transcript_id "{t.name}";'
        for t in found
        for start, end in t.exons
    ]
    bed, gtf = tmp_path / "transcripts.bed", tmp_path / "annotation.gtf"
    gtf.write_text("\n".join([*lines, ""]))
    write_bed(bed, [t for t in found if t.name != "ENST00000000003.1"])
    return bed, gtf


def test_shared_transcripts_lie_where_the_other_build_has_them(elsewhere) -> None:
    bed, gtf = elsewhere
    wanted = [
        transcript("ENST00000000003.2", 10, 300),
        transcript("ENST00000000001.1", 500, 200, 100),
        transcript("ENST00000000002.1", 1000, 100, 200),
        transcript("ENST00000000004.1", 4000, 100),
        transcript("ENST00000000005.1", 5000, 300),
    ]
    found = locate_shared(wanted, bed, gtf, LENGTHS)
    assert [t.name for t in found] == ["ENST00000000003.2", "ENST00000000001.1"]
    assert found[0].exons == ((3000, 3300),)
    assert found[1].exons == ((700, 800), (850, 1050)) and found[1].chrom == "1"


def test_the_reference_of_training_gives_its_transcripts_byte_for_byte(elsewhere, tmp_path) -> None:
    bed, gtf = elsewhere
    again = tmp_path / "again.bed"
    write_bed(again, locate_shared(read_bed(bed), bed, gtf, {**LENGTHS, "unplaced": 9}))
    assert again.read_bytes() == bed.read_bytes()


def test_no_transcript_may_be_shared(elsewhere, tmp_path) -> None:
    none = tmp_path / "none.bed"
    write_bed(none, locate_shared([transcript("A", 1, 9)], *elsewhere, LENGTHS))
    assert read_shared(none) == []
