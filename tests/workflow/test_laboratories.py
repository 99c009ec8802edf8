"""A cohort of five laboratories calls the samples of a sixth by ridge regression."""

import json
import re
import sqlite3
import subprocess
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from conftest import write_config
from laboratory_samples import CLASSES, labels
from tissuestate.classify import Classifier

FIND = 'cat(system.file("extdata", "org.Hs.eg.sqlite", package = "org.Hs.eg.db"))'
GENES = 300
SPARSE = "E"  # the laboratory that measures two thirds of them
MARKERS = {  # genes of each class, 4 times as high there
    "kidney": range(0, 25),
    "liver": range(25, 50),
    "neoplastic": range(50, 80),
    "peri-neoplastic": range(80, 100),
    "kirc": range(100, 120),
    "kirp": range(120, 140),
    "other": range(140, 170),
}
CONFIG = {
    "samples": "samples.tsv",
    "demo": None,
    "cohort": {"genes": "most"},
    "features": {"kinds": ["pca"], "components": 20},
    "tuning": {"evaluations": 2, "epochs": 2},
    "training": {"epochs": 5},
    "evaluation": {"resamples": 100},
    "benchmark": {"models": ["logreg"]},
    "protocols": {"seeds": 0, "leave_out": []},
}


def gene_names() -> list[str]:
    """Symbols of real genes: others would not be recognised."""
    found = subprocess.run(["Rscript", "-e", FIND], capture_output=True, text=True, check=False)
    if not found.stdout.strip():
        pytest.skip("R package org.Hs.eg.db is not installed")
    query = "SELECT DISTINCT symbol FROM gene_info WHERE symbol GLOB 'ZNF[0-9]*' ORDER BY symbol"
    with sqlite3.connect(f"file:{found.stdout.strip()}?mode=ro", uri=True) as database:
        return [row[0] for row in database.execute(query).fetchmany(GENES)]


def counts(obs: pd.DataFrame, genes: list[str]) -> pd.DataFrame:
    """Genes × samples: markers of the classes, a shift of each laboratory, depth and Poisson."""
    log2 = np.tile(np.random.default_rng(1).normal(7, 1.5, GENES), (len(obs), 1))
    for name, markers in MARKERS.items():
        rows = (obs[["tissue", "disease_state", "subtype"]] == name).any(axis=1).to_numpy()
        log2[np.ix_(rows, markers)] += 2
    for laboratory in sorted(set(obs["laboratory"])):
        rng = np.random.default_rng(ord(laboratory))
        log2[(obs["laboratory"] == laboratory).to_numpy()] += rng.normal(0, 0.5, GENES)
    rng = np.random.default_rng(2)
    rates = 2 ** (log2 + rng.normal(0, 0.4, log2.shape) + rng.uniform(-1, 1, (len(obs), 1)))
    return pd.DataFrame(rng.poisson(rates).T, index=genes, columns=obs.index)


def write_matrix(folder: Path, obs: pd.DataFrame, genes: list[str]) -> None:
    """The counts of one laboratory's samples, LABORATORY.tsv."""
    laboratory = obs["laboratory"].iloc[0]
    table = counts(obs, genes)
    table[: 200 if laboratory == SPARSE else GENES].to_csv(folder / f"{laboratory}.tsv", sep="\t")


def write_sheet(folder: Path, obs: pd.DataFrame) -> None:
    sheet = obs.assign(matrix=obs["laboratory"] + ".tsv", unit="count", specimen=obs.index)
    sheet.rename_axis("sample").to_csv(folder / "samples.tsv", sep="\t")


def cohort_of(laboratories: str, each: int = 6) -> pd.DataFrame:
    """Samples of each class, and for X of no class alone; the sparse laboratory has fewer."""
    obs = labels(laboratories, each=each, none=4)
    few = (obs["laboratory"] == SPARSE) & (obs.groupby("laboratory").cumcount() % 2 == 1)
    return obs[~few & ((obs["laboratory"] != "X") | (obs["tissue"] == "other"))]


@pytest.fixture(scope="module")
def folder(snakemake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run to the bundle, and of the calls that it makes of laboratory F."""
    folder, genes = tmp_path_factory.mktemp("laboratories"), gene_names()
    obs = cohort_of("ABCDEX")
    for _, own in [*obs.groupby("laboratory"), *labels("F", each=4).groupby("laboratory")]:
        write_matrix(folder, own, genes)
    write_sheet(folder, obs)
    config = write_config(folder, "config/defaults.yaml", **CONFIG)
    targets = ["laboratories", "results/bundle/bundle.json"]
    run = snakemake(folder, "--quiet", "rules", "--configfile", str(config), "--", *targets)
    assert run.returncode == 0, run.stdout[-5000:]
    new = labels("F", each=4)
    sheet = pd.DataFrame({"sample": new.index, "matrix": "F.tsv", "unit": "count"})
    sheet.to_csv(folder / "new.tsv", sep="\t", index=False)
    options = ["--config", "bundle=results/bundle", "samples=new.tsv"]
    run = snakemake(folder, "classify", "--quiet", "rules", *options)
    assert run.returncode == 0, run.stdout[-5000:]
    return folder


def table(path: Path, **options: object) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", **options)
