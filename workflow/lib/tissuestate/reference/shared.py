"""Transcripts of a bundle's reference that another reference shares, by name and exonic length."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tissuestate.reference.gtf import read_exons
from tissuestate.reference.transcripts import Transcript, join_exons, read_bed

# 'ENST00000456328.2', 'NM_000014.6', and '.9_6' of an annotation that was lifted to another build.
_VERSION = re.compile(r"(?<=\d)\.\d+(?:_\d+)?(?=$|_)")


def without_version(name: str) -> str:
    """The name of a transcript without its version; `_PAR_Y` and `_dup1` stay."""
    return _VERSION.sub("", name, count=1)


def locate_shared(
    wanted: Sequence[Transcript],
    bed: str | Path,
    gtf: str | Path,
    chromosomes: Mapping[str, int],
) -> list[Transcript]:
    """The transcripts of a bundle where they lie in another reference, under the bundle's names.

    wanted: those of the bundle, whose order is kept; bed, gtf, chromosomes: the representative
    transcripts, the annotation and the chromosomes' lengths of the other reference. A transcript is
    shared if both name it, versions apart, and it has as many bases in exons; what differs has
    another coverage. Raises InputError if a file cannot be read.
    """
    here = _by_name(read_bed(bed))
    if any(_find(t, here) is None for t in wanted):
        names = {without_version(t.name) for t in wanted}
        here = _by_name(_read_named(gtf, names)) | here
    places = [(t.name, _find(t, here)) for t in wanted]
    return [
        Transcript(name, place.chrom, place.strand, place.exons)
        for name, place in places
        if place is not None and place.chrom in chromosomes
    ]


def _by_name(transcripts: Sequence[Transcript]) -> dict[tuple[str, int], Transcript]:
    """Transcripts by name, with and without its version, and length; the first of equals."""
    found = {(t.name, t.length): t for t in reversed(transcripts)}
    return {(without_version(name), bases): t for (name, bases), t in found.items()} | found


def _find(transcript: Transcript, here: Mapping[tuple[str, int], Transcript]) -> Transcript | None:
    name, bases = transcript.name, transcript.length
    return here.get((name, bases)) or here.get((without_version(name), bases))


def _read_named(gtf: str | Path, names: set[str]) -> list[Transcript]:
    """The transcripts of a GTF whose names are among these, versions apart, in its order."""
    exons = read_exons(gtf, transcripts=True)
    known = exons["transcript_id"].cat.categories
    kept = [name for name in known if without_version(name) in names]
    exons = exons[exons["transcript_id"].isin(kept) & exons["strand"].isin(["+", "-"])]
    spans: dict[tuple[str, str, str], list[tuple[int, int]]] = {}
    columns = ("transcript_id", "chrom", "strand", "start", "end")
    for *key, start, end in zip(*(exons[column].tolist() for column in columns), strict=True):
        spans.setdefault(tuple(key), []).append((start - 1, end))
    return [Transcript(*key, join_exons(parts)) for key, parts in spans.items()]


def read_shared(path: str | Path) -> list[Transcript]:
    """The transcripts of a BED12 file, none if it is empty. Raises InputError as `read_bed`."""
    return read_bed(path) if Path(path).stat().st_size else []
