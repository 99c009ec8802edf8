"""Do reads get the same calls on another build of the genome than that of training?

    PYTHONPATH=workflow/lib:tests python benchmarks/genome_builds.py RESULTS SAMPLES

RESULTS is the folder of a finished run of the demo, with a bundle. A second build of its genome is
made: other coordinates and names of chromosomes, other versions of ids, some transcripts longer,
renamed or gone, some genes new. The reads of about so many samples are aligned to it by STAR,
with the workflow's options, counted, and called by the bundle, whose cohort was counted on the
first build. Writes benchmarks/genome_builds.tsv, one row per sample: mRIN and its number of
transcripts on both builds, the largest change of a probability, and the questions whose answers
differ (an answer may be that there is none).
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from second_build import write_second_build
from tissuestate.arrays import load_arrays
from tissuestate.checksums import file_checksum
from tissuestate.classification.classifier import Classifier
from tissuestate.integrity.mrin import MRIN, score_samples
from tissuestate.integrity.profiles import profile_bam, save_profile
from tissuestate.reference.chromosomes import read_chromosomes
from tissuestate.reference.genome import prepare_reference
from tissuestate.reference.shared import locate_shared
from tissuestate.reference.transcripts import (
    read_bed,
    representative_transcripts,
    write_bed,
)

STAR = """--outSAMtype BAM SortedByCoordinate --outSAMunmapped Within
--outFilterType BySJout --outSAMattributes NH HI AS NM MD --outFilterMultimapNmax 20
--outFilterMismatchNmax 999 --outFilterMismatchNoverLmax 0.04 --alignIntronMin 20
--alignIntronMax 1000000 --alignMatesGapMax 1000000 --alignSJoverhangMin 8
--alignSJDBoverhangMin 1"""

QUESTIONS = 4  # tumour, state, tissue, subtype


def run(*command: object) -> None:
    subprocess.run(list(map(str, command)), check=True, capture_output=True)


def index_second_build(results: Path, folder: Path) -> dict[str, Path]:
    """Genome, annotation, index and shared transcripts of a second build of the demo's genome."""
    demo = results / "demo"
    genome, gtf = write_second_build(demo / "genome.fa", demo / "annotation.gtf", folder / "given")
    names = {"genome": "genome.fa", "gtf": "annotation.gtf", "chromosomes": "chromosomes.tsv"}
    paths = {kind: folder / name for kind, name in names.items()}
    prepare_reference(genome, gtf, *paths.values())
    write_bed(folder / "own.bed", representative_transcripts(paths["gtf"]))
    wanted = read_bed(results / "bundle/transcripts.bed")
    lengths = read_chromosomes(paths["chromosomes"])
    shared = locate_shared(wanted, folder / "own.bed", paths["gtf"], lengths)
    write_bed(folder / "shared.bed", shared)
    print(f"{len(shared)} of {len(wanted)} transcripts are shared")
    options = ["--runMode", "genomeGenerate", "--genomeSAindexNbases", "9", "--sjdbOverhang", "74"]
    files = ["--genomeFastaFiles", paths["genome"], "--sjdbGTFfile", paths["gtf"]]
    prefix = ["--outFileNamePrefix", f"{folder}/"]
    run("STAR", *options, "--genomeDir", folder / "star", *files, *prefix)
    return {**paths, "index": folder / "star", "shared": folder / "shared.bed"}


def align(reads: list[Path], build: dict[str, Path], folder: Path) -> Path:
    """The sorted BAM of a sample."""
    files = ["--readFilesIn", *reads, "--readFilesCommand", "zcat"]
    options = ["--genomeDir", build["index"], "--outFileNamePrefix", f"{folder}/"]
    run("STAR", *options, *files, *STAR.split())
    bam = folder / "Aligned.sortedByCoord.out.bam"
    run("samtools", "index", bam)
    return bam


def count(bam: Path, gtf: Path, paired: bool) -> pd.Series:
    """Reads or pairs by gene, strands together, as the demo's sheet says."""
    out = bam.with_suffix(".counts")
    pairs = ["-p", "--countReadPairs"] if paired else []
    run("featureCounts", "-t", "exon", "-g", "gene_id", *pairs, "-a", gtf, "-o", out, bam)
    return pd.read_csv(out, sep="\t", comment="#", index_col=0).iloc[:, -1].astype(float)


def measure(results: Path, samples: list[str], folder: Path) -> pd.DataFrame:
    """One row per sample."""
    build = index_second_build(results, folder)
    sheet = pd.read_csv(results / "cohort/samples.tsv", sep="\t", dtype=str).set_index("sample")
    model = MRIN.from_arrays(load_arrays(results / "bundle/integrity.npz"))
    shared = read_bed(build["shared"])
    first, second, profiles = {}, {}, {}
    for name in samples:
        row = sheet.loc[name].fillna("")
        place = folder / name
        place.mkdir()
        mates = [row["fastq_1"], row["fastq_2"]]
        reads = [results.parent / mate for mate in mates if mate]
        bam = align(reads, build, place)
        first[name] = pd.read_csv(results / f"counts/{name}.tsv", sep="\t", index_col=0).iloc[:, 0]
        second[name] = count(bam, build["gtf"], len(reads) == 2)
        profiles[name] = place / "profile.npz"
        save_profile(profiles[name], profile_bam(bam, shared), file_checksum(build["shared"]))
        bam.unlink()
    mrin = pd.read_csv(results / "integrity/mrin.tsv", sep="\t", index_col=0)
    there = score_samples(profiles, build["shared"], model).set_index("sample")
    classifier = Classifier.load(results / "bundle")
    calls = [
        classifier.predict(pd.DataFrame(counts).T, "count", scores["mrin"].reindex(samples))
        for counts, scores in ((first, mrin), (second, there))
    ]
    table = pd.DataFrame(
        {
            "mrin_first": mrin["mrin"].reindex(samples),
            "mrin_second": there["mrin"],
            "transcripts_first": mrin["transcripts"].reindex(samples),
            "transcripts_second": there["transcripts"],
            "genes_found_second": calls[1].samples["genes_found"],
        }
    )
    change = [
        (calls[0].probabilities[head] - calls[1].probabilities[head]).abs().max(axis=1)
        for head in calls[0].probabilities
    ]
    table["largest_change"] = np.fmax.reduce(change)
    heads = ["tumour", *calls[0].probabilities]
    apart = calls[0].calls[heads] != calls[1].calls[heads]
    table["differing"] = ["|".join(apart.columns[row]) for row in apart.to_numpy()]
    return table.rename_axis("sample").reset_index()


def main() -> None:
    """Measure, write the table, print its summary."""
    results = Path(sys.argv[1])
    quality = pd.read_csv(results / "quality/samples.tsv", sep="\t")
    sheet = pd.read_csv(results / "cohort/samples.tsv", sep="\t", dtype=str)
    simple = ~sheet["fastq_1"].str.contains(",") & sheet["sample"].isin(
        quality.loc[quality["reads"] > 1000, "sample"]
    )
    names = sheet.loc[simple, "sample"].tolist()[:: max(1, int(simple.sum()) // int(sys.argv[2]))]
    with tempfile.TemporaryDirectory() as folder:
        table = measure(results, names, Path(folder))
    table.to_csv("benchmarks/genome_builds.tsv", sep="\t", index=False, float_format="%.4g")
    difference = (table["mrin_first"] - table["mrin_second"]).abs()
    other = table["differing"].str.split("|").map(lambda names: sum(map(bool, names)))
    print(
        f"{len(table)} samples, {(other == 0).sum()} with equal answers to all questions; of "
        f"{len(table) * QUESTIONS} answers {other.sum()} differ; mRIN differs by "
        f"{difference.median():.4f} (median) and {difference.max():.4f} (most)"
    )


if __name__ == "__main__":
    main()
