"""The demo from raw reads to the report, held to the truth that was simulated."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT


@pytest.fixture(scope="module")
def demo(snakemake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a complete run."""
    folder = tmp_path_factory.mktemp("demo")
    shutil.copytree(ROOT / "config", folder / "config")
    run = snakemake(folder, "--quiet", "rules")
    assert run.returncode == 0, run.stdout[-5000:]
    return folder


def table(path: Path, **options: object) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", **options)


def test_degraded_and_empty_samples_are_excluded_and_no_others(demo: Path) -> None:
    truth = table(demo / "results/demo/truth_samples.tsv").set_index("sample")
    qc = table(demo / "results/qc/samples.tsv").set_index("sample")
    spoiled = set(truth.index[truth["degraded"] | truth["empty"]])
    dropped = set(qc.index[~qc["kept"]])
    print(f"degraded {truth['degraded'].sum()}, empty {truth['empty'].sum()}, dropped {dropped}")
    assert truth["degraded"].sum() == 6 and truth["empty"].sum() == 1
    assert dropped == spoiled
    assert qc.loc[list(dropped), "reason"].str.len().min() > 0
    degraded = truth.index[truth["degraded"]]
    assert qc.loc[degraded, "reason"].str.contains("mRIN").all()


def test_the_batch_effect_shrinks_and_biology_stays(demo: Path) -> None:
    rows = table(demo / "results/expression/diagnostics.tsv", dtype=str)
    rows = rows[rows["stage"].isin(["before", "after"])]
    found = rows.pivot(index="measure", columns="stage", values="value").astype(float)
    print(found.to_string())
    before, after = found["before"], found["after"]
    assert after["variance_source"] < 0.5 * before["variance_source"]
    assert after["predicted_source"] < before["predicted_source"] - 0.2
    assert after["concordance"] >= 0.9 > before["concordance"]
    assert after["predicted_tissue"] >= before["predicted_tissue"] - 0.02
    assert after["predicted_disease_state"] >= before["predicted_disease_state"] - 0.02


def test_calls_on_test_samples_are_right_well_above_chance(demo: Path) -> None:
    classes = json.loads((demo / "results/cohort/classes.json").read_text())
    metrics = table(demo / "results/evaluation/dl_pca/metrics.tsv")
    found = metrics[metrics["metric"] == "balanced_accuracy"].set_index("head")["value"]
    for head in ("disease_state", "tissue", "subtype"):
        chance = 1 / len(classes[head])
        print(f"{head}: balanced accuracy {found[head]:.3f}, chance {chance:.3f}")
        assert found[head] >= chance + 0.6 * (1 - chance)


def test_how_far_to_trust_a_call_is_measured_and_frozen_in_the_bundle(demo: Path) -> None:
    sets = table(demo / "results/evaluation/dl_pca/sets.tsv")
    whole = sets[sets["tissue"].isna()].set_index("head")
    print(whole[["samples", "coverage", "size", "empty"]].to_string())
    assert whole.loc[["disease_state", "tissue"], "coverage"].min() >= 0.6
    missing = table(demo / "results/evaluation/dl_pca/missing_genes.tsv")
    fifth = missing[(missing["missing"] == 0.2) & (missing["split"] == "test")]
    assert fifth["loss"].max() < 0.15
    bundle = json.loads((demo / "results/bundle/bundle.json").read_text())
    assert 0 < bundle["thresholds"]["genes"] < 1
    assert set(bundle["sets"]["thresholds"]) == {"disease_state", "tissue", "subtype"}


def test_training_and_test_share_no_donor(demo: Path) -> None:
    samples = table(demo / "results/cohort/samples.tsv", dtype=str)
    assert samples.groupby("donor")["split"].nunique().max() == 1
    assert set(samples["split"]) == {"train", "validation", "test"}


def test_all_models_are_compared(demo: Path) -> None:
    benchmark = table(demo / "results/benchmark/benchmark.tsv")
    assert set(benchmark["model"]) == {
        *("dl_pca", "dl_rf", "dl_all", "dt", "et", "svm", "sgd", "knn"),
        *("logreg", "linear_svm", "boosting"),
    }
    assert benchmark[["balanced_accuracy", "fit_seconds", "peak_memory_mb"]].notna().all(axis=None)


def test_cross_validation_and_the_studies_left_out_are_scored(demo: Path) -> None:
    folder = demo / "results/protocols"
    folds = table(folder / "crossvalidation.tsv")
    kept = table(demo / "results/qc/samples.tsv")["kept"].sum()
    assert (folds.loc[folds["head"] == "tissue", "n"] == kept).all()
    outside = table(folder / "outside.tsv")
    assert set(outside["part"]) == {"atlas", "oncology"}
    print(outside[outside["metric"] == "balanced_accuracy"].to_string())


def test_the_bundle_repeats_the_call_of_training(snakemake, demo: Path) -> None:
    """Reads of test samples, sent through `classify` without labels, give the numbers they had."""
    predictions = table(demo / "results/evaluation/dl_pca/predictions.tsv")
    chosen = predictions[predictions["split"] == "test"].head(3).set_index("sample")
    sheet = table(ROOT / "resources/demo.tsv", dtype=str, keep_default_na=False)
    sheet = sheet.set_index("sample").loc[chosen.index, ["fastq_1", "fastq_2"]]
    sheet.to_csv(demo / "new.tsv", sep="\t")
    config = ["--config", "bundle=results/bundle", "samples=new.tsv"]
    run = snakemake(demo, "classify", "--quiet", "rules", *config)
    assert run.returncode == 0, run.stdout[-5000:]
    calls = table(demo / "results/classify/calls.tsv").set_index("sample").loc[chosen.index]
    columns = [name for name in chosen.columns if name.startswith("tissue:")]
    difference = (calls[columns] - chosen[columns]).abs().to_numpy().max()
    print(f"largest difference of a probability: {difference:.2e}")
    assert difference < 1e-5
    novelty = table(demo / "results/evaluation/dl_pca/novelty.tsv").set_index("sample")["score"]
    assert (calls["novelty"] - novelty.loc[chosen.index]).abs().max() < 1e-4
    answered = calls["tissue_abstained"].isna()
    assert (calls["tissue"] == chosen["tissue_call"])[answered].all()
    assert calls.loc[~answered, "tissue"].isna().all()
    genes = table(demo / "results/classify/genes.tsv", dtype={"sample": str})
    for sample in chosen.index:
        page = (demo / f"results/classify/pages/{sample}.html").read_text()
        assert "Tissue of origin" in page and "RNA integrity against the training cohort" in page
        assert ("The genes behind the call" in page) == (sample in set(genes["sample"]))


def test_the_simulated_markers_speak_for_their_classes(demo: Path) -> None:
    truth = table(demo / "results/demo/truth_genes.tsv").set_index("symbol")["marker_of"].fillna("")
    genes = table(demo / "results/evaluation/dl_pca/genes.tsv")
    shares = {}
    for (head, name), rows in genes[genes["rank"] <= 10].groupby(["head", "class"]):
        if (truth == f"{head}:{name}").any():
            shares[f"{head}:{name}"] = (truth[rows["gene"]] == f"{head}:{name}").mean()
    print(shares)
    assert min(share for name, share in shares.items() if name.startswith("tissue")) >= 0.6
    assert sum(shares.values()) / len(shares) >= 0.6


def test_a_second_run_has_nothing_to_do(snakemake, demo: Path) -> None:
    run = snakemake(demo)
    assert run.returncode == 0
    assert "Nothing to be done" in run.stdout


def test_the_report_is_one_file_with_every_category(snakemake, demo: Path) -> None:
    run = snakemake(demo, "--report", "report.html")
    assert run.returncode == 0, run.stdout[-3000:]
    text = (demo / "report.html").read_text()
    for category in ("Summary", "Quality", "Cohort", "Correction", "Training", "Evaluation"):
        assert category in text, category
    assert not re.search(r'<(script|link|img)[^>]+(src|href)="https?://', text)
