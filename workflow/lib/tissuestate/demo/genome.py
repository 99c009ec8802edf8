"""A small synthetic genome with multi-exon genes on both strands, and its annotation."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from tissuestate.files import atomic

GTF_HEAD = "##description: simulated annotation of the demo genome"
BASES = np.frombuffer(b"ACGT", dtype=np.uint8)
LINE = 60  # bases per line of the FASTA file


@dataclass(frozen=True)
class SyntheticGene:
    """A gene; exons are rows (start, end), 0-based and half-open, in genomic order.

    Each isoform is a tuple of exon indices. The first isoform has every exon.
    """

    gene_id: str
    symbol: str
    chromosome: str
    strand: str
    exons: np.ndarray
    isoforms: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class SyntheticGenome:
    """Chromosomes as arrays of base codes (0..3 = A, C, G, T), and the genes on them."""

    chromosomes: dict[str, np.ndarray]
    genes: tuple[SyntheticGene, ...]

    def transcript(self, gene: SyntheticGene, isoform: int = 0) -> np.ndarray:
        """The base codes of a spliced transcript, 5' to 3'."""
        chromosome = self.chromosomes[gene.chromosome]
        codes = np.concatenate([chromosome[slice(*gene.exons[i])] for i in gene.isoforms[isoform]])
        return codes if gene.strand == "+" else reverse_complement(codes)


def reverse_complement(codes: np.ndarray) -> np.ndarray:
    """The base codes of the other strand, along the last axis."""
    return (3 - codes)[..., ::-1]


def synthesise_genome(seed: int, genes: int = 300, chromosomes: int = 2) -> SyntheticGenome:
    """A genome of about 4.5 kb per gene.

    Genes have 3 to 8 exons and 0.8 to 2 kb of transcript, introns of 80 to 600 bases begin with
    GT and end with AG on the gene's strand, one gene in five has a second isoform that skips an
    exon, and genes do not overlap. Gene ids lie above those that Ensembl has given.
    """
    rng = np.random.default_rng([seed, 1])
    sequences: dict[str, np.ndarray] = {}
    placed: list[SyntheticGene] = []
    for index, numbers in enumerate(np.array_split(np.arange(genes), chromosomes), start=1):
        name = f"chr{index}"
        position = 2000
        first = len(placed)
        for number in numbers:
            exons = _draw_exons(rng, position)
            count = len(exons)
            isoforms = [tuple(range(count))]
            if rng.random() < 0.2:
                skipped = int(rng.integers(1, count - 1))
                isoforms.append(tuple(i for i in range(count) if i != skipped))
            placed.append(
                SyntheticGene(
                    gene_id=f"ENSG{900001 + int(number):011d}.1",
                    symbol=f"DEMO{int(number) + 1:03d}",
                    chromosome=name,
                    strand="+" if rng.random() < 0.5 else "-",
                    exons=exons,
                    isoforms=tuple(isoforms),
                )
            )
            position = int(exons[-1, 1]) + int(rng.integers(500, 2500))
        codes = rng.choice(4, size=position, p=[0.275, 0.225, 0.225, 0.275]).astype(np.uint8)
        for gene in placed[first:]:
            for (_, left), (right, _) in pairwise(gene.exons):
                # GT..AG, or its reverse complement CT..AC.
                donor, acceptor = ([2, 3], [0, 2]) if gene.strand == "+" else ([1, 3], [0, 1])
                codes[left : left + 2] = donor
                codes[right - 2 : right] = acceptor
        sequences[name] = codes
    return SyntheticGenome(sequences, tuple(placed))


def _draw_exons(rng: np.random.Generator, position: int) -> np.ndarray:
    """Exons of one gene that begins at `position`."""
    count = int(rng.integers(3, 9))
    shares = rng.dirichlet(np.full(count, 4.0))
    lengths = np.maximum(60, (shares * rng.integers(800, 2001)).astype(int))
    introns = np.append(0, rng.integers(80, 601, size=count - 1))
    starts = position + np.cumsum(introns) + np.append(0, np.cumsum(lengths)[:-1])
    return np.stack([starts, starts + lengths], axis=1)


def write_fasta(genome: SyntheticGenome, path: str | Path) -> None:
    """Write the chromosomes as FASTA, 60 bases per line."""
    with atomic(path) as temporary, temporary.open("w", encoding="ascii") as file:
        for name, codes in genome.chromosomes.items():
            text = BASES[codes].tobytes().decode("ascii")
            file.write(f">{name}\n")
            file.writelines(f"{text[i : i + LINE]}\n" for i in range(0, len(text), LINE))


def write_gtf(genome: SyntheticGenome, path: str | Path) -> None:
    """Write gene, transcript and exon lines in the manner of GENCODE's GTF."""
    with atomic(path) as temporary, temporary.open("w", encoding="ascii") as file:
        file.write(f"{GTF_HEAD}\n##format: gtf\n")
        for gene in genome.genes:
            file.writelines(f"{line}\n" for line in _gtf_lines(gene))


def _gtf_lines(gene: SyntheticGene) -> list[str]:
    """Lines of one gene, exons numbered from the 5' end."""

    def line(feature: str, start: int, end: int, **more: str) -> str:
        attributes = {"gene_id": gene.gene_id, **more, "gene_type": "protein_coding"}
        attributes |= {"gene_status": "KNOWN", "gene_name": gene.symbol}
        text = " ".join(
            f"{key} {value};" if key == "exon_number" else f'{key} "{value}";'
            for key, value in attributes.items()
        )
        columns = [gene.chromosome, "HAVANA", feature, start + 1, end, ".", gene.strand, ".", text]
        return "\t".join(map(str, columns))

    lines = [line("gene", gene.exons[0, 0], gene.exons[-1, 1])]
    stem = gene.gene_id.removesuffix(".1").removeprefix("ENSG")
    for number, isoform in enumerate(gene.isoforms):
        transcript_id = f"ENST{int(stem) * 10 + number:011d}.1"
        exons = gene.exons[list(isoform)]
        lines.append(
            line("transcript", exons[0, 0], exons[-1, 1], transcript_id=transcript_id),
        )
        ordered = exons if gene.strand == "+" else exons[::-1]
        lines += [
            line("exon", start, end, transcript_id=transcript_id, exon_number=str(k))
            for k, (start, end) in enumerate(ordered, start=1)
        ]
    return lines
