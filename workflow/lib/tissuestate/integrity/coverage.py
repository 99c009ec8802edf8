"""Coverage: reads on each exonic base, in memory that depends on the exons alone."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from tissuestate.errors import InputError
from tissuestate.integrity.intervals import (
    Intervals,
    read_chromosome_lengths,
    read_intervals,
    sequence_checksums,
)
from tissuestate.reference.transcripts import Transcript


class ExonicBases:
    """The bases of one chromosome that lie in any exon, numbered from 0 in ascending order.

    Parameters: the exons (n × 2: start, end), which may overlap.
    """

    def __init__(self, exons: np.ndarray) -> None:
        exons = exons[np.argsort(exons[:, 0], kind="stable")]
        reach = np.maximum.accumulate(exons[:, 1])
        first = np.flatnonzero(np.concatenate(([True], exons[1:, 0] > reach[:-1])))
        self._starts = exons[first, 0]
        self._sizes = reach[np.append(first[1:], len(exons)) - 1] - self._starts
        self._before = np.concatenate(([0], np.cumsum(self._sizes)))
        self.count = int(self._before[-1])

    def rank(self, positions: np.ndarray) -> np.ndarray:
        """Number of exonic bases before each position."""
        region = np.searchsorted(self._starts, positions, side="right") - 1
        inside = np.minimum(positions - self._starts[region], self._sizes[region])
        return np.where(region < 0, 0, self._before[region] + inside)


def _exon_bounds(transcripts: Iterable[Transcript]) -> np.ndarray:
    """The exons of all transcripts, in their order, n × 2: start, end."""
    bounds = [bound for t in transcripts for exon in t.exons for bound in exon]
    return np.array(bounds, np.int64).reshape(-1, 2)


class Coverage:
    """Reads per exonic base, added up block by block.

    Parameters: the transcripts, and the chromosome names in the order of their numbers.
    """

    def __init__(self, transcripts: Sequence[Transcript], chroms: Sequence[str]) -> None:
        numbers = {chrom: number for number, chrom in enumerate(chroms)}
        self._transcripts = transcripts
        self._members: dict[int, list[int]] = {}  # transcripts on each chromosome, by index
        for index, transcript in enumerate(transcripts):
            self._members.setdefault(numbers[transcript.chrom], []).append(index)
        self._exons = {
            number: _exon_bounds([transcripts[index] for index in members])
            for number, members in self._members.items()
        }
        self._bases = {number: ExonicBases(exons) for number, exons in self._exons.items()}
        self._steps: dict[int, np.ndarray] = {}  # change of the depth at each exonic base
        self.reads = 0

    def add(self, reads: Intervals) -> None:
        """Count reads in, each from its start to its end."""
        self.reads += len(reads.ref)
        ref, start, end = reads.ref, reads.start, reads.end
        if (np.diff(ref) < 0).any():
            order = np.argsort(ref, kind="stable")
            ref, start, end = ref[order], start[order], end[order]
        borders = [0, *(np.flatnonzero(np.diff(ref)) + 1).tolist(), len(ref)]
        for these in map(slice, borders, borders[1:]):
            number = int(ref[these.start]) if len(ref) else -1
            bases = self._bases.get(number)
            if bases is None:
                continue
            steps = self._steps.get(number)
            if steps is None:
                steps = self._steps[number] = np.zeros(bases.count + 1, np.int32)
            _count_at(steps, bases.rank(start[these]), np.add)
            _count_at(steps, bases.rank(end[these]), np.subtract)

    def depths(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (index, reads per base of its joined exons) of the transcripts.

        The bases are in genomic order, whatever the strand. Chromosomes without reads are left
        out.
        """
        for number, steps in self._steps.items():
            members, exons = self._members[number], self._exons[number]
            starts = self._bases[number].rank(exons[:, 0])
            ends = starts + exons[:, 1] - exons[:, 0]
            depth = np.cumsum(steps, dtype=np.int32)
            pieces = iter(zip(starts.tolist(), ends.tolist(), strict=True))
            for index in members:
                mine = islice(pieces, len(self._transcripts[index].exons))
                yield index, np.concatenate([depth[a:b] for a, b in mine])


def _count_at(steps: np.ndarray, at: np.ndarray, operation: np.ufunc) -> None:
    """Add 1 to, or subtract it from, `steps` at each of the positions `at`."""
    low, high = int(at.min()), int(at.max()) + 1
    if high - low < 16 * len(at):
        window = steps[low:high]
        operation(window, np.bincount(at - low, minlength=high - low), out=window, casting="unsafe")
    else:
        operation.at(steps, at, np.int32(1))


def check_build(
    bam: str | Path,
    lengths: Mapping[str, int],
    transcripts: Sequence[Transcript],
    chromosomes: Mapping[str, int],
) -> None:
    """Raise InputError unless a BAM or CRAM file is aligned to the genome of the transcripts.

    lengths: the chromosomes of the file; chromosomes: those of the genome.
    """
    missing = sorted({t.chrom for t in transcripts} - set(lengths))
    if missing:
        raise InputError(
            f"{bam}: aligned to another genome than the transcripts: it has "
            f"{_list_some(list(lengths))}, but the transcripts lie on {_list_some(missing)} too; "
            "use reads and annotation of the same genome build."
        )
    for name, bases in lengths.items():
        if name in chromosomes and bases != chromosomes[name]:
            raise InputError(
                f"{bam}: aligned to another genome build: its {name} has {bases} bases, that of "
                f"the reference {chromosomes[name]}; align its reads to this reference, or name "
                "the reference it was aligned to in the config."
            )
    for t in transcripts:
        if t.end > lengths[t.chrom]:
            raise InputError(
                f"{bam}: aligned to another genome than the transcripts: its {t.chrom} has "
                f"{lengths[t.chrom]} bases, but transcript {t.name} ends at {t.end}; use reads "
                "and annotation of the same genome build."
            )


def check_sequences(
    bam: str | Path,
    lengths: Mapping[str, int],
    found: Mapping[str, str],
    expected: Mapping[str, str],
) -> None:
    """Raise InputError if most of a file's bases lie on chromosomes of other sequence.

    Chromosomes that are masked in one of two genomes differ in bases, but not in coordinates:
    a few that differ are accepted.
    lengths: the chromosomes of the file; found: the MD5 of those whose header states it; expected:
    the MD5 of the genome's.
    """
    shared = found.keys() & expected.keys() & lengths.keys()
    others = [name for name in lengths if name in shared and found[name] != expected[name]]
    if 2 * sum(lengths[name] for name in others) > sum(lengths[name] for name in shared):
        name = others[0]
        raise InputError(
            f"{bam}: made on another genome: the bases of its {name} have MD5 {found[name]}, those "
            f"of the reference {expected[name]} ({len(others)} of {len(shared)} chromosomes "
            "differ); align its reads to this reference, or name the genome it was made on in the "
            "config."
        )


def _list_some(names: list[str]) -> str:
    """The first three names, and the number of further ones."""
    shown = ", ".join(names[:3]) or "no chromosomes"
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


def coverage_of_bam(
    bam: str | Path,
    transcripts: Sequence[Transcript],
    threads: int = 1,
    chromosomes: Mapping[str, int] | None = None,
    sequences: Mapping[str, str] | None = None,
) -> Coverage:
    """The coverage of the transcripts' exons by the reads of a file, in one pass.

    Each read that passes (see `read_intervals`) covers every base from its start to its end,
    introns inside it included; mates are counted separately, strands together (Feng, Zhang & Zhang
    2015).
    bam: a BAM or CRAM file. chromosomes, sequences: lengths and MD5 of the genome's chromosomes, if
    the file may be of another genome.
    Raises InputError for a file of another genome build, or a damaged one.
    """
    lengths = read_chromosome_lengths(bam)
    check_build(bam, lengths, transcripts, chromosomes or {})
    if sequences:
        check_sequences(bam, lengths, sequence_checksums(bam), sequences)
    coverage = Coverage(transcripts, list(lengths))
    for reads in read_intervals(bam, threads):
        coverage.add(reads)
    return coverage
