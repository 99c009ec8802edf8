"""The bundle that comes with the code: whole, small, of no person, and right about real tissue."""

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tissuestate.arrays import load_arrays, save_arrays
from tissuestate.bundle.format import CARD, PRETRAINED, read_bundle
from tissuestate.classification.classifier import Classifier

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("TISSUESTATE_DATA", ROOT.parent / "shared" / "data"))
# Names that TCGA, GTEx and the archives give to samples.
OF_A_PERSON = re.compile(rb"TCGA-[0-9A-Z]{2}-|GTEX-[0-9A-Z]{4}|[SED]RR[0-9]{6}|GSM[0-9]{5}")


def test_it_is_whole_small_and_says_where_it_comes_from() -> None:
    bundle = read_bundle(PRETRAINED)
    assert PRETRAINED.resolve() == ROOT / "resources" / "bundle"
    files = list(PRETRAINED.iterdir())
    assert {path.name for path in files} == {*bundle.description["files"], "bundle.json"}
    assert sum(path.stat().st_size for path in files) <= 15e6
    card = bundle.path(CARD).read_text()
    assert not bundle.description["simulated"] and bundle.name in card
    used = bundle.description["data"]["sources"]
    assert sum(row["samples"] for row in used) == sum(
        bundle.description["data"]["samples"].values()
    )
    for row in used:
        assert row["accession"] in card and row["licence"] in card


def test_it_names_no_sample() -> None:
    for path in PRETRAINED.iterdir():
        found = set(OF_A_PERSON.findall(path.read_bytes()))
        assert not found, path.name


def test_half_precision_is_read_as_single(tmp_path: Path) -> None:
    values = np.linspace(-3, 3, 5, dtype=np.float16)
    save_arrays(tmp_path / "a.npz", {"values": values})
    found = load_arrays(tmp_path / "a.npz")["values"]
    assert found.dtype == np.float32 and np.array_equal(found, values.astype(np.float32))


@pytest.mark.skipif(not (DATA / "external").is_dir(), reason=f"no external in {DATA}")
def test_it_calls_real_tissue() -> None:
    table = pd.read_csv(DATA / "external" / "bodymap.tsv.gz", sep="\t", index_col=0)
    labels = pd.read_csv(DATA / "external" / "samples.tsv", sep="\t", dtype=str)
    tissues = labels.set_index("sample")["tissue"].reindex(table.columns)
    found = Classifier.load(PRETRAINED).predict(table.T, "count")
    answered = found.calls["tissue"] != ""
    known = (tissues != "other").to_numpy()
    right = (found.calls["tissue"].to_numpy() == tissues.to_numpy())[answered & known]
    print(f"{right.sum()} of {answered[known].sum()} answered of {known.sum()} are right")
    assert right.all() and answered[known].mean() >= 0.7
    assert not answered[~known].any()
