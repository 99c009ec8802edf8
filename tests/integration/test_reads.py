"""What comes before the alignment: trimming, and runs of the archive, on samples of the demo."""

import gzip
import json
import os
from pathlib import Path

import pandas as pd
import pytest
from conftest import write_config

SAMPLES = {"A101-KID": 2, "A304-LUN": 1, "A103-KID": 2}  # paired, single-end, two lanes
PAIRS = 1000
PREFETCH = """#!/bin/bash
mkdir "$4/$5"
"""
# The archive's SRR000001 is paired, SRR000002 is not.
FASTERQ_DUMP = """#!/bin/bash
reads=results/demo/reads/A101-KID
case $8 in
*/SRR000001)
    gzip -cd ${reads}_1.fastq.gz > "$7/SRR000001_1.fastq"
    gzip -cd ${reads}_2.fastq.gz > "$7/SRR000001_2.fastq"
    ;;
*/SRR000002) gzip -cd ${reads}_1.fastq.gz > "$7/SRR000002.fastq" ;;
esac
"""


def stand_in(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def remains(folder: Path, sample: str) -> list[Path]:
    """What an attempt that was killed leaves of a sample."""
    return [folder / f"results/{part}/.{sample}.1a2B3c" for part in ("alignment", "counts")]


@pytest.fixture(scope="module")
def trimmed(snakemake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with `trim`, as far as the counts of a few samples."""
    folder = tmp_path_factory.mktemp("reads")
    config = write_config(folder, trim=True, demo={"pairs": PAIRS})
    for path in remains(folder, "A101-KID"):
        (path / "star").mkdir(parents=True)
    targets = [f"results/counts/{sample}.tsv" for sample in SAMPLES]
    run = snakemake(folder, "--configfile", str(config), "--quiet", "rules", "--", *targets)
    assert run.returncode == 0, run.stdout[-5000:]
    return folder


def align(snakemake, folder: Path, rows: dict[str, dict[str, str]], *arguments: str, trim=True):
    """Align samples of a sheet of their own, which needs two, to the reference that is there."""
    rows = {**rows, "other": {"fastq_1": "results/demo/reads/A102-KID_1.fastq.gz"}}
    labels = {"study": "A", "source": "A", "disease_state": "neoplastic", "tissue": "lung"}
    table = {name: {"donor": name, **labels, "subtype": "", **row} for name, row in rows.items()}
    sheet = pd.DataFrame.from_dict(table, orient="index").fillna("")
    sheet.to_csv(folder / "own.tsv", sep="\t", index_label="sample")
    config = write_config(folder, samples="own.tsv", trim=trim, demo=None)
    return snakemake(folder, "--configfile", str(config), "--quiet", "rules", *arguments)


def reads_of(folder: Path, sample: str) -> tuple[int, str]:
    """Reads or pairs that STAR was given, and its log."""
    text = (folder / f"results/alignment/{sample}.Log.final.out").read_text()
    return int(text.split("Number of input reads |")[1].split()[0]), text


def test_trimmed_reads_are_aligned_and_counted(trimmed: Path) -> None:
    for sample, mates in SAMPLES.items():
        report = json.loads((trimmed / f"results/alignment/{sample}.fastp.json").read_text())
        assert report["summary"]["before_filtering"]["total_reads"] == PAIRS * mates
        passed = report["summary"]["after_filtering"]["total_reads"]
        assert reads_of(trimmed, sample)[0] == passed / mates
        summary = (trimmed / f"results/counts/{sample}.tsv.summary").read_text()
        counted = dict(line.split("\t") for line in summary.splitlines()[1:])
        print(sample, "assigned", counted["Assigned"])
        assert int(counted["Assigned"]) > 800
    assert not [path for path in remains(trimmed, "A101-KID") if path.exists()]
    kept = {path.suffix for path in (trimmed / "results/alignment").iterdir()}
    assert kept == {".json", ".html", ".out"}, "no trimmed reads stay on the disk"


def test_a_run_of_the_archive_is_downloaded_trimmed_and_aligned_in_one_job(
    snakemake, trimmed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path / "bin", "prefetch", PREFETCH)
    stand_in(tmp_path / "bin", "fasterq-dump", FASTERQ_DUMP)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    targets = [f"results/alignment/{name}.Log.final.out" for name in ("paired", "single")]
    rows = {"paired": {"sra": "SRR000001"}, "single": {"sra": "SRR000002"}}
    run = align(snakemake, trimmed, rows, "--", *targets)
    assert run.returncode == 0, run.stdout[-5000:]
    for name, mates in (("paired", 2), ("single", 1)):
        report = json.loads((trimmed / f"results/alignment/{name}.fastp.json").read_text())
        assert report["summary"]["before_filtering"]["total_reads"] == PAIRS * mates
    assert not list((trimmed / "results/alignment").glob(".*"))
    again = align(snakemake, trimmed, rows, "-n", "--", *targets)
    assert "Nothing to be done" in again.stdout
    again = align(snakemake, trimmed, rows, "--", targets[0], trim=False)
    assert again.returncode == 0, again.stdout[-5000:]
    assert reads_of(trimmed, "paired")[0] == PAIRS, "another setting aligns again, all reads"


def test_faults_before_the_alignment_are_named(
    snakemake, trimmed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    intact = (trimmed / "results/demo/reads/A101-KID_1.fastq.gz").read_bytes()
    (trimmed / "cut.fastq.gz").write_bytes(intact[: len(intact) // 2])
    lines = gzip.decompress(intact).splitlines(keepends=True)
    (trimmed / "part.fastq.gz").write_bytes(gzip.compress(b"".join(lines[:-2])))
    second = (trimmed / "results/demo/reads/A101-KID_2.fastq.gz").read_bytes()
    others = gzip.decompress(second).splitlines(keepends=True)
    (trimmed / "few.fastq.gz").write_bytes(gzip.compress(b"".join(others[:-8])))
    whole = "results/demo/reads/A101-KID_1.fastq.gz"
    target = ("--", "results/alignment/bad.Log.final.out")
    for reads, words in (
        ({"fastq_1": "cut.fastq.gz"}, "truncated or damaged"),
        ({"fastq_1": "part.fastq.gz"}, "not a multiple of 4"),
        ({"fastq_1": whole, "fastq_2": "few.fastq.gz"}, "mates must come in pairs"),
    ):
        run = align(snakemake, trimmed, {"bad": reads}, *target)
        assert run.returncode != 0 and words in run.stdout, run.stdout
    # STAR itself stops at the end of the shorter mate, before the other is read.
    (trimmed / "half.fastq.gz").write_bytes(gzip.compress(b"".join(others[: len(lines) // 8 * 4])))
    (trimmed / "turned.fastq.gz").write_bytes(gzip.compress(b"".join(others[-4:] + others[:-4])))
    (trimmed / "windows.fastq.gz").write_bytes(gzip.compress(b"\r\n".join(b"".join(lines).split())))
    (trimmed / "short.fastq.gz").write_bytes(
        gzip.compress(b"".join(lines).replace(lines[3], b"I\n"))
    )
    (trimmed / "text.bam").write_text("@HD\tVN:1.6\n")
    counts = ("--", "results/counts/bad.tsv")
    for reads, words, wanted in (
        ({"fastq_1": whole, "fastq_2": "half.fastq.gz"}, "mates must come in pairs", target),
        ({"fastq_1": whole, "fastq_2": "turned.fastq.gz"}, "in the same order", target),
        ({"fastq_1": "windows.fastq.gz"}, "ends line 3 as Windows does", target),
        ({"fastq_1": "short.fastq.gz"}, "75 bases, but 1 qualities in line 4", target),
        ({"bam": "text.bam"}, "is a SAM file; expected BAM or CRAM", counts),
    ):
        run = align(snakemake, trimmed, {"bad": reads}, *wanted, trim=False)
        assert run.returncode != 0 and words in run.stdout, run.stdout
    for name in ("fastp", "prefetch"):
        stand_in(tmp_path / "bin", name, "#!/bin/bash\nexit 3\n")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    for reads, words in (
        ({"fastq_1": whole}, "fastp failed"),
        ({"sra": "SRR000003"}, "run SRR000003 cannot be downloaded"),
    ):
        run = align(snakemake, trimmed, {"bad": reads}, *target)
        assert run.returncode != 0 and words in run.stdout, run.stdout
    assert not [path for path in (trimmed / "results/alignment").iterdir() if "bad" in path.name]
