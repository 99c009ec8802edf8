"""Files on S3 and on the web, executors without a shared file system, and use as a module."""

import contextlib
import functools
import http.server
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import numpy as np
import pandas as pd
import pytest
from botocore.exceptions import EndpointConnectionError
from conftest import ROOT, simulate_two, write_config
from snakemake.cli import get_profile_dir

GENES = ["TP53", "EGFR", "KRAS", "MYC", "PTEN", "RB1", "BRCA1", "ERBB2", "APC", "VHL", "MET", "ALB"]


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """A client of an S3 server on loopback with the bucket 'lab'; Snakemake finds it, too."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    with (tmp_path_factory.mktemp("s3") / "log").open("wb") as log:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", port]
        server = subprocess.Popen(command, stdout=log, stderr=log)
    access = {"endpoint_url": f"http://127.0.0.1:{port}", "region_name": "us-east-1"}
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    client = boto3.client("s3", **access, **keys)
    try:
        patience = time.monotonic() + 180  # on a busy machine
        while time.monotonic() < patience and server.poll() is None:
            with contextlib.suppress(EndpointConnectionError):
                client.create_bucket(Bucket="lab")
                break
            time.sleep(0.2)
        else:
            pytest.fail(Path(log.name).read_text())
        with pytest.MonkeyPatch.context() as environment:
            for name, value in (
                ("ENDPOINT_URL", access["endpoint_url"]),
                ("REGION", access["region_name"]),
                ("ACCESS_KEY", "test"),
                ("SECRET_KEY", "test"),
            ):
                environment.setenv(f"SNAKEMAKE_STORAGE_S3_{name}", value)
            yield client
    finally:
        server.kill()
        server.wait()


def keys(s3) -> set[str]:
    """The names of all objects in the bucket."""
    return {item["Key"] for item in s3.list_objects_v2(Bucket="lab").get("Contents", [])}


def write_counts(folder: Path, matrix: str) -> Path:
    """A cohort of 24 samples in counts.tsv, a sheet that names it `matrix`, and their config."""
    names = [f"s{n}" for n in range(24)]
    counts = np.random.default_rng(0).poisson(200, (len(GENES), len(names)))
    pd.DataFrame(counts, GENES, names).to_csv(folder / "counts.tsv", sep="\t")
    sheet = pd.DataFrame({"sample": names, "donor": names, "study": "A", "source": "A"})
    sheet["disease_state"] = ["neoplastic", "non-neoplastic"] * 12
    sheet["tissue"] = ["liver"] * 12 + ["lung"] * 12
    sheet = sheet.assign(subtype="", matrix=matrix, unit="count")
    sheet.to_csv(folder / "samples.tsv", sep="\t", index=False)
    return write_config(folder, samples="samples.tsv", demo=None)


def test_reads_and_reference_may_be_on_s3_and_on_the_web(snakemake, s3, tmp_path: Path) -> None:
    made, folder = tmp_path / "made", tmp_path / "run"
    folder.mkdir()
    sheet = simulate_two(made, made)
    for path in [made / "genome.fa", made / "annotation.gtf", *made.glob("x_*")]:
        s3.upload_file(str(path), "lab", f"in/{path.name}")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=made)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{web.server_port}"
        for mate in (1, 2):
            column = [f"s3://lab/in/x_{mate}.fastq.gz", f"{address}/y_{mate}.fastq.gz"]
            sheet[f"fastq_{mate}"] = column
        sheet.to_csv(folder / "samples.tsv", sep="\t", index=False)
        config = write_config(
            folder,
            samples="samples.tsv",
            demo=None,
            reference={
                "genome": {"path": "s3://lab/in/genome.fa", "checksum": None},
                "annotation": {"path": "s3://lab/in/annotation.gtf", "checksum": None},
            },
        )
        targets = ("results/counts/x.tsv", "results/counts/y.tsv")
        run = snakemake(folder, "--configfile", str(config), "--", *targets)
        web.shutdown()
    assert run.returncode == 0, run.stdout[-5000:]
    for target in targets:
        assert pd.read_csv(folder / target, sep="\t", comment="#").iloc[:, -1].sum() > 0


def test_a_matrix_may_be_on_s3(snakemake, s3, tmp_path: Path) -> None:
    config = write_counts(tmp_path, "s3://lab/in/counts.tsv")
    s3.upload_file(str(tmp_path / "counts.tsv"), "lab", "in/counts.tsv")
    (tmp_path / "counts.tsv").unlink()
    target = "results/cohort/cohort.h5ad"
    run = snakemake(tmp_path, "--configfile", str(config), "--", target)
    assert run.returncode == 0, run.stdout[-5000:]
    assert (tmp_path / target).exists()


def test_all_files_may_be_on_s3_and_another_machine_continues(
    snakemake, s3, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        config = write_counts(folder, "counts.tsv")
        s3.upload_file(str(folder / "counts.tsv"), "lab", "run/counts.tsv")
        (folder / "counts.tsv").unlink()
    storage = ["--default-storage-provider", "s3", "--default-storage-prefix", "s3://lab/run"]
    storage += ["--shared-fs-usage", "none", "--configfile", str(config)]
    storage += ["--rerun-triggers", "mtime", "--"]
    run = snakemake(first, *storage, "results/cohort/cohort.h5ad")
    assert run.returncode == 0, run.stdout[-5000:]
    assert "run/results/cohort/cohort.h5ad" in keys(s3)
    run = snakemake(second, *storage, "results/expression/normalised.h5ad")
    assert run.returncode == 0, run.stdout[-5000:]
    assert "0 of 1  Normalising expression" in run.stdout, "the cohort is not assembled again"
    assert "run/results/expression/normalised.h5ad" in keys(s3)
    assert not list(tmp_path.glob("*/results"))


def test_kubernetes_needs_a_profile_alone(snakemake, s3, tmp_path: Path) -> None:
    config = write_counts(tmp_path, "counts.tsv")
    s3.upload_file(str(tmp_path / "counts.tsv"), "lab", "pods/counts.tsv")
    profile = ROOT / "profiles" / "kubernetes"
    arguments = ["--default-storage-prefix", "s3://lab/pods", "--configfile", str(config)]
    run = snakemake(tmp_path, "--profile", str(profile), *arguments, "-n", "--quiet", "rules")
    assert run.returncode == 0, run.stdout[-5000:]
    assert re.search(r"^assemble_cohort +1$", run.stdout, flags=re.M), run.stdout


@pytest.mark.parametrize("door", ["Snakefile", "workflow/Snakefile"])
def test_either_snakefile_starts_from_another_folder(tmp_path: Path, door: str) -> None:
    write_counts(tmp_path, "counts.tsv")
    (tmp_path / "config.yaml").unlink()
    (tmp_path / "mine.yaml").write_text("samples: samples.tsv\nfeatures: {components: 8}\n")
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "-n", "--quiet", "rules"]
    command += ["--snakefile", str(ROOT / door), "--configfile", "mine.yaml"]
    command += ["--config", "trim=true", "features={kinds: [pca, rf], forest_genes: 5}"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    output = run.stdout + run.stderr
    assert run.returncode == 0, output
    assert re.search(r"^all +1$", output, flags=re.M), output
    assert re.search(r"^train_network +2$", output, flags=re.M), output
    assert "align_reads" not in output and "prepare_reference" not in output


@pytest.mark.parametrize("name", ["default", "slurm", "kubernetes"])
def test_a_profile_has_the_name_that_snakemake_prefers(name: str) -> None:
    folder, file = get_profile_dir(str(ROOT / "profiles" / name))
    assert file.name == "profile.v9+.yaml"
    assert file.read_text() == (folder / "config.yaml").read_text()


MODULE = """
import yaml


module tissuestate:
    snakefile: {snakefile}
    config: yaml.safe_load(open("config.yaml"))
    prefix: "cohort"


use rule * from tissuestate exclude map_genes as ts_*


use rule normalise_expression from tissuestate as ts_normalise_expression with:
    resources:
        mem_mb=700,


rule own_map:
    output: "cohort/results/matrices/gene_ids.tsv.gz"
    params: table="symbol\\tensembl\\tentrez\\taliases\\ttranscripts"
    shell: "(echo '{{params.table}}'; cut -sf 1 counts.tsv | tail -n +2 | sed 's/$/\\t\\t\\t\\t/')"
        " | gzip > {{output}}"


rule all:
    default_target: True
    input: "genes.txt"


rule count_genes:
    input: "cohort/results/expression/normalised.h5ad", "cohort/results/cohort/genes.tsv"
    output: "genes.txt"
    shell: "cp {{input[1]}} {{output}}"
"""


def test_another_workflow_uses_this_one_as_a_module(snakemake, tmp_path: Path) -> None:
    write_counts(tmp_path, "counts.tsv")
    snakefile = repr(str(ROOT / "workflow" / "Snakefile"))
    (tmp_path / "Snakefile").write_text(MODULE.format(snakefile=snakefile))
    run = snakemake(tmp_path, "--snakefile", str(tmp_path / "Snakefile"))
    assert run.returncode == 0, run.stdout[-5000:]
    assert "Building DAG of jobs..." in run.stdout, "the terminal of another workflow is its own"
    assert "Normalising expression" in run.stdout
    assert (tmp_path / "genes.txt").read_text().startswith("dataset")
    assert (tmp_path / "cohort/results/logs/assemble_cohort.log").exists()
    assert not (tmp_path / "results").exists()
    again = snakemake(tmp_path, "--snakefile", str(tmp_path / "Snakefile"))
    assert "Nothing to be done" in again.stdout, again.stdout


def test_a_module_simulates_the_demo_below_its_prefix(snakemake, demo_folder: Path) -> None:
    (demo_folder / "config" / "config.yaml").rename(demo_folder / "config.yaml")
    top = demo_folder / "Snakefile"
    top.write_text(MODULE.format(snakefile=repr(str(ROOT / "Snakefile"))))
    planned = snakemake(demo_folder, "--snakefile", str(top), "-n", "--", "ts_all")
    assert planned.returncode == 0, planned.stdout[-5000:]
    assert re.search(r"^ts_align_reads +84$", planned.stdout, flags=re.M)
    assert "cohort/results/demo/genome.fa" in planned.stdout
