"""The demo on a real SLURM, through profiles/slurm, undisturbed and disturbed in every way.

The demo is reduced, for every job costs SLURM and Snakemake some seconds: six of its samples come
from simulated reads, the others from a matrix of counts that the same simulation expects, and the
search and training are short. Every rule of the workflow runs, in the partition and with the
memory and time that the rules and the profile ask for.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, write_config
from local_slurm import ACCOUNT, GPU_MODEL, LocalSlurm, wait_until
from tissuestate.demo.genome import synthesise_genome
from tissuestate.demo.reads import draw_genes, expected_expression

SEED = 2022
FROM_READS = 6
PER_SAMPLE = ("align_reads", "profile_integrity", "count_reads")
GPU_RULES = {"tune_network", "train_network"}
PARTS = ("cohort", "counts", "integrity", "quality", "expression", "features")
PARTS += ("models", "evaluation", "bundle")
# Whatever states how long a job took differs from run to run.
TIMED = ("cost.json", "benchmark.tsv", "summary.tsv", "trials.jsonl", "bundle.json")

RUNS: list[subprocess.Popen[bytes]] = []


@pytest.fixture(scope="session")
def slurm() -> Iterator[LocalSlurm]:
    """A cluster of two CPU nodes and one with a GPU, taken down at the end."""
    if os.geteuid() != 0:
        pytest.skip("slurmd starts jobs as the user who submitted them: run as root")
    # Not below pytest's folder, which is closed to others: munge refuses to answer there.
    folder = Path(tempfile.mkdtemp(prefix="slurm."))
    folder.chmod(0o755)
    cluster = LocalSlurm(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        for run in RUNS:
            run.kill()
        cluster.stop()
        shutil.rmtree(folder)


def prepare(folder: Path) -> None:
    """Sheet, matrix, config and profile of the reduced demo; the profile as a user edits it."""
    sheet = pd.read_csv(ROOT / "resources" / "demo.tsv", sep="\t", dtype=str, keep_default_na=False)
    sheet = sheet[sheet["tissue"].isin(["kidney", "liver"])]
    reads = sheet[(sheet["subtype"] == "kirc") & (sheet["fastq_2"] != "")].head(FROM_READS)
    genes = draw_genes(synthesise_genome(SEED), SEED)
    others = sheet.drop(reads.index).assign(fastq_1="", fastq_2="", strandedness="")
    others = others.assign(matrix="counts.tsv", unit="count")
    shares = {row["sample"]: expected_expression(genes, row, SEED) for _, row in others.iterrows()}
    counts = {name: np.rint(2000 * x / x.mean()).astype(int) for name, x in shares.items()}
    pd.DataFrame(counts, index=genes["gene_id"]).to_csv(folder / "counts.tsv", sep="\t")
    pd.concat([reads, others]).fillna("").to_csv(folder / "samples.tsv", sep="\t", index=False)
    write_config(
        folder,
        samples="samples.tsv",
        demo={"pairs": 2000},
        correction={"method": "two-step", "n_sv": 1},
        features={"kinds": ["pca"], "components": 8},
        tuning={"evaluations": 2, "epochs": 2},
        training={"epochs": 10},
        evaluation={"resamples": 100},
        benchmark={"models": ["logreg"]},
        protocols={"seeds": 0, "leave_out": []},
    )
    profile = (ROOT / "profiles" / "slurm" / "config.yaml").read_text()
    for ours, theirs in (("my_account", ACCOUNT), ("gpu_model: any", f"gpu_model: {GPU_MODEL}")):
        assert profile.count(ours) == 1
        profile = profile.replace(ours, theirs)
    (folder / "profile").mkdir()
    (folder / "profile" / "config.yaml").write_text(profile)


def start(slurm: LocalSlurm, folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Snakemake's main process on a prepared folder; its output goes to run.log there.

    Three samples share an allocation, and SLURM is asked more often than the profile says.
    """
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--profile", "profile", "--configfile", "config.yaml"]
    command += ["--group-components", "sample=3", "--latency-wait", "10"]
    command += ["--slurm-init-seconds-before-status-checks", "3"]
    command += ["--seconds-between-status-checks", "2", *arguments]
    environment = slurm.environment
    environment["PATH"] = f"{folder}/bin:{environment['PATH']}"
    with (folder / "run.log").open("ab") as log:
        run = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    RUNS.append(run)
    return run


def finish(run: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait for a run that has to succeed."""
    assert run.wait(timeout=2400) == 0, (folder / "run.log").read_text()[-6000:]


def of_rule(records: list[dict[str, str]], rule: str) -> list[dict[str, str]]:
    """The records of one rule's jobs, or of the groups of samples."""
    return [
        record
        for record in records
        if record["Comment"].removeprefix("rule_").startswith(f"{rule}_wildcards")
        or record["Comment"].removeprefix("rule_") == rule
        or (rule == "sample" and record["Comment"].startswith("rule_sample_align_reads"))
    ]


def megabytes(memory: str) -> float:
    """SLURM's '2017M' or '2.50G' as MB."""
    return float(memory[:-1]) * {"M": 1, "G": 1024}[memory[-1]]


def final_tables(results: Path) -> dict[str, bytes]:
    """Every table, array and network of a run, but those that state times."""
    kinds = (".tsv", ".gz", ".npz", ".safetensors", ".json")
    return {
        str(path.relative_to(results)): path.read_bytes()
        for part in PARTS
        for path in sorted((results / part).rglob("*"))
        if path.suffix in kinds and path.name not in TIMED
    }


# ---- undisturbed --------------------------------------------------------------------------------

Started = tuple[subprocess.Popen[bytes], Path]


@pytest.fixture(scope="module")
def undisturbed_run(slurm: LocalSlurm, tmp_path_factory: pytest.TempPathFactory) -> Started:
    """A complete run that nothing disturbs, started."""
    folder = tmp_path_factory.mktemp("undisturbed")
    prepare(folder)
    return start(slurm, folder), folder


@pytest.fixture(scope="module")
def undisturbed(undisturbed_run: Started, starved_run: Started) -> Path:
    """The folder of a complete run that nothing disturbed."""
    finish(*undisturbed_run)
    return undisturbed_run[1]


def test_the_run_is_complete_and_no_job_failed(slurm: LocalSlurm, undisturbed: Path) -> None:
    records = slurm.records(undisturbed)
    assert {record["State"] for record in records} == {"COMPLETED"}
    assert {record["Account"] for record in records} == {ACCOUNT}
    assert (undisturbed / "results" / "report" / "summary.html").stat().st_size > 0


def test_gpu_rules_and_no_others_get_a_gpu(slurm: LocalSlurm, undisturbed: Path) -> None:
    records = slurm.records(undisturbed)
    gpu = [record for rule in GPU_RULES for record in of_rule(records, rule)]
    assert len(gpu) == 4  # the two networks
    for record in records:
        resources = record["AllocTRES"].split(",")
        if record in gpu:
            assert record["Partition"] == "gpu", record
            assert "gres/gpu=1" in resources and f"gres/gpu:{GPU_MODEL}=1" in resources, record
        else:
            assert record["Partition"] == "cpu", record
            assert "gpu" not in record["AllocTRES"], record


def test_steps_of_a_sample_share_an_allocation(slurm: LocalSlurm, undisturbed: Path) -> None:
    records = slurm.records(undisturbed)
    groups = of_rule(records, "sample")
    assert len(groups) == FROM_READS / 3
    assert not any(of_rule(records, rule) for rule in PER_SAMPLE)
    for group in groups:  # as wide as its widest step, as long as all of its steps
        assert "cpu=4" in group["AllocTRES"].split(",")
        assert 3000 <= megabytes(group["ReqMem"]) < 3100
        assert int(group["TimelimitRaw"]) == 3 * (30 + 10 + 15)


def test_logs_are_in_one_folder_and_those_of_slurm_kept_for_failures(undisturbed: Path) -> None:
    logs = undisturbed / "results" / "logs"
    assert len(list((logs / "align_reads").glob("*.log"))) == FROM_READS
    assert (logs / "correct_expression.log").exists()
    assert not list((logs / "slurm").rglob("*.log"))


# ---- too little memory or time ------------------------------------------------------------------


@pytest.fixture(scope="module")
def starved_run(slurm: LocalSlurm, tmp_path_factory: pytest.TempPathFactory) -> Started:
    """A run whose index needs more memory, and whose gene map more time, than asked; started.

    STAR and Rscript are programs on the PATH that waste memory or time before they do as they are
    told, when a job calls them for the first time. The index is given 2 GB, not 6, and 4 at the
    second attempt; the shortest time that rules ask for is ten minutes, which here is one, and
    twenty at the second attempt. The run takes minutes and little work, and goes beside the
    undisturbed one.
    """
    folder = tmp_path_factory.mktemp("starved")
    prepare(folder)
    (folder / "bin").mkdir()
    waste = {
        "STAR": "head -c 2500000000 /dev/zero | tail -c 2500000000 | sleep 60",
        "Rscript": "sleep 170",
    }
    for program, how in waste.items():
        wrapper = folder / "bin" / program
        wrapper.write_text(
            f'#!/bin/bash\nif [ -n "$SLURM_JOB_ID" ] && [ ! -e {wrapper}.called ]; then\n'
            f"    touch {wrapper}.called; {how}\nfi\n"
            f'exec {shutil.which(program)} "$@"\n'
        )
        wrapper.chmod(0o755)
    targets = ("results/reference/star/SA", "results/matrices/gene_ids.tsv.gz")
    little = ("map_genes:runtime=19*attempt-18", "index_genome:mem_mb=2000*attempt")
    return start(slurm, folder, "--set-resources", *little, "--", *targets), folder


@pytest.fixture(scope="module")
def starved(starved_run: Started) -> Path:
    """The folder of the starved run, which succeeded all the same."""
    finish(*starved_run)
    return starved_run[1]


def test_a_job_out_of_memory_succeeds_with_twice_as_much(slurm: LocalSlurm, starved: Path) -> None:
    first, second = of_rule(slurm.records(starved), "index_genome")
    # SLURM counts the step that it killed as failed, and says why in the job's log, which is kept.
    assert (first["State"], second["State"]) == ("FAILED", "COMPLETED")
    said = starved / "results" / "logs" / "slurm" / "rule_index_genome" / f"{first['JobIDRaw']}.log"
    assert "exceeded memory limit" in said.read_text()
    assert megabytes(second["ReqMem"]) == pytest.approx(2 * megabytes(first["ReqMem"]), abs=2)
    assert int(second["TimelimitRaw"]) == 2 * int(first["TimelimitRaw"])
    assert first["JobIDRaw"] != second["JobIDRaw"]  # another allocation


def test_a_job_over_its_time_succeeds_with_more(slurm: LocalSlurm, starved: Path) -> None:
    first, second = of_rule(slurm.records(starved), "map_genes")
    assert (first["State"], first["TimelimitRaw"]) == ("TIMEOUT", "1")
    assert (second["State"], second["TimelimitRaw"]) == ("COMPLETED", "20")
    assert megabytes(second["ReqMem"]) == pytest.approx(2 * megabytes(first["ReqMem"]), abs=2)


def test_the_starved_run_made_the_same_files(starved: Path, undisturbed: Path) -> None:
    for name in ("matrices/gene_ids.tsv.gz", "reference/star/SA", "reference/star/Genome"):
        ours, theirs = (folder / "results" / name for folder in (starved, undisturbed))
        assert ours.read_bytes() == theirs.read_bytes(), name


# ---- a node and the main process are killed, the controller is restarted ------------------------


@pytest.fixture(scope="module")
def disturbed(slurm: LocalSlurm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that lost a node, its controller for a while, and its main process."""
    folder = tmp_path_factory.mktemp("disturbed")
    prepare(folder)
    targets = ("results/bundle/bundle.json", "results/report/paper.tsv")
    run = start(slurm, folder, "--", *targets)

    def running(rule: str) -> dict[str, str]:
        """The running jobs of a rule by id, with their nodes."""
        assert run.poll() is None, (folder / "run.log").read_text()[-6000:]
        lines = slurm.command("squeue", "-h", "-t", "RUNNING", "-o", "%i|%k|%N").splitlines()
        jobs = [line.split("|") for line in lines]
        return {job: node for job, comment, node in jobs if comment.startswith(f"rule_{rule}")}

    counts = folder / "results" / "counts"
    wait_until("samples counted", lambda: any(counts.glob("*.tsv")), 1800)
    node = next(iter(running("sample").values()))
    slurm.kill_node(node)
    wait_until("the samples come back", lambda: set(running("sample").values()) - {node}, 600)
    slurm.start_node(node)

    wait_until("the correction runs", lambda: running("correct_expression"), 1800)
    slurm.stop_controller()
    slurm.start_controller()

    wait_until("a network is trained", lambda: running("train_network"), 1800)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    # As docs/cluster.md says: cancel what the dead process has left, unlock, and run again.
    for job in slurm.command("squeue", "-h", "-o", "%i %j").splitlines():
        if job.split()[1].startswith("tissuestate_"):
            slurm.command("scancel", job.split()[0])
    finish(start(slurm, folder, "--unlock"), folder)
    finish(start(slurm, folder, "--", *targets), folder)
    return folder


def test_samples_on_a_node_that_died_are_run_on_another(slurm: LocalSlurm, disturbed: Path) -> None:
    records = of_rule(slurm.records(disturbed), "sample")
    died = [record for record in records if record["State"] == "NODE_FAIL"]
    assert died
    again = [record for record in records if record["State"] == "COMPLETED"]
    assert len(again) == FROM_READS / 3
    assert any(one["NodeList"] != two["NodeList"] for one in died for two in again)


def test_a_restarted_controller_loses_no_job(slurm: LocalSlurm, disturbed: Path) -> None:
    records = of_rule(slurm.records(disturbed), "correct_expression")
    assert [record["State"] for record in records] == ["COMPLETED"]


def test_after_a_killed_main_process_only_the_rest_is_run(
    slurm: LocalSlurm, disturbed: Path
) -> None:
    records = slurm.records(disturbed)
    states = [record["State"].split()[0] for record in of_rule(records, "train_network")]
    assert "CANCELLED" in states and states.count("COMPLETED") == 2
    for rule in ("simulate_cohort", "index_genome", "assemble_cohort", "normalise_expression"):
        done = [r for r in of_rule(records, rule) if r["State"] == "COMPLETED"]
        assert len(done) == 1, rule


def test_disturbances_change_no_table(disturbed: Path, undisturbed: Path) -> None:
    ours, theirs = (final_tables(folder / "results") for folder in (disturbed, undisturbed))
    assert {"evaluation/dl_pca/predictions.tsv", "bundle/features.npz"} <= set(ours)
    assert set(ours) <= set(theirs)
    assert [name for name in ours if ours[name] != theirs[name]] == []
