"""The coverage profile of a sample, against the original mRIN code and by hand."""

import tarfile

import numpy as np
import pandas as pd
import pytest
from tissuestate.checksums import file_checksum
from tissuestate.errors import InputError
from tissuestate.integrity.profiles import (
    Profile,
    load_profile,
    profile_bam,
    relative_coverage,
    save_profile,
    transcript_profile,
)
from tissuestate.reference.transcripts import Transcript, read_bed


@pytest.fixture(scope="session")
def reference(data, tmp_path_factory):
    """The original code's inputs and per-transcript outputs, unpacked."""
    folder = tmp_path_factory.mktemp("mrin")
    with tarfile.open(data / "mrin" / "reference.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def spliced_depths(bedgraph, transcripts):
    """Depth of each transcript's joined exons, from a per-base bedGraph."""
    table = pd.read_csv(bedgraph, sep="\t", skiprows=1, names=["chrom", "start", "end", "reads"])
    ends = {t.chrom: max(u.end for u in transcripts if u.chrom == t.chrom) for t in transcripts}
    genome = {}
    for chrom, rows in table.groupby("chrom"):
        steps = np.zeros(max(ends.get(chrom, 0), rows["end"].max()) + 1, int)
        np.add.at(steps, rows["start"], rows["reads"])
        np.subtract.at(steps, rows["end"], rows["reads"])
        genome[chrom] = steps.cumsum()
    for t in transcripts:
        depth = genome.get(t.chrom, np.zeros(t.end, int))
        yield t, np.concatenate([depth[a:b] for a, b in t.exons])


@pytest.mark.slow
def test_deviation_and_abundance_equal_the_original_code(data, reference):
    """Truth: mRIN's own output for 24 samples × 220 transcripts; both strands occur."""
    transcripts = read_bed(data / "mrin" / "transcripts.bed")
    assert {t.strand for t in transcripts} == {"+", "-"}
    worst_d = worst_abundance = 0.0
    for bedgraph in sorted((reference / "bg").iterdir()):
        theirs = pd.read_csv(reference / "ks" / f"{bedgraph.stem}.ks.txt", sep="\t")
        ours = np.array(
            [transcript_profile(d, t.strand) for t, d in spliced_depths(bedgraph, transcripts)]
        )
        assert list(theirs["#name"]) == [t.name for t in transcripts]
        worst_d = max(worst_d, np.abs(ours[:, 0] - theirs["max_dev"]).max())
        worst_abundance = max(worst_abundance, np.abs(ours[:, 1] - theirs["abundance"]).max())
    print(f"largest difference: d {worst_d:.1e}, abundance {worst_abundance:.1e}")
    assert max(worst_d, worst_abundance) < 1e-9


def test_a_transcript_by_hand():
    """Depth 0 0 4 4: all of it at the 3′ end of +, at the 5′ end of −."""
    depth = np.array([0, 0, 4, 4])
    # +: C = 8−P[3], 8−P[2], 8−P[1], 8−P[0] = 0 4 8 8; minus i/L: 0, .25, .5, .25
    assert transcript_profile(depth, "+") == (0.5, 2.0)
    # −: C = 0 0 4 8; minus i/L: 0, −.25, 0, .25: the first of equals is negative
    assert transcript_profile(depth, "-") == (-0.25, 2.0)
    # On + the first genomic base is not counted.
    assert transcript_profile(np.array([9, 0, 4, 4]), "+") == (0.5, 2.0)


def test_no_coverage_gives_zero_without_a_warning():
    with np.errstate(all="raise"):
        assert transcript_profile(np.zeros(7, int), "-") == (0.0, 0.0)
        assert transcript_profile(np.array([5, 0, 0]), "+") == (0.0, 0.0)
        assert transcript_profile(np.array([5]), "+") == (0.0, 0.0)


@pytest.mark.parametrize("length", [1, 7, 100, 101, 1234])
def test_relative_coverage_is_a_mean_of_one_and_follows_the_strand(length):
    depth = np.random.default_rng(length).integers(1, 50, length)
    curve = relative_coverage(depth, "+")
    assert curve.shape == (100,)
    assert curve.mean() == pytest.approx(1)
    np.testing.assert_array_equal(relative_coverage(depth, "-"), curve[::-1])
    if length == 100:
        np.testing.assert_allclose(curve, depth / depth.mean())


def test_even_coverage_is_flat():
    np.testing.assert_allclose(relative_coverage(np.full(333, 5), "+"), 1)


def test_a_bam_gives_the_profile_of_its_coverage(tmp_path):
    import pysam

    header = {"HD": {"VN": "1.6"}, "SQ": [{"SN": "chr1", "LN": 1000}]}
    with pysam.AlignmentFile(tmp_path / "a.bam", "wb", header=header) as out:
        for start, copies in ((0, 3), (50, 9)):
            for number in range(copies):
                read = pysam.AlignedSegment(out.header)
                read.query_name, read.flag, read.reference_id = f"r{start}.{number}", 0, 0
                read.reference_start, read.mapping_quality, read.cigarstring = start, 255, "50M"
                out.write(read)
    transcripts = [
        Transcript("covered", "chr1", "+", ((0, 25), (50, 75))),
        Transcript("thin", "chr1", "-", ((90, 190),)),
        Transcript("bare", "chr1", "-", ((500, 600),)),
    ]
    profile = profile_bam(tmp_path / "a.bam", transcripts)
    assert profile.reads == 12
    assert profile.d[0] == transcript_profile(np.repeat([3, 9], 25), "+")[0] > 0.2
    np.testing.assert_allclose(profile.abundance, [(25 * 12 - 3) / 50, 0.9, 0])
    assert profile.d[2] == 0
    np.testing.assert_allclose(profile.coverage, np.repeat([0.5, 1.5], 50))  # the first alone


def test_a_profile_survives_writing_and_reading_and_knows_its_transcripts(tmp_path):
    bed = tmp_path / "t.bed"
    bed.write_text("chr1\t0\t10\tt\t0\t+\t0\t10\t0\t1\t10\t0\n")
    profile = Profile(np.array([0.25]), np.array([3.5]), np.arange(100.0), 7)
    save_profile(tmp_path / "s.npz", profile, file_checksum(bed))
    again = load_profile(tmp_path / "s.npz", file_checksum(bed))
    assert (again.d, again.abundance, again.reads) == (profile.d, profile.abundance, 7)
    np.testing.assert_array_equal(again.coverage, profile.coverage)
    with pytest.raises(InputError, match=r"s\.npz: made with other transcripts"):
        load_profile(tmp_path / "s.npz", "0" * 64)
    np.savez(tmp_path / "bare.npz", d=profile.d)
    with pytest.raises(InputError, match=r"bare\.npz: no array 'abundance'"):
        load_profile(tmp_path / "bare.npz", file_checksum(bed))
