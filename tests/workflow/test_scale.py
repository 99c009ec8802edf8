"""What grows with the cohort: three jobs a sample; no command line, and no heap of BAM files."""

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
from conftest import ROOT, write_config

STAGES = ("counts", "integrity")
JOB = """
sleep 0.1
touch "$@"
find results -name '*.bam' | wc -l >> found
"""
STATES = {"non-neoplastic": "GTEx", "peri-neoplastic": "TCGA", "neoplastic": "TCGA"}


def prepare(folder: Path, samples: int, *, trim: bool = False, runs: bool = False) -> Path:
    """The config of a cohort so large; with `runs`, every second sample is one of the archive."""
    (folder / "reads").mkdir(parents=True)
    rows = ["sample donor study source disease_state tissue subtype fastq_1 fastq_2 sra"]
    for number in range(samples):
        state = list(STATES)[number % 3]
        reads = [f"reads/S{number:05d}_{mate}.fastq.gz" for mate in (1, 2)]
        for path, base in zip(reads, "AC", strict=True):
            (folder / path).write_text(f"@{number}\n{base}\n+\nI\n")
        origin = f"- - SRR1{number:05d}" if runs and number % 2 else f"{' '.join(reads)} -"
        rows.append(f"S{number:05d} D{number} {STATES[state]} A {state} lung - {origin}")
    sheet = "\n".join("\t".join("" if c == "-" else c for c in row.split()) for row in rows)
    (folder / "samples.tsv").write_text(sheet + "\n")
    for name in ("genome.fa", "genes.gtf"):
        (folder / name).touch()
    reference = {
        "genome": {"path": "genome.fa", "checksum": None},
        "annotation": {"path": "genes.gtf", "checksum": None},
    }
    return write_config(
        folder,
        demo=None,
        samples="samples.tsv",
        trim=trim,
        reference=reference,
        protocols={"seeds": 0, "leave_out": []},
    )


def plan(snakemake, folder: Path, samples: int, **kind: bool) -> tuple[Counter, int]:
    """Of a cohort so large: jobs a rule, length of the longest command."""
    config = prepare(folder, samples, **kind)
    planned = snakemake(folder, "-n", "--printshellcmds", "--configfile", str(config))
    assert planned.returncode == 0, planned.stdout
    jobs = Counter(re.findall(r"^(?:local)?rule (\w+):$", planned.stdout, flags=re.M))
    commands = re.findall(r"^ *Shell command: (.*)$", planned.stdout, flags=re.M)
    assert commands, "the plan tells its commands"
    return jobs, max(map(len, commands))


@pytest.fixture(scope="module")
def plans(snakemake, tmp_path_factory) -> list[tuple[Counter, int]]:
    return [plan(snakemake, tmp_path_factory.mktemp("plan") / "run", n) for n in (6, 36)]


def test_a_sample_adds_three_jobs(plans) -> None:
    (few, _), (many, _) = plans
    assert {rule: many[rule] - few[rule] for rule in many if many[rule] != few[rule]} == {
        "align_reads": 30,
        "count_reads": 30,
        "profile_integrity": 30,
    }


def test_trimming_and_downloads_add_none(snakemake, plans, tmp_path: Path) -> None:
    jobs, _ = plan(snakemake, tmp_path / "run", 6, trim=True, runs=True)
    assert jobs == plans[0][0]


def test_no_command_grows_with_the_cohort(plans) -> None:
    (_, few), (_, many) = plans
    assert few == many


def test_bams_on_the_disk_are_as_many_as_the_cores_have_room_for(snakemake, tmp_path: Path) -> None:
    """A BAM is made by 8 threads and read at once, by 2 at least: with that, no more than this.

    Jobs are stand-ins that make their outputs and note how many BAM files there are.
    """
    samples, cores = 24, 16
    config = prepare(tmp_path / "run", samples)
    for name in ("config", "workflow", "envs", "resources", "profiles"):
        shutil.copytree(ROOT / name, tmp_path / "run" / name)
    for rules in (tmp_path / "run/workflow/rules").glob("*.smk"):
        text = re.sub(r'script:(\n +)"[^"]+"', r'shell:\1"sh job.sh {output}"', rules.read_text())
        rules.write_text(text)
    shutil.copy(ROOT / "Snakefile", tmp_path / "run")
    (tmp_path / "run" / "job.sh").write_text(JOB)
    own = ("--snakefile", str(tmp_path / "run" / "Snakefile"), "--configfile", str(config))
    run = snakemake(tmp_path / "run", *own, "--quiet", "rules", "--", *STAGES, cores=cores)
    assert run.returncode == 0, run.stdout[-5000:]
    found = [int(line) for line in (tmp_path / "run" / "found").read_text().split()]
    print("BAM files on the disk at most", max(found), "of", samples)
    assert 1 <= max(found) <= 1 + (cores - 8) / 2
    assert not list((tmp_path / "run").rglob("*.bam"))
    assert len(list((tmp_path / "run/results/counts").glob("*.tsv"))) == samples
