"""Scores of calls in other laboratories: by hand, and against scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from tissuestate.evaluation.calibration import expected_calibration_error
from tissuestate.evaluation.outside import (
    EVEN,
    POOLED,
    THRESHOLDS,
    accuracy_by_threshold,
    area_between,
    count_reasons,
    development_answers,
    score_outside,
    tabulate_answers,
)
from tissuestate.evaluation.predictions import tabulate_predictions
from tissuestate.labels import STATES, encode

CLASSES = {
    "disease_state": list(STATES),
    "tissue": ["kidney", "liver", "lung"],
    "subtype": ["kirc", "kirp"],
    "subtypes_of": {"kidney": ["kirc", "kirp"]},
}


def make_calls(rows: dict[str, dict]) -> pd.DataFrame:
    """Calls of samples; each row has tissue and state probabilities, and what is not answered."""
    calls = pd.DataFrame(index=pd.Index(rows, name="sample"))
    calls["refused"] = [row.get("refused", "") for row in rows.values()]
    calls["novelty"] = [row.get("novelty", 0.5) for row in rows.values()]
    for head in ("tissue", "disease_state"):
        shares = np.array([row[head] for row in rows.values()], dtype=float)
        calls[[f"{head}:{name}" for name in CLASSES[head]]] = shares
        best = np.array(CLASSES[head], dtype=object)[np.nan_to_num(shares).argmax(axis=1)]
        withheld = [
            head in row.get("withheld", ()) or bool(row.get("refused")) for row in rows.values()
        ]
        calls[head] = np.where(withheld, "", best)
    return calls


def make_labels(rows: dict[str, tuple]) -> pd.DataFrame:
    columns = ["laboratory", "tissue", "disease_state", "protocol"]
    labels = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    return labels.assign(subtype="", doubt="")


def score_all_labels(calls: pd.DataFrame, labels: pd.DataFrame, *given) -> pd.DataFrame:
    table = score_outside(calls, labels, CLASSES, *given)
    return table[table["labels"] == "all"]


ROWS = {
    "a1": {"tissue": [0.9, 0.1, 0], "disease_state": [0.1, 0.1, 0.8]},
    "a2": {"tissue": [0.2, 0.8, 0], "disease_state": [0.2, 0.2, 0.6]},
    "a3": {"tissue": [0.4, 0.6, 0], "disease_state": [0.6, 0.4, 0], "withheld": ("tissue",)},
    "a4": {"tissue": [np.nan] * 3, "disease_state": [np.nan] * 3, "refused": "no genes"},
    "b1": {"tissue": [0, 0.3, 0.7], "disease_state": [0.1, 0.8, 0.1]},
    "c1": {"tissue": [0.6, 0.4, 0], "disease_state": [0, 0, 1], "novelty": 2},
    "c2": {
        "tissue": [0.5, 0.5, 0],
        "disease_state": [0, 0, 1],
        "novelty": 0.4,
        "withheld": ("tissue", "disease_state"),
    },
}
LABELS = {
    "a1": ("a", "kidney", "neoplastic", "FFPE"),
    "a2": ("a", "kidney", "non-neoplastic", "FFPE"),
    "a3": ("a", "liver", "peri-neoplastic", "poly-A"),
    "a4": ("a", "liver", "neoplastic", "poly-A"),
    "b1": ("b", "lung", "non-neoplastic", "poly-A"),
    "c1": ("c", "other", "", "poly-A"),
    "c2": ("c", "spleen", "", "poly-A"),
}


@pytest.fixture(scope="module")
def scores() -> pd.DataFrame:
    table = score_outside(make_calls(ROWS), make_labels(LABELS), CLASSES)
    return table.set_index(["labels", "group", "member", "question", "metric"])


@pytest.mark.parametrize(
    ("member", "question", "metric", "value", "samples"),
    [
        (POOLED, "tissue", "answered", 3 / 5, 5),
        (EVEN, "tissue", "answered", (2 / 4 + 1) / 2, 5),
        (POOLED, "tissue", "right_of_answered", 2 / 3, 3),
        (EVEN, "tissue", "right_of_answered", (1 / 2 + 1) / 2, 3),
        (POOLED, "tissue", "likeliest_right", 3 / 4, 4),  # the refused file has none
        (EVEN, "tissue", "likeliest_right", (2 / 3 + 1) / 2, 4),
        (POOLED, "file", "refused", 1 / 7, 7),
        (EVEN, "file", "refused", 1 / 4 / 3, 7),
        (POOLED, "disease_state", "right_of_answered", 1 / 4, 4),
        (POOLED, "tumour", "answered", 4 / 5, 5),
        (POOLED, "tumour", "right_of_answered", 3 / 4, 4),  # only a2 is wrong
        (POOLED, "tumour", "healthy_likeliest_tumour", 1 / 2, 2),
        (EVEN, "tumour", "healthy_likeliest_tumour", 1 / 2, 2),
        (POOLED, "tumour", "adjacent_likeliest_tumour", 0, 1),
        (POOLED, "new", "answered", 1 / 2, 2),
        (POOLED, "new", "auroc_novelty", 0.5, 6),  # one above all known ones, one below
        (POOLED, "new", "auroc_probability", 7.5 / 8, 6),  # .6 and .5 against .9 .8 .6 .7
        (POOLED, "new", "auroc_decision", 0.75, 6),  # a3 and c2 are withheld; c1 is answered
    ],
)
def test_scores_are_those_counted_by_hand(scores, member, question, metric, value, samples):
    row = scores.loc[("all", "all", member, question, metric)]
    assert row["value"] == pytest.approx(value)
    assert row["samples"] == samples


def test_groups_have_their_own_samples(scores):
    def value(group, member, metric):
        return scores.loc[("all", group, member, "tissue", metric), "value"]

    assert value("protocol", "FFPE", "answered") == 1
    assert value("protocol", "poly-A", "answered") == pytest.approx(1 / 3)
    assert value("laboratory", "b", "likeliest_right") == 1
    assert scores.loc[("all", "laboratory", "c", "new", "answered"), "samples"] == 2


def test_doubtful_labels_are_left_out_of_a_second_score():
    labels = make_labels(LABELS)
    labels.loc["a2", "doubt"] = "profile of liver"
    table = score_outside(make_calls(ROWS), labels, CLASSES)
    rows = table[(table["question"] == "tissue") & (table["metric"] == "right_of_answered")]
    values = rows.set_index(["labels", "member"])["value"]
    assert values["all", "a"] == 1 / 2
    assert values["undoubted", "a"] == 1
    assert ("undoubted", "b") not in values.index  # nothing is left out there
    assert values["undoubted", POOLED] == 1


def test_a_tumour_call_of_its_own_decides_what_is_answered():
    calls = make_calls(ROWS).assign(tumour=["tumour", "", "", "", "", "", ""])
    answers = tabulate_answers(calls, make_labels(LABELS), CLASSES)["tumour"]
    assert answers["answered"].tolist() == [True, False, False, False, False]
    assert answers["likeliest"].tolist() == ["tumour", "tumour", "no tumour", "", "no tumour"]


def test_sets_cover_and_are_counted():
    calls = make_calls(ROWS)
    calls["tissue_set"] = ["kidney|lung", "liver", "", "", "lung", "", ""]
    table = score_all_labels(calls, make_labels(LABELS))
    rows = table[(table["member"] == POOLED) & (table["question"] == "tissue")]
    values = rows.set_index("metric")["value"]
    assert values["set_coverage"] == 2 / 4
    assert values["set_size"] == (2 + 1 + 0 + 1) / 4


def simulate(n: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Calls and labels of n samples of four laboratories, a third of them of no class."""
    rng = np.random.default_rng(seed)
    shares = {
        head: rng.dirichlet([0.4] * len(CLASSES[head]), n) for head in ("tissue", "disease_state")
    }
    rows = {
        f"s{i}": {head: values[i] for head, values in shares.items()}
        | {"novelty": rng.gamma(2), "withheld": ("tissue",) if rng.random() < 0.3 else ()}
        for i in range(n)
    }
    true = {
        head: [rng.choice(CLASSES[head], p=p) for p in values] for head, values in shares.items()
    }
    is_new = rng.random(n) < 1 / 3
    labels = pd.DataFrame(
        {
            "laboratory": rng.choice(list("abcd"), n, p=[0.5, 0.3, 0.1, 0.1]),
            "tissue": np.where(is_new, "other", true["tissue"]),
            "disease_state": np.where(is_new, "", true["disease_state"]),
            "subtype": "",
            "doubt": "",
        },
        index=list(rows),
    )
    return make_calls(rows), labels


def test_pooled_areas_and_calibration_agree_with_other_programs():
    calls, labels = simulate(300, 1)
    table = score_all_labels(calls, labels)
    values = table[table["member"] == POOLED].set_index(["question", "metric"])["value"]
    is_new = labels["tissue"] == "other"
    top = calls[[f"tissue:{name}" for name in CLASSES["tissue"]]].max(axis=1)
    assert values["new", "auroc_novelty"] == pytest.approx(roc_auc_score(is_new, calls["novelty"]))
    assert values["new", "auroc_probability"] == pytest.approx(roc_auc_score(is_new, -top))
    for head in ("tissue", "disease_state"):
        shares = calls.loc[~is_new, [f"{head}:{name}" for name in CLASSES[head]]].to_numpy()
        codes = encode(labels.loc[~is_new, head], CLASSES[head])
        expected = expected_calibration_error(shares, codes, bins=10)
        assert values[head, "calibration_error"] == pytest.approx(expected)


def test_the_even_area_is_the_mean_over_pairs_of_laboratories():
    calls, labels = simulate(300, 2)
    table = score_all_labels(calls, labels)
    found = table[(table["member"] == EVEN) & (table["metric"] == "auroc_novelty")]["value"]
    is_new = (labels["tissue"] == "other").to_numpy()
    laboratory, novelty = labels["laboratory"].to_numpy(), calls["novelty"].to_numpy()
    pairs = []
    for known in "abcd":
        for new in "abcd":
            rows = (~is_new & (laboratory == known)) | (is_new & (laboratory == new))
            pairs.append(roc_auc_score(is_new[rows], novelty[rows]))
    assert found.item() == pytest.approx(np.mean(pairs))


def test_the_even_confidence_gap_is_the_mean_of_the_laboratories_own():
    calls, labels = simulate(400, 3)
    table = score_all_labels(calls, labels)
    rows = table[(table["question"] == "tissue") & (table["metric"] == "confidence_gap")]
    values = rows.set_index(["group", "member"])["value"]
    assert values["all", EVEN] == pytest.approx(values["laboratory"].mean())
    assert len(values["laboratory"]) == 4


def test_the_curve_by_threshold_and_the_area_between_two():
    answers = pd.DataFrame({"right": [True, False, True], "confidence": [0.9, 0.5, 0.2]})
    curve = accuracy_by_threshold(answers)
    assert curve[[0, 20, 21, 50, 51, 90]] == pytest.approx([2 / 3, 2 / 3, 1 / 2, 1 / 2, 1, 1])
    assert np.isnan(curve[91:]).all()
    weighted = accuracy_by_threshold(answers, np.array([1.0, 2.0, 1.0]))
    assert weighted[0] == 1 / 2
    # 21 thresholds lose 1/3, 30 lose 1/2, 40 nothing; beyond, no call is left
    area = area_between(np.ones(len(THRESHOLDS)), curve)
    assert area == pytest.approx((21 / 3 + 30 / 2) / 91)
    assert np.isnan(area_between(np.full(100, np.nan), curve))


def test_the_same_answers_lose_nothing_outside():
    calls, labels = simulate(200, 4)
    known = labels["tissue"] != "other"
    obs = labels[known].assign(split="test")
    shares = {
        head: calls.loc[known, [f"{head}:{name}" for name in CLASSES[head]]].to_numpy()
        for head in ("disease_state", "tissue")
    }
    classes = {**CLASSES, "subtype": []}
    development = development_answers(tabulate_predictions(obs, shares, classes), classes)
    table = score_outside(calls, labels, classes, development)
    rows = table[(table["metric"] == "area_development_outside") & (table["member"] == POOLED)]
    assert set(rows["question"]) == {"tissue", "tumour", "disease_state"}
    assert rows["value"].to_numpy() == pytest.approx(0)


def test_reasons_that_differ_in_numbers_files_and_classes_are_one_kind():
    calls = pd.DataFrame(
        {
            "refused": ["/data/a.tsv.gz: 12 of 3,273 genes", "/data/b.tsv: 7 of 3,273 genes", ""],
            "tissue_abstained": ["", "", "kidney and lung are about equally likely (50% and 48%)"],
        },
        index=["a", "b", "c"],
    )
    warnings = {"a": ["read 'x' as 0."], "b": ["read 'y' as 0.", "other"], "c": []}
    found = count_reasons(calls, warnings, CLASSES)
    assert found.to_numpy().tolist() == [
        ["refused", "FILE: # of # genes", 2],
        ["tissue withheld", "CLASS and CLASS are about equally likely (#% and #%)", 1],
        ["warning", "read '…' as #.", 2],
        ["warning", "other", 1],
    ]
