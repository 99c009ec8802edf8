"""Evaluation, compared with scikit-learn."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as witness
from tissuestate.benchmark.table import tabulate_benchmark
from tissuestate.cohort.donors import bootstrap_weights
from tissuestate.errors import InputError
from tissuestate.evaluation.predictions import read_predictions, tabulate_predictions
from tissuestate.evaluation.scores import (
    count_confusions,
    measure_head,
    roc_points,
    score_heads,
    score_predictions,
)
from tissuestate.evaluation.tandem import route_subtypes
from tissuestate.labels import HEADS, TANDEM, TUMOUR, encode, within_batch_head

CLASSES = {
    "disease_state": ["non-neoplastic", "peri-neoplastic", "neoplastic"],
    "tissue": ["brain", "kidney", "lung", "skin"],
    "subtype": ["gbm", "lgg", "kirc", "kirp", "luad"],
    "subtypes_of": {"brain": ["gbm", "lgg"], "kidney": ["kirc", "kirp"], "lung": ["luad"]},
}


def predicted(n: int = 240, seed: int = 0, classes=CLASSES, coarse: bool = False) -> pd.DataFrame:
    """A table of predictions: noisy probabilities around the truth, two samples a donor."""
    rng = np.random.default_rng(seed)
    obs = pd.DataFrame(index=[f"s{i}" for i in range(n)])
    obs["split"] = np.where(np.arange(n) % 4 == 0, "validation", "test")
    obs["donor"] = [f"d{i // 2}" for i in range(n)]
    obs["disease_state"] = rng.choice(CLASSES["disease_state"], n, p=[0.5, 0.2, 0.3])
    obs["tissue"] = rng.choice(["brain", "kidney", "lung", "skin"], n)
    own = [CLASSES["subtypes_of"].get(tissue, [""]) for tissue in obs["tissue"]]
    obs["subtype"] = [
        rng.choice(names) if state == "neoplastic" else ""
        for names, state in zip(own, obs["disease_state"], strict=True)
    ]
    probabilities = {}
    for head in HEADS:
        if not classes[head]:
            continue
        codes = encode(obs[head], classes[head])
        scores = rng.gamma(1.0, size=(n, len(classes[head]))) + 1e-3
        scores[codes >= 0, codes[codes >= 0]] += 2
        scores /= scores.sum(axis=1, keepdims=True)
        probabilities[head] = np.round(scores, 1) if coarse else scores
    return tabulate_predictions(obs, probabilities, classes)


def truth_and_scores(table: pd.DataFrame, head: str):
    rows = table[(table["split"] == "test") & (table[f"{head}_true"] != "")]
    names = CLASSES[head]
    codes = np.array([names.index(name) for name in rows[f"{head}_true"]])
    return rows, codes, rows[[f"{head}:{name}" for name in names]].to_numpy()


def value(table: pd.DataFrame, head: str, metric: str) -> float:
    return table.set_index(["head", "metric"]).loc[(head, metric), "value"]


@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("head", HEADS)
def test_metrics_are_scikit_learns(head, coarse):
    table = predicted(coarse=coarse)
    found, per_class = score_predictions(table, CLASSES, resamples=100)
    _, y, p = truth_and_scores(table, head)
    calls = p.argmax(axis=1)
    macro = {"average": "macro", "zero_division": 0}
    expected = {
        "accuracy": witness.accuracy_score(y, calls),
        "balanced_accuracy": witness.balanced_accuracy_score(y, calls),
        "precision": witness.precision_score(y, calls, **macro),
        "recall": witness.recall_score(y, calls, **macro),
        "f1": witness.f1_score(y, calls, **macro),
        "auc": np.mean([witness.roc_auc_score(y == c, p[:, c]) for c in np.unique(y)]),
    }
    if not coarse:
        expected["log_loss"] = witness.log_loss(y, p)
        expected |= {
            f"top{k}": witness.top_k_accuracy_score(y, p, k=k, labels=np.arange(p.shape[1]))
            for k in range(1, p.shape[1])
        }
    for metric, number in expected.items():
        assert value(found, head, metric) == pytest.approx(number, abs=1e-12), metric
    assert value(found, head, f"top{min(5, p.shape[1])}") == 1
    rows = per_class[per_class["head"] == head]
    by_class = witness.precision_recall_fscore_support(
        y, calls, labels=np.arange(p.shape[1]), zero_division=0
    )
    for metric, numbers in zip(("precision", "recall", "f1", "support"), by_class, strict=True):
        np.testing.assert_allclose(rows[metric], numbers, atol=1e-12)


@pytest.mark.parametrize("coarse", [False, True])
def test_tumour_or_not_is_scored_by_the_sums_of_states(coarse):
    table = predicted(coarse=coarse)
    found, _ = score_predictions(table, CLASSES, resamples=100)
    _, y, p = truth_and_scores(table, "disease_state")
    true, calls = y == 2, p[:, 2] >= 0.5
    assert value(found, TUMOUR, "accuracy") == pytest.approx(witness.accuracy_score(true, calls))
    assert value(found, TUMOUR, "auc") == pytest.approx(witness.roc_auc_score(true, p[:, 2]))
    healthy = {**CLASSES, "disease_state": CLASSES["disease_state"][:2]}
    assert TUMOUR not in {one.head for one in score_heads(table, healthy)}


def test_weights_count_as_repeated_samples():
    scored = score_heads(predicted(coarse=True), CLASSES)[1]
    weights = bootstrap_weights(scored.donors, 20, seed=3)
    overall, _ = measure_head(scored, weights)
    for number, row in enumerate(weights.astype(int)):
        again = np.repeat(np.arange(len(row)), row)
        y, calls, p = scored.true[again], scored.called[again], scored.scores[again]
        assert overall["accuracy"][number] == pytest.approx(witness.accuracy_score(y, calls))
        assert overall["balanced_accuracy"][number] == pytest.approx(
            witness.balanced_accuracy_score(y, calls)
        )
        aucs = [witness.roc_auc_score(y == c, p[:, c]) for c in range(p.shape[1])]
        assert overall["auc"][number] == pytest.approx(np.mean(aucs))


def test_intervals_hold_the_value_and_narrow_with_samples():
    few, _ = score_predictions(predicted(80), CLASSES)
    many, _ = score_predictions(predicted(2400), CLASSES)
    for table in (few, many):
        assert ((table["low"] <= table["value"]) & (table["value"] <= table["high"])).all()
    width = [t.query("metric == 'accuracy'").eval("high - low").to_numpy() for t in (few, many)]
    assert (width[1] < width[0]).all()
    # A proportion of n samples: about 3.92 standard errors wide.
    row = many[(many["head"] == "tissue") & (many["metric"] == "accuracy")].iloc[0]
    error = np.sqrt(row["value"] * (1 - row["value"]) / row["n"])
    assert row["high"] - row["low"] == pytest.approx(3.92 * error, rel=0.15)


def test_the_tandem_calls_only_subtypes_of_the_called_tissue():
    p = np.array([[0.1, 0.1, 0.5, 0.2, 0.1]] * 4)
    tissues = ["brain", "kidney", "lung", "skin"]
    routed = route_subtypes(p, tissues, CLASSES)
    np.testing.assert_allclose(
        routed,
        [[0.5, 0.5, 0, 0, 0], [0, 0, 5 / 7, 2 / 7, 0], [0, 0, 0, 0, 1], [np.nan] * 5],
    )
    obs = pd.DataFrame({"split": "test", "tissue": tissues, "subtype": ""}, index=list("abcd"))
    table = tabulate_predictions(obs, {"tissue": np.eye(4), "subtype": p}, CLASSES)
    assert table["subtype_call"].tolist() == ["gbm", "kirc", "luad", ""]
    assert table["subtype:kirc"].tolist() == [0.5] * 4


def test_the_state_within_a_batch_cannot_be_inferred_from_the_batch():
    """GTEx is all non-neoplastic; a model that knows nothing but the study is at chance in TCGA."""
    states = CLASSES["disease_state"]
    obs = pd.DataFrame({"split": "test", "disease_state": [states[0]] * 20 + states[1:] * 10})
    obs["study"] = ["GTEx"] * 20 + ["TCGA"] * 20
    by_study = np.where(obs["study"].to_numpy()[:, None] == "GTEx", [1.0, 0, 0], [0.4, 0.36, 0.24])
    table = tabulate_predictions(obs.rename(index=str), {"disease_state": by_study}, CLASSES)
    within = score_heads(table, CLASSES)[1]
    assert within.head == within_batch_head("disease_state") and within.classes == tuple(states[1:])
    np.testing.assert_allclose(within.scores, [[0.6, 0.4]] * 20)
    found, _ = score_predictions(table, CLASSES, resamples=100)
    assert value(found, "disease_state", "accuracy") == 0.5
    assert value(found, within_batch_head("disease_state"), "balanced_accuracy") == 0.5
    assert value(found, within_batch_head("disease_state"), "accuracy") == 0.5
    # Where each study holds every state, the question would be the same one.
    heads = ["disease_state", TUMOUR]
    assert [one.head for one in score_heads(table.assign(study="one"), CLASSES)] == heads
    # A study of one state alone asks nothing.
    lone = table.assign(study=table["disease_state_true"])
    assert [one.head for one in score_heads(lone, CLASSES)] == heads


def test_subtypes_within_a_batch_compete_with_those_of_their_own_tissue():
    """gbm and lgg come from sources of their own, kirc and kirp from one: a model that knows
    tissue and source alone is right about the former and at chance about the latter."""
    subtypes = ["gbm", "lgg", "kirc", "kirp"] * 10
    sources = {"gbm": "a", "lgg": "b", "kirc": "a", "kirp": "a"}
    obs = pd.DataFrame({"split": "test", "subtype": subtypes, "study": "TCGA"})
    obs["source"] = obs["subtype"].map(sources)
    obs["tissue"] = np.where(obs["subtype"].isin(["gbm", "lgg"]), "brain", "kidney")
    scores = pd.DataFrame(0.0, obs.index, CLASSES["subtype"])
    for name in ("gbm", "lgg"):
        scores.loc[obs["subtype"] == name, name] = 1.0
    scores.loc[obs["tissue"] == "kidney", ["gbm", "kirc", "kirp"]] = 0.5, 0.3, 0.2
    tissues = pd.get_dummies(obs["tissue"]).reindex(columns=CLASSES["tissue"], fill_value=0)
    shares = {"tissue": tissues.to_numpy(float), "subtype": scores.to_numpy()}
    table = tabulate_predictions(obs.rename(index=str), shares, CLASSES)
    found, _ = score_predictions(table, CLASSES, resamples=100)
    within = within_batch_head("subtype")
    assert value(found, "subtype", "accuracy") == 0.5
    assert value(found, within, "accuracy") == value(found, within, "balanced_accuracy") == 0.5
    assert (found.loc[found["head"] == within, "n"] == 20).all()
    # Where every source holds all subtypes of a tissue, only the tissue is given away.
    heads = [scored.head for scored in score_heads(table.assign(source="a"), CLASSES)]
    assert heads == ["tissue", "subtype", TANDEM]


def test_subtypes_that_all_underflowed_are_equally_likely():
    p = np.array([[0.0, 0.0, 1.0, 0.0, 0.0]])
    np.testing.assert_allclose(route_subtypes(p, ["brain"], CLASSES), [[0.5, 0.5, 0, 0, 0]])


def test_a_subtype_is_wrong_in_tandem_if_the_called_tissue_is_wrong():
    table = predicted()
    found, _ = score_predictions(table, CLASSES, resamples=100)
    rows, _, _ = truth_and_scores(table, "subtype")
    right = (rows["subtype_true"] == rows["subtype_call"]).mean()
    assert value(found, "subtype_tandem", "accuracy") == pytest.approx(right)
    assert value(found, "subtype_tandem", "top1") == pytest.approx(right)
    counts = count_confusions(table, CLASSES)
    counts = counts[counts["head"] == "subtype_tandem"]
    assert counts.loc[counts["called"] == "", "count"].sum() == (rows["subtype_call"] == "").sum()
    assert counts.loc[counts["true"] == counts["called"], "count"].sum() / len(rows) == right


def test_confusion_counts_are_those_of_a_cross_tabulation():
    table = predicted()
    counts = count_confusions(table, CLASSES)
    for head in HEADS:
        rows, _, _ = truth_and_scores(table, head)
        found = counts[counts["head"] == head].pivot(index="true", columns="called", values="count")
        calls = rows[f"{head}_call"]
        if head == "subtype":
            calls = rows[[f"subtype:{name}" for name in CLASSES[head]]].idxmax(axis=1).str[8:]
        expected = pd.crosstab(rows[f"{head}_true"], calls)
        expected = expected.reindex(index=found.index, columns=found.columns, fill_value=0)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("coarse", [False, True])
def test_the_area_under_each_curve_is_the_auc(coarse):
    table = predicted(coarse=coarse)
    _, per_class = score_predictions(table, CLASSES, resamples=100)
    curves = roc_points(table, CLASSES)
    for _, row in per_class.iterrows():
        curve = curves[(curves["head"] == row["head"]) & (curves["class"] == row["class"])]
        assert witness.auc(curve["fpr"], curve["tpr"]) == pytest.approx(row["auc"])


def test_a_class_without_test_samples_is_left_out_with_a_message(caplog):
    table = predicted()
    table = table[(table["tissue_true"] != "skin") | (table["split"] == "validation")]
    found, per_class = score_predictions(table, CLASSES, resamples=100)
    row = per_class[(per_class["head"] == "tissue") & (per_class["class"] == "skin")].iloc[0]
    assert row["support"] == 0 and row[["precision", "recall", "f1", "auc"]].isna().all()
    assert "skin" in caplog.text
    _, y, p = truth_and_scores(table, "tissue")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        expected = witness.balanced_accuracy_score(y, p.argmax(axis=1))
    assert value(found, "tissue", "balanced_accuracy") == pytest.approx(expected)


def test_a_cohort_without_subtypes_is_evaluated_without():
    classes = {**CLASSES, "subtype": [], "subtypes_of": {}}
    table = predicted(classes=classes)
    found, _ = score_predictions(table, classes, resamples=100)
    assert set(found["head"]) == {"disease_state", "tissue", TUMOUR}


def test_a_head_of_one_class_does_not_crash():
    classes = {**CLASSES, "subtype": ["gbm"], "subtypes_of": {"brain": ["gbm"]}}
    found, per_class = score_predictions(predicted(classes=classes), classes, resamples=100)
    assert value(found, "subtype", "accuracy") == 1
    assert np.isnan(value(found, "subtype", "auc"))
    assert per_class.loc[per_class["head"] == "subtype", "auc"].isna().all()


def test_predictions_without_labelled_test_samples_are_refused():
    table = predicted()
    with pytest.raises(InputError, match="no test sample"):
        score_predictions(table[table["split"] == "validation"], CLASSES)


def test_a_table_of_predictions_survives_the_disk(tmp_path):
    table = predicted()
    table.to_csv(tmp_path / "predictions.tsv", sep="\t", index=False)
    pd.testing.assert_frame_equal(read_predictions(tmp_path / "predictions.tsv"), table)


def test_models_are_compared_head_by_head():
    found, _ = score_predictions(predicted(), CLASSES, resamples=100)
    cost = {"fit_seconds": 2.0, "predict_seconds": 0.5, "peak_memory_mb": 100.0}
    table = tabulate_benchmark({"dl_pca": found, "dt": found}, {"dl_pca": cost, "dt": cost})
    assert table["model"].tolist() == ["dl_pca"] * 5 + ["dt"] * 5
    assert table["balanced_accuracy"].iloc[1] == value(found, "tissue", "balanced_accuracy")
    assert (table["fit_seconds"] == 2.0).all()
