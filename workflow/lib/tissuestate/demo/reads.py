"""Simulate the demo cohort: reads whose tissue, state, batch and degradation are known.

Properties of genes are drawn from the seed alone, those of a specimen from the seed and its name:
a sample has the same reads whichever other samples are simulated.
"""

import gzip
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tissuestate.demo.genome import (
    BASES,
    SyntheticGenome,
    reverse_complement,
    synthesise_genome,
    write_fasta,
    write_gtf,
)
from tissuestate.errors import InputError
from tissuestate.files import atomic

MARKERS = {  # number of marker genes of each class; non-neoplastic is the baseline
    "tissue:kidney": 15,
    "tissue:liver": 15,
    "tissue:lung": 15,
    "tissue:thyroid": 15,
    "subtype:kich": 12,
    "subtype:kirc": 12,
    "subtype:luad": 12,
    "subtype:lusc": 12,
    "disease_state:neoplastic": 24,
    "disease_state:peri-neoplastic": 16,
}
BASELINE = {"disease_state:non-neoplastic"}
FIELD_EFFECT = 0.3  # share of the neoplastic effect that adjacent tissue shows
BATCH_SD = 0.7  # log2; one study's bias against the other's, drawn for each gene
SPECIMEN_SD = 0.4  # log2; biological variation, shared by the libraries of one specimen
LIBRARY_SD = 0.1  # log2; technical variation beside that of counting
READ_LENGTH = 75
FRAGMENT_MEAN, FRAGMENT_SD = 220, 30
ERROR_RATE = 0.003
GENOMIC_SHARE = 0.03  # fragments from anywhere in the genome
JUNK_SHARE = 0.02  # fragments from no genome
MINOR_ISOFORM = 0.3  # share of a gene's fragments from its second isoform
INTACT_DECAY = (4000.0, 40000.0)  # nt over which coverage falls by e from the 3' end
DEGRADED_DECAY = (250.0, 450.0)
EMPTY_PAIRS, EMPTY_JUNK = 40, 0.8


@dataclass(frozen=True)
class Library:
    """Properties of one sample's library, from which its reads are drawn."""

    pairs: int
    decay: float
    junk: float = JUNK_SHARE
    strandedness: str = "none"
    error_rate: float = ERROR_RATE
    genomic: float = GENOMIC_SHARE


def draw_genes(genome: SyntheticGenome, seed: int) -> pd.DataFrame:
    """The truth about genes, one row per gene in the genome's order.

    Columns: gene_id, symbol, marker_of (class, '' = none), effect (log2 in that class), baseline
    (log2 expression), batch (log2 bias of the study `oncology` against `atlas`).
    """
    rng = np.random.default_rng([seed, 2])
    count = len(genome.genes)
    wanted = [name for name, number in MARKERS.items() for _ in range(number)]
    if len(wanted) > count:
        raise InputError(f"{count} genes are too few for {len(wanted)} markers; ask for more.")
    marker_of = np.array(wanted + [""] * (count - len(wanted)))[rng.permutation(count)]
    effect = rng.normal(2.5, 0.3, size=count)
    state = np.char.startswith(marker_of, "disease_state:")
    effect[state] *= np.where(rng.random(state.sum()) < 0.5, -1.0, 1.0)
    baseline = np.where(marker_of == "", rng.normal(0, 1.2, count), rng.normal(0, 0.5, count))
    return pd.DataFrame(
        {
            "gene_id": [gene.gene_id for gene in genome.genes],
            "symbol": [gene.symbol for gene in genome.genes],
            "marker_of": marker_of,
            "effect": np.where(marker_of == "", 0.0, effect).round(4),
            "baseline": baseline.round(4),
            "batch": rng.normal(0, BATCH_SD, size=count).round(4),
        }
    )


def draw_samples(
    sheet: pd.DataFrame, seed: int, pairs: int, degraded: int = 6, empty: int = 1
) -> pd.DataFrame:
    """The truth about samples, one row per sample in the sheet's order.

    Columns: sample, degraded, empty, decay (nt from the 3' end over which coverage falls by e),
    pairs. The degraded and empty samples are of different classes, and their specimens have no
    second library, so that no class and no replicate is lost to them. A sheet with too few
    classes gets fewer of them.
    """
    rng = np.random.default_rng([seed, 3])
    classes = sheet["disease_state"] + "/" + sheet["tissue"] + "/" + sheet["subtype"]
    plain = ~sheet["specimen"].duplicated(keep=False) & (sheet["fastq_2"] != "")
    plain &= ~sheet["fastq_1"].str.contains(",")
    chosen = [
        str(rng.choice(sheet.loc[plain & (classes == name), "sample"].to_numpy()))
        for name in rng.permutation(np.unique(classes[plain].to_numpy()))[: degraded + empty]
    ]
    is_empty = sheet["sample"].isin(chosen[:empty]).to_numpy()
    is_degraded = sheet["sample"].isin(chosen[empty:]).to_numpy()
    decay = []
    for name, bad in zip(sheet["sample"], is_degraded, strict=True):
        low, high = np.log(DEGRADED_DECAY if bad else INTACT_DECAY)
        decay.append(float(np.exp(_seed_generator(seed, 4, name).uniform(low, high)).round(1)))
    return pd.DataFrame(
        {
            "sample": sheet["sample"].to_numpy(),
            "degraded": is_degraded,
            "empty": is_empty,
            "decay": decay,
            "pairs": np.where(is_empty, EMPTY_PAIRS, pairs),
        }
    )


def expected_expression(genes: pd.DataFrame, row: pd.Series, seed: int) -> np.ndarray:
    """The expected relative expression of each gene (linear scale) in one sheet row."""
    log2 = genes["baseline"].to_numpy().copy()
    effect, marker_of = genes["effect"].to_numpy(), genes["marker_of"].to_numpy()
    for column in ("disease_state", "tissue", "subtype"):
        name = f"{column}:{row[column]}"
        if row[column] and name not in MARKERS and name not in BASELINE:
            known = sorted(k.split(":")[1] for k in {*MARKERS, *BASELINE} if k.startswith(column))
            raise InputError(
                f"sample {row['sample']}: the simulation has no {column} {row[column]!r}; "
                f"use one of {', '.join(known)}."
            )
        log2 += np.where(marker_of == name, effect, 0.0)
    if row["disease_state"] == "peri-neoplastic":
        log2 += FIELD_EFFECT * np.where(marker_of == "disease_state:neoplastic", effect, 0.0)
    if row["study"] == "oncology":
        log2 += genes["batch"].to_numpy()
    log2 += _seed_generator(seed, 5, row["specimen"]).normal(0, SPECIMEN_SD, len(genes))
    log2 += _seed_generator(seed, 6, row["sample"]).normal(0, LIBRARY_SD, len(genes))
    return np.exp2(log2)


def _seed_generator(seed: int, purpose: int, name: str) -> np.random.Generator:
    """A generator for one purpose and one named thing, whatever is drawn for others."""
    return np.random.default_rng([seed, purpose, zlib.crc32(name.encode())])


class ReadSimulator:
    """Draws read pairs from the transcripts of a genome.

    Parameters: the genome and the length of a read, nt.
    """

    def __init__(self, genome: SyntheticGenome, read_length: int = READ_LENGTH) -> None:
        self.read_length = read_length
        parts: list[np.ndarray] = []
        owner: list[int] = []
        share: list[float] = []
        for index, gene in enumerate(genome.genes):
            minor = MINOR_ISOFORM if len(gene.isoforms) > 1 else 0.0
            for isoform in range(len(gene.isoforms)):
                parts.append(genome.transcript(gene, isoform))
                owner.append(index)
                share.append(minor if isoform else 1.0 - minor)
        self._lengths = np.array([len(part) for part in parts])
        self._gene, self._share = np.array(owner), np.array(share)
        self._starts = np.append(0, np.cumsum(self._lengths)[:-1])
        self._transcripts = np.concatenate(parts)
        self._genomic = np.concatenate(list(genome.chromosomes.values()))

    def draw(
        self, weights: np.ndarray, library: Library, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Both mates of each pair, as base codes (pairs × read length, uint8).

        weights: relative expression of each gene; a transcript gives fragments in proportion to
        its gene's expression, its share of it, and its length. A fragment's 3' end lies x nt from
        the transcript's with probability falling as exp(-x / decay).
        """
        mass = weights[self._gene] * self._share * self._lengths
        kind = rng.random(library.pairs)
        junk = kind < library.junk
        genomic = ~junk & (kind < library.junk + library.genomic)
        transcript = rng.choice(len(mass), size=library.pairs, p=mass / mass.sum())
        length = self._lengths[transcript]
        size = rng.normal(FRAGMENT_MEAN, FRAGMENT_SD, library.pairs).astype(int)
        size = np.clip(size, self.read_length, length)
        room = length - size
        u = rng.random(library.pairs)
        # Inverse of the cumulative distribution of an exponential truncated at `room`.
        x = -library.decay * np.log1p(u * np.expm1(-room / library.decay))
        start = self._starts[transcript] + np.clip(room - np.rint(x).astype(int), 0, room)
        anywhere = rng.integers(0, len(self._genomic) - size)
        start = np.where(genomic, anywhere, start)
        offsets = np.arange(self.read_length)
        ahead, behind = (
            np.where(
                genomic[:, None],
                # Positions of the other kind may lie outside: they are not used.
                self._genomic[np.where(genomic[:, None], index, 0)],
                self._transcripts[np.where(genomic[:, None], 0, index)],
            )
            for index in (
                start[:, None] + offsets,
                (start + size - self.read_length)[:, None] + offsets,
            )
        )
        behind = reverse_complement(behind)
        for mate in (ahead, behind):
            mate[junk] = rng.integers(0, 4, size=(int(junk.sum()), self.read_length))
            self._add_errors(mate, library.error_rate, rng)
        turned = {"forward": 0.0, "reverse": 1.0}.get(library.strandedness, 0.5)
        flipped = rng.random((library.pairs, 1)) < turned
        return np.where(flipped, behind, ahead), np.where(flipped, ahead, behind)

    @staticmethod
    def _add_errors(codes: np.ndarray, rate: float, rng: np.random.Generator) -> None:
        """Replace bases at random positions by others, in place."""
        number = int(rng.binomial(codes.size, rate))
        places = rng.integers(0, codes.size, size=number)
        flat = codes.reshape(-1)
        flat[places] = (flat[places] + rng.integers(1, 4, size=number).astype(np.uint8)) % 4


def write_fastq(path: str | Path, name: str, codes: np.ndarray, first: int = 0) -> None:
    """Write reads as gzipped FASTQ, named `name`:number from `first`, all of quality 40.

    The bytes depend on the reads alone (no time, no file name in the gzip header).
    """
    count, length = codes.shape
    head, digits = f"@{name}:".encode("ascii"), 8
    record = len(head) + digits + 1 + length + 3 + length + 1
    text = np.empty((count, record), dtype=np.uint8)
    text[:, : len(head)] = np.frombuffer(head, dtype=np.uint8)
    numbers = first + np.arange(count)
    powers = 10 ** np.arange(digits - 1, -1, -1)
    column = len(head)
    text[:, column : column + digits] = ord("0") + numbers[:, None] // powers % 10
    column += digits
    text[:, column] = ord("\n")
    text[:, column + 1 : column + 1 + length] = BASES[codes]
    column += 1 + length
    text[:, column : column + 3] = np.frombuffer(b"\n+\n", dtype=np.uint8)
    text[:, column + 3 : -1] = ord("I")
    text[:, -1] = ord("\n")
    with (
        atomic(path) as temporary,
        temporary.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=1, mtime=0) as file,
    ):
        file.write(text.tobytes())


def simulate_sample(
    row: pd.Series, truth: pd.Series, genes: pd.DataFrame, simulator: ReadSimulator, seed: int
) -> None:
    """Write the FASTQ files of one sheet row; its lanes share the pairs evenly."""
    library = Library(
        pairs=int(truth["pairs"]),
        decay=float(truth["decay"]),
        junk=EMPTY_JUNK if truth["empty"] else JUNK_SHARE,
        strandedness=row["strandedness"],
    )
    rng = _seed_generator(seed, 7, row["sample"])
    mates = simulator.draw(expected_expression(genes, row, seed), library, rng)
    for column, codes in zip(("fastq_1", "fastq_2"), mates, strict=True):
        paths = row[column].split(",") if row[column] else []
        bounds = np.linspace(0, len(codes), len(paths) + 1).astype(int)
        for path, low, high in zip(paths, bounds[:-1], bounds[1:], strict=True):
            write_fastq(path, row["sample"], codes[low:high], first=int(low))


def simulate_cohort(
    sheet: pd.DataFrame,
    *,
    genome_path: str | Path,
    annotation_path: str | Path,
    genes_path: str | Path,
    samples_path: str | Path,
    seed: int,
    pairs: int,
    threads: int = 1,
) -> None:
    """Write the genome, its annotation, every FASTQ file the sheet names, and the truth.

    sheet: as `tissuestate.sheet.sheet.read_sheet` returns it; strandedness auto is simulated as
    none. genes_path, samples_path: files for the tables of `draw_genes` and `draw_samples`.
    Raises InputError for a class that the simulation does not know.
    """
    genome = synthesise_genome(seed)
    genes = draw_genes(genome, seed)
    samples = draw_samples(sheet, seed, pairs)
    write_gtf(genome, annotation_path)  # first, since it marks the folder as the demo's
    write_fasta(genome, genome_path)
    simulator = ReadSimulator(genome)
    with ThreadPoolExecutor(threads) as pool:
        jobs = (
            (row, truth, genes, simulator, seed)
            for (_, row), (_, truth) in zip(sheet.iterrows(), samples.iterrows(), strict=True)
        )
        for _ in pool.map(lambda job: simulate_sample(*job), jobs):
            pass
    for table, path in ((genes, genes_path), (samples, samples_path)):
        with atomic(path) as temporary:
            table.to_csv(temporary, sep="\t", index=False, lineterminator="\n")
