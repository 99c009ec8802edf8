"""The demo cohort is what its truth says, and the same wherever and however it is made."""

import gzip
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pysam
import pytest
from tissuestate.demo.genome import (
    BASES,
    SyntheticGenome,
    reverse_complement,
    synthesise_genome,
    write_fasta,
    write_gtf,
)
from tissuestate.demo.reads import (
    MARKERS,
    Library,
    ReadSimulator,
    draw_genes,
    draw_samples,
    expected_expression,
    simulate_cohort,
    write_fastq,
)
from tissuestate.demo.sheet import demo_sheet
from tissuestate.errors import InputError
from tissuestate.sheet.classes import ClassTable
from tissuestate.sheet.sheet import read_sheet

SEED = 5


@pytest.fixture(scope="module")
def genome() -> SyntheticGenome:
    return synthesise_genome(SEED)


@pytest.fixture(scope="module")
def genes(genome: SyntheticGenome) -> pd.DataFrame:
    return draw_genes(genome, SEED)


def text(codes: np.ndarray) -> str:
    return BASES[codes].tobytes().decode()


def moved(sheet: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """The sheet with its reads under `folder`."""
    sheet = sheet.copy()
    for column in ("fastq_1", "fastq_2"):
        sheet[column] = sheet[column].str.replace("results", str(folder))
    return sheet


def simulated(sheet: pd.DataFrame, folder: Path, **options: int) -> dict[str, bytes]:
    """Every file of a simulation, by its path in `folder`."""
    simulate_cohort(
        moved(sheet, folder),
        genome_path=folder / "genome.fa",
        annotation_path=folder / "annotation.gtf",
        genes_path=folder / "genes.tsv",
        samples_path=folder / "samples.tsv",
        **{"seed": SEED, "pairs": 150, "threads": 1} | options,
    )
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_equal_seeds_give_equal_bytes(tmp_path: Path) -> None:
    sheet = demo_sheet().iloc[:12]
    one = simulated(sheet, tmp_path / "one")
    assert simulated(sheet, tmp_path / "two", threads=3) == one
    other = simulated(sheet, tmp_path / "other", seed=SEED + 1)
    assert other.keys() == one.keys()
    assert all(other[name] != one[name] for name in one)


def test_a_sample_has_the_same_reads_whichever_others_are_simulated(tmp_path: Path) -> None:
    sheet = demo_sheet()
    intact = draw_samples(sheet, SEED, 150).query("not degraded and not empty")["sample"]
    sample = sheet[sheet["sample"] == intact.iloc[0]]
    alone = simulated(sample.assign(fastq_1="results/a_1.gz", fastq_2=""), tmp_path / "alone")
    among = simulated(sheet.iloc[:4], tmp_path / "among")
    assert sample.index[0] < 4
    name = sample["fastq_1"].iloc[0].removeprefix("results/")
    assert alone["a_1.gz"] == among[name]


def test_lanes_and_mates_are_as_the_sheet_says(tmp_path: Path) -> None:
    sheet = demo_sheet()
    lanes = sheet["fastq_1"].str.contains(",")
    single = sheet["fastq_2"] == ""
    chosen = pd.concat([sheet[lanes].iloc[:1], sheet[single].iloc[:1]])
    files = simulated(chosen, tmp_path)
    laned, alone = chosen["sample"]
    reads = "demo/reads"
    names = {name for name in files if name.startswith(reads)}
    assert names == {
        *(f"{reads}/{laned}_L{lane}_{mate}.fastq.gz" for lane in (1, 2) for mate in (1, 2)),
        f"{reads}/{alone}_1.fastq.gz",
    }
    names_of = [
        [
            read.name
            for lane in (1, 2)
            for read in pysam.FastxFile(str(tmp_path / f"{reads}/{laned}_L{lane}_{mate}.fastq.gz"))
        ]
        for mate in (1, 2)
    ]
    assert names_of[0] == names_of[1]
    assert len(set(names_of[0])) == 150


def test_fastq_files_are_well_formed(tmp_path: Path) -> None:
    codes = np.random.default_rng(0).integers(0, 4, size=(50, 30)).astype(np.uint8)
    path = tmp_path / "reads.fastq.gz"
    write_fastq(path, "S1", codes, first=7)
    reads = list(pysam.FastxFile(str(path)))
    assert [read.name for read in reads] == [f"S1:{number:08d}" for number in range(7, 57)]
    assert [read.sequence for read in reads] == [text(row) for row in codes]
    assert {read.quality for read in reads} == {"I" * 30}
    header = path.read_bytes()[:10]
    assert header[3] == 0, "no file name"
    assert header[4:8] == bytes(4), "no time"
    assert gzip.decompress(path.read_bytes()).count(b"\n") == 200


def test_the_packaged_sheet_equals_demo_sheet(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "samples.tsv"
    demo_sheet().to_csv(path, sep="\t", index=False, lineterminator="\n")
    assert (root / "resources/demo.tsv").read_bytes() == path.read_bytes()


def test_the_cohort_has_every_class_and_batch_that_the_workflow_needs(root: Path) -> None:
    classes = ClassTable.read(root / "resources/classes.tsv")
    sheet = read_sheet(root / "resources/demo.tsv", classes)
    assert 70 <= len(sheet) <= 100
    assert sheet["tissue"].nunique() >= 4
    assert sheet["disease_state"].nunique() == 3
    assert sheet.loc[sheet["subtype"] != "", "tissue"].nunique() == 2
    assert sheet["study"].nunique() == 2
    crossing = sheet.groupby(["disease_state", "tissue", "subtype"])["study"].nunique()
    assert (crossing == 2).all(), "every class has samples of both studies"
    both = sheet.groupby("specimen")["study"].nunique()
    assert (both == 2).sum() == len(crossing), "one specimen of each class in both studies"
    states = sheet.groupby("donor")["disease_state"].nunique()
    assert (states == 2).sum() >= 10, "tumour and adjacent tissue of one donor"
    assert (sheet.groupby("donor")["tissue"].nunique() == 2).any(), "two organs of one donor"
    assert (sheet["fastq_2"] == "").any()
    assert sheet["fastq_1"].str.contains(",").any()


@pytest.mark.parametrize("seed", range(5))
def test_degraded_and_empty_samples_remove_no_class_or_replicate(seed: int) -> None:
    sheet = demo_sheet()
    truth = draw_samples(sheet, seed, pairs=1000)
    assert truth["sample"].tolist() == sheet["sample"].tolist()
    assert truth["degraded"].sum() == 6
    assert truth["empty"].sum() == 1
    bad = sheet[truth["degraded"] | truth["empty"]]
    assert not bad.duplicated(["disease_state", "tissue", "subtype"]).any()
    assert not bad["specimen"].isin(sheet["specimen"][sheet["specimen"].duplicated()]).any()
    assert truth.loc[truth["empty"], "pairs"].item() < 100
    assert (truth.loc[~truth["empty"], "pairs"] == 1000).all()
    assert truth.loc[truth["degraded"], "decay"].max() < 500
    assert truth.loc[~truth["degraded"], "decay"].min() > 3000


def test_annotation_and_sequence_agree_with_the_genes(
    genome: SyntheticGenome, tmp_path: Path
) -> None:
    write_fasta(genome, tmp_path / "genome.fa")
    write_gtf(genome, tmp_path / "annotation.gtf")
    pysam.faidx(str(tmp_path / "genome.fa"))
    fasta = pysam.FastaFile(str(tmp_path / "genome.fa"))
    transcripts: dict[str, list[tuple[str, int, int, str, str]]] = {}
    spans: dict[str, list[tuple[int, int]]] = {}
    for line in (tmp_path / "annotation.gtf").read_text().splitlines():
        if line.startswith("#"):
            continue
        chromosome, _, feature, start, end, _, strand, _, attributes = line.split("\t")
        if feature == "gene":
            spans.setdefault(chromosome, []).append((int(start), int(end)))
        if feature == "exon":
            name = re.search(r'transcript_id "(\S+)";', attributes)[1]
            gene = re.search(r'gene_id "(ENSG\d{11}\.\d+)";', attributes)[1]
            exon = (chromosome, int(start) - 1, int(end), strand, gene)
            transcripts.setdefault(name, []).append(exon)
    assert sum(map(len, spans.values())) == len(genome.genes) == 300
    for places in spans.values():
        assert all(left[1] < right[0] for left, right in pairwise(sorted(places)))
    expected = {
        (gene.gene_id, text(genome.transcript(gene, isoform)))
        for gene in genome.genes
        for isoform in range(len(gene.isoforms))
    }
    found = set()
    complement = str.maketrans("ACGT", "TGCA")
    for exons in transcripts.values():
        parts = [fasta.fetch(name, start, end) for name, start, end, _, _ in exons]
        if exons[0][3] == "-":
            parts = [part.translate(complement)[::-1] for part in parts]
        found.add((exons[0][4], "".join(parts)))
        for left, right in pairwise(sorted(exons, key=lambda exon: exon[1])):
            intron = fasta.fetch(left[0], left[2], right[1])
            ends = (intron[:2], intron[-2:])
            assert ends == (("GT", "AG") if left[3] == "+" else ("CT", "AC"))
    assert found == expected
    assert {strand for exons in transcripts.values() for _, _, _, strand, _ in exons} == {"+", "-"}
    assert len(transcripts) > 320, "some genes have two isoforms"


def test_reads_come_from_their_transcripts(genome: SyntheticGenome) -> None:
    target = 17
    weights = np.zeros(len(genome.genes))
    weights[target] = 1.0
    gene = genome.genes[target]
    isoforms = [text(genome.transcript(gene, i)) for i in range(len(gene.isoforms))]
    clean = Library(200, 9000.0, junk=0.0, error_rate=0.0, genomic=0.0, strandedness="reverse")
    simulator = ReadSimulator(genome)
    first, second = simulator.draw(weights, clean, np.random.default_rng(1))
    assert first.shape == second.shape == (200, 75)
    for sense, antisense in zip(second, reverse_complement(first), strict=True):
        places = [(whole.find(text(sense)), whole.find(text(antisense))) for whole in isoforms]
        assert any(0 <= left <= right for left, right in places)
    forward = Library(50, 9000.0, junk=0.0, error_rate=0.0, genomic=0.0, strandedness="forward")
    sense, _ = simulator.draw(weights, forward, np.random.default_rng(1))
    assert all(any(text(read) in whole for whole in isoforms) for read in sense)


def test_sequencing_errors_have_the_stated_rate(genome: SyntheticGenome) -> None:
    weights = np.ones(len(genome.genes))
    simulator = ReadSimulator(genome)

    # The draws before the first mate's errors are the same, so the sequences differ by errors.
    library = Library(2000, 9000.0, junk=0.0, genomic=0.0, strandedness="forward")
    clean = Library(2000, 9000.0, junk=0, genomic=0, strandedness="forward", error_rate=0)
    noisy = simulator.draw(weights, library, np.random.default_rng(2))[0]
    exact = simulator.draw(weights, clean, np.random.default_rng(2))[0]
    assert 0.002 < (noisy != exact).mean() < 0.004


def test_a_short_decay_moves_reads_to_the_three_prime_end(genome: SyntheticGenome) -> None:
    target = max(range(300), key=lambda index: len(genome.transcript(genome.genes[index])))
    weights = np.zeros(300)
    weights[target] = 1.0
    whole = text(genome.transcript(genome.genes[target]))
    simulator = ReadSimulator(genome)

    def middle(decay: float) -> float:
        """Mean position of mate 1, as a share of the transcript from its 5' end."""
        library = Library(600, decay, 0.0, "forward", error_rate=0.0, genomic=0.0)
        reads = simulator.draw(weights, library, np.random.default_rng(3))[0]
        places = [whole.find(text(read)) for read in reads]
        return float(np.mean([place for place in places if place >= 0]) / len(whole))

    assert 0.38 < middle(40000.0) < 0.52
    assert middle(300.0) > 0.68


def test_expression_follows_the_truth(genes: pd.DataFrame) -> None:
    sheet = demo_sheet()
    log2 = np.log2([expected_expression(genes, row, SEED) for _, row in sheet.iterrows()])
    deviation = log2 - genes["baseline"].to_numpy()
    markers = genes["marker_of"].to_numpy()
    assert {name: int((markers == name).sum()) for name in MARKERS} == MARKERS
    for name in MARKERS:
        column, value = name.split(":")
        chosen = (sheet[column] == value).to_numpy()
        others = ~chosen & (sheet["disease_state"] == "non-neoplastic").to_numpy()
        batch = genes["batch"].to_numpy() * (sheet["study"] == "oncology").to_numpy()[:, None]
        plain = deviation - batch
        found = (plain[chosen].mean(axis=0) - plain[others].mean(axis=0))[markers == name]
        assert found == pytest.approx(genes["effect"][markers == name], abs=0.8)
    unmarked = deviation[:, markers == ""]
    oncology = (sheet["study"] == "oncology").to_numpy()
    batch = unmarked[oncology].mean(axis=0) - unmarked[~oncology].mean(axis=0)
    assert np.corrcoef(batch, genes["batch"][markers == ""])[0, 1] > 0.98


def test_two_libraries_of_one_specimen_share_its_biology(genes: pd.DataFrame) -> None:
    sheet = demo_sheet().assign(study="atlas")
    log2 = pd.DataFrame(
        [np.log2(expected_expression(genes, row, SEED)) for _, row in sheet.iterrows()],
        index=sheet["sample"],
    )
    twice = sheet[sheet["specimen"].duplicated()]
    for _, row in twice.iterrows():
        same = sheet.loc[sheet["specimen"] == row["specimen"], "sample"]
        assert (log2.loc[same.iloc[0]] - log2.loc[same.iloc[1]]).std() < 0.2
    assert (log2.loc["P102-T"] - log2.loc["P104-T"]).std() > 0.4


def test_a_gene_gives_reads_in_proportion_to_expression_and_length(
    genome: SyntheticGenome,
) -> None:
    weights = np.zeros(300)
    chosen = [index for index, gene in enumerate(genome.genes) if len(gene.isoforms) == 1][:2]
    weights[chosen] = 1.0, 3.0
    lengths = [len(genome.transcript(genome.genes[index])) for index in chosen]
    library = Library(4000, 9000.0, 0.0, "forward", error_rate=0.0, genomic=0.0)
    reads = ReadSimulator(genome).draw(weights, library, np.random.default_rng(4))[0]
    whole = text(genome.transcript(genome.genes[chosen[1]]))
    share = np.mean([text(read) in whole for read in reads])
    assert share == pytest.approx(3 * lengths[1] / (lengths[0] + 3 * lengths[1]), abs=0.03)


def test_classes_that_the_simulation_lacks_are_refused(genes: pd.DataFrame) -> None:
    row = demo_sheet().iloc[0].copy()
    row["tissue"] = "spleen"
    with pytest.raises(InputError, match="no tissue 'spleen'; use one of kidney, liver"):
        expected_expression(genes, row, SEED)
    with pytest.raises(InputError, match="too few"):
        draw_genes(synthesise_genome(1, genes=50), 1)
