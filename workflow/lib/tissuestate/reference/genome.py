"""Genome and annotation as the aligner needs them: plain text, with the same chromosomes."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from tissuestate.errors import InputError
from tissuestate.files import atomic
from tissuestate.reference.chromosomes import check_missing_chromosomes, write_chromosomes
from tissuestate.reference.gtf import open_unzipped, read_exons

_GFF3 = re.compile(rb"\s*[^\s\";=]+=")  # how GFF3's attributes begin; GTF's have a space


def prepare_reference(
    genome: str | Path,
    annotation: str | Path,
    genome_out: str | Path,
    annotation_out: str | Path,
    chromosomes_out: str | Path,
) -> None:
    """Write genome (FASTA) and annotation (GTF) uncompressed, if they fit together.

    Beside them a table of the genome's chromosomes and their lengths in bases, without a header.

    Raises InputError for a damaged file, a genome without sequences, an annotation without exons
    or in GFF3, and if the two are of different builds: names of chromosomes that they do not
    share ("1" here, "chr1" there), chromosomes that the genome lacks, exons beyond an end.
    Scaffolds and patches that the genome lacks are logged as a warning.
    """
    with (
        atomic(genome_out) as fasta,
        atomic(annotation_out) as gtf,
        atomic(chromosomes_out) as table,
    ):
        _decompress(genome, fasta)
        _decompress(annotation, gtf)
        lengths = _sequence_lengths(fasta, genome)
        _refuse_gff3(gtf, annotation)
        _check_fit(read_exons(gtf, annotation), lengths, annotation, genome)
        write_chromosomes(table, lengths)


def gene_ids(gtf: str | Path) -> set[str]:
    """The gene ids of a GTF's exons. Raises InputError for a file that is none."""
    return set(read_exons(gtf)["gene_id"].unique())


def _decompress(source: str | Path, target: Path) -> None:
    with open_unzipped(source) as read, target.open("wb") as write:
        shutil.copyfileobj(read, write, 1 << 20)


def _sequence_lengths(fasta: Path, source: str | Path) -> dict[str, int]:
    """{name: bases} of a FASTA file, in its order."""
    lengths: dict[str, int] = {}
    name, bases = "", 0
    with fasta.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line[:1] != b">":
                bases += len(line.strip())
                continue
            if line.endswith(b"\r\n"):
                raise InputError(
                    f"{source}, line {number}: ends as on Windows, which STAR takes for a base; "
                    "convert the genome with dos2unix."
                )
            if name:
                lengths[name] = bases
            elif bases:
                break
            words = line[1:].split()
            name, bases = (words[0].decode(errors="replace") if words else ""), 0
            if name in lengths or not name:
                found = f"{name!r} once more" if name else "a sequence without a name"
                raise InputError(
                    f"{source}, line {number}: {found}; a genome names each sequence once."
                )
    if name:
        lengths[name] = bases
    if not lengths:
        raise InputError(
            f"{source}: begins with no '>' line; a genome in FASTA format is expected."
        )
    for name, bases in lengths.items():
        if not bases:
            raise InputError(
                f"{source}: sequence {name!r} has no bases; the file is cut off: fetch it again."
            )
    return lengths


def _refuse_gff3(annotation: Path, source: str | Path) -> None:
    """Raise InputError if the first lines of an annotation are those of a GFF3 file."""
    with annotation.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            attributes = line.split(b"\t")[-1]
            header = line.startswith(b"##gff-version 3")
            empty = line.startswith(b"#") or not line.strip()
            if header or (not empty and _GFF3.match(attributes)):
                shown = (line if header else attributes).decode(errors="replace").strip()[:40]
                raise InputError(
                    f"{source}, line {number}: {shown!r} is GFF3, but STAR and featureCounts need "
                    "GTF; take the GTF of the same release, or convert this file: gffread -T -o "
                    "annotation.gtf FILE."
                )
            if not empty:
                return


def _check_fit(
    exons: pd.DataFrame, lengths: Mapping[str, int], annotation: str | Path, genome: str | Path
) -> None:
    """Raise InputError if annotation and genome are of different builds or parts of one."""
    of_chrom = exons.groupby("chrom", observed=True)
    check_missing_chromosomes(annotation, "genes", of_chrom["gene_id"].nunique().to_dict(), lengths)
    for row in exons.loc[of_chrom["end"].idxmax()].itertuples():
        if row.chrom in lengths and row.end > lengths[row.chrom]:
            raise InputError(
                f"{annotation}, line {row.line}: an exon ends at base {row.end:,} of {row.chrom}, "
                f"which has {lengths[row.chrom]:,} bases in {genome}; use an annotation of this "
                "genome build."
            )
