"""Transcripts: one representative of each gene in a GTF, and the BED12 file that carries them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tissuestate.errors import InputError
from tissuestate.files import atomic
from tissuestate.reference.chromosomes import check_missing_chromosomes
from tissuestate.reference.gtf import describe_missing_name, open_unzipped, read_exons


@dataclass(frozen=True)
class Transcript:
    """One spliced transcript: exons 0-based and half-open, ascending, disjoint, on one strand."""

    name: str
    chrom: str
    strand: str
    exons: tuple[tuple[int, int], ...]

    @property
    def start(self) -> int:
        """First base of the first exon."""
        return self.exons[0][0]

    @property
    def end(self) -> int:
        """One past the last base of the last exon."""
        return self.exons[-1][1]

    @property
    def length(self) -> int:
        """Bases in exons."""
        return sum(end - start for start, end in self.exons)


def join_exons(exons: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Exons sorted, overlapping or touching ones merged."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(exons):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def representative_transcripts(gtf: str | Path) -> list[Transcript]:
    """One transcript of each gene: that of the longest spliced exonic length.

    Ties go to the transcript id that sorts first. Every gene with an exon line is represented;
    lines of other features are not needed. The genes are ordered by chromosome (as they first
    appear in the file), start, end and name. A transcript is named by its transcript id;
    ids that stand on several chromosomes or strands (as in RefSeq) are separate transcripts and
    separate genes, distinguished by a suffix `_dup1`, `_dup2` and so on.

    Raises InputError as `read_exons` does, and for an exon without a strand or a transcript_id.
    """
    table = read_exons(gtf, transcripts=True)
    _check_strands(table, gtf)
    exons: dict[tuple[str, str, str, str], list[tuple[int, int]]] = {}
    columns = ("gene_id", "chrom", "strand", "transcript_id", "start", "end")
    for *key, start, end in zip(*(table[name].tolist() for name in columns), strict=True):
        exons.setdefault(tuple(key), []).append((start - 1, end))

    best: dict[tuple[str, str, str], Transcript] = {}
    order: dict[str, int] = {}
    for (gene_id, chrom, strand, name), parts in exons.items():
        order.setdefault(chrom, len(order))
        candidate = Transcript(name, chrom, strand, join_exons(parts))
        locus = (gene_id, chrom, strand)
        holder = best.get(locus)
        if holder is None or (-candidate.length, name) < (-holder.length, holder.name):
            best[locus] = candidate
    chosen = sorted(best.values(), key=lambda t: (order[t.chrom], t.start, t.end, t.name))
    return _with_distinct_names(chosen)


def _check_strands(exons: pd.DataFrame, gtf: str | Path) -> None:
    """Raise InputError for the first exon without a strand or a transcript_id."""
    stranded, nameless = exons["strand"].isin(["+", "-"]), exons["transcript_id"] == ""
    wrong = exons[nameless | ~stranded]
    if len(wrong):
        row = wrong.iloc[0]
        where = f"{gtf}, line {row['line']}"
        if row["transcript_id"] == "":
            raise InputError(describe_missing_name(where, "transcript_id"))
        raise InputError(f"{where}: strand {row['strand']!r}, expected '+' or '-'.")


def _with_distinct_names(transcripts: list[Transcript]) -> list[Transcript]:
    """The transcripts, with a suffix on names that occur again."""
    taken = {t.name for t in transcripts}
    seen: dict[str, int] = {}
    result = []
    for t in transcripts:
        copies = seen.get(t.name, 0)
        seen[t.name] = copies + 1
        if copies:
            name = f"{t.name}_dup{copies}"
            while name in taken:
                name += "_"
            taken.add(name)
            t = Transcript(name, t.chrom, t.strand, t.exons)
        result.append(t)
    return result


def select_on_genome(
    source: str | Path, transcripts: list[Transcript], lengths: Mapping[str, int]
) -> list[Transcript]:
    """The transcripts of the file `source` that lie on the genome's chromosomes.

    lengths: the chromosomes with their lengths in bases. Raises InputError if transcripts lie
    beyond an end, on chromosomes proper that the genome lacks, or on many others that it lacks; a
    few on scaffolds and patches are left out, and the log says so.
    """
    check_missing_chromosomes(source, "transcripts", Counter(t.chrom for t in transcripts), lengths)
    kept = [t for t in transcripts if t.chrom in lengths]
    for t in kept:
        if t.end > lengths[t.chrom]:
            raise InputError(
                f"{source}: transcript {t.name} ends at base {t.end:,} of {t.chrom}, which has "
                f"{lengths[t.chrom]:,} bases in the genome; use transcripts of this genome build."
            )
    return kept


def write_bed(path: str | Path, transcripts: list[Transcript]) -> None:
    """Write transcripts as BED12, one row each; the thick part is the whole transcript."""
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8") as handle:
        for t in transcripts:
            sizes = ",".join(str(end - start) for start, end in t.exons)
            starts = ",".join(str(start - t.start) for start, _ in t.exons)
            handle.write(
                f"{t.chrom}\t{t.start}\t{t.end}\t{t.name}\t0\t{t.strand}\t{t.start}\t{t.end}\t0\t"
                f"{len(t.exons)}\t{sizes}\t{starts}\n"
            )


def read_bed(path: str | Path) -> list[Transcript]:
    """Read the transcripts of a BED12 file, in its order.

    Exons that touch are merged; comment, `track` and `browser` lines are skipped; a name that
    occurs again gets the suffix `_dup1`, `_dup2` and so on.
    Raises InputError, naming the line, for a row that is no BED12, or a file without transcripts.
    """
    transcripts: list[Transcript] = []
    with open_unzipped(path) as handle:
        for number, raw in enumerate(handle, 1):
            line = raw.decode(errors="replace")
            if line.strip() and not line.startswith(("#", "track", "browser")):
                fields = line.rstrip("\r\n").split("\t")
                transcripts.append(_parse_bed_row(fields, f"{path}, line {number}"))
    if not transcripts:
        raise InputError(f"{path}: no transcripts; expected BED12 rows.")
    return _with_distinct_names(transcripts)


def _parse_bed_row(fields: list[str], where: str) -> Transcript:
    """The transcript of one BED12 row; `where` names it in messages."""
    if len(fields) < 12:
        raise InputError(f"{where}: {len(fields)} tab-separated columns, expected the 12 of BED12.")
    try:
        start, end, count = int(fields[1]), int(fields[2]), int(fields[9])
        sizes = list(map(int, fields[10].rstrip(",").split(",")))
        offsets = list(map(int, fields[11].rstrip(",").split(",")))
    except ValueError as error:
        raise InputError(
            f"{where}: columns 2, 3, 10, 11 and 12 hold whole numbers in BED12 ({error})."
        ) from error
    if fields[5] not in ("+", "-"):
        raise InputError(f"{where}: strand {fields[5]!r} in column 6, expected '+' or '-'.")
    if not count == len(sizes) == len(offsets):
        raise InputError(
            f"{where}: {count} blocks announced, {len(sizes)} sizes and {len(offsets)} starts "
            "found; the three must agree."
        )
    exons = [(start + o, start + o + s) for o, s in zip(offsets, sizes, strict=True)]
    bounds = [bound for exon in exons for bound in exon]
    whole = bounds[0] == start >= 0 and bounds[-1] == end and min(sizes) > 0
    if not whole or sorted(bounds) != bounds:
        raise InputError(
            f"{where}: the blocks do not fill {fields[0]}:{start}-{end} in ascending order without "
            "overlap; expected BED12 blocks from its start to its end."
        )
    disjoint = len(set(bounds)) == len(bounds)
    return Transcript(
        fields[3], fields[0], fields[5], tuple(exons) if disjoint else join_exons(exons)
    )
