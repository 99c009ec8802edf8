"""A second build of a simulated genome, as hg38 is of hg19: other coordinates, other annotation."""

import re
from pathlib import Path

import numpy as np

LENGTHENED, RENAMED, GONE, NEW = 0.10, 0.05, 0.02, 0.05  # of the genes
INSERTED, LONGER = (50, 500), 30  # bases


def write_second_build(fasta: Path, gtf: Path, folder: Path, seed: int = 1) -> tuple[Path, Path]:
    """Write genome and annotation of a second build into `folder`; return their paths.

    Bases are inserted before every third gene, chromosomes lose their 'chr', ids get other
    versions; some genes have a longer last exon, some transcripts another name, some genes are
    gone, and some are new, on inserted bases.
    """
    rng = np.random.default_rng(seed)
    parts = [part.split("\n", 1) for part in fasta.read_text().split(">")[1:]]
    genome = {name: sequence.replace("\n", "") for name, sequence in parts}
    genes: dict[str, list[list[str]]] = {}
    for line in gtf.read_text().splitlines():
        if not line.startswith("#"):
            found = re.search(r'gene_id "([^"]+)"', line)
            assert found
            genes.setdefault(found[1], []).append(line.split("\t"))
    pieces: dict[str, list[str]] = {name: [] for name in genome}
    used, shift = dict.fromkeys(genome, 0), dict.fromkeys(genome, 0)
    lines = []
    for number, gene in enumerate(genes.values()):
        chrom, start = gene[0][0], int(gene[0][3])
        cut = start - 100
        pieces[chrom].append(genome[chrom][used[chrom] : cut])
        used[chrom] = cut
        if rng.random() < 1 / 3:
            inserted = "".join(rng.choice(list("ACGT"), int(rng.integers(*INSERTED))))
            pieces[chrom].append(inserted)
            if rng.random() < 3 * NEW:
                place = cut + shift[chrom] + 1
                lines += _new_gene(chrom[3:], place, place + len(inserted) - 1, number)
            shift[chrom] += len(inserted)
        lines += _moved(gene, shift[chrom], rng.random(), number)
    for name, bases in genome.items():
        pieces[name].append(bases[used[name] :])
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / "genome.fa", folder / "annotation.gtf"
    out[0].write_text("".join(f">{name[3:]}\n{''.join(pieces[name])}\n" for name in genome))
    out[1].write_text("\n".join([*lines, ""]))
    return out


def _moved(gene: list[list[str]], shift: int, draw: float, number: int) -> list[str]:
    """The lines of a gene in the second build; none if it is gone."""
    if draw < GONE:
        return []
    last = max(int(fields[4]) for fields in gene)
    longer = LONGER if GONE + RENAMED < draw < GONE + RENAMED + LENGTHENED else 0
    lines = []
    for chrom, source, feature, start, end, *rest, attributes in gene:
        moved = int(end) + shift + longer * (int(end) == last)
        attributes = re.sub(r'(ENS[GT]\d{11})\.\d+"', r'\1.9_6"', attributes)
        if GONE < draw < GONE + RENAMED:
            attributes = re.sub(r"ENST\d", f"ENST{number % 9 + 1}", attributes)
        place = (str(int(start) + shift), str(moved))
        lines.append("\t".join([chrom[3:], source, feature, *place, *rest, attributes]))
    return lines


def _new_gene(chrom: str, start: int, end: int, number: int) -> list[str]:
    ids = f'gene_id "ENSG{800000 + number:011d}.1"; transcript_id "ENST{800000 + number:011d}.1";'
    rows = [(feature, ids) for feature in ("transcript", "exon")]
    return ["\t".join([chrom, "X", f, str(start), str(end), ".", "+", ".", a]) for f, a in rows]
