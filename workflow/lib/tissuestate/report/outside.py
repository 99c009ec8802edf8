"""Facts of the page on calls in other laboratories."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tissuestate.evaluation.outside import EVEN, GROUPS, NEW, POOLED, score_over_all
from tissuestate.report.figures.intervals import laboratory_intervals
from tissuestate.report.figures.outside import (
    known_and_new,
    outside_curves,
    outside_reliability,
)
from tissuestate.report.render import figure_bytes
from tissuestate.report.shares import count_hits

# question, metric, whether a higher value is better, goal (of the mean over laboratories)
GOALS = (
    ("tissue", "answered", True, 0.90),
    ("tissue", "right_of_answered", True, 0.985),
    (NEW, "answered", False, 0.05),
    (NEW, "auroc_novelty", True, 0.97),
    ("tumour", "right_of_answered", True, 0.97),
    ("tumour", "healthy_likeliest_tumour", False, 0.01),
    ("disease_state", "right_of_answered", True, 0.92),
    ("tissue", "calibration_error", False, 0.05),
    ("tumour", "calibration_error", False, 0.05),
)
VERDICT = {  # the scores that the page begins with: question, metric
    "tissue_answered": ("tissue", "answered"),
    "tissue_right": ("tissue", "right_of_answered"),
    "tumour_answered": ("tumour", "answered"),
    "tumour_right": ("tumour", "right_of_answered"),
    "state_answered": ("disease_state", "answered"),
    "state_right": ("disease_state", "right_of_answered"),
    "subtype_answered": ("subtype", "answered"),
    "subtype_right": ("subtype", "right_of_answered"),
    "new_answered": (NEW, "answered"),
    "healthy_tumour": ("tumour", "healthy_likeliest_tumour"),
}
PART_COLUMNS = (
    *(
        (question, metric)
        for question in ("tissue", "tumour", "disease_state")
        for metric in ("answered", "right_of_answered", "likeliest_right")
    ),
    (NEW, "answered"),
)


def outside_facts(
    name: str,
    calls: pd.DataFrame,
    labels: pd.DataFrame,
    scores: pd.DataFrame,
    reasons: pd.DataFrame,
    answers: Mapping[str, pd.DataFrame],
    development: Mapping[str, pd.DataFrame],
) -> dict[str, Any]:
    """What the page shows of one bundle's calls; see `tissuestate.evaluation.outside`."""
    is_new = ~calls.index.isin(answers["tissue"].index)
    whole = scores[(scores["labels"] == "all") & (scores["member"] == POOLED)]
    areas = whole[whole["question"] == NEW].set_index("metric")["value"].filter(like="auroc_")
    laboratories = labels["laboratory"]
    figures = {
        "reliability": outside_reliability(answers),
        "curves": outside_curves(answers, development),
        NEW: known_and_new(
            calls,
            pd.Series(is_new, calls.index),
            {str(metric).removeprefix("auroc_"): area for metric, area in areas.items()},
        ),
    }
    return {
        "name": name,
        "samples": len(calls),
        "known": int((~is_new).sum()),
        "new": int(is_new.sum()),
        "refused": int((calls["refused"] != "").sum()),
        "laboratories": laboratories.nunique(),
        "known_laboratories": laboratories[~is_new].nunique(),
        "doubtful": labels.loc[labels["doubt"] != "", ["laboratory", "doubt"]].reset_index(),
        "has_development": bool(development),
        "goals": [_goal(scores, *goal) for goal in GOALS],
        "verdict": {key: _counts(scores, *asked) for key, asked in VERDICT.items()},
        "by_laboratory": {
            question: laboratory_intervals(answers[question], laboratories)
            for question in ("tissue", "tumour")
            if len(answers.get(question, ()))
        },
        "pictures": {key: figure_bytes(figure) for key, figure in figures.items()},
        "parts_of": {part: _by_part(scores, part) for part in GROUPS if part in labels},
        "main": _main_scores(scores),
        "mistakes": _mistakes(calls, labels, answers, is_new),
        "reasons": reasons,
    }


def _counts(scores: pd.DataFrame, question: str, metric: str) -> dict[str, Any]:
    """Samples behind a score over all, and the mean of the score over laboratories."""
    value, samples, laboratories = score_over_all(scores, "all", POOLED, question, metric)
    return {
        "hits": count_hits(value, samples),
        "samples": samples,
        "laboratories": laboratories,
        "even": score_over_all(scores, "all", EVEN, question, metric)[0],
    }


def _goal(
    scores: pd.DataFrame, question: str, metric: str, higher: bool, goal: float
) -> dict[str, Any]:
    """A main score, with and without doubtful labels, and whether its goal is reached."""
    even, samples, laboratories = score_over_all(scores, "all", EVEN, question, metric)
    return {
        "question": question,
        "metric": metric,
        "higher": higher,
        "goal": goal,
        "even": even,
        "pooled": score_over_all(scores, "all", POOLED, question, metric)[0],
        "undoubted": score_over_all(scores, "undoubted", EVEN, question, metric)[0],
        "samples": samples,
        "laboratories": laboratories,
        "reached": bool(even >= goal if higher else even <= goal),
    }


def _by_part(scores: pd.DataFrame, part: str) -> list[dict[str, Any]]:
    """Scores of all labels by member of a kind of group; NaN for what it has no sample of.

    The numbers are those of `PART_COLUMNS`, in their order, the first and the last after the number
    of samples.
    """
    rows = scores[(scores["labels"] == "all") & (scores["group"] == part)]
    members = []
    for member, own in rows.groupby("member"):
        found = own.set_index(["question", "metric"])
        numbers: list[float | int] = []
        for question, metric in PART_COLUMNS:
            known = (question, metric) in found.index
            if metric == "answered" and question in ("tissue", NEW):
                numbers.append(int(found.at[(question, metric), "samples"]) if known else 0)
            numbers.append(float(found.at[(question, metric), "value"]) if known else np.nan)
        members.append({"name": member, "numbers": numbers})
    return members


def _main_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """Every score over all samples: question, metric, even and pooled, all and undoubted labels."""
    rows = scores[scores["group"] == "all"]
    wide = rows.pivot_table(
        index=["question", "metric"], columns=["labels", "member"], values="value", sort=False
    )
    columns = [(kept, member) for kept in ("all", "undoubted") for member in (EVEN, POOLED)]
    wide = wide.reindex(columns=pd.MultiIndex.from_tuples(columns))
    wide.columns = pd.Index([f"{member}, {kept} labels" for kept, member in columns])
    samples = rows[(rows["labels"] == "all") & (rows["member"] == POOLED)]
    counts = samples.set_index(["question", "metric"])["samples"]
    table = wide.assign(samples=counts.reindex(wide.index).to_numpy()).reset_index()
    return table.assign(metric=table["metric"].str.replace("_", " "))


def _mistakes(
    calls: pd.DataFrame,
    labels: pd.DataFrame,
    answers: Mapping[str, pd.DataFrame],
    is_new: np.ndarray,
) -> dict[str, pd.DataFrame]:
    """Wrong answers by kind: tissues, tumours, and tissues of samples of no class."""

    def described(rows: pd.DataFrame) -> pd.DataFrame:
        about = labels.loc[rows.index, ["laboratory", "what"]]
        return about.join(rows[["likeliest", "confidence"]]).rename_axis("sample").reset_index()

    wrong = {
        question: answers[question].query("answered and not right")
        for question in ("tissue", "tumour")
        if question in answers
    }
    answered = calls[is_new & (calls["tissue"] != "").to_numpy()]
    wrong[NEW] = answered.assign(
        likeliest=answered["tissue"], confidence=answered["tissue_probability"]
    )
    return {question: described(rows) for question, rows in wrong.items()}
