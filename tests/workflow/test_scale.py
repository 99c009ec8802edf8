"""What grows with the cohort: three jobs a sample; no command line, and no heap of BAM files."""

import re
from collections import Counter
from pathlib import Path

import pytest
from conftest import write_config

STATES = {"non-neoplastic": "GTEx", "peri-neoplastic": "TCGA", "neoplastic": "TCGA"}


def plan(snakemake, folder: Path, samples: int) -> tuple[Counter, int, set[str]]:
    """Of a cohort so large: jobs a rule, length of the longest command, rules that go first."""
    (folder / "reads").mkdir(parents=True)
    rows = ["sample donor study source disease_state tissue subtype fastq_1 fastq_2"]
    for number in range(samples):
        state = list(STATES)[number % 3]
        reads = [f"reads/S{number:05d}_{mate}.fastq.gz" for mate in (1, 2)]
        for path in reads:
            (folder / path).write_text("reads")
        rows.append(f"S{number:05d} D{number} {STATES[state]} A {state} lung - {' '.join(reads)}")
    sheet = "\n".join("\t".join("" if c == "-" else c for c in row.split()) for row in rows)
    (folder / "samples.tsv").write_text(sheet + "\n")
    for name in ("genome.fa", "genes.gtf"):
        (folder / name).touch()
    reference = {
        "genome": {"path": "genome.fa", "checksum": None},
        "annotation": {"path": "genes.gtf", "checksum": None},
    }
    config = write_config(
        folder,
        demo=None,
        samples="samples.tsv",
        reference=reference,
        protocols={"seeds": 0, "leave_out": []},
    )
    planned = snakemake(folder, "-n", "--printshellcmds", "--configfile", str(config))
    assert planned.returncode == 0, planned.stdout
    jobs = Counter(re.findall(r"^(?:local)?rule (\w+):$", planned.stdout, flags=re.M))
    commands = re.findall(r"^ *Shell command: (.*)$", planned.stdout, flags=re.M)
    assert commands, "the plan tells its commands"
    first = re.findall(
        r"^rule (\w+):\n(?:    .*\n)*?    priority: [1-9]", planned.stdout, flags=re.M
    )
    return jobs, max(map(len, commands)), set(first)


@pytest.fixture(scope="module")
def plans(snakemake, tmp_path_factory) -> list[tuple[Counter, int, set[str]]]:
    return [plan(snakemake, tmp_path_factory.mktemp("plan") / "run", n) for n in (6, 36)]


def test_a_sample_adds_three_jobs(plans) -> None:
    (few, *_), (many, *_) = plans
    assert {rule: many[rule] - few[rule] for rule in many if many[rule] != few[rule]} == {
        "align_reads": 30,
        "count_reads": 30,
        "profile_integrity": 30,
    }


def test_no_command_grows_with_the_cohort(plans) -> None:
    (_, few, _), (_, many, _) = plans
    assert few == many


def test_an_alignment_is_read_before_the_next_is_made(plans) -> None:
    """So the temporary BAMs on the disk are as many as run side by side, not as many as samples."""
    assert plans[0][2] == {"count_reads", "profile_integrity"}
