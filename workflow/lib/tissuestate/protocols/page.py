"""Facts of the page on evaluation protocols: scores, the gain by leaks, scores outside."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from tissuestate.labels import HEADS, PAPER_MODEL, TUMOUR

WORST = 5  # wrong calls listed of a class


def protocol_facts(tables: Mapping[str, pd.DataFrame], searched: bool) -> dict[str, Any]:
    """The facts of the page, from the tables of `tissuestate.protocols.results`.

    searched: whether each training had its own search for hyper-parameters.
    """
    seen, unseen = _calls(tables["outside_mistakes"], tables["outside_classes"])
    return {
        "searched": searched,
        "crossvalidation": _crossvalidation(tables["crossvalidation"]),
        "leaks": _leaks(tables["leaks"]),
        "outside": _outside(tables),
        "totals": _totals(tables),
        "false_tumours": _false_tumours(tables["outside_false_tumours"]),
        "seen": seen,
        "unseen": unseen,
        "worst": WORST,
    }


def summarise_protocols(tables: Mapping[str, pd.DataFrame]) -> dict[str, list[dict[str, Any]]]:
    """DL PCA's balanced accuracies in the tables (all but the mistakes), for a summary.

    crossvalidation: balanced accuracy by head. gains: by head, the gain by the paper's protocol.
    outside: each source and study left out, with the balanced accuracies without it.
    """
    folds, leaks, outside = (
        found[found["head"].isin(HEADS)]
        for found in (_balanced(tables[name]) for name in ("crossvalidation", "leaks", "outside"))
    )
    recalls = _recalls(tables["outside_classes"])
    left_out = outside[(outside["model"] == PAPER_MODEL) & (outside["protocol"] != "project")]
    return {
        "crossvalidation": [
            _accuracy(row) for row in _records(folds[folds["model"] == PAPER_MODEL])
        ],
        "gains": [
            {"head": row["head"], "difference": row["difference"]}
            for row in _records(leaks[leaks["leak"] == "paper"])
        ],
        "outside": [
            {
                "column": column,
                "name": part,
                "heads": [
                    _accuracy(row, recalls[column, part, row["head"]]) for row in _records(rows)
                ],
            }
            for (column, part), rows in left_out.groupby(["protocol", "part"], sort=False)
        ],
    }


def _accuracy(row: Mapping[str, Any], classes: Iterable[str] = ()) -> dict[str, Any]:
    """A balanced accuracy with its interval; with one class alone it is that class's recall."""
    named = list(classes)
    found = {name: row[name] for name in ("head", "value", "low", "high")}
    return found | {"only_class": named[0] if len(named) == 1 else ""}


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return table.to_dict("records")


def _balanced(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["metric"] == "balanced_accuracy"] if len(table) else table


def _recalls(classes: pd.DataFrame) -> dict[tuple[str, str, str], dict[str, tuple[float, int]]]:
    """DL PCA's recall and number of samples, class by class, of each protocol, part and head."""
    found: dict[tuple[str, str, str], dict[str, tuple[float, int]]] = {}
    for row in _records(classes[classes["model"] == PAPER_MODEL]):
        key = (row["protocol"], row["part"], row["head"])
        found.setdefault(key, {})[row["class"]] = (row["recall"], int(row["support"]))
    return found


def _crossvalidation(table: pd.DataFrame) -> dict[str, Any] | None:
    """Every model's balanced accuracy, head by head; None without cross-validation."""
    if table.empty:
        return None
    heads = pd.concat([rows for _, rows in _balanced(table).groupby("head", sort=False)])
    return {
        "repeats": int(table["repeats"].max()),
        "scores": [
            {**row, "is_compared": not np.isnan(row["difference"])} for row in _records(heads)
        ],
    }


def _leaks(table: pd.DataFrame) -> dict[str, Any] | None:
    """Balanced accuracy without a leak and the gain by each, by leak and head; None if unknown.

    cells: by leak, then by head; without a difference for the row without a leak.
    """
    if table["leak"].nunique() < 2:
        return None
    cells: dict[str, dict[str, Any]] = {}
    for row in _records(_balanced(table)):
        has_leak = not np.isnan(row["difference"])
        cells.setdefault(row["leak"], {})[row["head"]] = {**row, "has_leak": has_leak}
    return {"heads": list(_balanced(table)["head"].unique()), "cells": cells}


def _outside(tables: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """Scores of all models for each column whose values were left out in turn.

    accuracies: of `_accuracies`. A row has the part left out ('' for none, cross-validated), head,
    samples, scores by model, and the scored classes (None for all). not_scored: heads with the
    parts that have no score of them.
    """
    found = _balanced(tables["outside"])
    if found.empty:
        return []
    known = tables["outside_classes"].groupby(["protocol", "part", "head"])["class"].unique()
    inside, mistakes = _balanced(tables["crossvalidation"]), tables["outside_mistakes"]
    sections = []
    for column, scored_parts in found.groupby("protocol", sort=False):
        rows = [
            _scores(scored, part="", classes=None)
            for head, scored in inside.groupby("head", sort=False)
            if head in set(scored_parts["head"])
        ]
        rows += [
            _scores(scored, part=part, classes=list(known[column, part, head]))
            for (part, head), scored in scored_parts.groupby(["part", "head"], sort=False)
        ]
        sections.append(
            {
                "column": column,
                "accuracies": _accuracies(tables, str(column)),
                "models": list(dict.fromkeys(model for row in rows for model in row["scores"])),
                "rows": rows,
                "not_scored": _parts_not_scored(
                    scored_parts, mistakes[mistakes["protocol"] == column]
                ),
            }
        )
    return sections


def _accuracies(tables: Mapping[str, pd.DataFrame], column: str) -> pd.DataFrame:
    """Samples called right by each model, in cross-validation (part '') and of each part left out.

    Columns: head (tumour or one of `HEADS`), part, model, right, samples; in this order.
    """
    outside = tables["outside"]
    rows = [tables["crossvalidation"].assign(part=""), outside[outside["protocol"] == column]]
    table = pd.concat([found[found["metric"] == "accuracy"] for found in rows if len(found)])
    asked = [TUMOUR, *HEADS]
    table = table[table["head"].isin(asked)]
    right = (table["value"] * table["n"]).round().astype(int)  # of repetitions: their mean
    table = table.assign(right=right, samples=table["n"].astype(int))
    table = table.iloc[np.argsort(table["head"].map(asked.index), kind="stable")]
    return table[["head", "part", "model", "right", "samples"]].reset_index(drop=True)


def _totals(tables: Mapping[str, pd.DataFrame]) -> dict[str, list[dict[str, Any]]]:
    """DL PCA's right calls and samples by head: of the column '' (other donors) and each other."""
    columns = tables["outside"]["protocol"].unique() if len(tables["outside"]) else []
    found: dict[str, list[dict[str, Any]]] = {}
    for column in columns:
        rows = _accuracies(tables, column)
        rows = rows[(rows["model"] == PAPER_MODEL) & rows["head"].isin(HEADS)]
        for name, own in ((column, rows[rows["part"] != ""]), ("", rows[rows["part"] == ""])):
            sums = own.groupby("head", sort=False)[["right", "samples"]].sum().reset_index()
            found[name] = sums.to_dict("records")
    return found


def _scores(scored: pd.DataFrame, **about: Any) -> dict[str, Any]:
    """The score of each model for one head."""
    return {
        **about,
        "head": scored["head"].iloc[0],
        "samples": int(scored["n"].iloc[0]),
        "scores": {row["model"]: row for row in _records(scored)},
    }


def _parts_not_scored(scored: pd.DataFrame, mistakes: pd.DataFrame) -> list[dict[str, Any]]:
    """Heads with the parts left out that leave too few of their classes to score."""
    parts = pd.concat([scored["part"], mistakes["part"]]).unique()
    missing = []
    for head in HEADS:
        without = sorted(set(parts) - set(scored.loc[scored["head"] == head, "part"]))
        if without:
            missing.append(
                {"head": head, "parts": without, "is_every_part": len(without) == len(parts)}
            )
    return missing


def _false_tumours(table: pd.DataFrame) -> list[dict[str, Any]]:
    """For each part left out and state without a tumour: samples, and those called tumours.

    called: their number by model. tissues: those that DL PCA calls tumours, with their number and
    that of all samples.
    """
    found = []
    for (column, part, state), rows in table.groupby(["protocol", "part", "state"], sort=False):
        sums = rows.groupby("model", sort=False)[["samples", "called"]].sum()
        ours = rows[(rows["model"] == PAPER_MODEL) & (rows["called"] > 0)]
        found.append(
            {
                "column": column,
                "part": part,
                "state": state,
                "samples": int(sums["samples"].max()),
                "called": sums["called"].astype(int).to_dict(),
                "tissues": ours[["tissue", "called", "samples"]].values.tolist(),
            }
        )
    return found


def _calls(
    mistakes: pd.DataFrame, classes: pd.DataFrame
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """DL PCA's calls of classes that were in training and of those that were not.

    The former: column, part, head and classes with right calls, samples and wrong calls; the
    latter: column, part, head, class and calls.
    """
    if mistakes.empty and classes.empty:
        return [], []
    ours = mistakes[mistakes["model"] == PAPER_MODEL]
    wrong = {
        keys: _most_frequent(calls)
        for keys, calls in ours.groupby(["protocol", "part", "head", "true"], sort=False)
    }
    seen = []
    recalls = _recalls(classes[classes["head"].isin(HEADS)])
    for (column, part, head), found in recalls.items():
        known = [
            {
                "name": name,
                "right": round(recall * support),
                "samples": support,
                "wrong": wrong.pop((column, part, head, name), None),
            }
            for name, (recall, support) in found.items()
        ]
        seen.append({"column": column, "part": part, "head": head, "classes": known})
    unseen = [
        {"column": column, "part": part, "head": head, "name": name, "calls": calls}
        for (column, part, head, name), calls in wrong.items()
    ]
    return seen, unseen


def _most_frequent(calls: pd.DataFrame) -> dict[str, Any]:
    """The most frequent wrong calls of a class with their numbers, and the number of the others."""
    worst = calls.head(WORST)
    return {
        "named": list(zip(worst["called"], worst["count"].tolist(), strict=True)),
        "others": int(calls["count"].sum() - worst["count"].sum()),
    }
