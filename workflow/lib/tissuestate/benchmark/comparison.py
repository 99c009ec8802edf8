"""Comparison of models with a reference on the same test samples, with intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tissuestate.cohort.donors import bootstrap_weights
from tissuestate.evaluation.scores import measure_head, score_heads
from tissuestate.labels import HEADS

METRICS = ("balanced_accuracy", "accuracy")
COLUMNS = [
    *("model", "head", "metric", "value", "low", "high", "n", "repeats"),
    *("difference", "difference_low", "difference_high", "p"),
]


def compare_predictions(
    predictions: Mapping[str, Sequence[pd.DataFrame]],
    classes: Mapping[str, Any],
    reference: str,
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Each model's metrics, and their difference from those of the model named `reference`.

    predictions: for each model its tables of predictions, one per repetition (a seed of a
    cross-validation); metrics are means over repetitions. Each head is scored on the test samples
    that all tables have in common and on the same bootstrap resamples of donors, so samples that
    are hard or easy for all models cancel out of the differences.

    Returns one row per model, head and metric: value, low, high, n (samples), repeats, difference,
    difference_low, difference_high (2.5th and 97.5th percentiles) and p, the two-sided share of
    resamples in which the difference has the other sign. The last four are NaN for the reference
    itself, and for a head that it lacks.
    """
    if not predictions:
        return pd.DataFrame(columns=COLUMNS)
    common = _common_samples([table for tables in predictions.values() for table in tables])
    drawn: dict[str, dict[str, dict[str, np.ndarray]]] = {}
    sizes: dict[str, int] = {}
    for model, tables in predictions.items():
        repeats: dict[str, list[dict[str, np.ndarray]]] = {}
        for table in tables:
            kept = table[table["split"] == "test"].set_index("sample", drop=False).sort_index()
            for head, samples in common.items():
                if f"{head}_true" in kept:
                    kept[f"{head}_true"] = kept[f"{head}_true"].where(kept.index.isin(samples), "")
            for scored in score_heads(kept, classes):
                sizes[scored.head] = len(scored.true)
                once = np.ones((1, len(scored.true)))
                weights = np.vstack([once, bootstrap_weights(scored.donors, resamples, seed)])
                overall, _ = measure_head(scored, weights, by_rank=False)
                repeats.setdefault(scored.head, []).append(overall)
        drawn[model] = {
            head: {
                metric: np.mean([found[metric] for found in several], axis=0) for metric in METRICS
            }
            for head, several in repeats.items()
        }
    rows = []
    for model, heads in drawn.items():
        for head, metrics in heads.items():
            for metric, values in metrics.items():
                row = {"model": model, "head": head, "metric": metric, "value": values[0]}
                row["low"], row["high"] = np.nanpercentile(values[1:], [2.5, 97.5])
                row |= {"n": sizes[head], "repeats": len(predictions[model])}
                if model != reference and head in drawn[reference]:
                    row |= _difference(values - drawn[reference][head][metric])
                rows.append(row)
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


def _common_samples(tables: Sequence[pd.DataFrame]) -> dict[str, set[str]]:
    """Test samples by head whose true class is in all tables that have the head."""
    return {
        head: set.intersection(
            *(
                set(t.loc[(t["split"] == "test") & (t[f"{head}_true"] != ""), "sample"])
                for t in tables
                if f"{head}_true" in t
            )
        )
        for head in HEADS
        if any(f"{head}_true" in t for t in tables)
    }


def _difference(values: np.ndarray) -> dict[str, float]:
    """The difference itself (first of `values`), its interval and its p over the resamples."""
    known = values[1:][~np.isnan(values[1:])]
    low, high = np.percentile(known, [2.5, 97.5])
    less = min((known <= 0).sum(), (known >= 0).sum())
    p = min(1.0, 2 * (1 + less) / (1 + len(known)))
    return {"difference": values[0], "difference_low": low, "difference_high": high, "p": p}
