"""Facts of the page on calls of samples whose laboratory was left out, and of its summary."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tissuestate.cohort.composition import contrasts, pairs_without_common_batch
from tissuestate.cohort.laboratories import laboratory_table
from tissuestate.evaluation.outside import (
    EVEN,
    NEW,
    count_reasons,
    development_answers,
    score_over_all,
    tabulate_answers,
    weighted_calibration_error,
)
from tissuestate.evaluation.predictions import read_predictions
from tissuestate.evaluation.support import sort_pairs
from tissuestate.labels import BACKGROUND, HEADS, NEOPLASTIC, STATES, TUMOUR, has_class
from tissuestate.laboratories.calls import read_calls
from tissuestate.laboratories.limits import ENOUGH, FALSE_TUMOURS, HELD, NEW_ANSWERED, RIGHT
from tissuestate.report.outside import outside_facts
from tissuestate.tables import read_table

BRIEF = {  # the scores of the summary: question, metric
    "answered": ("tissue", "answered"),
    "right": ("tissue", "right_of_answered"),
    "new_answered": (NEW, "answered"),
    "new_area": (NEW, "auroc_novelty"),
    "tumour_answered": (TUMOUR, "answered"),
    "tumour_right": (TUMOUR, "right_of_answered"),
    "states_answered": ("disease_state", "answered"),
    "states_right": ("disease_state", "right_of_answered"),
}


@dataclass(frozen=True)
class LeftOut:
    """Results of the stage `laboratories`; column names are its own.

    calls: by sample (see `read_calls`). recipe: that of recipe.json. predictions: those of ridge
    regression, test samples among them. samples: labels of all samples of the cohort.
    """

    calls: pd.DataFrame
    scores: pd.DataFrame
    candidates: pd.DataFrame
    recipe: Mapping[str, Any]
    predictions: pd.DataFrame
    classes: Mapping[str, Any]
    samples: pd.DataFrame


def read_left_out(
    paths: Mapping[str, Any], classes: Mapping[str, Any], samples: pd.DataFrame
) -> LeftOut:
    """The results of the stage from its files, which `paths` has by the names of `LeftOut`."""
    return LeftOut(
        calls=read_calls(paths["calls"]),
        scores=read_table(paths["scores"], text=["labels", "group", "member", "question"]),
        candidates=read_table(paths["candidates"], text=["candidate"], flags=["chosen"]),
        recipe=json.loads(Path(paths["recipe"]).read_text(encoding="utf-8")),
        predictions=read_predictions(paths["predictions"]),
        classes=classes,
        samples=samples,
    )


def laboratories_facts(found: LeftOut) -> dict[str, Any]:
    """Facts of the page: those of calls in other laboratories, and how they came about."""
    labels, calls = _true_labels(found.calls), found.calls
    answers = tabulate_answers(calls, labels, found.classes)
    development = development_answers(found.predictions, found.classes)
    reasons = count_reasons(calls, {}, found.classes)
    name = "laboratories left out"
    return {
        **outside_facts(name, calls, labels, found.scores, reasons, answers, development),
        "candidates": found.candidates,
        "limits": _limits(found),
        "subtypes": _subtypes(found),
        "calibration": _calibration(found),
        "healthy": _healthy(found),
        "holes": _holes(found.samples),
    }


def left_out_summary(found: LeftOut) -> dict[str, Any]:
    """The main facts in brief, each score with its numbers of samples and laboratories."""
    scores = {}
    for name, asked in BRIEF.items():
        value, samples, laboratories = score_over_all(found.scores, "all", EVEN, *asked)
        scores[name] = {"value": value, "samples": samples, "laboratories": laboratories}
    return {
        "scores": scores,
        "samples": len(found.calls),
        "laboratories": found.calls["laboratory"].nunique(),
        "calibration": _calibration(found),
        "healthy": _healthy(found),
    }


def _true_labels(calls: pd.DataFrame) -> pd.DataFrame:
    """The labels that `score_outside` reads, and `what` a sample is in words."""
    labels = pd.DataFrame({head: calls[f"{head}_true"] for head in HEADS})
    words = labels[["tissue", "disease_state", "subtype"]].to_numpy(str)
    return labels.assign(
        laboratory=calls["laboratory"],
        unit=calls["unit"],
        doubt="",
        what=[", ".join(filter(None, row)) for row in words],
    )


def _calibration(found: LeftOut) -> list[dict[str, Any]]:
    """Calibration errors by question: inside, of test samples of the cohort, and outside."""
    rows = []
    for question, own in development_answers(found.predictions, found.classes).items():
        own = own[own["confidence"].notna()]  # no subtype was asked for if NaN
        outside, samples, laboratories = score_over_all(
            found.scores, "all", EVEN, question, "calibration_error"
        )
        inside = weighted_calibration_error(own, np.ones(len(own))) if len(own) else np.nan
        rows.append(
            {
                "question": question,
                "inside": inside,
                "inside_samples": len(own),
                "outside": outside,
                "outside_samples": samples,
                "laboratories": laboratories,
            }
        )
    return rows


def _healthy(found: LeftOut) -> pd.DataFrame:
    """Healthy samples of each laboratory left out, and how many look like or are called tumours."""
    rows = found.calls[found.calls["disease_state_true"] == STATES[0]]
    table = pd.DataFrame(
        {
            "laboratory": rows["laboratory"],
            "healthy samples": 1,
            "called a tumour": (rows[TUMOUR] == "yes").astype(int),
            "more probably a tumour than not": (rows[f"{TUMOUR}_probability"] > 0.5).astype(int),
        }
    )
    return table.groupby("laboratory", as_index=False).sum()


def _limits(found: LeftOut) -> dict[str, Any]:
    """The limits between answers and none, what they aim at, and what there was to learn from."""
    limits = found.recipe["calibration"]["limits"]
    no_tumour = found.calls[
        (found.calls["disease_state_true"] != NEOPLASTIC)
        & (found.calls["disease_state_true"] != "")
        & (found.calls[f"{TUMOUR}_probability"] <= limits["tumour"][0])
    ]
    counts = no_tumour["disease_state_true"].value_counts()
    by_state = no_tumour.groupby("disease_state_true")["laboratory"].nunique()
    return {
        "margin": found.recipe["calibration"]["margin"],
        "odds": limits["tissue"][1],
        "tumour": limits[TUMOUR],
        "adjacent": limits["adjacent"],
        "right": RIGHT,
        "new_answered": NEW_ANSWERED,
        "false_tumours": FALSE_TUMOURS,
        "enough": ENOUGH,
        "held": HELD,
        "learnt": [
            {
                "state": state,
                "samples": int(counts.get(state, 0)),
                "laboratories": int(by_state.get(state, 0)),
            }
            for state in STATES[:2]
        ],
    }


def _subtypes(found: LeftOut) -> dict[str, list[tuple[str, str]]]:
    """Pairs of subtypes, by what laboratories left out and batches that hold both say of them.

    released: called though no batch holds both; withheld: not called, and no batch holds both;
    confused: not called though a batch holds both.
    """
    training = found.samples[found.samples["split"] != BACKGROUND]
    apart = pairs_without_common_batch(contrasts(training, "subtype").to_dict("records"), "subtype")
    return sort_pairs(apart, [(one, two) for one, two in found.recipe["confounded_subtypes"]])


def _holes(samples: pd.DataFrame) -> pd.DataFrame:
    """Samples of each tissue and state, and which laboratories they come from."""
    table = laboratory_table(samples[has_class(samples)])
    table["from"] = [
        f"{row.laboratory} {row.samples}" if row.samples else "none" for row in table.itertuples()
    ]
    grouped = table.groupby(["tissue", "disease_state"], sort=False)
    return pd.DataFrame(
        {
            "samples": grouped["samples"].sum(),
            "laboratories": grouped["samples"].agg(lambda own: int((own > 0).sum())),
            "from": grouped["from"].agg(", ".join),
        }
    ).reset_index()
