"""Chromosomes of the genome: names and lengths, and features on chromosomes it lacks."""

import logging
import re
from collections.abc import Mapping
from pathlib import Path

from tissuestate.errors import InputError

log = logging.getLogger(__name__)

# Annotations know more scaffolds, patches and haplotypes than a primary assembly: a tenth of
# GENCODE's genes lie there.
LOST_AT_MOST = 0.15
# Chromosomes proper, as UCSC, Ensembl and RefSeq name them, those of other species too.
_PROPER = re.compile(r"(?:chr)?(?:\d{1,2}|[XYZW]|MT?|[IVX]+|[23][LR])|NC_\d+(?:\.\d+)?", re.I)


def read_chromosomes(path: str | Path) -> dict[str, int]:
    """{name: length in bases}, of a table without a header."""
    rows = (line.split("\t") for line in Path(path).read_text(encoding="utf-8").splitlines())
    return {name: int(bases) for name, bases in rows}


def write_chromosomes(path: str | Path, lengths: Mapping[str, int]) -> None:
    """Write what `read_chromosomes` reads."""
    text = "".join(f"{name}\t{bases}\n" for name, bases in lengths.items())
    Path(path).write_text(text, encoding="utf-8")


def header_checksums(header: str) -> dict[str, str]:
    """{name: MD5 of the bases} of the chromosomes in a SAM header, as far as it states them.

    What `samtools dict` writes of a genome is such a header.
    """
    found = {}
    for line in header.splitlines():
        kind, *fields = line.split("\t")
        named = {field[:2]: field[3:] for field in fields}
        if kind == "@SQ" and "M5" in named:
            found[named["SN"]] = named["M5"].lower()
    return found


def check_missing_chromosomes(
    source: str | Path, kind: str, counts: Mapping[str, int], lengths: Mapping[str, int]
) -> None:
    """Raise InputError if the genome lacks a proper chromosome of a file, or many of its features.

    counts: how many of `kind` (genes, transcripts) the file `source` has, by chromosome; lengths:
    the genome's chromosomes. A few on scaffolds and patches are logged as a warning.
    """
    lacking = {name: number for name, number in counts.items() if name not in lengths}
    if not lacking:
        return
    if len(lacking) == len(counts):
        raise InputError(
            f"{source} names chromosomes like {min(counts)!r}, the genome like {min(lengths)!r}, "
            f"and they share none; use {kind} of this genome build."
        )
    lost, total = sum(lacking.values()), sum(counts.values())
    order = sorted(lacking, key=lambda name: (not _PROPER.fullmatch(name), -lacking[name], name))
    listed = ", ".join(f"{name} ({lacking[name]:,} {kind})" for name in order[:5])
    listed += f" and {len(order) - 5:,} more" if len(order) > 5 else ""
    said = f"{source}: {lost:,} of its {total:,} {kind} lie on chromosomes that the genome lacks"
    if _PROPER.fullmatch(order[0]) or lost > LOST_AT_MOST * total:
        raise InputError(
            f"{said}: {listed}; use the whole genome that they belong to, or a file of these "
            "chromosomes alone."
        )
    log.warning("%s, and will have no reads: %s", said, listed)
