"""Files that a user gives are never written, touched or removed, whatever is run over them."""

import hashlib
import os
import re
import shutil
from pathlib import Path

import pandas as pd
import pysam
import pytest
import yaml
from conftest import ROOT, simulate_two, write_config
from tissuestate.errors import InputError
from tissuestate.startup.fingerprints import LARGE, Checksums, remove_outdated

LABELS = {"study": "A", "source": "A", "disease_state": "neoplastic", "tissue": "liver"}
TARGETS = [f"results/counts/{name}.tsv" for name in ("x", "y", "z")]
TARGETS += ["results/integrity/profiles/x.npz", "results/cohort/samples.tsv"]
TARGETS += ["results/reference/transcripts.bed"]
MODULE = """
module tissuestate:
    snakefile: {snakefile!r}
    config: {config!r}
    prefix: "cohort"

use rule * from tissuestate as ts_*

rule all:
    default_target: True
    input: "cohort/results/counts/x.tsv", "cohort/results/cohort/samples.tsv"
"""


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: reads, a BAM, a matrix, a reference, a class table, a sheet and a config."""
    folder = tmp_path_factory.mktemp("user")
    simulate_two(folder, folder / "reads")
    lengths: dict[str, int] = {}
    for line in (folder / "genome.fa").read_text().splitlines():
        if line.startswith(">"):
            name = line[1:].split()[0]
            lengths[name] = 0
        else:
            lengths[name] += len(line)
    header = pysam.AlignmentHeader.from_references(list(lengths), list(lengths.values()))
    with pysam.AlignmentFile(str(folder / "z.bam"), "wb", header=header) as bam:
        for start in range(1000, 3000, 10):
            read = pysam.AlignedSegment(header)
            read.query_name, read.query_sequence, read.cigarstring = f"r{start}", "A" * 50, "50M"
            read.reference_id, read.reference_start, read.mapping_quality = 0, start, 255
            read.query_qualities = pysam.qualitystring_to_array("I" * 50)
            bam.write(read)
    (folder / "counts.tsv").write_text("gene\tm\tn\nTP53\t5\t6\nEGFR\t7\t8\n")
    shutil.copy(ROOT / "resources" / "classes.tsv", folder / "my_classes.tsv")
    rows = [
        {"sample": "x", "fastq_1": "reads/x_1.fastq.gz", "fastq_2": "reads/x_2.fastq.gz"},
        {"sample": "y", "fastq_1": "reads/y_1.fastq.gz", "fastq_2": "reads/y_2.fastq.gz"},
        {"sample": "z", "bam": "z.bam"},
        {"sample": "m", "matrix": "counts.tsv", "unit": "count"},
        {"sample": "n", "matrix": "counts.tsv", "unit": "count"},
    ]
    sheet = pd.DataFrame(rows).fillna("").assign(**LABELS, subtype="")
    sheet["donor"] = sheet["sample"]
    shutil.copytree(ROOT / "config", folder / "config")
    sheet.to_csv(folder / "config" / "samples.tsv", sep="\t", index=False)
    write_config(
        folder,
        samples="config/samples.tsv",
        classes="my_classes.tsv",
        demo=None,
        reference={
            "genome": {"path": "genome.fa", "checksum": None},
            "annotation": {"path": "annotation.gtf", "checksum": None},
        },
    )
    return folder


def state(folder: Path) -> dict[str, tuple[str, int]]:
    """Checksum and time of every file that was there before anything ran."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and name.parts[0] not in ("results", ".snakemake", "cohort", "Snakefile"):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            found[str(name)] = (digest, path.stat().st_mtime_ns)
    return found


def test_the_demo_refuses_a_folder_with_a_sheet_of_the_user(
    snakemake, given: Path, tmp_path: Path
) -> None:
    before = state(given)
    run = snakemake(given, "--until", "simulate_cohort")
    assert run.returncode == 1
    assert "config/samples.tsv" in run.stdout and "'reads/x_1.fastq.gz'" in run.stdout
    own = write_config(tmp_path, samples="config/samples.tsv")
    run = snakemake(given, "--configfile", str(own))
    assert run.returncode == 1
    assert "'reads/x_1.fastq.gz'" in run.stdout and "demo: null" in run.stdout
    assert "Traceback" not in run.stdout
    assert state(given) == before
    assert not (given / "results").exists()


@pytest.mark.parametrize("kind", ["reads", "link"])
def test_the_demo_writes_over_no_file_in_its_folder_that_it_did_not_make(
    snakemake, demo_folder: Path, given: Path, kind: str
) -> None:
    own = demo_folder / "results/demo/reads/A101-KID_1.fastq.gz"
    own.parent.mkdir(parents=True)
    reads = given / "reads/x_1.fastq.gz"
    own.symlink_to(reads) if kind == "link" else shutil.copy(reads, own)
    before = state(given), own.read_bytes()
    run = snakemake(demo_folder, "--until", "simulate_cohort")
    assert run.returncode == 1
    assert str(own.relative_to(demo_folder)) in run.stdout and "not made by the demo" in run.stdout
    assert (state(given), own.read_bytes()) == before


def test_no_run_changes_a_file_of_the_user(snakemake, given: Path) -> None:
    config = ("--configfile", str(given / "config.yaml"), "--quiet", "rules")
    before = state(given)
    assert len(before) > 8
    for arguments in (
        (*config, "--", *TARGETS),
        (*config, "--forceall", "--", *TARGETS),
        (*config, "--touch", "--forceall", "--", *TARGETS),
        (*config, "--delete-temp-output", "--", *TARGETS),
        (*config, "--delete-all-output", "--", *TARGETS),
    ):
        run = snakemake(given, *arguments)
        assert run.returncode == 0, run.stdout[-3000:]
        assert state(given) == before, arguments
    assert not (given / TARGETS[0]).exists(), "the last of them removes what was made"


def test_no_failing_run_or_run_as_a_module_changes_a_file_of_the_user(
    snakemake, given: Path
) -> None:
    spoilt = given / "reads" / "y_2.fastq.gz"
    whole = spoilt.read_bytes()
    spoilt.write_bytes(whole[:-20])
    before = state(given)
    run = snakemake(given, "--configfile", str(given / "config.yaml"), "--", *TARGETS)
    assert run.returncode == 1
    assert state(given) == before
    spoilt.write_bytes(whole)
    before = state(given)
    settings = yaml.safe_load((given / "config.yaml").read_text())
    module = MODULE.format(snakefile=str(ROOT / "Snakefile"), config=settings)
    (given / "Snakefile").write_text(module)
    for arguments in ((), ("--delete-all-output",)):
        run = snakemake(given, "--snakefile", str(given / "Snakefile"), *arguments)
        assert run.returncode == 0, run.stdout[-3000:]
        assert state(given) == before
    (given / "Snakefile").unlink()


def test_a_reference_replaced_by_an_older_file_is_prepared_again(
    snakemake, given: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "user"
    shutil.copytree(given, folder, ignore=shutil.ignore_patterns("results", ".snakemake"))
    arguments = ("--configfile", str(folder / "config.yaml"), "--rerun-triggers", "mtime", "--")
    target = "results/reference/transcripts.bed"
    assert snakemake(folder, *arguments, target).returncode == 0
    before = (folder / target).read_text()
    annotation = folder / "annotation.gtf"
    lines = annotation.read_text().splitlines(keepends=True)
    genes = [line for line in lines if "gene_id" in line]
    last = genes[-1].split('gene_id "')[1].split('"')[0]
    annotation.write_text("".join(line for line in lines if last not in line))
    os.utime(annotation, (1, 1))
    run = snakemake(folder, *arguments, target)
    assert run.returncode == 0, run.stdout[-3000:]
    assert "Removed results" in run.stdout
    assert (folder / target).read_text().count("\n") == before.count("\n") - 1


def test_classification_takes_the_reference_that_training_prepared(
    snakemake, given: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "user"
    shutil.copytree(given, folder, ignore=shutil.ignore_patterns("results", ".snakemake"))
    with (folder / "annotation.gtf").open("a") as file:
        file.write("#" * 99 + "\n" + ("# large\n" * (LARGE // 8)))
    arguments = ("--configfile", str(folder / "config.yaml"))
    target = "results/reference/annotation.gtf"
    assert snakemake(folder, *arguments, "--", target).returncode == 0
    bundle = ("--config", f"bundle={ROOT}/tests/data/bundle", "samples=config/samples.tsv")
    for options in (bundle, ()):
        run = snakemake(folder, *arguments, *options, "--", target)
        assert run.returncode == 0 and "Nothing to be done" in run.stdout, run.stdout[-3000:]
        assert "Removed results" not in run.stdout


@pytest.mark.parametrize("how", ["link", "absolute"])
def test_no_file_of_the_user_in_a_linked_results_folder_is_written_over(
    snakemake, given: Path, tmp_path: Path, how: str
) -> None:
    folder, elsewhere = tmp_path / "user", tmp_path / "big"
    shutil.copytree(given, folder, ignore=shutil.ignore_patterns("results", ".snakemake"))
    own = elsewhere / "alignment" / "x.bam"
    own.parent.mkdir(parents=True)
    shutil.copy(folder / "z.bam", own)
    (folder / "linked").symlink_to(elsewhere)
    sheet = folder / "config/samples.tsv"
    sheet.write_text(sheet.read_text().replace("z.bam", "linked/alignment/x.bam"))
    results = "linked" if how == "link" else str(elsewhere)
    config = ("--configfile", str(folder / "config.yaml"))
    run = snakemake(folder, *config, "--config", f"pathvars={{results: {results}}}")
    assert run.returncode == 1
    assert "linked/alignment/x.bam" in run.stdout and "written over" in run.stdout, run.stdout
    assert own.read_bytes() == (folder / "z.bam").read_bytes()


def test_lanes_that_become_mates_are_aligned_again(snakemake, given: Path, tmp_path: Path) -> None:
    folder = tmp_path / "user"
    shutil.copytree(given, folder, ignore=shutil.ignore_patterns("results", ".snakemake"))
    sheet = folder / "config/samples.tsv"
    pairs = pd.read_csv(sheet, sep="\t", dtype=str, keep_default_na=False)
    lanes = pairs.copy()
    lanes.loc[lanes["sample"] == "x", ["fastq_1", "fastq_2"]] = (
        "reads/x_1.fastq.gz,reads/x_2.fastq.gz",
        "",
    )
    lanes.to_csv(sheet, sep="\t", index=False)
    arguments = ("--configfile", str(folder / "config.yaml"), "--", "results/counts/x.tsv")
    run = snakemake(folder, *arguments)
    assert run.returncode == 0, run.stdout[-3000:]
    pairs.to_csv(sheet, sep="\t", index=False)
    assert re.search(r"^align_reads +1$", snakemake(folder, "-n", *arguments).stdout, flags=re.M)


@pytest.mark.parametrize("file", ["genome.fa", "annotation.gtf", "truth_genes.tsv"])
def test_the_demo_writes_over_no_reference_in_its_folder(
    snakemake, demo_folder: Path, given: Path, file: str
) -> None:
    own = demo_folder / "results/demo" / file
    own.parent.mkdir(parents=True)
    own.write_text("mine\n")
    run = snakemake(demo_folder, "--until", "simulate_cohort")
    assert run.returncode == 1 and "not made by the demo" in run.stdout
    assert own.read_text() == "mine\n"


@pytest.mark.parametrize(
    ("column", "file"),
    [
        ("bam", "results/alignment/z.bam"),
        ("matrix", "results/counts/m.tsv"),
        ("matrix", "./results/../results/cohort/cohort.h5ad"),
        ("matrix", "linked.tsv"),
    ],
)
def test_a_file_of_the_user_where_the_run_writes_is_refused(
    snakemake, given: Path, tmp_path: Path, column: str, file: str
) -> None:
    folder = tmp_path / "user"
    shutil.copytree(given, folder, ignore=shutil.ignore_patterns("results", ".snakemake"))
    place = folder / ("results/counts/m.tsv" if file == "linked.tsv" else file)
    place.parent.mkdir(parents=True)
    shutil.copy(folder / ("z.bam" if column == "bam" else "counts.tsv"), place)
    if file == "linked.tsv":
        (folder / file).symlink_to(place)
    sheet = (folder / "config/samples.tsv").read_text()
    name = "z.bam" if column == "bam" else "counts.tsv"
    (folder / "config/samples.tsv").write_text(sheet.replace(name, file))
    before = place.read_bytes()
    run = snakemake(folder, "--configfile", str(folder / "config.yaml"))
    assert run.returncode == 1
    assert file in run.stdout and "written over" in run.stdout, run.stdout
    assert place.read_bytes() == before


def test_a_checksum_is_of_the_content_whatever_the_time(tmp_path: Path) -> None:
    file, memory = tmp_path / "file", tmp_path / "memory.json"
    file.write_bytes(b"one")
    os.utime(file, (1, 1))
    found = Checksums(memory)
    assert found.full_checksum(file) == hashlib.sha256(b"one").hexdigest()
    found.look_up_all([file])
    other = tmp_path / "other"
    other.write_bytes(b"two")
    os.utime(other, (1, 1))  # the same size and time
    other.replace(file)
    assert Checksums(memory).full_checksum(file) == hashlib.sha256(b"two").hexdigest()
    assert Checksums(memory).full_checksum(tmp_path / "nowhere") is None
    memory.write_text("[")
    assert Checksums(memory).full_checksum(file) == hashlib.sha256(b"two").hexdigest()


def test_results_of_other_content_are_removed(tmp_path: Path) -> None:
    record, product = tmp_path / "made_from.json", tmp_path / "calls.tsv"

    def made(digest: str, adopt: bool) -> bool:
        product.write_text("calls")
        remove_outdated(record, {"calls": digest}, {"calls": [product]}, adopt)
        return product.exists()

    assert not made("a", adopt=False), "of calls that nobody knows nothing is kept"
    assert made("a", adopt=False)
    assert not made("b", adopt=False) and not made("a", adopt=True)
    record.unlink()
    assert made("a", adopt=True)
    record.write_text("{")
    assert not made("a", adopt=False)
    record.unlink()
    record.mkdir()
    with pytest.raises(InputError, match="made_from"):
        made("a", adopt=True)
