"""Results of the evaluation protocols: cross-validation, leaks, and samples from outside."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tissuestate.benchmark.comparison import compare_predictions
from tissuestate.evaluation.predictions import read_predictions
from tissuestate.evaluation.scores import score_predictions
from tissuestate.labels import HEADS, NEOPLASTIC
from tissuestate.protocols.splits import FITTED_ON_ALL, HONEST

KEYS = ["protocol", "part", "model"]


def read_protocols(paths: Sequence[str | Path]) -> pd.DataFrame:
    """The calls of all protocols: columns of `tabulate_predictions`, protocol, part and model."""
    tables = [read_predictions(path) for path in paths]
    called = [table for table in tables if len(table)]
    if not called:
        return pd.DataFrame(columns=KEYS)
    whole = pd.concat(called, ignore_index=True)
    text = [column for column in whole if ":" not in column]
    return whole.fillna(dict.fromkeys(text, ""))  # a head that some protocols lack


def compare_crossvalidated(
    calls: pd.DataFrame, classes: Mapping[str, Any], reference: str, **options: int
) -> pd.DataFrame:
    """Every model compared with `reference` on the pooled test folds, as means over seeds."""
    return compare_predictions(
        _split_by_seed(calls[calls["protocol"] == HONEST], "model"), classes, reference, **options
    )


def compare_leaks(
    calls: pd.DataFrame, classes: Mapping[str, Any], model: str, **options: int
) -> pd.DataFrame:
    """One model with each leak compared with itself without, on the first seed's folds.

    As `compare_predictions`, with the column leak instead of model.
    """
    chosen = calls["protocol"].isin(FITTED_ON_ALL) & (calls["model"] == model)
    first = calls[chosen & calls["part"].str.startswith("seed1.")]
    table = compare_predictions(_split_by_seed(first, "protocol"), classes, HONEST, **options)
    return table.rename(columns={"model": "leak"})


def _split_by_seed(calls: pd.DataFrame, column: str) -> dict[str, list[pd.DataFrame]]:
    seed = calls["part"].str.split(".").str[0]
    return {
        str(name): [one for _, one in table.groupby(seed)]
        for name, table in calls.groupby(column, sort=False)
    }


def score_outside(
    calls: pd.DataFrame, classes: Mapping[str, Any], **options: int
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Scores of the models on a laboratory, source, study or project (part) that training lacked.

    Returns metrics (protocol, part, model, head, metric, value, low, high, n) and metrics by class,
    both on samples whose class is one of at least two in training; and the mistakes: calls that
    differ from the label, by frequency (protocol, part, model, head, true, called, trained, count),
    those of classes without training samples included (trained False).
    """
    left_out = calls[~calls["protocol"].isin(FITTED_ON_ALL)]
    metrics, by_class, wrong = [], [], []
    for keys, table in left_out.groupby(KEYS, sort=False):
        about = dict(zip(KEYS, keys, strict=True))
        heads = [h for h in HEADS if (table.get(f"{h}_trained", pd.Series([""])) != "").all()]
        known = table.copy()
        for head in heads:
            trained = table[f"{head}_trained"].astype(str) == "True"
            known[f"{head}_true"] = table[f"{head}_true"].where(trained, "")
            wrong.append(_mistakes(table, head).assign(head=head, **about))
        if any((known[f"{head}_true"] != "").any() for head in heads):
            overall, classwise = score_predictions(known, classes, **options)
            shown = overall["metric"].isin(["accuracy", "balanced_accuracy"])
            metrics.append(overall[shown].assign(**about))
            by_class.append(classwise[classwise["support"] > 0].assign(**about))
    return _join_tables(metrics), _join_tables(by_class), _join_tables(wrong)


def count_false_tumours(calls: pd.DataFrame) -> pd.DataFrame:
    """The samples without a tumour of each part left out, and how many a model calls tumours.

    One row per protocol, part, model, true state and tissue: samples, called.
    """
    keys = [*KEYS, "disease_state_true", "tissue_true"]
    if not set(keys) <= set(calls):
        return pd.DataFrame(columns=[*KEYS, "state", "tissue", "samples", "called"])
    state = calls["disease_state_true"]
    healthy = calls[~calls["protocol"].isin(FITTED_ON_ALL) & ~state.isin(["", NEOPLASTIC])]
    called = healthy["disease_state_call"] == NEOPLASTIC
    counts = called.groupby([healthy[key] for key in keys], sort=False).agg(["size", "sum"])
    columns = {"disease_state_true": "state", "tissue_true": "tissue"}
    return (
        counts.rename(columns={"size": "samples", "sum": "called"})
        .reset_index()
        .rename(columns=columns)
    )


def _mistakes(table: pd.DataFrame, head: str) -> pd.DataFrame:
    """Calls of a head that differ from the label, by frequency: true, called, trained, count."""
    columns = [f"{head}_true", f"{head}_call", f"{head}_trained"]
    true, called = table[columns[0]], table[columns[1]]
    rows = table[(true != "") & (called != "") & (true != called)]
    counted = rows.groupby(columns).size().reset_index(name="count")
    counted.columns = pd.Index(["true", "called", "trained", "count"])
    return counted.sort_values("count", ascending=False, kind="stable")


def _join_tables(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The tables one below the other, with `KEYS` and head as first columns."""
    order = [*KEYS, "head"]
    if not tables:
        return pd.DataFrame(columns=order)
    whole = pd.concat(tables, ignore_index=True)
    return whole[[*order, *(name for name in whole if name not in order)]]
