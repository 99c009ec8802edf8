"""Real GTEx and TCGA matrices of four sources, half of the donors: from sheet to benchmark."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT, write_config
from reading import Page


@pytest.fixture(scope="module")
def real(snakemake, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with a short search and one kind of features."""
    folder = tmp_path_factory.mktemp("real")
    maker = [sys.executable, str(ROOT / "tests" / "real_sheet.py"), str(data / "tcga_gtex")]
    subprocess.run([*maker, str(folder / "samples.tsv"), "0.5"], check=True)
    config = write_config(
        folder,
        "tests/integration/real.yaml",
        features={"kinds": ["pca"], "components": 150},
        tuning={"evaluations": 4, "epochs": 8},
        training={"epochs": 60},
        benchmark={"models": ["logreg"]},
        protocols={"seeds": 0, "leaks": [], "leave_out": []},
    )
    run = snakemake(folder, "--quiet", "rules", "--configfile", str(config))
    assert run.returncode == 0, run.stdout[-5000:]
    return folder / "results"


def test_ids_of_three_kinds_are_merged_into_common_genes(real: Path) -> None:
    genes = pd.read_csv(real / "cohort" / "genes.tsv", sep="\t")
    print(genes.to_string())
    assert set(genes["dataset"]) == {"rnaseqdb", "metagsca", "tcgaworkflow", "damirseq"}
    assert set(genes["id_type"]) == {"symbol", "ensembl"}
    assert (genes["recognised"] > 0.9 * genes["genes"]).all()


def test_replicates_of_two_sources_are_nearest_after_correction(real: Path) -> None:
    rows = pd.read_csv(real / "expression" / "diagnostics.tsv", sep="\t", dtype=str)
    found = rows.set_index(["stage", "measure"])["value"]
    before, after = (float(found[stage, "concordance"]) for stage in ("before", "after"))
    unseen = float(found["after", "concordance_held_out"])
    print(f"concordance {before:.3f} before, {after:.3f} after, {unseen:.3f} outside training")
    assert before < 0.5
    assert after >= 0.9 and unseen >= 0.9


def test_calls_on_test_donors_are_right(real: Path) -> None:
    metrics = pd.read_csv(real / "evaluation" / "dl_pca" / "metrics.tsv", sep="\t")
    accuracy = metrics[metrics["metric"] == "accuracy"].set_index("head")["value"]
    print(accuracy.to_string())
    assert accuracy["disease_state"] >= 0.95
    assert accuracy["tissue"] >= 0.95
    assert accuracy["subtype"] >= 0.8


def test_a_fifth_of_the_genes_missing_costs_little_accuracy(real: Path) -> None:
    curve = pd.read_csv(real / "evaluation" / "dl_pca" / "missing_genes.tsv", sep="\t")
    fifth = curve[(curve["missing"] == 0.2) & (curve["kind"] == "random")]
    loss = fifth[fifth["split"] == "test"].set_index("head")["loss"]
    print(loss.to_string())
    # a sample is 0.007 here; on five splits of all donors no head lost 0.01: benchmarks/trust.tsv
    assert loss[["disease_state", "tissue"]].max() <= 0.02
    assert loss["subtype"] <= 0.04  # one of about thirty samples


def test_sets_hold_about_nine_of_ten_and_abstaining_leaves_few_mistakes(real: Path) -> None:
    sets = pd.read_csv(real / "evaluation" / "dl_pca" / "sets.tsv", sep="\t")
    whole = sets[sets["tissue"].isna()].set_index("head")
    print(whole[["samples", "coverage", "low", "high", "size"]].to_string())
    # the promise holds on average over validation samples: with 60 donors it strays by 4 points
    assert whole.loc[["disease_state", "tissue"], "coverage"].between(0.8, 0.99).all()
    answered = pd.read_csv(real / "evaluation" / "dl_pca" / "abstention.tsv", sep="\t")
    rule = answered[answered["rule"] == "abstention"].set_index("head")
    print(rule[["share", "accuracy"]].to_string())
    assert rule.loc[["disease_state", "tissue"], "share"].min() >= 0.85
    assert rule.loc[["disease_state", "tissue"], "accuracy"].min() >= 0.96


def test_no_donor_is_in_two_splits(real: Path) -> None:
    samples = pd.read_csv(real / "cohort" / "samples.tsv", sep="\t", dtype=str)
    assert samples.groupby("donor")["split"].nunique().max() == 1
    assert samples.groupby("specimen")["split"].nunique().max() == 1


def test_the_report_states_that_study_and_state_are_confounded(real: Path) -> None:
    text = Page((real / "report" / "summary.html").read_text()).text
    assert "Never in the same study and source: non-neoplastic and peri-neoplastic" in text
