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
from laboratory_samples import labels
from tissuestate.classification.explanation import Explainer
from tissuestate.classify import Classifier

FIND = 'cat(system.file("extdata", "org.Hs.eg.sqlite", package = "org.Hs.eg.db"))'
GENES = 300
SPARSE = "E"  # the laboratory that measures two thirds of them
MARKERS = {  # genes of each class, 4 times as high there
    "kidney": range(25),
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


@pytest.mark.slow
def test_each_laboratory_is_left_out_and_judges(folder: Path) -> None:
    left_out = folder / "results/laboratories/left_out"
    assert {path.stem for path in left_out.iterdir()} == set("ABCDEX")
    candidates = table(folder / "results/laboratories/candidates.tsv")
    assert candidates["chosen"].sum() == 1
    assert candidates.loc[candidates["chosen"], "loss"].item() == candidates["loss"].min()
    recipe = json.loads((folder / "results/laboratories/recipe.json").read_text())
    (name,) = candidates.loc[candidates["chosen"], "candidate"]
    assert name.startswith(recipe["normalisation"])
    scores = table(folder / "results/laboratories/scores.tsv")
    means = scores[(scores["labels"] == "all") & (scores["group"] == "all")]
    found = means[means["member"] == "mean over laboratories"].set_index(["question", "metric"])
    value = found["value"]
    print(value.to_string())
    assert found.loc[("tissue", "answered"), "laboratories"] == 5
    assert value["tissue", "answered"] > 0.8 and value["tissue", "right_of_answered"] > 0.95
    assert value["tumour", "right_of_answered"] > 0.9
    assert value["new", "answered"] <= 0.3 and value["new", "auroc_novelty"] > 0.9
    calls = table(folder / "results/laboratories/calls.tsv")
    samples = table(folder / "results/cohort/samples.tsv").set_index("sample")
    assert set(calls["sample"]) == set(samples.index[samples["split"] != "test"])


@pytest.mark.slow
def test_genes_that_one_small_laboratory_lacks_are_kept(folder: Path) -> None:
    cohort = anndata.read_h5ad(folder / "results/cohort/cohort.h5ad")
    assert cohort.n_vars == GENES
    sparse = (cohort.obs["laboratory"] == SPARSE).to_numpy()
    assert np.isnan(cohort.X[sparse]).sum(axis=1).tolist() == [100] * sparse.sum()
    assert not np.isnan(cohort.X[~sparse]).any()


@pytest.mark.slow
def test_the_bundle_gives_training_samples_the_probabilities_of_training(folder: Path) -> None:
    classifier = Classifier.load(folder / "results/bundle")
    assert (folder / "results/bundle/ridge.npz").exists()
    assert not (folder / "results/bundle/multitask").exists()
    expected = table(folder / "results/evaluation/ridge/predictions.tsv").set_index("sample")
    matrices = [table(folder / f"{name}.tsv", index_col=0) for name in "ABCDE"]
    counts = pd.concat(matrices, axis=1).T.loc[expected.index]
    found = classifier.predict(counts, "count").table().set_index("sample")
    columns = [name for name in expected if ":" in name and "subtype" not in name]
    difference = (found[columns] - expected[columns]).abs().to_numpy().max()
    print(f"{len(expected)} samples, largest difference of a probability: {difference:.1e}")
    assert difference < 1e-6
    novelty = table(folder / "results/evaluation/ridge/novelty.tsv").set_index("sample")["score"]
    np.testing.assert_allclose(found["novelty"], novelty[found.index], atol=1e-4)


@pytest.mark.slow
def test_calls_in_a_laboratory_that_training_never_saw_are_right(folder: Path) -> None:
    calls = table(folder / "results/classification/calls.tsv", keep_default_na=False)
    calls = calls.set_index("sample")
    truth = labels("F", each=4).loc[calls.index]
    known = truth["tissue"] != "other"
    assert (calls["refused"] == "").all() and len(calls) == 27
    tissue = calls.loc[known, "tissue"]
    print((tissue != "").mean(), (calls.loc[~known, "tissue"] != "").mean())
    assert (tissue != "").mean() > 0.8
    assert (tissue == truth.loc[known, "tissue"])[tissue != ""].all()
    assert (calls.loc[~known, "tissue"] == "").all()
    tumour = calls.loc[known, "tumour"]
    right = np.where(truth.loc[known, "disease_state"] == "neoplastic", "yes", "no")
    assert (tumour != "").mean() > 0.8 and (tumour == right)[tumour != ""].all()
    shares = calls[["tumour_probability", "disease_state:neoplastic"]].astype(float)
    np.testing.assert_allclose(*shares.to_numpy().T, atol=1e-6)


@pytest.mark.slow
def test_genes_add_up_to_the_calls_and_every_sample_has_a_page(folder: Path) -> None:
    calls = table(folder / "results/classification/calls.tsv", keep_default_na=False)
    genes = table(folder / "results/classification/genes.tsv")
    called = calls.loc[calls["tissue"] != "", "sample"]
    assert set(genes.loc[genes["head"] == "tissue", "sample"]) == set(called)
    classifier = Classifier.load(folder / "results/bundle")
    explainer = Explainer(classifier)
    counts = table(folder / "F.tsv", index_col=0).T
    (expression,) = classifier.expression(counts.loc[called], "count")
    heads = classifier.description["classes"]
    for head, chosen in (("tissue", heads["tissue"][0]), ("disease_state", "neoplastic")):
        found = explainer.explain(expression.to_numpy(float), head, [chosen] * len(called))
        total = found.contributions.sum(axis=1)
        np.testing.assert_allclose(total, found.difference, rtol=0.01, atol=1e-3)
    first = genes[(genes["head"] == "tissue") & (genes["rank"] == 1)]
    markers = {counts.columns[gene] for name in ("kidney", "liver") for gene in MARKERS[name]}
    assert first["gene"].isin(markers).mean() > 0.8
    for name in calls["sample"]:
        page = (folder / f"results/classification/pages/{name}.html").read_text()
        assert "Tissue of origin" in page and "Tumour" in page


@pytest.mark.parametrize(
    ("laboratories", "training", "left_out"),
    [("ABCD", {}, 4), ("ABC", {}, 0), ("ABCX", {}, 0), ("ABCDE", {"recipe": "paper"}, 0)],
)
def test_laboratories_are_planned_if_there_are_four_and_the_recipe_is_ours(
    snakemake, tmp_path: Path, laboratories: str, training: dict[str, str], left_out: int
) -> None:
    obs = cohort_of(laboratories, each=1)
    for laboratory, own in obs.groupby("laboratory"):
        header = "gene\t" + "\t".join(own.index) + "\n"
        (tmp_path / f"{laboratory}.tsv").write_text(header)
    write_sheet(tmp_path, obs)
    chosen = {**CONFIG, "training": {**CONFIG["training"], **training}}
    config = write_config(tmp_path, "config/defaults.yaml", **chosen)
    run = snakemake(tmp_path, "-n", "--quiet", "rules", "--configfile", str(config))
    assert run.returncode == 0, run.stdout[-3000:]
    planned = {
        line.split()[0]: int(line.split()[1])
        for line in run.stdout.splitlines()
        if re.fullmatch(r"[a-z_0-9]+ +\d+", line.strip())
    }
    assert planned["train_network"] == 2, "networks are compared in any case"
    assert planned.get("leave_out_laboratory", 0) == left_out
    assert ("fit_ridge" in planned) == ("choose_recipe" in planned) == (left_out > 0)
    assert planned["fit_novelty" if not left_out else "evaluate_ridge"] >= 1
