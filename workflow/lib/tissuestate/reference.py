"""Genome and annotation as the aligner needs them: plain text, with the same chromosome names."""

import gzip
import shutil
from pathlib import Path

from tissuestate.errors import InputError
from tissuestate.files import atomic


def prepare_reference(
    genome: str | Path, annotation: str | Path, genome_out: str | Path, annotation_out: str | Path
) -> None:
    """Write genome (FASTA) and annotation (GTF) uncompressed, once they are seen to fit together.

    Raises InputError for a damaged file, a genome without sequences, an annotation without exons,
    and for names of chromosomes that the two do not share ("1" here, "chr1" there).
    """
    with atomic(genome_out) as fasta, atomic(annotation_out) as gtf:
        _decompress(genome, fasta)
        _decompress(annotation, gtf)
        sequences = _sequence_names(fasta)
        if not sequences:
            raise InputError(f"{genome}: no '>' line found; a genome in FASTA format is expected.")
        chromosomes = _exon_chromosomes(gtf, annotation)
        if not chromosomes:
            raise InputError(f"{annotation}: no 'exon' line found; a GTF annotation is expected.")
        if not chromosomes & sequences:
            raise InputError(
                f"{annotation} names chromosomes like {min(chromosomes)!r}, {genome} like "
                f"{min(sequences)!r}, and they share none; use an annotation of this genome build."
            )


def _decompress(source: str | Path, target: Path) -> None:
    try:
        with Path(source).open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
        opener = gzip.open if zipped else open
        with opener(source, "rb") as read, target.open("wb") as write:
            shutil.copyfileobj(read, write, 1 << 20)
    except (EOFError, gzip.BadGzipFile) as error:
        raise InputError(f"{source}: truncated or damaged ({error}); fetch it again.") from error
    except FileNotFoundError as error:
        raise InputError(f"{source}: no such file; see 'reference' in the config.") from error


def _sequence_names(fasta: Path) -> set[str]:
    with fasta.open("rb") as lines:
        headers = (line[1:].split() for line in lines if line[:1] == b">")
        return {words[0].decode() for words in headers if words}


def _exon_chromosomes(gtf: Path, source: str | Path) -> set[str]:
    chromosomes = set()
    with gtf.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line[:1] == b"#" or not line.strip():
                continue
            fields = line.split(b"\t", 3)
            if len(fields) < 4:
                raise InputError(
                    f"{source}, line {number}: {line[:60].decode(errors='replace')!r} is not a "
                    "tab-separated GTF line; an annotation in GTF is expected."
                )
            if fields[2] == b"exon":
                chromosomes.add(fields[0].decode())
    return chromosomes
