"""Profiles: 3′ bias of the coverage of one sample's transcripts.

Feng, Zhang & Zhang, Nat. Commun. 2015 (mRIN), steps 1 to 3, as the published code computes them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tissuestate.arrays import load_arrays, save_arrays
from tissuestate.errors import InputError
from tissuestate.integrity.coverage import coverage_of_bam
from tissuestate.reference.transcripts import Transcript

MIN_ABUNDANCE = 2.0  # mean reads per base; a transcript counts above this
BINS = 100
_EDGES = np.linspace(0, 1, BINS + 1)


@dataclass(frozen=True)
class Profile:
    """Figures of one sample from which mRIN is computed.

    d: signed largest deviation from even coverage of each transcript; > 0 leans to the 3′ end.
    abundance: mean reads per base of each transcript.
    coverage: mean relative coverage in 100 bins from 5′ to 3′, 1 if even; NaN if no transcript
    is abundant enough.
    reads: number of reads that passed the filters.
    """

    d: np.ndarray
    abundance: np.ndarray
    coverage: np.ndarray
    reads: int


def transcript_profile(depth: np.ndarray, strand: str) -> tuple[float, float]:
    """(d, abundance) of one transcript from its reads per base in genomic order.

    The depth is summed up from the 3′ end: C; d is the signed value of largest size among
    C[i] / C[L−1] − i / L, the first of equals, and abundance is C[L−1] / L. As in the published
    code, on the + strand the first base in genomic order is not counted
    (C[k] = T − P[L−1−k], P the running and T the whole sum), on the − strand every base is.
    Without coverage d is 0.
    """
    length = len(depth)
    summed = depth.cumsum(dtype=np.int64)
    if strand == "+":
        summed = summed[-1] - summed[::-1]
    total = summed[-1]
    if total == 0:
        return 0.0, 0.0
    deviation = summed / total - np.arange(length) / length
    return float(deviation[np.argmax(np.abs(deviation))]), float(total / length)


def relative_coverage(depth: np.ndarray, strand: str) -> np.ndarray:
    """Coverage in 100 bins of equal width from 5′ to 3′, relative to its mean.

    depth: reads per base in genomic order, any above 0. A base on the edge of two bins is shared.
    """
    length = len(depth)
    summed = np.concatenate(([0], depth.cumsum(dtype=np.int64)))
    edges = _EDGES * length
    below = np.minimum(edges.astype(np.int64), length - 1)
    at_edges = summed[below] + (edges - below) * depth[below]
    bins = (at_edges[1:] - at_edges[:-1]) * (BINS / summed[-1])
    return bins if strand == "+" else bins[::-1]


def profile_bam(
    bam: str | Path,
    transcripts: Sequence[Transcript],
    threads: int = 1,
    chromosomes: Mapping[str, int] | None = None,
    sequences: Mapping[str, str] | None = None,
) -> Profile:
    """The profile of a sample from its aligned reads, in one pass over the file.

    bam: a BAM or CRAM file. chromosomes, sequences: lengths and MD5 of the genome's chromosomes, if
    the file may be of another genome.
    Raises InputError for a file of another genome build, or a damaged one.
    """
    coverage = coverage_of_bam(bam, transcripts, threads, chromosomes, sequences)
    d, abundance = np.zeros(len(transcripts)), np.zeros(len(transcripts))
    curve, used = np.zeros(BINS), 0
    for index, depth in coverage.depths():
        strand = transcripts[index].strand
        d[index], abundance[index] = transcript_profile(depth, strand)
        if abundance[index] > MIN_ABUNDANCE:
            curve += relative_coverage(depth, strand)
            used += 1
    curve = curve / used if used else np.full(BINS, np.nan)
    return Profile(d, abundance, curve, coverage.reads)


def save_profile(path: str | Path, profile: Profile, bed: str) -> None:
    """Write a profile with `bed`, the SHA-256 of its transcripts' BED file."""
    save_arrays(
        path,
        {
            "d": profile.d,
            "abundance": profile.abundance,
            "coverage": profile.coverage,
            "reads": np.array(profile.reads, np.int64),
            "bed": np.array(bed),
        },
    )


def load_profile(path: str | Path, bed: str) -> Profile:
    """Read a profile.

    Raises InputError if it is unreadable or was made with another BED file than that whose SHA-256
    is `bed`.
    """
    arrays = load_arrays(path)
    missing = sorted({"d", "abundance", "coverage", "reads", "bed"} - set(arrays))
    if missing:
        raise InputError(f"{path}: no array {missing[0]!r}; make the profile again from its BAM.")
    if str(arrays["bed"]) != bed:
        raise InputError(
            f"{path}: made with other transcripts (BED file {str(arrays['bed'])[:12]}…, expected "
            f"{bed[:12]}…); make the profile again from its BAM."
        )
    return Profile(arrays["d"], arrays["abundance"], arrays["coverage"], int(arrays["reads"]))
