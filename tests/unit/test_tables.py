"""Tables between stages: names keep their type, and tables cut short are refused."""

import gzip
import json
import re

import anndata
import numpy as np
import pandas as pd
import pytest
from tissuestate.cohort.composition import contrasts, split_table
from tissuestate.cohort.merge import keep_samples
from tissuestate.cohort.split import split_samples
from tissuestate.errors import InputError
from tissuestate.evaluation.predictions import read_predictions, tabulate_predictions
from tissuestate.evaluation.scores import score_predictions
from tissuestate.h5ad import read_features, write_h5ad
from tissuestate.labels import encode
from tissuestate.quality.decisions import decide_quality
from tissuestate.quality.multiqc import write_multiqc_mrin
from tissuestate.sheet.classes import ClassTable
from tissuestate.sheet.samples import read_samples
from tissuestate.sheet.sheet import COLUMNS, read_sheet
from tissuestate.tables import plain_labels, read_strings, read_table

NAMES = (
    *("101", "007", "8", "1e5", "1.50", "NA", "nan", "None", "null", "TRUE", "False", "inf"),
    *("2024-01-05", "1E999", "0x10", "5-Mar", "1_000", "42"),
)
CLASSES = {
    "disease_state": ["non-neoplastic", "neoplastic"],
    "tissue": ["NA", "1", "nan"],
    "subtype": ["1", "TRUE", "1e5"],
    "subtypes_of": {"NA": ["1", "TRUE"], "1": ["1e5"]},
}


def write(table: pd.DataFrame, path, **options):
    table.to_csv(path, sep="\t", lineterminator="\n", **({"index": False} | options))
    return path


@pytest.fixture
def sheet(tmp_path):
    """A sheet whose samples, donors, studies, sources and classes all look like something else."""
    labels = [
        ("NA", "neoplastic", "1"),
        ("NA", "neoplastic", "TRUE"),
        ("NA", "non-neoplastic", ""),
        ("1", "neoplastic", "1e5"),
        ("1", "non-neoplastic", ""),
        ("nan", "non-neoplastic", ""),
    ]
    rows = [
        {
            "sample": name,
            "donor": name if name not in ("NA", "nan", "None", "null") else f"d{name}",
            "study": ("1", "NA")[i % 2],
            "source": ("TRUE", "nan")[i % 2],
            **dict(zip(("tissue", "disease_state", "subtype"), labels[i % 6], strict=True)),
            "bam": f"{i}.bam",
        }
        for i, name in enumerate(NAMES)
    ]
    table = "tissue\tsubtype\nNA\t1\nNA\tTRUE\n1\t1e5\nnan\t\n"
    (tmp_path / "classes.tsv").write_text(table)
    classes = ClassTable.read(tmp_path / "classes.tsv")
    return read_sheet(write(pd.DataFrame(rows), tmp_path / "sheet.tsv"), classes)


def test_no_stage_infers_types_from_cells(root):
    """Tables of others are read elsewhere: recount3's matrices, the gene map, users' tables."""
    free = {"tables.py", "recount3.py", "gene_map.py", "read.py"}
    files = [*(root / "workflow").rglob("*.py"), *(root / "workflow").rglob("*.smk")]
    assert len(files) > 100
    found = {path.name for path in files if re.search(r"(pd|pandas)\.read_", path.read_text())}
    assert found <= {*free, "plot_training.py"}, "read_json of trials, which hold numbers alone"


def test_the_sheet_keeps_every_name(sheet, tmp_path):
    sheet["split"] = split_samples(sheet, seed=1)
    again = read_samples(write(sheet, tmp_path / "samples.tsv"))
    assert again["sample"].tolist() == list(NAMES)
    pd.testing.assert_frame_equal(again.reset_index(drop=True), sheet, check_dtype=False)
    assert list(again.columns) == [*COLUMNS, "split"]


def test_rejected_samples_are_left_out_whatever_their_names(sheet, tmp_path):
    sheet["split"] = "train"
    rejected = ["101", "007", "1e5", "NA", "TRUE"]
    mrin = pd.DataFrame({"sample": NAMES, "mrin": 0.01, "z": 0.0, "p": 0.5, "transcripts": 9})
    mrin.loc[mrin["sample"].isin(rejected), "mrin"] = -0.4
    mrin.loc[mrin["sample"] == "8", ["mrin", "z", "p"]] = np.nan
    path = write(mrin, tmp_path / "mrin.tsv")
    summaries = {}
    for name in NAMES:
        summaries[name] = tmp_path / f"{name}.summary"
        summaries[name].write_text("Status\tx.bam\nAssigned\t90\nUnassigned_Unmapped\t10\n")
    samples = read_samples(write(sheet, tmp_path / "samples.tsv"))
    read = read_table(path, samples=samples["sample"])
    quality = decide_quality(samples, read, {}, summaries)
    qc = read_table(write(quality, tmp_path / "qc.tsv"), flags=["kept"], samples=samples["sample"])
    assert qc.loc[~qc["kept"], "sample"].tolist() == [
        name for name in NAMES if name in (*rejected, "8")
    ]
    assert qc["mrin"].dtype == float
    kept = keep_samples(samples, qc)
    assert not set(kept["sample"]) & {*rejected, "8"}
    assert len(kept) == len(NAMES) - 6
    write_multiqc_mrin(tmp_path / "mrin_mqc.json", qc, -0.11)
    assert json.loads((tmp_path / "mrin_mqc.json").read_text())["data"]["TRUE"]["y"] == -0.4


def test_gene_body_coverage_keeps_its_samples(tmp_path):
    table = pd.DataFrame(0.5, pd.Index(NAMES, name="sample"), range(1, 101))
    path = write(table, tmp_path / "coverage.tsv", index=True)
    found = read_table(path, samples=NAMES).set_index("sample")
    assert found.index.tolist() == list(NAMES)
    assert (found.to_numpy() == 0.5).all()


def test_labels_come_back_from_an_h5ad(sheet, tmp_path):
    obs = sheet.set_index("sample").rename_axis(None).drop(columns="column")
    data = anndata.AnnData(np.ones((len(obs), 3), np.float32), obs=obs.assign(split="train"))
    write_h5ad(tmp_path / "cohort.h5ad", data)
    _, labels = read_features(tmp_path / "cohort.h5ad")
    assert labels.index.tolist() == list(NAMES)
    for column in ("donor", "study", "source", "tissue", "subtype"):
        assert labels[column].tolist() == sheet[column].tolist()
    back = anndata.read_h5ad(tmp_path / "cohort.h5ad", backed="r")
    pd.testing.assert_frame_equal(plain_labels(back.obs), labels)
    missing = pd.DataFrame({"tissue": pd.Categorical(["nan", None, "NA"])})
    assert plain_labels(missing)["tissue"].tolist() == ["nan", "", "NA"]


@pytest.mark.parametrize("name", ["predictions.tsv", "predictions.tsv.gz"])
def test_predictions_keep_names_and_numbers(name, sheet, tmp_path):
    obs = sheet.set_index("sample").rename_axis(None).assign(split="test")
    rng = np.random.default_rng(1)
    shares = {
        head: rng.dirichlet(np.ones(len(CLASSES[head])), len(obs))
        for head in ("disease_state", "tissue", "subtype")
    }
    table = tabulate_predictions(obs, shares, CLASSES)
    found = read_predictions(write(table, tmp_path / name))
    pd.testing.assert_frame_equal(found, table, check_dtype=False, rtol=1e-15)
    scored, again = (
        score_predictions(table, CLASSES, resamples=20),
        score_predictions(found, CLASSES, resamples=20),
    )
    for one, other in zip(scored, again, strict=True):
        pd.testing.assert_frame_equal(one, other)
    per_class = read_table(write(again[1], tmp_path / "per_class.tsv"))
    assert set(per_class["class"]) >= {"NA", "nan", "1", "TRUE", "1e5"}


def test_classes_are_counted_whatever_they_are_called(sheet):
    obs = sheet.assign(split="train")
    table = split_table(obs, CLASSES)
    counted = table.set_index(["head", "class"])["total"]
    for head in ("tissue", "subtype"):
        for name in CLASSES[head]:
            assert counted[head, name] == (sheet[head] == name).sum() > 0
    assert {"NA", "nan", "1"} >= set(contrasts(obs, "tissue")["first"])
    assert len(contrasts(obs, "tissue")) == 3
    assert encode(sheet["tissue"], CLASSES["tissue"]).min() == 0


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sample\tmrin\na\t0.1\nb\t0.", r"its last line is cut off"),
        ("sample\tmrin\na\t0.1\nb\n", r"row 3: 1 cells, but the header has 2"),
        ("sample\tmrin\na\t0.1\n", r"sample 'b' has no row \(1 rows, 2 samples"),
        ("sample\tmrin\na\t0.1\nb\t0.1\nb\t0.2\n", r"sample 'b' has two rows"),
        ("sample\tmrin\na\t0.1\nb\t0.1\nc\t0.2\n", r"sample 'c' is not one of this run"),
        ("sample\tmrin\na\t0.1\nb\tlow\n", r"row 3, column mrin: found 'low'; expected a number"),
        ("name\tmrin\na\t0.1\nb\t0.1\n", r"column 'sample' is missing \(found name, mrin\)"),
        ("sample\tmrin\tmrin\na\t0.1\t1\nb\t0.1\t1\n", r"two columns have one name"),
        ('sample\tmrin\n"a\t0.1\nb\t0.1\n', r"not a whole table"),
        ("", r"not a whole table"),
    ],
)
def test_an_incomplete_table_is_refused(text, sentence, tmp_path):
    path = tmp_path / "mrin.tsv"
    path.write_text(text)
    with pytest.raises(InputError, match=sentence) as caught:
        read_table(path, samples=["a", "b"])
    assert str(path) in str(caught.value)


def test_bad_flags_and_damaged_archives_are_refused(tmp_path):
    path = tmp_path / "qc.tsv"
    path.write_text("sample\tkept\na\tyes\n")
    with pytest.raises(InputError, match=r"column kept: found 'yes'; expected True or"):
        read_table(path, flags=["kept"])
    with pytest.raises(InputError, match=r"column 'degraded' is missing"):
        read_table(path, flags=["degraded"])
    packed = tmp_path / "predictions.tsv.gz"
    packed.write_bytes(gzip.compress(b"sample\tsplit\na\ttest\n")[:-9])
    with pytest.raises(InputError, match=r"cannot be read"):
        read_strings(packed)
    with pytest.raises(InputError, match=r"cannot be read"):
        read_strings(tmp_path / "none.tsv")


def test_predictions_cut_short_are_refused(sheet, tmp_path):
    obs = sheet.set_index("sample").rename_axis(None).assign(split="test")
    shares = {"tissue": np.full((len(obs), 3), 1 / 3)}
    path = write(tabulate_predictions(obs, shares, CLASSES), tmp_path / "predictions.tsv")
    assert len(read_predictions(path, NAMES)) == len(NAMES)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(InputError, match=r"sample '42' has no row \(17 rows, 18 samples"):
        read_predictions(path, NAMES)
