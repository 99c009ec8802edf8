"""Real human reads on real hg19, and what goes wrong with reads: the stages up to the counts."""

import gzip
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pysam
import pytest
from conftest import write_config

LABELS = ["donor", "study", "source", "disease_state", "tissue", "subtype"]
AIRWAY = ("SRR1039508", "SRR1039509")
STAR_OPTIONS = """
    --outFilterType BySJout --outFilterMultimapNmax 20 --outFilterMismatchNmax 999
    --outFilterMismatchNoverLmax 0.04 --alignIntronMin 20 --alignIntronMax 1000000
    --alignMatesGapMax 1000000 --alignSJoverhangMin 8 --alignSJDBoverhangMin 1
"""


def rate(log: Path) -> str:
    """The unique-mapping rate as STAR prints it."""
    return log.read_text().split("Uniquely mapped reads % |")[1].split()[0]


def configure(folder: Path, data: Path, rows: dict[str, dict[str, str]]) -> Path:
    """A config and sheet in `folder` for samples on the hg19 slice."""
    labels = dict.fromkeys(LABELS[:3], "A") | {"disease_state": "non-neoplastic", "tissue": "lung"}
    sheet = pd.DataFrame.from_dict(
        {name: {**labels, "donor": name, **row} for name, row in rows.items()}, orient="index"
    )
    sheet.reindex(columns=[*LABELS, "fastq_1", "fastq_2", "bam"]).fillna("").to_csv(
        folder / "samples.tsv", sep="\t", index_label="sample"
    )
    slice_ = data / "hg19_slice"
    return write_config(
        folder,
        samples="samples.tsv",
        demo=None,
        keep_alignments=True,
        quality={"min_assigned": 0.0},  # most reads are mitochondrial, and the slice has few genes
        reference={
            "genome": {"path": f"{slice_}/hg19.chr1-4.first1Mb.fa.gz", "checksum": None},
            "annotation": {"path": f"{slice_}/refGene.chr1-4.first1Mb.gtf", "checksum": None},
            "star_overhang": 62,
        },
    )


@pytest.fixture(scope="module")
def airway(snakemake, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run over both airway samples, as far as counts and mRIN."""
    folder = tmp_path_factory.mktemp("hg19")
    reads = data / "hg19_slice"
    rows = {
        run: {f"fastq_{mate}": f"{reads}/{run}_R{mate}.fastq.gz" for mate in (1, 2)}
        for run in AIRWAY
    }
    config = configure(folder, data, rows)
    targets = [f"results/counts/{run}.tsv" for run in AIRWAY]
    targets += ["results/integrity/mrin.tsv", "results/quality/samples.tsv"]
    run = snakemake(folder, "--configfile", str(config), "--quiet", "rules", "--", *targets)
    assert run.returncode == 0, run.stdout[-5000:]
    return folder


def test_both_samples_get_counts_and_an_mrin(airway: Path) -> None:
    mrin = pd.read_csv(airway / "results/integrity/mrin.tsv", sep="\t").set_index("sample")
    print(mrin.to_string())
    assert list(mrin.index) == list(AIRWAY)
    assert mrin["mrin"].between(-1, 1).all() and (mrin["transcripts"] > 0).all()
    for run in AIRWAY:
        counts = pd.read_csv(airway / f"results/counts/{run}.tsv", sep="\t", comment="#")
        assert counts.iloc[:, -1].sum() > 0


def test_the_unique_mapping_rate_is_that_of_star_itself(
    airway: Path, data: Path, tmp_path: Path
) -> None:
    run = AIRWAY[0]
    reads = [str(data / "hg19_slice" / f"{run}_R{mate}.fastq.gz") for mate in (1, 2)]
    command = ["STAR", "--genomeDir", str(airway / "results/reference/star"), "--readFilesIn"]
    command += [*reads, "--readFilesCommand", "zcat", "--outFileNamePrefix", f"{tmp_path}/"]
    subprocess.run([*command, *STAR_OPTIONS.split()], check=True, capture_output=True)
    ours, theirs = (
        rate(airway / f"results/alignment/{run}.Log.final.out"),
        rate(tmp_path / "Log.final.out"),
    )
    print(f"uniquely mapped: {ours} by the workflow, {theirs} by STAR run by hand")
    assert ours == theirs


def run_spoiled(snakemake, airway: Path, data: Path, folder: Path, row: dict[str, str]) -> str:
    """Run one spoiled sample on the index of `airway`; the output of the failed run."""
    shutil.copytree(airway / "results/reference", folder / "results/reference")
    intact = {"fastq_1": str(data / "hg19_slice" / f"{AIRWAY[1]}_R1.fastq.gz")}
    config = configure(folder, data, {"spoiled": row, "intact": intact})
    targets = ["results/integrity/profiles/spoiled.npz", "results/counts/spoiled.tsv"]
    arguments = ["--configfile", str(config), "--quiet", "rules", "--rerun-triggers", "mtime"]
    run = snakemake(folder, *arguments, "--", *targets)
    assert run.returncode != 0, run.stdout
    assert "Traceback" not in run.stdout
    assert not list((folder / "results").rglob("spoiled.bam*"))
    assert not list((folder / "results").rglob("spoiled.npz"))
    return run.stdout


def copy_reads(data: Path, folder: Path) -> dict[str, str]:
    row = {}
    for mate in (1, 2):
        target = folder / f"reads_{mate}.fastq.gz"
        shutil.copyfile(data / "hg19_slice" / f"{AIRWAY[0]}_R{mate}.fastq.gz", target)
        target.chmod(0o644)
        row[f"fastq_{mate}"] = target.name
    return row


def test_a_truncated_fastq_is_named(snakemake, airway: Path, data: Path, tmp_path: Path) -> None:
    row = copy_reads(data, tmp_path)
    content = (tmp_path / row["fastq_2"]).read_bytes()
    (tmp_path / row["fastq_2"]).write_bytes(content[: len(content) // 2])
    output = run_spoiled(snakemake, airway, data, tmp_path, row)
    assert "reads_2.fastq.gz" in output and "truncated" in output, output


def test_mates_of_different_length_are_named(
    snakemake, airway: Path, data: Path, tmp_path: Path
) -> None:
    row = copy_reads(data, tmp_path)
    with gzip.open(tmp_path / row["fastq_2"], "rt") as whole:
        lines = whole.readlines()
    with gzip.open(tmp_path / row["fastq_2"], "wt") as part:
        part.writelines(lines[:-400])
    output = run_spoiled(snakemake, airway, data, tmp_path, row)
    assert "mates must come in pairs" in output, output


def test_a_bam_from_another_build_is_named(
    snakemake, airway: Path, data: Path, tmp_path: Path
) -> None:
    header = {"HD": {"VN": "1.6", "SO": "coordinate"}, "SQ": [{"SN": "1", "LN": 248956422}]}
    with pysam.AlignmentFile(str(tmp_path / "other.bam"), "wb", header=header):
        pass
    output = run_spoiled(snakemake, airway, data, tmp_path, {"bam": "other.bam"})
    assert "other.bam" in output and "genome" in output, output


def test_a_bam_gives_the_counts_of_its_reads(
    snakemake, airway: Path, data: Path, tmp_path: Path
) -> None:
    shutil.copytree(airway / "results/reference", tmp_path / "results/reference")
    bams = {run: {"bam": f"{airway}/results/alignment/{run}.bam"} for run in AIRWAY}
    config = configure(tmp_path, data, bams)
    arguments = ["--configfile", str(config), "--quiet", "rules", "--rerun-triggers", "mtime"]
    run = snakemake(tmp_path, *arguments, "--", "results/quality/samples.tsv")
    assert run.returncode == 0, run.stdout
    ours, theirs = (
        pd.read_csv(folder / "results/quality/samples.tsv", sep="\t")
        for folder in (tmp_path, airway)
    )
    pd.testing.assert_frame_equal(ours[["sample", "mrin"]], theirs[["sample", "mrin"]])
