"""Metrics of a table of predictions, with intervals over resamples of donors."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix, roc_curve

from tissuestate.cohort.composition import batches
from tissuestate.cohort.donors import bootstrap_weights
from tissuestate.errors import InputError
from tissuestate.evaluation.tandem import route_subtypes
from tissuestate.labels import (
    ANSWERS,
    HEADS,
    NEOPLASTIC,
    TANDEM,
    TUMOUR,
    WITHIN,
    encode,
    within_batch_head,
)

log = logging.getLogger(__name__)

TOP = 5  # top-K accuracy is given for K up to this, or to the number of classes


@dataclass(frozen=True)
class ScoredHead:
    """One head's test samples that have a true class: codes and probabilities.

    called: class numbers, -1 for no call. scores: samples × classes (0 if there is no call).
    """

    head: str
    classes: tuple[str, ...]
    true: np.ndarray
    called: np.ndarray
    scores: np.ndarray
    donors: np.ndarray


def score_heads(predictions: pd.DataFrame, classes: Mapping[str, Any]) -> list[ScoredHead]:
    """Each head of a table of predictions, with its labelled test samples.

    `subtype` is the subtype network by itself, free to call any subtype; `subtype_tandem` the same
    samples as the tandem calls them; `{head}_within_batch` the head among classes that the batch
    does not give away (see `within_batch`); `tumour` the two sums of states. A head without classes
    or test samples is left out.
    """
    test = predictions[predictions["split"] == "test"]
    scored = []
    tissue_of = {name: tissue for tissue, own in classes["subtypes_of"].items() for name in own}
    for head in HEADS:
        names = tuple(classes.get(head, ()))
        if not names or f"{head}_true" not in test:
            continue
        rows = test[test[f"{head}_true"] != ""]
        if rows.empty:
            log.warning("%s: no test sample has a true class; it is not evaluated", head)
            continue
        true = encode(rows[f"{head}_true"], names)
        scores = rows[[f"{head}:{name}" for name in names]].to_numpy(dtype=float)
        donors = pd.factorize(rows["donor"])[0]
        absent = [name for number, name in enumerate(names) if not (true == number).any()]
        if absent:
            log.warning(
                "%s: no test sample of %s; left out of the averages", head, ", ".join(absent)
            )
        scored.append(ScoredHead(head, names, true, scores.argmax(axis=1), scores, donors))
        if "study" in rows:
            kinds = [tissue_of[name] if head == "subtype" else "" for name in names]
            scored += within_batch(scored[-1], batches(rows), kinds)
        if head == "subtype":
            routed = route_subtypes(scores, rows["tissue_call"], classes)
            called = encode(rows["subtype_call"], names)
            scored.append(ScoredHead(TANDEM, names, true, called, np.nan_to_num(routed), donors))
    return [*scored, *(_tumours(one) for one in scored if _has_tumours(one))]


def _has_tumours(scored: ScoredHead) -> bool:
    return (
        scored.head == "disease_state" and NEOPLASTIC in scored.classes and len(scored.classes) > 1
    )


def _tumours(scored: ScoredHead) -> ScoredHead:
    """The disease state scored as tumour or not."""
    number = scored.classes.index(NEOPLASTIC)
    tumour = scored.scores[:, number]
    scores = np.column_stack([1 - tumour, tumour])
    true, called = (scored.true == number).astype(int), (tumour >= 0.5).astype(int)
    return ScoredHead(TUMOUR, ANSWERS, true, called, scores, scored.donors)


def within_batch(
    scored: ScoredHead, batch: Sequence[str] | pd.Series, kinds: Sequence[str]
) -> list[ScoredHead]:
    """A head scored again, only among the classes that a sample's own batch holds.

    kinds: for each class the group within which it competes: for a subtype its tissue. Recognising
    the batch does not help here. Samples whose batch leaves one class are left out. The list is
    empty if all samples are left out, or if every batch holds every class, so that nothing would
    differ.
    """
    place, names = pd.factorize(np.asarray(batch, dtype=str))
    held = np.zeros((len(names), len(scored.classes)), dtype=bool)
    held[place, scored.true] = True
    kind = np.asarray(kinds, dtype=str)
    competing = (kind == kind[scored.true][:, None]) & held.any(axis=0)
    allowed = held[place] & competing
    kept = allowed.sum(axis=1) > 1
    if not kept.any() or (allowed == competing).all():
        return []
    used = allowed[kept].any(axis=0)
    allowed = allowed[kept][:, used]
    scores = np.where(allowed, scored.scores[kept][:, used], 0.0)
    total = scores.sum(axis=1, keepdims=True)
    scores = np.divide(scores, total, out=allowed.astype(float), where=total > 0)
    classes = tuple(np.array(scored.classes)[used])
    true = np.searchsorted(np.flatnonzero(used), scored.true[kept])
    donors = np.unique(scored.donors[kept], return_inverse=True)[1]
    head = within_batch_head(scored.head)
    return [ScoredHead(head, classes, true, scores.argmax(axis=1), scores, donors)]


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis, missing values left out; NaN if all are missing."""
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1).astype(float))


def _auc(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Area under the ROC curve for each row of sample weights; ties count one half."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) > 0])
    pos = np.add.reduceat(weights[:, order] * positive[order], starts, axis=1)
    neg = np.add.reduceat(weights[:, order] * ~positive[order], starts, axis=1)
    below = np.cumsum(neg, axis=1) - neg
    return _ratio((pos * (below + neg / 2)).sum(axis=1), pos.sum(axis=1) * neg.sum(axis=1))


def _ranks(scored: ScoredHead) -> np.ndarray:
    """The rank of the true class among the scores, 0 for the highest; ties by class order."""
    own = scored.scores[np.arange(len(scored.true)), scored.true][:, None]
    earlier = np.arange(len(scored.classes)) < scored.true[:, None]
    return ((scored.scores > own) | ((scored.scores == own) & earlier)).sum(axis=1)


def measure_head(
    scored: ScoredHead, weights: np.ndarray, *, by_rank: bool = True
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Metrics for each row of sample weights (resamples × samples), overall and per class.

    Returns {metric: resamples} and {metric: resamples × classes}. Averages over classes leave out
    classes without a sample, precision, recall and F1 are 0 if nothing was called; log_loss is
    given only if every sample has a call, top-K accuracy neither within a batch nor of tumours.
    Without `by_rank` the metrics that rank the scores of samples or classes (AUC, top-K, log_loss)
    are left out.
    """
    numbers = np.arange(len(scored.classes))
    is_true = (scored.true[:, None] == numbers).astype(float)
    is_called = (scored.called[:, None] == numbers).astype(float)
    right = (scored.true == scored.called).astype(float)
    total = weights.sum(axis=1)
    support, called, hits = weights @ is_true, weights @ is_called, weights @ (is_true * is_called)
    present = np.where(support > 0, 0.0, np.nan)
    recall = _ratio(hits, support)
    precision = np.where(called > 0, _ratio(hits, called), 0.0) + present
    f1 = _ratio(2 * hits, support + called) + present
    overall = {
        "accuracy": _ratio(weights @ right, total),
        "balanced_accuracy": _mean(recall),
        "precision": _mean(precision),
        "recall": _mean(recall),
        "f1": _mean(f1),
    }
    per_class = {"precision": precision, "recall": recall, "f1": f1, "support": support}
    if not by_rank:
        return overall, per_class
    auc = np.column_stack([_auc(scored.scores[:, c], scored.true == c, weights) for c in numbers])
    overall["auc"], per_class["auc"] = _mean(auc), auc
    ranks = np.where(scored.scores.sum(axis=1) > 0, _ranks(scored), len(numbers))
    if not scored.head.endswith(WITHIN) and scored.head != TUMOUR:
        for k in range(1, min(TOP, len(numbers)) + 1):
            overall[f"top{k}"] = _ratio(weights @ (ranks < k).astype(float), total)
    if (scored.called >= 0).all() and scored.head != TANDEM:
        own = scored.scores[np.arange(len(scored.true)), scored.true]
        loss = -np.log(np.maximum(own, np.finfo(float).eps))
        overall["log_loss"] = _ratio(weights @ loss, total)
    return overall, per_class


def score_predictions(
    predictions: pd.DataFrame, classes: Mapping[str, Any], *, resamples: int = 1000, seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Metrics (head, metric, value, low, high, n) and metrics per class, on the test samples.

    low and high: 2.5th and 97.5th percentile over bootstrap resamples of donors. Precision,
    recall, F1 and AUC (one against the rest) of a head are unweighted means over its classes.
    """
    rows, class_rows = [], []
    for scored in score_heads(predictions, classes):
        n = len(scored.true)
        values, per_class = measure_head(scored, np.ones((1, n)))
        spread, _ = measure_head(scored, bootstrap_weights(scored.donors, resamples, seed))
        for metric, value in values.items():
            known = spread[metric][~np.isnan(spread[metric])]
            low, high = np.percentile(known, [2.5, 97.5]) if len(known) else (np.nan, np.nan)
            rows.append((scored.head, metric, value[0], low, high, n))
        columns = {metric: by_class[0] for metric, by_class in per_class.items()}
        table = pd.DataFrame({"head": scored.head, "class": scored.classes, **columns})
        class_rows.append(table.astype({"support": int}))
    if not rows:
        raise InputError("evaluation: no test sample has a true class; enlarge the cohort.")
    metrics = pd.DataFrame(rows, columns=["head", "metric", "value", "low", "high", "n"])
    return metrics, pd.concat(class_rows, ignore_index=True)


def count_confusions(predictions: pd.DataFrame, classes: Mapping[str, Any]) -> pd.DataFrame:
    """Counts of each true and called class on the test samples: head, true, called, count.

    Every pair of classes has a row; a subtype that the tandem did not call counts as called ''.
    """
    rows = []
    for scored in score_heads(predictions, classes):
        names = (*scored.classes, "") if scored.head == TANDEM else scored.classes
        called = np.where(scored.called < 0, len(scored.classes), scored.called)
        counts = confusion_matrix(scored.true, called, labels=np.arange(len(names)))
        for (i, j), count in np.ndenumerate(counts[: len(scored.classes)]):
            rows.append((scored.head, scored.classes[i], names[j], count))
    return pd.DataFrame(rows, columns=["head", "true", "called", "count"])


def roc_points(predictions: pd.DataFrame, classes: Mapping[str, Any]) -> pd.DataFrame:
    """ROC curves, one class against the rest, on the test samples: head, class, fpr, tpr.

    Points that do not change a curve are left out, by scikit-learn. A class of all or none of the
    test samples has no curve.
    """
    parts = []
    for scored in score_heads(predictions, classes):
        for number, name in enumerate(scored.classes):
            positive = scored.true == number
            if positive.any() and not positive.all():
                fpr, tpr, _ = roc_curve(positive, scored.scores[:, number])
                curve = {"head": scored.head, "class": name, "fpr": fpr, "tpr": tpr}
                parts.append(pd.DataFrame(curve))
    columns = ["head", "class", "fpr", "tpr"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
