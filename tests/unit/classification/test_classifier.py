"""Classification with a bundle built by the stages: the same numbers as in training."""

import json
import subprocess
import sys
from copy import copy
from dataclasses import replace
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from sex_genes import PEOPLE, sex_counts, sex_gene_map
from tissuestate.bundle.build import QUALITIES
from tissuestate.bundle.card import card_facts
from tissuestate.bundle.format import CARD, read_bundle, write_bundle
from tissuestate.classification.classifier import Classifier, Predictions
from tissuestate.classification.explanation import (
    Explainer,
    class_gene_facts,
    class_genes,
    correct_calls,
)
from tissuestate.classification.new_samples import (
    call_samples,
    describe_calls,
    read_new_samples,
    read_qualities,
    refuse_poor_reads,
    tabulate_origins,
)
from tissuestate.classification.page import Background, sample_facts
from tissuestate.cohort.composition import contrasts
from tissuestate.errors import InputError
from tissuestate.evaluation.chain import Chain
from tissuestate.evaluation.predictions import tabulate_predictions
from tissuestate.evaluation.support import gap_sentence
from tissuestate.matrices.gene_map import GeneMap
from tissuestate.matrices.sex import GENES as SEX_GENES
from tissuestate.matrices.sex import SEX_OF_TISSUE
from tissuestate.report.render import render
from tissuestate.sheet.sheet import read_sheet
from trained_bundle import (
    CLASSES,
    GENES,
    QUALITY,
    gene_map,
    train_bundle,
    write_whole_bundle,
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train_bundle(tmp_path_factory.mktemp("stages"))


@pytest.fixture(scope="module")
def classifier(trained):
    return Classifier.load(trained[0])


@pytest.fixture(scope="module")
def frame(trained):
    data = trained[1]
    return pd.DataFrame(data.X, data.obs_names, GENES)


def equal(first: Predictions, second: Predictions, samples, tolerance=1e-6):
    for head, shares in first.probabilities.items():
        pd.testing.assert_frame_equal(
            shares.loc[samples], second.probabilities[head].loc[samples], atol=tolerance, rtol=0
        )
        assert (first.calls.loc[samples, head] == second.calls.loc[samples, head]).all()


def test_every_sample_gets_its_values_of_training(trained, classifier, frame):
    _, data, probabilities, _, _ = trained
    found = classifier.predict(frame)
    for head in ("disease_state", "tissue"):
        np.testing.assert_allclose(
            found.probabilities[head].to_numpy(), probabilities[head], atol=1e-9
        )
    expected = tabulate_predictions(data.obs, probabilities, CLASSES).set_index("sample")
    for head in ("disease_state", "tissue", "subtype"):
        answered = found.calls[f"{head}_abstained"] == ""
        assert (found.calls[head] == expected[f"{head}_call"])[answered].all()
        assert (found.calls[head] == "")[~answered].all()
        assert answered.mean() > 0.9 or head == "subtype"


def test_samples_of_a_sparse_source_get_their_values_of_training(tmp_path):
    bundle, data, probabilities, _, _ = train_bundle(tmp_path, sparse=range(3, 90, 10))
    assert np.isnan(data.X).any(axis=1).sum() == 9
    found = Classifier.load(bundle).predict(pd.DataFrame(data.X, data.obs_names, GENES), "count")
    assert (found.samples["refused"] == "").all()
    for head in ("disease_state", "tissue"):
        np.testing.assert_allclose(
            found.probabilities[head].to_numpy(), probabilities[head], atol=1e-9
        )


def test_the_chain_of_the_stages_is_that_of_the_classifier(trained, classifier, frame):
    _, data, _, stages, _ = trained
    steps = (stages.normaliser, stages.imputation, stages.correction, stages.transformer)
    folders = [Path(paths[0]).parent for paths in (stages.multitask, stages.subtype)]
    chain = Chain.read(*steps, stages.novelty, folders)
    holes = frame.copy()
    holes.iloc[:, ::7] = np.nan
    shares, new = chain.predict(holes.to_numpy(), data.obs["unit"].tolist())
    found = classifier.predict(holes, "count")
    assert (found.probabilities["tissue"].to_numpy().argmax(1) == shares["tissue"].argmax(1)).all()
    np.testing.assert_array_equal(found.samples["novelty"] > 1, new)


def test_calls_are_right_on_test_samples(trained, classifier, frame):
    obs = trained[1].obs
    test = obs.index[obs["split"] == "test"]
    calls = classifier.predict(frame.loc[test]).calls
    assert (calls["tissue"] == obs.loc[test, "tissue"]).mean() > 0.9
    assert (calls["disease_state"] == obs.loc[test, "disease_state"]).mean() > 0.9


def test_results_do_not_depend_on_other_samples_or_their_order(classifier, frame):
    together = classifier.predict(frame)
    for sample in frame.index[:5]:
        equal(classifier.predict(frame.loc[[sample]]), together, [sample])
    equal(classifier.predict(frame.iloc[::-1]), together, frame.index)


@pytest.mark.parametrize("kind", ["ensembl", "version", "entrez", "alias", "mixed", "piped"])
def test_any_kind_of_gene_id_gives_the_same_call(classifier, frame, kind):
    table = gene_map().table.set_index("symbol").loc[GENES]
    ids = {
        "ensembl": table["ensembl"],
        "version": table["ensembl"] + ".12",
        "entrez": table["entrez"],
        "alias": table["aliases"],
        "mixed": table["ensembl"].where(np.arange(60) % 2 == 0, table["entrez"]),
        "piped": table.index.to_series() + "|" + table["entrez"],
    }[kind]
    found = classifier.predict(frame.set_axis(ids.to_numpy(), axis=1))
    equal(found, classifier.predict(frame), frame.index)
    assert found.samples["recognition"].iloc[0].startswith("60 of 60 genes found as ")


def test_genes_the_model_does_not_use_change_nothing(classifier, frame):
    more = frame.assign(OTHER1=1e6, ENSG99999999999=5.0, nonsense=7.0)
    equal(classifier.predict(more), classifier.predict(frame), frame.index)


def test_an_unused_gene_is_not_mistaken_for_one_with_its_entrez_id(classifier, frame):
    names = [f"{gene}|{1000 + number}" for number, gene in enumerate(GENES)]
    shared = frame.set_axis(names, axis=1).assign(**{"OTHER1|1000": 1e6})
    equal(classifier.predict(shared), classifier.predict(frame), frame.index)


def test_two_ids_of_one_gene_are_summed(classifier, frame):
    halves = frame.copy()
    halves["GENE0"] = frame["GENE0"] - 1
    halves["ENSG00000000000.3"] = 1.0
    equal(classifier.predict(halves), classifier.predict(frame), frame.index, 1e-5)
    twice = classifier.predict(halves.rename(columns={"ENSG00000000000.3": "GENE0"}))
    equal(twice, classifier.predict(frame), frame.index, 1e-5)
    assert "1 genes were added up from several ids" in twice.samples["recognition"].iloc[0]


def test_other_units_give_the_calls_of_counts(classifier, frame):
    logs = np.log2(frame / 3 + 1)
    equal(classifier.predict(logs, "log2"), classifier.predict(frame), frame.index, 1e-4)
    units = pd.Series("count", frame.index)
    units.iloc[1] = "log2"
    mixed = frame.copy()
    mixed.iloc[1] = logs.iloc[1]
    equal(classifier.predict(mixed, units), classifier.predict(frame), frame.index, 1e-4)


def test_an_unstated_unit_is_inferred_from_the_values_with_a_warning(classifier, frame):
    for values, unit in ((frame, "count"), (np.log2(frame / 3 + 1), "log2")):
        found = classifier.predict(values)
        equal(found, classifier.predict(values, unit), frame.index, 0)
        assert any(f"{unit} was inferred" in text for text in found.warnings["S0"])
    assert not classifier.predict(frame, "count").warnings["S0"]


def test_missing_and_absent_genes_give_the_same_call_and_warning(classifier, frame):
    absent = classifier.predict(frame.drop(columns=GENES[50:]))
    missing = frame.copy()
    missing[GENES[50:]] = np.nan
    equal(absent, classifier.predict(missing), frame.index, 0)
    assert absent.samples["genes_found"].tolist() == [50] * len(frame)
    assert any("Only 50 of 60 genes" in text for text in absent.warnings["S0"])
    assert (absent.calls["tissue"] == classifier.predict(frame).calls["tissue"]).mean() > 0.9


def test_a_sample_with_too_few_genes_is_refused_with_its_reason_and_the_others_are_called(
    classifier, frame
):
    few = frame.iloc[:2].copy()
    few.iloc[0, 20:] = np.nan
    found = classifier.predict(few)
    assert "20 of the model's 60 genes (33%)" in found.samples.at["S0", "refused"]
    assert found.calls.at["S0", "tissue"] == ""
    assert found.probabilities["tissue"].loc["S0"].isna().all()
    equal(found, classifier.predict(frame), ["S1"])
    record = found.record("S0")
    assert record["heads"] == {}
    json.dumps(record, allow_nan=False)


def test_unknown_ids_are_never_called(classifier, frame):
    mouse = frame.set_axis([f"ENSMUSG{number:011d}" for number in range(60)], axis=1)
    found = classifier.predict(mouse)
    assert (found.calls["tissue"] == "").all()
    assert found.samples["recognition"].iloc[0].startswith("0 of 60 genes")
    assert found.samples["refused"].str.contains("ids are those of mouse").all()
    strange = frame.set_axis([f"strange{number}" for number in range(60)], axis=1)
    refused = classifier.predict(strange).samples["refused"]
    assert refused.str.contains("check the gene ids and the species").all()


def test_a_table_with_genes_in_rows_is_refused_with_advice_to_transpose(classifier, frame):
    turned = classifier.predict(frame.T)
    assert turned.samples["refused"].str.contains("transpose the table").all()


def test_values_scaled_or_centred_over_samples_are_refused(classifier, frame):
    logs = np.log2(frame + 1)
    for values in (logs - logs.mean(), (logs - logs.mean()) / logs.std()):
        refused = classifier.predict(values).samples["refused"]
        assert refused.str.contains("centred or scaled").mean() > 0.9


def test_a_library_of_mostly_zeros_is_refused_or_warned_about(classifier, frame):
    sparse = frame.iloc[:2].copy()
    sparse.iloc[0, :54] = 0
    sparse.iloc[1, :30] = 0
    found = classifier.predict(sparse, "count")
    assert "90% of the genes are zero" in found.samples.at["S0", "refused"]
    assert any("50% of the genes are zero" in text for text in found.warnings["S1"])


def test_values_that_are_no_numbers_are_named(classifier, frame):
    text = frame.astype(object)
    text.iloc[1, 2] = "high"
    text.iloc[2, 3] = np.inf
    text.iloc[3, 3] = -4
    text.iloc[4] = None
    text.iloc[6, 5] = 1e39
    found = classifier.predict(text, pd.Series(["count"] * 5 + ["furlong"], text.index[:6]))
    facts = [
        ("GENE2", "'high'"),
        ("GENE3", "inf"),
        ("-4", "count"),
        ("missing", "60 genes"),
        ("'furlong'", "log2"),
        ("GENE5", "1e+39", "too large"),
    ]
    for reason, expected in zip(found.samples["refused"].iloc[1:7], facts, strict=True):
        assert [fact for fact in expected if fact not in reason] == []
    assert (found.samples["refused"].drop(found.samples.index[1:7]) == "").all()
    assert (found.calls["tissue"].iloc[1:7] == "").all()
    equal(found, classifier.predict(frame), frame.index.delete(range(1, 7)), 0)
    equal(classifier.predict(frame.astype(str)), classifier.predict(frame), frame.index, 0)
    equal(classifier.predict(frame.astype("Int64")), classifier.predict(frame), frame.index, 0)


def test_a_sample_of_one_value_is_refused(classifier, frame):
    for value in (0.0, 5.0):
        flat = frame.iloc[:1] * 0 + value
        assert "same value" in classifier.predict(flat).samples.at["S0", "refused"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda frame: frame.iloc[:0], "no sample"),
        (lambda frame: frame.iloc[[0, 0]], "is repeated"),
        (lambda frame: pd.concat({"counts": frame}, axis=1), "columns of the table have 2 levels"),
        (lambda frame: pd.concat({"run": frame}), "index of the table have 2 levels"),
        (lambda frame: pd.DataFrame(np.ones((2, 200))), "columns are numbered"),
    ],
)
def test_bad_input_is_an_input_error(classifier, frame, change, sentence):
    with pytest.raises(InputError, match=sentence):
        classifier.predict(change(frame), "count")


def test_an_unknown_unit_is_named(classifier, frame):
    with pytest.raises(InputError, match="'furlong' is unknown"):
        classifier.predict(frame, "furlong")
    with pytest.raises(InputError, match="unit is list; expected one for all, or a pandas Series"):
        classifier.predict(frame, ["count"] * len(frame))
    with pytest.raises(InputError, match="mrin is float; expected a pandas Series"):
        classifier.predict(frame, "count", mrin=0.1)
    with pytest.raises(InputError, match="unit of sample 'S0' is repeated"):
        classifier.predict(frame, pd.Series("count", [*frame.index, "S0"]))


def test_mrin_is_looked_up_by_names_as_text(classifier, frame):
    numbered = frame.iloc[:2].set_axis([101, 102], axis=0)
    found = classifier.predict(numbered, "count", pd.Series([-0.6, 0.01], [101, 102]))
    assert found.samples["mrin"].tolist() == [-0.6, 0.01]
    as_text = classifier.predict(numbered, "count", pd.Series(["-0.6", "0.01"], ["101", "102"]))
    assert as_text.samples["mrin"].tolist() == [-0.6, 0.01]
    for mrin, sentence in (
        (pd.Series(["-0,6"], ["101"]), "mrin of sample '101': found '-0,6'; expected a number"),
        (pd.Series([-np.inf], [101]), "found '-inf'; expected a number"),
        (pd.Series([0.1, 0.1], ["101", 101]), "mrin of sample '101' is repeated"),
    ):
        with pytest.raises(InputError, match=sentence):
            classifier.predict(numbered, "count", mrin)


def test_logarithms_below_zero_are_warned_about(classifier, frame):
    counts, first = frame.clip(lower=3), frame.index[0]
    assert not classifier.predict(np.log2(counts + 1), "log2").warnings[first]
    counts.iloc[:, :6] = 0
    warned = classifier.predict(np.log2(counts + 0.001), "log2").warnings[first]
    assert any(text.startswith("10% of the logarithms are below 0") for text in warned)


def test_only_subtypes_of_the_called_tissue_are_called(classifier, frame):
    found = classifier.predict(frame)
    liver = found.calls["tissue"] == "liver"
    assert (found.calls.loc[liver, "subtype"] == "").all()
    assert found.probabilities["subtype"].loc[liver].isna().all(axis=None)
    kidney = found.calls["tissue"] == "kidney"
    tumours = kidney & (found.calls["disease_state"] == "neoplastic")
    answered = kidney & (found.calls["subtype_abstained"] == "")
    assert found.calls.loc[answered, "subtype"].isin(["kirc", "kirp"]).all()
    assert answered.sum() > 0.8 * tumours.sum() > 0
    none = kidney & (found.calls["disease_state"] == "non-neoplastic")
    assert none.any() and (found.calls.loc[none, "subtype"] == "").all()
    assert not (kidney & liver).any()


def test_degraded_rna_is_warned_about(classifier, frame):
    mrin = pd.Series({"S0": -0.3, "S1": 0.01})
    found = classifier.predict(frame.iloc[:3], mrin=mrin)
    assert any("degraded (mRIN -0.300" in text for text in found.warnings["S0"])
    assert not any("degraded" in text for text in found.warnings["S1"] + found.warnings["S2"])
    assert found.record("S2")["mrin"] is None


def test_a_sample_like_nothing_in_training_gets_no_answer_but_shows_its_probabilities(
    classifier, frame
):
    rng = np.random.default_rng(3)
    values = frame.to_numpy()
    strange = pd.DataFrame(
        np.concatenate([rng.permuted(values[:40], axis=1), rng.uniform(1, 5000, (40, 60)).round()]),
        [f"X{number}" for number in range(80)],
        GENES,
    )
    found = classifier.predict(strange, "count")
    called = found.samples["refused"] == ""
    assert called.sum() >= 20  # the others are refused, as their profile is like no tissue's
    assert (found.samples.loc[called, "novelty"] > 1).all()
    for head in ("disease_state", "tissue"):
        assert (found.calls[head] == "").all()
        assert found.calls.loc[called, f"{head}_abstained"].str.contains("not like anything").all()
        assert found.probabilities[head].loc[called].notna().all(axis=None)
    record = found.record(called.idxmax())
    assert record["heads"]["tissue"]["call"] == ""
    assert sum(record["heads"]["tissue"]["probabilities"].values()) == pytest.approx(1)


def test_of_two_equally_likely_tissues_none_is_called(classifier, frame):
    shares = {
        "disease_state": pd.DataFrame([[0.1, 0.9]], ["S0"], CLASSES["disease_state"]),
        "tissue": pd.DataFrame([[0.52, 0.48]], ["S0"], CLASSES["tissue"]),
        "subtype": pd.DataFrame([[0.9, 0.1]], ["S0"], CLASSES["subtype"]),
    }
    calls = classifier._calls(shares, np.array([False])).loc["S0"]
    assert calls["disease_state"] == "neoplastic"
    assert calls["tissue"] == calls["subtype"] == ""
    for fact in ("kidney", "liver", "52%", "48%"):
        assert fact in calls["tissue_abstained"]
    assert "tissue" in calls["subtype_abstained"]
    assert calls["tissue_probability"] == 0.52


def test_tumour_or_not_is_called_beside_the_state(classifier, frame):
    found = classifier.predict(pd.concat([frame, frame.iloc[:1, :10].rename({"S0": "few"})]))
    calls, states = found.calls, found.probabilities["disease_state"]
    expected = states["neoplastic"].rename("tumour_probability")
    pd.testing.assert_series_equal(calls["tumour_probability"], expected)
    by_answer = {"neoplastic": "yes", "non-neoplastic": "no"}
    answered = calls[calls["disease_state"] != ""]
    assert (answered["tumour"] == answered["disease_state"].map(by_answer)).all()
    assert set(answered["tumour"]) == {"yes", "no"}
    assert found.record("S1")["tumour"]["call"] == calls.at["S1", "tumour"]
    assert found.record("few")["tumour"] is None and calls.at["few", "tumour"] == ""


@pytest.fixture
def described(trained, tmp_path):
    """The bundle with changes in its description."""

    def build(**changes) -> Classifier:
        bundle = read_bundle(trained[0])
        files = {name: trained[0] / name for name in bundle.description["files"] if name != CARD}
        kept = {k: v for k, v in bundle.description.items() if k not in ("files", "checksum")}
        write_bundle(tmp_path / "described", files, {**kept, **changes})
        return Classifier.load(tmp_path / "described")

    return build


def test_the_bundle_may_bring_its_own_limits(described, classifier, frame):
    usual = classifier.predict(frame).calls
    found = described(limits={"tumour": [0.0, 1.0]}).predict(frame).calls
    certain = usual["tumour_probability"].isin([0, 1])
    assert (found.loc[~certain, "tumour"] == "").all() and (usual["tumour"] != "").any()
    pd.testing.assert_series_equal(found["tissue"], usual["tissue"])
    with pytest.raises(InputError, match="do not fit together"):
        described(limits={"tumour": [0.7, 0.9]})


def test_subtypes_from_batches_of_their_own_are_shown_together(
    trained, described, classifier, frame
):
    data = trained[1].obs.astype(str).assign(study="TCGA")
    data["source"] = data["subtype"]
    description = classifier.description
    pairs = contrasts(data, "subtype").to_dict("records")
    changed = {"data": {**description["data"], "contrasts": pairs}}
    usual, found = (one.predict(frame).calls for one in (classifier, described(**changed)))
    called = usual["subtype"] != ""
    assert called.any() and (found["subtype"] == "").all()
    assert found.loc[called, "subtype_abstained"].str.contains("same study and source").all()
    assert (found.loc[called, "subtype_set"] == "kirc|kirp").all()
    released = described(**changed, confounded_subtypes=[])
    pd.testing.assert_frame_equal(released.predict(frame).calls, usual)


def test_the_set_holds_the_classes_that_reach_the_bundles_threshold(classifier, frame):
    found = classifier.predict(frame)
    threshold = classifier.description["sets"]["thresholds"]["tissue"]
    for sample, shares in found.probabilities["tissue"].iloc[:20].iterrows():
        members = [name for name in CLASSES["tissue"] if shares[name] >= threshold]
        assert found.calls.at[sample, "tissue_set"] == "|".join(members)
        assert found.record(sample)["heads"]["tissue"]["set"] == members


def test_the_table_has_one_row_per_sample_with_calls_and_probabilities(classifier, frame):
    table = classifier.predict(frame.iloc[:4]).table()
    assert table["sample"].tolist() == ["S0", "S1", "S2", "S3"]
    shares = table[["tissue:kidney", "tissue:liver"]].sum(axis=1)
    np.testing.assert_allclose(shares, 1)


def test_results_of_groups_are_concatenated(classifier, frame):
    parts = [classifier.predict(frame.iloc[:2]), classifier.predict(frame.iloc[2:4])]
    joined = Predictions.concat(parts)
    assert joined.table()["sample"].tolist() == ["S0", "S1", "S2", "S3"]
    assert joined.record("S3")["heads"] == parts[1].record("S3")["heads"]


def test_new_samples_are_read_from_the_files_of_their_sheet(tmp_path, classifier, frame):
    frame.iloc[:3].T.to_csv(tmp_path / "matrix.tsv", sep="\t", index_label="gene")
    counts = tmp_path / "S9.tsv"
    frame.iloc[3].astype(int).to_csv(counts, sep="\t", header=False)
    sheet = tmp_path / "sheet.tsv"
    rows = [f"new{number}\t{tmp_path}/matrix.tsv\tS{number}\t" for number in range(3)]
    sheet.write_text("\n".join(["sample\tmatrix\tcolumn\tbam", *rows, "S9\t\t\tS9.bam"]) + "\n")
    groups = read_new_samples(read_sheet(sheet, labelled=False), {"S9": counts}).frames
    found = Predictions.concat([classifier.predict(*group) for group in groups])
    expected = classifier.predict(frame.iloc[:4])
    assert found.calls["tissue"].to_dict() == dict(
        zip(["new0", "new1", "new2", "S9"], expected.calls["tissue"], strict=True)
    )


def test_a_fault_of_one_sample_does_not_affect_the_others(tmp_path, classifier, frame):
    """Faults of a matrix with inferred units, of one cut short, and of reads."""
    frame.iloc[:2].T.to_csv(tmp_path / "whole.tsv", sep="\t", index_label="gene")
    mixed = frame.iloc[:2].copy()
    mixed.iloc[1] = np.log2(mixed.iloc[1] / mixed.iloc[1].sum() * 1e6 + 1)
    mixed.T.to_csv(tmp_path / "mixed.tsv", sep="\t", index_label="gene")
    text = (tmp_path / "whole.tsv").read_text().splitlines()
    (tmp_path / "cut.tsv").write_text("\n".join(text[:50]))
    rows = [f"{kind}{n}\t{tmp_path}/{kind}.tsv\tS{n}" for kind in ("mixed", "cut") for n in (0, 1)]
    sheet_file = tmp_path / "sheet.tsv"
    sheet_file.write_text("\n".join(["sample\tmatrix\tcolumn", *rows]) + "\n")
    sheet = read_sheet(sheet_file, labelled=False)
    new = read_new_samples(sheet, {})
    quality = read_qualities([], {}, {})
    found = call_samples(classifier, sheet, new, quality, None)
    assert found.samples.index.tolist() == ["mixed0", "mixed1", "cut0", "cut1"]
    assert found.samples.loc[["mixed0", "mixed1"], "refused"].tolist() == ["", ""]
    for name in ("mixed0", "mixed1"):
        assert any("Several units" in text for text in found.warnings[name])
    assert all("cut short" in reason for reason in found.samples.loc[["cut0", "cut1"], "refused"])
    expected = classifier.predict(frame.iloc[:1], "count")
    assert found.calls.at["mixed0", "tissue"] == expected.calls.at["S0", "tissue"]


def test_the_expressed_sex_is_compared_with_the_sheet_and_the_tissue(
    tmp_path, classifier, frame, monkeypatch
):
    counts = sex_counts()[list(SEX_GENES)]
    frame = pd.concat([frame.iloc[: len(counts)], counts.set_index(frame.index[:7])], axis=1)
    knowing = copy(classifier)
    knowing.gene_map = GeneMap(pd.concat([gene_map().table, sex_gene_map().table[:15]]))
    found = knowing.predict(frame, "count")
    truth = [sex for _, _, sex in PEOPLE.values()]
    assert found.samples["sex_expressed"].tolist() == truth
    equal(found, classifier.predict(frame[GENES], "count"), frame.index)
    assert not any("chromosome Y" in text for texts in found.warnings.values() for text in texts)
    assert set(classifier.predict(frame, "count").samples["sex_expressed"]) == {""}

    tissue = found.calls["tissue"].iloc[0]
    monkeypatch.setitem(SEX_OF_TISSUE, tissue, "XY")
    frame.T.to_csv(tmp_path / "matrix.tsv", sep="\t", index_label="gene")
    stated = ["male", "female", "male", "female", "female", "male", ""]
    rows = [
        f"{name}\t{tmp_path}/matrix.tsv\tcount\t{sex}"
        for name, sex in zip(frame.index, stated, strict=True)
    ]
    (tmp_path / "sheet.tsv").write_text("\n".join(["sample\tmatrix\tunit\tsex", *rows]) + "\n")
    sheet = read_sheet(tmp_path / "sheet.tsv", labelled=False)
    quality = read_qualities([], {}, {})
    found = call_samples(knowing, sheet, read_new_samples(sheet, {}), quality, None)
    doubted = [any("The sheet says" in text for text in found.warnings[n]) for n in frame.index]
    assert doubted == [True, False, False, True, False, False, False]
    wrong = (found.calls["tissue"] == tissue) & (found.samples["sex_expressed"] == "XX")
    named = [any(f"called {tissue}, but" in t for t in found.warnings[n]) for n in frame.index]
    assert named == wrong.tolist() and named[0]
    table, records = describe_calls(
        found, sheet, quality, tabulate_origins(sheet, {}, {}, classifier)
    )
    assert table["sex"].tolist() == stated and table["sex_expressed"].tolist() == truth
    assert [(r["sex"], r["sex_expressed"]) for r in records] == list(
        zip(stated, truth, strict=True)
    )


def test_a_refused_sample_has_no_sex(classifier, frame):
    knowing = copy(classifier)
    knowing.gene_map = GeneMap(pd.concat([gene_map().table, sex_gene_map().table[:15]]))
    counts = sex_counts()[list(SEX_GENES)].set_index(frame.index[:7])
    found = knowing.predict(pd.concat([frame.iloc[:7, :5], counts], axis=1), "count")
    assert (found.samples["refused"] != "").all()
    assert set(found.samples["sex_expressed"]) == {""}


def test_inputs_and_bundle_of_a_call_are_recorded(tmp_path, classifier):
    rows = ["here\ta.fq,b.fq\t", "far\ts3://lab/a.fq\t", "run\t\tSRR0000001"]
    (tmp_path / "sheet.tsv").write_text("\n".join(["sample\tfastq_1\tsra", *rows]) + "\n")
    sheet = read_sheet(tmp_path / "sheet.tsv", labelled=False)
    found = tabulate_origins(sheet, {}, {"here": ["1", "2"], "far": [None], "run": []}, classifier)
    assert found["input"].tolist() == ["a.fq,b.fq", "s3://lab/a.fq", "SRR0000001"]
    assert found["input_sha256"].tolist() == ["1,2", "", ""]
    assert set(found["bundle_fingerprint"]) == {classifier.description["checksum"]}


def test_reads_below_the_thresholds_of_the_bundle_are_refused() -> None:
    quality = pd.DataFrame(
        {
            "reads": [9000, 9000, np.nan, 900],
            "aligned": [0.12, 0.9, np.nan, 0.9],
            "assigned": [0.6, 0.6, np.nan, 0.6],
        },
        index=["astray", "fine", "unread", "few"],
    )
    found = refuse_poor_reads(quality, {"aligned": 0.4, "assigned": 0.01})
    assert list(found) == ["astray", "few"]
    assert "aligned 12.0% < 40.0%" in found["astray"] and "900 reads" in found["few"]
    assert list(refuse_poor_reads(quality, {})) == ["few"], "of a bundle without thresholds"


def test_reads_whose_mrin_was_not_measured_are_called_with_a_note(
    tmp_path, classifier, frame
) -> None:
    names = frame.index[:2]
    counts = {}
    for name in names:
        counts[name] = tmp_path / f"{name}.tsv"
        values = frame.loc[name].astype(int)
        counts[name].write_text(f"Geneid\t{name}\n" + values.to_csv(sep="\t", header=False))
    lines = ["sample\tfastq_1", *(f"{name}\t{name}.fq" for name in names), ""]
    (tmp_path / "sheet.tsv").write_text("\n".join(lines))
    sheet = read_sheet(tmp_path / "sheet.tsv", labelled=False)
    quality = pd.DataFrame(1.0, names, ["aligned", "assigned"]).assign(reads=1e6)
    mrin = pd.Series([np.nan, 0.01], names)
    found = call_samples(classifier, sheet, read_new_samples(sheet, counts), quality, mrin)
    assert (found.samples["refused"] == "").all()
    noted = ["mRIN was not measured" in " ".join(found.record(name)["notes"]) for name in names]
    assert noted == [True, False]


def single(values: pd.Series, layout: str) -> str:
    """One sample's counts as the tools write them, by Ensembl id."""
    ids = gene_map().table.set_index("symbol")["ensembl"][GENES]
    counts = values.astype(int).to_numpy()
    rows = {
        "STAR": ("N_unmapped\t1\t1\t1\n", "{id}\t{n}\t0\t{n}\n"),
        "featureCounts": (
            "# Program:featureCounts\nGeneid\tChr\tStart\tEnd\tStrand\tLength\tout/x.bam\n",
            "{id}\tchr1\t1\t9\t+\t9\t{n}\n",
        ),
        "RSEM": (
            "gene_id\ttranscript_id(s)\tlength\teffective_length\texpected_count\tTPM\tFPKM\n",
            "{id}.4\tt\t9\t8\t{n}.00\t1.5\t1\n",
        ),
        "salmon": (
            "Name\tLength\tEffectiveLength\tTPM\tNumReads\n",
            "{id}.4\t9\t8\t1.5\t{n}\n",
        ),
        "kallisto": (
            "target_id\tlength\teff_length\test_counts\ttpm\n",
            "{id}.4\t9\t8\t{n}\t1.5\n",
        ),
        "htseq-count": ("", "{id}\t{n}\n"),
    }
    head, row = rows[layout]
    tail = "__no_feature\t9\n__ambiguous\t1\n" if layout == "htseq-count" else ""
    return head + "".join(row.format(id=i, n=n) for i, n in zip(ids, counts, strict=True)) + tail


@pytest.mark.parametrize("unit", ["", "count"])
@pytest.mark.parametrize(
    "layout", ["STAR", "featureCounts", "RSEM", "salmon", "kallisto", "htseq-count"]
)
def test_a_file_of_one_sample_needs_neither_column_nor_unit(
    tmp_path, classifier, frame, layout, unit
):
    rows = ["sample\tmatrix\tunit"]
    for name in ("S3", "S4"):
        file = tmp_path / f"{name}.{layout}.tsv"
        file.write_text(single(frame.loc[name], layout))
        rows.append(f"{name}\t{file}\t{unit}")
    (tmp_path / "sheet.tsv").write_text("\n".join(rows) + "\n")
    groups = read_new_samples(read_sheet(tmp_path / "sheet.tsv", labelled=False), {}).frames
    assert len(groups) == 1
    found = classifier.predict(*groups[0])
    equal(found, classifier.predict(frame, "count"), ["S3", "S4"])
    assert not any("unit" in text for text in found.warnings["S3"])


@pytest.mark.parametrize("suffix", ["tsv", "csv", "tsv.gz", "parquet", "h5ad", "gct"])
def test_a_table_of_many_samples_is_read_in_every_format(tmp_path, classifier, frame, suffix):
    some, path = frame.iloc[:4], tmp_path / f"new.{suffix}"
    if suffix == "parquet":
        some.T.to_parquet(path)
    elif suffix == "h5ad":
        anndata.AnnData(some).write_h5ad(path)
    elif suffix == "gct":
        table = some.T.assign(Description="")[["Description", *some.index]]
        path.write_text(f"#1.2\n60\t4\n{table.to_csv(sep=chr(9), index_label='Name')}")
    else:
        some.T.to_csv(path, sep="," if suffix == "csv" else "\t", index_label="gene")
    lines = ["sample\tmatrix", *(f"{name}\t{path}" for name in some.index)]
    (tmp_path / "sheet.tsv").write_text("\n".join(lines) + "\n")
    groups = read_new_samples(read_sheet(tmp_path / "sheet.tsv", labelled=False), {}).frames
    equal(classifier.predict(*groups[0]), classifier.predict(frame), some.index)


def test_a_column_with_another_name_gives_a_warning(tmp_path, classifier, frame):
    (tmp_path / "S4.htseq.tsv").write_text(single(frame.loc["S4"], "htseq-count"))
    frame.iloc[[3]].T.to_csv(tmp_path / "new.tsv", sep="\t", index_label="gene")
    lines = ["sample\tmatrix", *(f"S{i}\t{tmp_path}/{name}" for i, name in
             ((0, "new.tsv"), (4, "S4.htseq.tsv")))]  # fmt: skip
    (tmp_path / "sheet.tsv").write_text("\n".join(lines) + "\n")
    sheet = read_sheet(tmp_path / "sheet.tsv", labelled=False)
    nothing = pd.DataFrame(columns=["reads", "aligned", "assigned"], dtype=float)
    found = call_samples(classifier, sheet, read_new_samples(sheet, {}), nothing, None)
    assert any(repr(frame.index[3]) in warning for warning in found.warnings["S0"])
    assert not any("only column" in text for text in found.warnings["S4"])


def test_transcripts_are_added_up_by_gene(classifier, frame):
    table = gene_map().table.set_index("symbol").loc[GENES]
    halves = pd.concat([(frame / 2), (frame / 2)], axis=1)
    classifier.gene_map = GeneMap(
        gene_map().table.assign(transcripts=[f"ENST{n:011d}|ENST{n + 500:011d}" for n in range(62)])
    )
    try:
        ids = [f"ENST{n + add:011d}.2" for add in (0, 500) for n in range(len(table))]
        found = classifier.predict(halves.set_axis(ids, axis=1), "count")
    finally:
        classifier.gene_map = gene_map()
    equal(found, classifier.predict(frame), frame.index, 1e-5)
    assert found.samples["recognition"].iloc[0].endswith("found as transcript ids")


def test_unplaced_transcripts_are_reported_with_their_reads(classifier, frame):
    classifier.gene_map = GeneMap(
        gene_map().table.assign(transcripts=[f"ENST{n:011d}" for n in range(62)])
    )
    try:
        known = [f"ENST{n:011d}.2" for n in range(60)]
        lost = [f"ENST{n:011d}.2" for n in range(500, 560)]
        some, most = (
            classifier.predict(
                pd.concat([frame, frame * share], axis=1).set_axis(known + lost, axis=1),
                "normalised",
            )
            for share in (0.25, 4)
        )
    finally:
        classifier.gene_map = gene_map()
    said = "60 of its 120 transcripts, with 20% of the reads, cannot be placed on a gene"
    assert any(said in text for text in some.warnings["S0"])
    assert most.samples["refused"].str.contains("with 80% of the reads.*give a file of genes").all()


def test_equal_rows_of_a_gene_count_once_with_a_warning(classifier, frame):
    """Genes under two ids, after two annotations were joined, or rows doubled by a join."""
    table = gene_map().table.set_index("symbol").loc[GENES]
    for ids in (table["ensembl"], table.index):
        doubled = pd.concat([frame, frame.set_axis(ids, axis=1).iloc[:, :30]], axis=1)
        found = classifier.predict(doubled, "count")
        equal(found, classifier.predict(frame), frame.index, 0)
        said = [" ".join(found.warnings[name]) for name in frame.index]
        assert all("genes are in several rows with the same values" in text for text in said)
    assert "30 genes were added up from several ids" in found.samples["recognition"].iloc[0]


def test_row_numbers_are_not_called(classifier, frame):
    rng = np.random.default_rng(2)
    ids = np.sort(rng.choice(np.arange(900, 1100), 60, replace=False)).astype(str)
    refused = classifier.predict(frame.set_axis(ids, axis=1)).samples["refused"]
    assert refused.str.contains("the ids are numbers, but not Entrez ids").all()


def test_equal_stages_give_equal_bundles_and_damage_is_refused(trained, tmp_path):
    bundle, _, _, stages, config = trained
    write_whole_bundle(tmp_path / "again", stages, config)
    for file in sorted(path for path in bundle.rglob("*") if path.is_file()):
        assert (tmp_path / "again" / file.relative_to(bundle)).read_bytes() == file.read_bytes()
    weights = tmp_path / "again" / "multitask" / "weights.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-4] + b"abcd")
    with pytest.raises(InputError, match=r"multitask/weights\.safetensors"):
        Classifier.load(tmp_path / "again")
    weights.write_bytes(whole)
    card = tmp_path / "again" / CARD
    card.write_text(card.read_text() + "Fit for diagnosis.")
    with pytest.raises(InputError, match=r"MODEL_CARD\.md: is not the file"):
        Classifier.load(tmp_path / "again")
    card.unlink()
    with pytest.raises(InputError, match=r"MODEL_CARD\.md is missing"):
        Classifier.load(tmp_path / "again")


def test_the_bundle_keeps_the_thresholds_of_quality_control(classifier):
    found = classifier.description["thresholds"]
    assert {f"min_{name}": found[name] for name in QUALITIES} == QUALITY


@pytest.fixture
def without(trained, tmp_path):
    """A bundle whose training had no sample of a tissue in a state."""

    def build(tissue: str, state: str) -> Classifier:
        _, data, _, stages, config = trained
        kept = (data.obs["tissue"] != tissue) | (data.obs["disease_state"] != state)
        data[kept].copy().write_h5ad(tmp_path / "cohort.h5ad")
        fewer = replace(stages, cohort=str(tmp_path / "cohort.h5ad"))
        write_whole_bundle(tmp_path / "bundle", fewer, config)
        return Classifier.load(tmp_path / "bundle")

    return build


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("neoplastic", "no peri-neoplastic or neoplastic kidney was in training"),
        ("non-neoplastic", "no non-neoplastic or peri-neoplastic kidney was in training"),
    ],
)
def test_no_state_is_called_of_a_tissue_that_had_one_alone(without, classifier, frame, lost, said):
    whole, narrow = classifier.predict(frame), without("kidney", lost)
    found = narrow.predict(frame)
    calls = found.calls
    kidney = calls.index[calls["tissue"] == "kidney"]
    rest = calls.index[found.probabilities["tissue"].idxmax(axis=1) != "kidney"]
    assert len(kidney) > 10
    assert len(rest) > 10
    assert calls.loc[kidney, "disease_state"].eq("").all()
    assert calls.loc[kidney, "disease_state_abstained"].eq(said).sum() > 10
    assert all(said[1:] in " ".join(found.warnings[name]) for name in kidney)
    pd.testing.assert_frame_equal(calls.loc[rest], whole.calls.loc[rest])
    assert not any("was in training" in " ".join(found.warnings[name]) for name in rest)
    for head, shares in whole.probabilities.items():
        pd.testing.assert_frame_equal(found.probabilities[head], shares)
    normal = kidney[whole.calls.loc[kidney, "disease_state"] == "non-neoplastic"]
    assert len(normal)
    assert calls.loc[normal, "subtype"].eq("").all(), "no subtype of what is no likely tumour"
    if lost == "neoplastic":
        assert calls.loc[kidney, "disease_state_set"].str.contains(r"(?:^|\|)neoplastic").all()
    facts = card_facts(narrow.description)
    assert [gap_sentence(*lack) for lack in facts["unseen"]] == [said]
    assert facts["states_of_tissue"]["kidney"][lost] == 0


def test_a_bundle_without_states_of_tissues_calls_as_before(described, classifier, frame):
    data = dict(classifier.description["data"])
    del data["states_of_tissue"]
    found = described(data=data).predict(frame)
    pd.testing.assert_frame_equal(found.calls, classifier.predict(frame).calls)


def test_a_cohort_without_subtypes_makes_a_bundle_without_them(trained, tmp_path, frame):
    _, _, _, stages, config = trained
    classes = tmp_path / "classes.json"
    classes.write_text(json.dumps({**CLASSES, "subtype": [], "subtypes_of": {}}))
    plain = replace(stages, subtype=[], classes=str(classes))
    write_whole_bundle(tmp_path / "bundle", plain, config)
    found = Classifier.load(tmp_path / "bundle").predict(frame.iloc[:2])
    assert set(found.probabilities) == {"disease_state", "tissue"}


def test_the_bundle_names_no_sample_and_no_donor(trained):
    for file in trained[0].rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert b"donor1" not in content
            assert "donor1".encode("utf-32-le") not in content
            assert "S17".encode("utf-32-le") not in content


def test_a_call_needs_neither_r_nor_snakemake_nor_torch(trained, frame, root, tmp_path):
    frame.iloc[:3].to_csv(tmp_path / "new.csv")
    code = (
        "import sys, pandas\n"
        "absent = 'rpy2', 'snakemake', 'torch', 'matplotlib', 'anndata', 'sklearn', 'pysam'\n"
        "sys.modules.update(dict.fromkeys(absent))\n"
        "from tissuestate.classify import Classifier\n"
        f"frame = pandas.read_csv({str(tmp_path / 'new.csv')!r}, index_col=0)\n"
        f"calls = Classifier.load({str(trained[0])!r}).predict(frame, unit='count')\n"
        "assert calls.table()['tissue'].isin(['kidney', 'liver']).all()\n"
    )
    environment = {"PYTHONPATH": str(root / "workflow" / "lib"), "PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_correct_calls_of_test_samples_are_explained(trained, classifier, tmp_path):
    _, data, probabilities, stages, _ = trained
    predictions = tabulate_predictions(data.obs, probabilities, CLASSES)
    predictions.to_csv(tmp_path / "predictions.tsv", sep="\t", index=False)
    frame, units, calls = correct_calls(stages.cohort, tmp_path / "predictions.tsv")
    assert (data.obs.loc[frame.index, "split"] == "test").all()
    assert set(units) == {"count"}
    obs = data.obs.loc[calls.index]
    for head in calls:
        called = calls[head] != ""
        assert (calls.loc[called, head] == obs.loc[called, head]).all()
    table = class_genes(Explainer(classifier), calls, classifier.expression(frame, units))
    first = table[table["rank"] == 1].set_index(["head", "class"])["gene"]
    assert first["tissue", "kidney"] in GENES[:10]
    shown = {row["name"]: row for row in class_gene_facts(table)["heads"]["tissue"]["classes"]}
    assert list(shown) == ["kidney", "liver"]
    assert shown["kidney"]["samples"] == (calls["tissue"] == "kidney").sum()
    gene = shown["kidney"]["genes"][0]
    assert gene["gene"] == first["tissue", "kidney"]
    assert gene["higher"] and gene["part"] > 0


@pytest.fixture(scope="module")
def background(trained):
    return Background.of(read_bundle(trained[0]))


def test_the_page_has_call_record_and_doubts(background, classifier, frame):
    found = classifier.predict(frame.iloc[:1], mrin=pd.Series({"S0": -0.3}))
    facts = sample_facts(found.record("S0"), background)
    assert facts["verdict"]["tissue"] == found.calls.at["S0", "tissue"]
    assert "looks degraded" in facts["doubts"]["degraded RNA"]
    record = next(row["record"] for row in facts["questions"] if row["question"] == "tissue")
    assert record["train"] + record["test"] > 0 and record["laboratories"] == 1
    assert facts["nearest"][0]["distance"] == pytest.approx(facts["novelty"], abs=0)
    assert facts["nearest"][0]["tissue"] == facts["verdict"]["tissue"], "a training sample"
    assert facts["integrity"] is None, "the cohort had no reads"
    page = render("sample.html.j2", facts)
    for outside in ("http://", "https://", "src=", "<link"):
        assert outside not in page


def test_values_divided_by_gene_length_get_a_warning_if_training_had_counts(classifier, frame):
    lengths = np.linspace(1, 9, frame.shape[1])
    given = frame.iloc[:2] / lengths
    for unit in ("normalised", "auto"):
        found = classifier.predict(given.div(given.sum(axis=1), axis=0) * 1e6, unit)
        assert all("divided by gene length" in " ".join(text) for text in found.warnings.values())
    found = classifier.predict(frame.iloc[:2])
    assert not any("gene length" in " ".join(text) for text in found.warnings.values())


def test_gene_names_that_became_dates_are_reported(classifier, frame):
    found = classifier.predict(frame.iloc[:1].rename(columns={"GENE0": "1-Mar"}))
    recognition = found.samples.at["S0", "recognition"]
    for fact in ("59 of 60 genes", "such as 1-Mar", "1 ids are dates"):
        assert fact in recognition


def test_the_page_shows_subtypes_of_tumours_only(background, classifier, frame):
    found = classifier.predict(frame)
    kidney = found.calls[found.calls["tissue"] == "kidney"]
    tumour = kidney.index[kidney["subtype"] == "kirc"][0]
    facts = sample_facts(found.record(tumour), background)
    assert "subtype" in {row["head"] for row in facts["heads"]}
    healthy = kidney.index[kidney["disease_state"] == "non-neoplastic"][0]
    facts = sample_facts(found.record(healthy), background)
    status = {row["question"]: row["status"] for row in facts["questions"]}
    assert status["subtype"] == "senseless" and status["tumour"] == "called"
    assert "subtype" not in {row["head"] for row in facts["heads"]}


def test_the_page_of_a_refused_sample_has_the_reason_and_no_call(background, classifier, frame):
    found = classifier.predict(frame.iloc[:1, :10])
    facts = sample_facts(found.record("S0"), background)
    assert facts["refused"].startswith("10 of the model")
    assert facts["heads"] == facts["questions"] == facts["nearest"] == []
