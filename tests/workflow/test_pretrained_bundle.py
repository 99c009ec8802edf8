"""The target `classify` takes the bundle that comes with the workflow, if none is named."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from tissuestate.arrays import load_arrays
from tissuestate.bundle.format import PRETRAINED, read_bundle


def usual_counts() -> pd.DataFrame:
    """Counts of genes at their mean in the training of the bundle, in a column `usual`."""
    bundle = read_bundle(PRETRAINED)
    mean = load_arrays(bundle.path("imputation.npz"))["mean"]
    counts = np.rint(100 * np.exp2(mean)).clip(0)
    return pd.DataFrame({"usual": counts}, pd.Index(bundle.description["genes"], name="gene"))


def test_classify_without_a_bundle(snakemake, tmp_path: Path) -> None:
    usual_counts().to_csv(tmp_path / "counts.tsv", sep="\t")
    (tmp_path / "new.tsv").write_text("sample\tmatrix\tunit\nusual\tcounts.tsv\tcount\n")
    run = snakemake(tmp_path, "classify", "--config", "samples=new.tsv", "explain=false")
    assert run.returncode == 0, run.stdout[-3000:]
    bundle = read_bundle(PRETRAINED)
    assert f"by {bundle.name} (fingerprint {bundle.fingerprint[:12]})" in run.stdout
    folder = tmp_path / "results" / "classification"
    (row,) = pd.read_csv(folder / "calls.tsv", sep="\t").to_dict("records")
    assert row["bundle_name"] == bundle.name and row["bundle_fingerprint"] == bundle.fingerprint
    (record,) = json.loads((folder / "calls.json").read_text())
    assert record["bundle"]["name"] == bundle.name
    for page in ("usual", "index"):
        text = (folder / "pages" / f"{page}.html").read_text()
        assert bundle.name in text and bundle.fingerprint in text


def test_a_table_of_transcripts_is_called_as_its_genes(snakemake, tmp_path: Path) -> None:
    counts = usual_counts().reset_index()
    counts.to_csv(tmp_path / "counts.tsv", sep="\t", index=False)
    names = [f"ENST{number:011d}" for number in range(2 * len(counts))]
    pairs = pd.DataFrame({"tx": names, "gene": counts["gene"].repeat(2).to_numpy()})
    pairs.to_csv(tmp_path / "tx2gene.csv", index=False)
    reads = np.stack([np.floor(counts["usual"] / 3), counts["usual"]], axis=1)
    reads[:, 1] -= reads[:, 0]
    quant = pd.DataFrame({"Name": [f"{name}.2" for name in names], "Length": 1000})
    quant = quant.assign(EffectiveLength=900.0, TPM=1.0, NumReads=reads.ravel())
    quant.to_csv(tmp_path / "quant.sf", sep="\t", index=False)
    sheet = "sample\tmatrix\tunit\ngenes\tcounts.tsv\tcount\ntranscripts\tquant.sf\tcount\n"
    (tmp_path / "new.tsv").write_text(sheet)
    given = ["classify", "--config", "samples=new.tsv", "explain=false"]
    path = tmp_path / "results" / "classification" / "calls.tsv"
    assert snakemake(tmp_path, *given).returncode == 1
    refused = pd.read_csv(path, sep="\t", index_col=0)["refused"]
    assert pd.isna(refused["genes"]) and "as tx2gene" in refused["transcripts"]
    run = snakemake(tmp_path, *given, "tx2gene=tx2gene.csv")
    assert run.returncode == 0, run.stdout[-3000:]
    calls = pd.read_csv(path, sep="\t", index_col=0).loc[:, "tumour":"subtype_abstained"]
    assert calls.loc["genes"].astype(str).equals(calls.loc["transcripts"].astype(str))


def test_a_missing_table_of_transcripts_is_named_before_anything_runs(
    snakemake, tmp_path: Path
) -> None:
    usual_counts().to_csv(tmp_path / "counts.tsv", sep="\t")
    (tmp_path / "new.tsv").write_text("sample\tmatrix\nusual\tcounts.tsv\n")
    run = snakemake(tmp_path, "classify", "--config", "samples=new.tsv", "tx2gene=lost.tsv")
    assert run.returncode == 1
    assert "config: tx2gene: there is no file 'lost.tsv'" in run.stdout.splitlines()[-1]
    assert not (tmp_path / "results").exists()
