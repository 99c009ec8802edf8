"""Coverage of a BAM or CRAM file, base for base, against samtools and bedtools."""

import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pysam
import pytest
from tissuestate.errors import InputError
from tissuestate.integrity import intervals as alignments
from tissuestate.integrity.coverage import check_sequences, coverage_of_bam
from tissuestate.integrity.intervals import (
    read_chromosome_lengths,
    read_intervals,
    sequence_checksums,
)
from tissuestate.reference.transcripts import Transcript, representative_transcripts

pytestmark = pytest.mark.slow

CHROMS = {"chr1": 30_000, "chr2": 12_000, "chr3": 500, "chrM": 900}
WHOLE = [Transcript(name, name, "+", ((0, size),)) for name, size in CHROMS.items()]
CIGARS = [
    [(0, 50)],
    [(4, 5), (0, 40), (4, 5)],  # soft clips
    [(5, 7), (0, 20), (1, 3), (0, 27)],  # hard clip, insertion
    [(0, 20), (2, 4), (0, 30)],  # deletion
    [(0, 25), (3, 137), (0, 25)],  # intron
    [(0, 10), (3, 40), (0, 20), (3, 201), (0, 20)],
    [(7, 30), (8, 1), (7, 19)],  # = and X
    [(0, 20), (6, 2), (0, 30)],  # padding
    [(4, 3), (0, 10), (1, 2), (0, 5), (2, 1), (0, 9), (3, 77), (7, 12), (8, 2), (0, 7), (5, 2)],
]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks small enough that the files of these tests have many."""
    monkeypatch.setattr(alignments, "_BATCH", 70_000)
    monkeypatch.setattr(alignments, "_STRIDE", 1000)


def write_bam(
    path: Path,
    reads: int,
    seed: int = 0,
    *,
    ordered: bool = True,
    flags: tuple[int, ...] = (99, 147, 83, 163, 0, 16, 256, 1024, 2048, 4, 8, 512, 73, 1),
    name: str = "SRR1039508.{}",
) -> Path:
    """A BAM of random reads: paired, spliced, clipped, secondary, duplicate, low MAPQ, unmapped."""
    rng = np.random.default_rng(seed)
    header = {
        "HD": {"VN": "1.6", "SO": "coordinate" if ordered else "unsorted"},
        "SQ": [{"SN": chrom, "LN": size} for chrom, size in CHROMS.items()],
    }
    sizes = [30_000, 12_000, 0, 900]  # chr3 stays empty
    records = []
    for number in range(reads):
        read = pysam.AlignedSegment(pysam.AlignmentHeader.from_dict(header))
        read.query_name = name.format(number)
        read.flag = int(rng.choice(flags))
        read.reference_id = int(rng.choice([0, 1, 3], p=[0.6, 0.3, 0.1]))
        read.reference_start = int(rng.integers(0, sizes[read.reference_id] - 420))
        read.mapping_quality = int(rng.choice([255, 60, 30, 29, 3, 0]))
        read.cigartuples = CIGARS[rng.integers(len(CIGARS))]
        bases = sum(
            length for operation, length in read.cigartuples if operation in (0, 1, 4, 7, 8)
        )
        read.query_sequence = "".join(rng.choice(list("ACGT"), bases))
        read.query_qualities = pysam.qualitystring_to_array("F" * bases)
        if read.flag & 4 and number % 2:
            read.reference_id, read.reference_start, read.cigartuples = -1, -1, None
        if number % 3 == 0:
            read.set_tag("MD", "x" * int(rng.integers(1, 300)))
        records.append(read)
    if ordered:
        records.sort(key=lambda r: (r.reference_id % 1000, r.reference_start))
    with pysam.AlignmentFile(path, "wb", header=header) as out:
        for read in records:
            out.write(read)
    return path


def witness(bam: Path, folder: Path, chroms: dict[str, int]) -> dict[str, np.ndarray]:
    """Depth at every base, by samtools and bedtools."""
    for tool in ("samtools", "bedtools"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    sizes = folder / "sizes.tsv"
    sizes.write_text("".join(f"{chrom}\t{size}\n" for chrom, size in chroms.items()))
    out = subprocess.run(
        f"samtools view -b -F 1548 -q 30 {bam} | bedtools bamtobed -i - | sort -k1,1 |"
        f" bedtools genomecov -bga -i - -g {sizes}",
        shell=True,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    depth = {chrom: np.zeros(size, int) for chrom, size in chroms.items()}
    for line in out.splitlines():
        chrom, start, end, reads = line.split("\t")
        depth[chrom][int(start) : int(end)] = int(reads)
    return depth


def depths(bam: Path, transcripts: list[Transcript], threads: int = 1) -> list[np.ndarray]:
    """Depth of each transcript's joined exons; zeros if a transcript has none."""
    found = dict(coverage_of_bam(bam, transcripts, threads).depths())
    return [found.get(i, np.zeros(t.length, int)) for i, t in enumerate(transcripts)]


@pytest.fixture(scope="module")
def bam(tmp_path_factory):
    return write_bam(tmp_path_factory.mktemp("bam") / "reads.bam", 6000)


@pytest.mark.parametrize("threads", [1, 3])
def test_coverage_of_every_base_equals_that_of_samtools(bam, tmp_path, threads):
    expected = witness(bam, tmp_path, CHROMS)
    for transcript, depth in zip(WHOLE, depths(bam, WHOLE, threads), strict=True):
        np.testing.assert_array_equal(depth, expected[transcript.chrom])
    assert sum(depth.sum() for depth in expected.values()) > 100_000
    assert expected["chr3"].sum() == 0


def test_coverage_of_overlapping_transcripts_equals_that_of_samtools(bam, tmp_path):
    rng = np.random.default_rng(1)
    transcripts = []
    for number in range(60):
        chrom = ["chr1", "chr2"][number % 2]
        cuts = np.sort(rng.choice(CHROMS[chrom], 2 * rng.integers(1, 8), replace=False))
        exons = tuple(map(tuple, cuts.reshape(-1, 2).tolist()))
        transcripts.append(Transcript(f"t{number}", chrom, "+-"[number % 3 > 0], exons))
    expected = witness(bam, tmp_path, CHROMS)
    for transcript, depth in zip(transcripts, depths(bam, transcripts), strict=True):
        np.testing.assert_array_equal(
            depth, np.concatenate([expected[transcript.chrom][a:b] for a, b in transcript.exons])
        )


@pytest.mark.parametrize("name", ["{}", "run.{}", "SRR1039508.{}"])
@pytest.mark.parametrize("batch", [20_001, 70_000, 1 << 20])
def test_block_borders_and_read_names_make_no_difference(bam, tmp_path, monkeypatch, name, batch):
    """Names without a common beginning, and one that occurs inside records, are read as well."""
    named = write_bam(tmp_path / "named.bam", 6000, name=name)
    monkeypatch.setattr(alignments, "_BATCH", batch)
    for ours, others in zip(depths(named, WHOLE), depths(bam, WHOLE), strict=True):
        np.testing.assert_array_equal(ours, others)


def test_a_name_repeated_inside_records_is_not_read_as_a_record(tmp_path):
    """Tags that hold the beginning of read names mislead no one: the chain then does not fit."""
    plain, tagged = tmp_path / "plain.bam", tmp_path / "tagged.bam"
    write_bam(plain, 3000, seed=3)
    with (
        pysam.AlignmentFile(plain) as source,
        pysam.AlignmentFile(tagged, "wb", template=source) as out,
    ):
        for read in source:
            read.set_tag("XX", "SRR1039508." * 20)
            out.write(read)
    for ours, others in zip(depths(tagged, WHOLE), depths(plain, WHOLE), strict=True):
        np.testing.assert_array_equal(ours, others)


def test_names_that_change_within_the_file_make_no_difference(bam, tmp_path):
    """As in a file merged from two runs, one after the other."""
    renamed = tmp_path / "renamed.bam"
    with (
        pysam.AlignmentFile(bam) as source,
        pysam.AlignmentFile(renamed, "wb", template=source) as out,
    ):
        for number, read in enumerate(source):
            if number > 2500:
                read.query_name = f"other.{number}"
            out.write(read)
    for ours, others in zip(depths(renamed, WHOLE), depths(bam, WHOLE), strict=True):
        np.testing.assert_array_equal(ours, others)


def test_an_unsorted_file_has_the_same_coverage(tmp_path):
    ordered = depths(write_bam(tmp_path / "a.bam", 800, seed=4), WHOLE)
    unordered = depths(write_bam(tmp_path / "b.bam", 800, seed=4, ordered=False), WHOLE)
    for a, b in zip(ordered, unordered, strict=True):
        np.testing.assert_array_equal(a, b)


def test_reads_counted_are_those_samtools_counts(bam):
    count = pysam.view("-c", "-F", "1548", "-q", "30", str(bam))
    assert sum(len(block.ref) for block in read_intervals(bam)) == int(count)


def test_coverage_of_star_alignments_equals_that_of_samtools(data, tmp_path):
    """Truth: samtools and bedtools, on human airway reads aligned to the first Mb of chr1 to 4."""
    if shutil.which("STAR") is None:
        pytest.skip("STAR is not installed")
    import gzip

    folder = data / "hg19_slice"
    genome, index = tmp_path / "genome.fa", tmp_path / "index"
    genome.write_bytes(gzip.decompress((folder / "hg19.chr1-4.first1Mb.fa.gz").read_bytes()))
    annotation = folder / "refGene.chr1-4.first1Mb.gtf"

    def star(*arguments: str | Path) -> None:
        command = ["STAR", "--genomeDir", index, "--runThreadN", "2", *arguments]
        subprocess.run([str(part) for part in command], check=True, capture_output=True)

    index.mkdir()
    star(
        *("--runMode", "genomeGenerate", "--genomeFastaFiles", genome),
        *("--sjdbGTFfile", annotation, "--genomeSAindexNbases", "10"),
        *("--outFileNamePrefix", f"{tmp_path}/index."),
    )
    star(
        *("--readFilesIn", folder / "SRR1039508_R1.fastq.gz", folder / "SRR1039508_R2.fastq.gz"),
        *("--readFilesCommand", "zcat", "--outSAMtype", "BAM", "SortedByCoordinate"),
        *("--outFileNamePrefix", f"{tmp_path}/", "--readMapNumber", "4000"),
    )
    bam = tmp_path / "Aligned.sortedByCoord.out.bam"
    chroms = read_chromosome_lengths(bam)
    expected = witness(bam, tmp_path, chroms)
    whole = [Transcript(name, name, "+", ((0, size),)) for name, size in chroms.items()]
    for transcript, depth in zip(whole, depths(bam, whole), strict=True):
        np.testing.assert_array_equal(depth, expected[transcript.chrom])
    genes = representative_transcripts(annotation)
    for transcript, depth in zip(genes, depths(bam, genes, 2), strict=True):
        np.testing.assert_array_equal(
            depth, np.concatenate([expected[transcript.chrom][a:b] for a, b in transcript.exons])
        )


def test_another_genome_build_is_refused_with_the_chromosomes_of_both(bam):
    with pytest.raises(InputError, match=r"it has chr1, chr2, chr3 and 1 more.*lie on 1 too"):
        coverage_of_bam(bam, [*WHOLE, Transcript("t", "1", "+", ((0, 10),))])
    with pytest.raises(InputError, match=r"chr2 has 12000 bases, but transcript t ends at 12001"):
        coverage_of_bam(bam, [Transcript("t", "chr2", "+", ((0, 12_001),))])


def test_a_build_with_chromosomes_of_other_lengths_is_refused(bam):
    coverage_of_bam(bam, WHOLE[:2], chromosomes={**CHROMS, "chrUn": 5})
    with pytest.raises(InputError, match="its chrM has 900 bases, that of the reference 899"):
        coverage_of_bam(bam, WHOLE[:2], chromosomes={**CHROMS, "chrM": 899})


@pytest.fixture(scope="module")
def genome(tmp_path_factory) -> Path:
    """A random genome with the chromosomes of these tests."""
    rng = np.random.default_rng(7)
    path = tmp_path_factory.mktemp("genome") / "genome.fa"
    bases = {name: "".join(rng.choice(list("ACGT"), size)) for name, size in CHROMS.items()}
    path.write_text("".join(f">{name}\n{text}\n" for name, text in bases.items()))
    return path


def to_cram(bam: Path, genome: Path, *options: str) -> Path:
    """The CRAM that samtools makes of a BAM file, beside it."""
    if shutil.which("samtools") is None:
        pytest.skip("samtools is not installed")
    cram = bam.with_suffix(".cram")
    command = ["samtools", "view", "-C", "-T", genome, *options, "-o", cram, bam]
    subprocess.run(command, check=True)
    return cram


def write_pairs(path: Path) -> Path:
    """A BAM of pairs whose mates lie beside each other, in one slice of a CRAM: of some one mate is
    unmapped, which the flag of the other says."""
    rng = np.random.default_rng(8)
    header = {"SQ": [{"SN": chrom, "LN": size} for chrom, size in CHROMS.items()]}
    with pysam.AlignmentFile(path, "wb", header=header) as out:
        for number, start in enumerate(np.sort(rng.integers(0, 29_000, 500)).tolist()):
            lost = number % 3 == 0
            for flag in (0x49, 0x85) if lost else (0x63, 0x93):
                read = pysam.AlignedSegment(out.header)
                read.query_name, read.flag, read.mapping_quality = f"p{number}", flag, 60
                read.reference_id = read.next_reference_id = 0
                read.reference_start = read.next_reference_start = start
                read.cigarstring = None if flag == 0x85 else "40M200N10M"
                read.query_sequence = "".join(rng.choice(list("ACGT"), 50))
                read.query_qualities = pysam.qualitystring_to_array("F" * 50)
                out.write(read)
    return path


def joined(path: Path, threads: int = 1) -> np.ndarray:
    """All intervals of a file: rows are chromosome, start, end."""
    blocks = [[b.ref, b.start, b.end] for b in read_intervals(path, threads)]
    return np.concatenate([np.zeros((3, 0), int), *blocks], axis=1)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("options", [(), ("--output-fmt-option", "seqs_per_slice=100")])
def test_a_cram_has_the_intervals_of_its_bam(
    tmp_path, genome, reference_server, monkeypatch, options, threads
):
    """It needs neither its genome nor the place where htslib would look for it."""
    monkeypatch.setattr(alignments, "_CRAM_BATCH", 700)
    for bam in (write_bam(tmp_path / "a.bam", 6000), write_pairs(tmp_path / "pairs.bam")):
        here = shutil.copy(genome, tmp_path / "genome.fa")
        cram = to_cram(bam, here, *options)
        for file in tmp_path.glob("genome.fa*"):
            file.unlink()
        expected = joined(bam)
        assert expected.shape[1] > 300
        np.testing.assert_array_equal(joined(cram, threads), expected)
        assert read_chromosome_lengths(cram) == read_chromosome_lengths(bam)
    assert reference_server == []
    subprocess.run(["samtools", "view", "-o", "/dev/null", cram], check=False, capture_output=True)
    assert reference_server, "sequences would have been asked for"


def test_a_cram_of_another_genome_is_recognised_by_its_checksums(bam, tmp_path, genome):
    """Chromosomes of the same names and lengths; a smaller one that is masked does no harm."""
    names = genome.read_text().split()[::2]
    bases = dict(zip(names, genome.read_text().split()[1::2], strict=True))

    def made(masked: str) -> dict[str, str]:
        path = tmp_path / "masked.fa"
        changed = {n: "N" * len(text) if n == masked else text for n, text in bases.items()}
        path.write_text("".join(f"{name}\n{text}\n" for name, text in changed.items()))
        return sequence_checksums(to_cram(Path(shutil.copy(bam, tmp_path / "a.bam")), path))

    expected = made("")
    assert set(expected) == set(CHROMS)
    assert sequence_checksums(bam) == {}
    for harmless in (expected, made(">chr2"), {}, {"chr9": "0"}):
        check_sequences("a.cram", CHROMS, harmless, expected)
    other = made(">chr1")
    with pytest.raises(InputError) as caught:
        check_sequences("a.cram", CHROMS, other, expected)
    for fact in ("a.cram", "chr1", other["chr1"], expected["chr1"], "1 of 4"):
        assert fact in str(caught.value)
    with pytest.raises(InputError, match=other["chr1"]):
        coverage_of_bam(tmp_path / "a.cram", WHOLE, sequences=expected)


def test_a_truncated_or_damaged_cram_gives_no_other_intervals(bam, tmp_path, genome):
    """What is damaged is refused, unless it is in the sequences, which are not read."""
    whole = to_cram(Path(shutil.copy(bam, tmp_path / "a.bam")), genome).read_bytes()
    expected = joined(tmp_path / "a.cram")
    path = tmp_path / "broken.cram"
    for part in (0.001, 0.02, 0.5, 0.9, 0.9999):
        path.write_bytes(whole[: int(len(whole) * part)])
        with pytest.raises(InputError, match=r"broken\.cram"):
            coverage_of_bam(path, WHOLE)
    refused = 0
    for at in range(30, len(whole), len(whole) // 60):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
        try:
            np.testing.assert_array_equal(joined(path), expected)
        except InputError:
            refused += 1
    assert refused > 3


def records(raw: bytes) -> list[int]:
    """Where the records of an uncompressed BAM file begin."""
    at = 8 + struct.unpack_from("<I", raw, 4)[0]
    (count,) = struct.unpack_from("<I", raw, at)
    at += 4
    for _ in range(count):
        at += 8 + struct.unpack_from("<I", raw, at)[0]
    found = []
    while at < len(raw):
        found.append(at)
        at += 4 + struct.unpack_from("<I", raw, at)[0]
    return found


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A function that writes 300 records, with one field changed in every fifth or in one."""
    folder = tmp_path_factory.mktemp("broken")
    raw = pysam.BGZFile(str(write_bam(folder / "whole.bam", 300, flags=(0,))), "rb").read()
    starts = records(raw)

    def write(place: int, form: str, value: int, step: int = 5) -> Path:
        changed = bytearray(raw)
        for start in starts[7::step]:
            struct.pack_into(form, changed, start + place, value)
        with pysam.BGZFile(str(folder / "broken.bam"), "wb") as out:
            out.write(bytes(changed))
        return folder / "broken.bam"

    return write


@pytest.mark.parametrize("step", [5, 1000], ids=["each fifth", "one"])
@pytest.mark.parametrize(
    ("place", "form", "value", "words"),
    [
        (12, "<B", 250, "parts of a record exceed it"),
        (12, "<B", 0, "parts of a record exceed it"),
        (12, "<B", 3, "name of a read has another length"),
        (16, "<H", 9, "parts of a record exceed it|other bases than it has"),
        (16, "<H", 65535, "parts of a record exceed it"),
        (20, "<i", 2**30, "parts of a record exceed it"),
        (20, "<i", -1, "parts of a record exceed it"),
        (4, "<i", 77, "chromosome that the header lacks"),
        (4, "<i", -2, "chromosome that the header lacks"),
        (24, "<i", 4, "chromosome that the header lacks"),
        (0, "<I", 2**31 + 7, "longer than any read|parts of a record|cut off"),
        (0, "<I", 3, "parts of a record exceed it|longer than any read|cut off"),
    ],
)
def test_inconsistent_records_are_refused(written, place, form, value, words, step):
    path = written(place, form, value, step)
    with pytest.raises(InputError, match=f"broken.bam: .*({words})"):
        list(read_intervals(path))


def test_a_record_with_a_huge_stated_size_takes_no_memory(tmp_path):
    """The rest of the file would be kept, waiting for its end."""
    bam = write_bam(tmp_path / "long.bam", 3000)
    raw = bytearray(pysam.BGZFile(str(bam), "rb").read())
    struct.pack_into("<I", raw, records(bytes(raw))[10], 2**31)
    with pysam.BGZFile(str(bam), "wb") as out:
        out.write(bytes(raw))
    blocks = []
    with pytest.raises(InputError, match="longer than any read"):
        blocks.extend(read_intervals(bam))
    assert sum(len(block.ref) for block in blocks) < 50


@pytest.mark.parametrize("part", [0.02, 0.5, 0.9, 0.9999])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_truncated_file_is_refused(bam, tmp_path, part, threads):
    cut = tmp_path / "cut.bam"
    whole = bam.read_bytes()
    cut.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(InputError, match=r"cut\.bam"):
        coverage_of_bam(cut, WHOLE, threads)


def test_a_file_without_its_end_mark_is_refused(bam, tmp_path):
    cut = tmp_path / "cut.bam"
    cut.write_bytes(bam.read_bytes()[:-28])
    with pytest.raises(InputError, match="EOF marker"):
        coverage_of_bam(cut, WHOLE)


def test_a_record_cut_between_blocks_is_refused(bam, tmp_path):
    """The file ends properly, with its mark, but in the middle of a record."""
    whole = bam.read_bytes()
    raw = pysam.BGZFile(str(bam), "rb").read(150_001)
    cut = tmp_path / "cut.bam"
    with pysam.BGZFile(str(cut), "wb") as out:
        out.write(raw)
    assert cut.read_bytes()[-28:] == whole[-28:]
    with pytest.raises(InputError, match="middle of a record"):
        coverage_of_bam(cut, WHOLE)


def test_a_damaged_file_is_refused(bam, tmp_path):
    damaged = bytearray(bam.read_bytes())
    middle = len(damaged) // 2
    damaged[middle : middle + 40] = bytes(40)
    path = tmp_path / "damaged.bam"
    path.write_bytes(damaged)
    with pytest.raises(InputError, match=r"damaged\.bam: damaged"):
        coverage_of_bam(path, WHOLE)


def test_other_formats_and_missing_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        coverage_of_bam(tmp_path / "none.bam", WHOLE)
    for name, content in (("a.bam", b"@HD\tVN:1.6\n@SQ\tSN:chr1\tLN:9\n"), ("b.bam", b"junk" * 99)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=name):
            coverage_of_bam(tmp_path / name, WHOLE)


def test_a_file_without_passing_reads_has_no_coverage(tmp_path):
    for name, reads in (("empty.bam", 0), ("duplicates.bam", 300)):
        bam = write_bam(tmp_path / name, reads, flags=(1024,))
        coverage = coverage_of_bam(bam, WHOLE)
        assert coverage.reads == 0
        assert not list(coverage.depths())
