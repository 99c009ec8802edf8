"""How often calls are right: of test samples by model, and of samples that training lacked."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from tissuestate.evaluation.outside import POOLED, score_over_all
from tissuestate.labels import HEADS, NEOPLASTIC, QUESTIONS, TUMOUR, measured_head
from tissuestate.report.shares import count_hits, exact_interval

WORST = 5  # confusions that are named


def count_right(metrics: pd.DataFrame, called: str, samples: pd.DataFrame) -> pd.DataFrame:
    """Test samples called right by question and model, the model that calls (`called`) first.

    Columns are those of `accuracy_intervals`. `metrics` are those of all models, `samples` the
    labels of the cohort.
    """
    accuracy = metrics[metrics["metric"] == "accuracy"]
    models = sorted(accuracy["model"].unique(), key=lambda model: model != called)
    found, heads = accuracy.set_index(["head", "model"]), set(accuracy["head"])
    rows = []
    for question in QUESTIONS:
        head = measured_head(question, heads)
        chance = commonest_share(samples, question)
        for model in models:
            if (head, model) in found.index:
                score = found.loc[(head, model)]
                rows.append(
                    {
                        **_counted(question, model, float(score["value"]), int(score["n"])),
                        "is_called": model == called,
                        "chance": chance,
                    }
                )
    return pd.DataFrame(rows)


def count_right_outside(
    called: str, outside: pd.DataFrame | None, scores: pd.DataFrame | None
) -> pd.DataFrame:
    """Samples that training lacked and that the model that calls has right, by question.

    Rows as those of `count_right`; instead of a model they name what was left out. `outside`: the
    metrics of the protocols, `scores`: those on laboratories left out; None if there are none.
    """
    rows = []
    if scores is not None:
        for question in QUESTIONS:
            found = score_over_all(scores, "all", POOLED, question, "likeliest_right")
            rows.append(_counted(question, "left_out_laboratory", *found[:2]))
    if outside is not None and len(outside):
        kept = outside[(outside["metric"] == "accuracy") & (outside["model"] == called)]
        heads = set(kept["head"])
        for kind, parts in kept[kept["protocol"] != "project"].groupby("protocol", sort=False):
            for question in QUESTIONS:
                own = parts[parts["head"] == measured_head(question, heads)]
                samples = int(own["n"].sum())
                share = float(own["value"] @ own["n"]) / max(samples, 1)
                rows.append(_counted(question, f"left_out_{kind}", share, samples))
    known = [row for row in rows if row["samples"]]
    return pd.DataFrame(known).assign(is_called=True) if known else pd.DataFrame()


def join_by_question(*tables: pd.DataFrame) -> pd.DataFrame:
    """The tables one below the other, by question."""
    whole = pd.concat([table for table in tables if len(table)], ignore_index=True)
    order = {question: number for number, question in enumerate(QUESTIONS)}
    return whole.sort_values("question", key=lambda names: names.map(order), kind="stable")


def commonest_share(samples: pd.DataFrame, question: str) -> float:
    """The share of the commonest class among test samples that have one; NaN if none has."""
    test = samples[samples["split"] == "test"]
    labels = test["disease_state" if question == TUMOUR else question]
    labels = labels[labels != ""]
    if question == TUMOUR:
        labels = labels == NEOPLASTIC
    return float(labels.value_counts(normalize=True).max())


def compare_with_called(table: pd.DataFrame) -> dict[str, Any]:
    """The models whose intervals (`count_right`) lie apart from that of the model that calls.

    better, worse: models by question. alike: whether no two intervals of a question lie apart.
    """
    better: dict[str, list[str]] = {}
    worse: dict[str, list[str]] = {}
    alike = True
    for question, rows in table.groupby("question", sort=False):
        alike &= bool(rows["low"].max() <= rows["high"].min())
        own = rows[rows["is_called"]]
        if len(own):
            better[str(question)] = rows.loc[rows["low"] > own["high"].iloc[0], "model"].tolist()
            worse[str(question)] = rows.loc[rows["high"] < own["low"].iloc[0], "model"].tolist()
    return {
        "alike": alike,
        "models": table["model"].nunique(),
        "better": {question: names for question, names in better.items() if names},
        "worse": {question: names for question, names in worse.items() if names},
    }


def compare_outside(tests: pd.DataFrame, outside: pd.DataFrame) -> list[dict[str, Any]]:
    """By what was left out: its counts by question, and the questions with fewer right than inside.

    kind, counts (one per row of `tests`, None if not asked), weaker: questions whose interval lies
    below that of the test samples of the model that calls (`tests`).
    """
    inside = tests.to_dict("records")
    found = []
    for kind, rows in outside.groupby("model", sort=False) if len(outside) else ():
        by_question = {row["question"]: row for row in rows.to_dict("records")}
        counts = [by_question.get(row["question"]) for row in inside]
        weaker = [
            row["question"]
            for row, other in zip(inside, counts, strict=True)
            if other and other["high"] < row["low"]
        ]
        found.append({"kind": kind, "counts": counts, "weaker": weaker})
    return found


def answers_outside(scores: pd.DataFrame) -> list[dict[str, Any]]:
    """Of samples of laboratories left out: how many were answered, and how many of these right."""
    rows = []
    for question in QUESTIONS:
        share, samples, _ = score_over_all(scores, "all", POOLED, question, "answered")
        right, answered, _ = score_over_all(scores, "all", POOLED, question, "right_of_answered")
        if samples:
            rows.append(
                {
                    "question": question,
                    "samples": samples,
                    "answered": count_hits(share, samples),
                    "right": count_hits(right, answered),
                }
            )
    return rows


def worst_confusions(confusion: pd.DataFrame) -> list[dict[str, Any]]:
    """The commonest wrong calls: head, true, called, their count and the samples of the class."""
    confusion = confusion[confusion["head"].isin(HEADS)]
    totals = confusion.groupby(["head", "true"], sort=False)["count"].transform("sum")
    wrong = confusion.assign(samples=totals)
    wrong = wrong[(wrong["true"] != wrong["called"]) & (wrong["count"] > 0)]
    return wrong.nlargest(WORST, "count").to_dict("records")


def _counted(question: str, model: str, share: float, samples: int) -> Mapping[str, Any]:
    """A row of counts with its exact interval."""
    right = count_hits(share, samples)
    low, high = exact_interval(right, samples) if samples else (0.0, 1.0)
    return {
        "question": question,
        "model": model,
        "right": right,
        "samples": samples,
        "low": low,
        "high": high,
    }
