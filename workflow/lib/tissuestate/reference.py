"""Genome and annotation as the aligner needs them: plain text, with the same chromosomes."""

import gzip
import re
import shutil
import zlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tissuestate.chromosomes import check_lacking, write_chromosomes
from tissuestate.errors import InputError
from tissuestate.files import atomic

_GENE_ID = re.compile(rb'(?:^|[;\s])gene_id[ =]"?([^";]+)')
_GFF3 = re.compile(rb"\s*[^\s\";=]+=")  # how GFF3's attributes begin; GTF's have a space


@dataclass
class _Chromosome:
    """What an annotation has on one chromosome."""

    genes: set[bytes] = field(default_factory=set)
    end: int = 0  # of the last exon, 1-based
    line: int = 0  # where that exon stands


def prepare_reference(
    genome: str | Path,
    annotation: str | Path,
    genome_out: str | Path,
    annotation_out: str | Path,
    chromosomes_out: str | Path,
) -> None:
    """Write genome (FASTA) and annotation (GTF) uncompressed, once they are seen to fit together.

    Beside them a table of the genome's chromosomes and their lengths in bases, without a header.

    Raises InputError for a damaged file, a genome without sequences, an annotation without exons
    or in GFF3, and where the two are of different builds: names of chromosomes that they do not
    share ("1" here, "chr1" there), chromosomes that the genome lacks, exons beyond an end. Of
    scaffolds and patches that the genome lacks the log tells.
    """
    with (
        atomic(genome_out) as fasta,
        atomic(annotation_out) as gtf,
        atomic(chromosomes_out) as table,
    ):
        _decompress(genome, fasta)
        _decompress(annotation, gtf)
        lengths = _sequence_lengths(fasta, genome)
        _check_fit(_annotated(gtf, annotation), lengths, annotation, genome)
        write_chromosomes(table, lengths)


def gene_ids(gtf: str | Path) -> set[str]:
    """The gene ids of a GTF's exons. Raises InputError for a file that is none."""
    genes = (chromosome.genes for chromosome in _annotated(Path(gtf), gtf).values())
    return {name.decode(errors="replace") for name in set().union(*genes)}


def _decompress(source: str | Path, target: Path) -> None:
    try:
        with Path(source).open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
        opener = gzip.open if zipped else open
        with opener(source, "rb") as read, target.open("wb") as write:
            shutil.copyfileobj(read, write, 1 << 20)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{source}: truncated or damaged ({error}); fetch it again.") from error
    except FileNotFoundError as error:
        raise InputError(f"{source}: no such file; see 'reference' in the config.") from error


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


def _annotated(gtf: Path, source: str | Path) -> dict[str, _Chromosome]:
    """What the exons of a GTF file cover, by chromosome."""
    found: dict[bytes, _Chromosome] = defaultdict(_Chromosome)
    looked = False
    with gtf.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            where = f"{source}, line {number}"
            if line[:1] == b"#" or not line.strip():
                if line.startswith(b"##gff-version 3"):
                    raise InputError(_gff3(where, line))
                continue
            fields = line.split(b"\t", 8)
            if len(fields) < 9:
                raise InputError(
                    f"{where}: {line[:60].decode(errors='replace').strip()!r} is not a "
                    "tab-separated GTF line; an annotation in GTF is expected."
                )
            if not looked and _GFF3.match(fields[8]):
                raise InputError(_gff3(where, fields[8]))
            looked = True
            if fields[2] != b"exon":
                continue
            gene = _GENE_ID.search(fields[8])
            if gene is None:
                raise InputError(
                    f"{where}: this exon has no gene_id; every exon of a GTF names its gene_id and "
                    "its transcript_id."
                )
            try:
                end = int(fields[4])
            except ValueError as error:
                raise InputError(
                    f"{where}: the exon's end is {fields[4][:20].decode(errors='replace')!r}, "
                    "where a whole number is expected."
                ) from error
            chromosome = found[fields[0]]
            chromosome.genes.add(gene[1])
            if end > chromosome.end:
                chromosome.end, chromosome.line = end, number
    return {name.decode(errors="replace"): chromosome for name, chromosome in found.items()}


def _gff3(where: str, text: bytes) -> str:
    shown = text.decode(errors="replace").strip()[:40]
    return (
        f"{where}: {shown!r} is GFF3, but STAR and featureCounts need GTF; take the GTF of the "
        "same release, or convert this file: gffread -T -o annotation.gtf FILE."
    )


def _check_fit(
    annotated: Mapping[str, _Chromosome],
    lengths: Mapping[str, int],
    annotation: str | Path,
    genome: str | Path,
) -> None:
    """Raise InputError where annotation and genome are of different builds or parts of one."""
    if not annotated:
        raise InputError(f"{annotation}: no 'exon' line found; a GTF annotation is expected.")
    genes = {name: len(found.genes) for name, found in annotated.items()}
    check_lacking(annotation, "genes", genes, lengths)
    for name, found in annotated.items():
        if name in lengths and found.end > lengths[name]:
            raise InputError(
                f"{annotation}, line {found.line}: an exon ends at base {found.end:,} of {name}, "
                f"which has {lengths[name]:,} bases in {genome}; use an annotation of this genome "
                "build."
            )
