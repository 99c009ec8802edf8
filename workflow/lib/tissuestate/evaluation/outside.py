"""Scores of the calls of samples of other laboratories, pooled, by laboratory and by kind.

A score is given over all samples (`POOLED`) and so that each laboratory weighs the same
(`EVEN`): a large laboratory decides the first, and a small one is a noisy part of the second.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from tissuestate.evaluation.trust import shown_probabilities
from tissuestate.labels import HEADS, NEOPLASTIC, STATES

QUESTIONS = ("tissue", "tumour", "disease_state", "subtype")
GROUPS = ("laboratory", "set", "protocol", "specimen", "unit", "gene_ids")
POOLED, EVEN = "pooled", "mean over laboratories"
NEW = "new"  # the question asked of samples of no class of the model
BINS = 10
ENOUGH = 20  # samples of a group whose calibration is measured, at least
THRESHOLDS = np.arange(100) / 100
COLUMNS = ("labels", "group", "member", "question", "metric", "value", "samples", "laboratories")


def tabulate_answers(
    calls: pd.DataFrame, labels: pd.DataFrame, classes: Mapping[str, Any]
) -> dict[str, pd.DataFrame]:
    """For each question one row per sample whose true class the model knows.

    calls: by sample, the columns of `Predictions.table`; `{head}_set` and `tumour` may be absent.
    labels: by sample, tissue, disease_state and subtype, '' or a class the model lacks if there is
    no true answer.

    Columns: true, likeliest (most probable class, '' without probabilities), right (whether the two
    agree), confidence (its probability), accepted (the file was not refused), answered, covered and
    set_size (of the set of classes; NaN without sets). The probability of a tumour is that of the
    neoplastic state; without a column `tumour` it is answered if the state is.
    """
    accepted = (calls["refused"] == "").to_numpy()
    is_known = labels["tissue"].isin(classes["tissue"]).to_numpy()
    frames = {}
    for head in (head for head in HEADS if classes.get(head) and head in calls):
        names = list(classes[head])
        shares = calls[[f"{head}:{name}" for name in names]].to_numpy(float)
        frame = _answers(shares, labels[head], names)
        frame["accepted"], frame["answered"] = accepted, (calls[head] != "").to_numpy()
        frame["covered"] = frame["set_size"] = np.nan
        if f"{head}_set" in calls:
            sets = [list(filter(None, text.split("|"))) for text in calls[f"{head}_set"]]
            pairs = zip(frame["true"], sets, strict=True)
            frame["covered"] = [float(true in members) for true, members in pairs]
            frame["set_size"] = [float(len(members)) for members in sets]
        frames[head] = frame[is_known & labels[head].isin(names).to_numpy()]
    if f"disease_state:{NEOPLASTIC}" in calls:
        called = calls["tumour" if "tumour" in calls else "disease_state"] != ""
        probability = calls[f"disease_state:{NEOPLASTIC}"]
        frames["tumour"] = _tumour_answers(frames["disease_state"], probability, called)
    return {question: frames[question] for question in QUESTIONS if question in frames}


def _answers(shares: np.ndarray, true: pd.Series, names: Sequence[str]) -> pd.DataFrame:
    """Most probable classes of samples × classes, beside the true ones."""
    has_shares = ~np.isnan(shares).any(axis=1)
    best = np.asarray(names, dtype=object)[np.nan_to_num(shares).argmax(axis=1)]
    likeliest = np.where(has_shares, best, "")
    return pd.DataFrame(
        {
            "true": true.to_numpy(object),
            "likeliest": likeliest,
            "right": likeliest == true.to_numpy(object),
            "confidence": shares.max(axis=1),
        },
        index=true.index,
    )


def _tumour_answers(
    states: pd.DataFrame, probability: pd.Series, answered: pd.Series
) -> pd.DataFrame:
    """Answers whether samples are tumours: probability and call by sample; `true` is a state."""
    tumour = probability[states.index].to_numpy(float)
    likeliest = np.where(np.isnan(tumour), "", np.where(tumour > 0.5, "tumour", "no tumour"))
    true = np.where(states["true"] == NEOPLASTIC, "tumour", "no tumour")
    return states.assign(
        likeliest=likeliest,
        right=likeliest == true,
        confidence=np.maximum(tumour, 1 - tumour),
        answered=answered[states.index],
        covered=np.nan,
        set_size=np.nan,
    )


def development_answers(
    predictions: pd.DataFrame, classes: Mapping[str, Any]
) -> dict[str, pd.DataFrame]:
    """The same for the test samples of the training laboratories, as far as they are known.

    `predictions` is the table of a model's predictions; columns are true, likeliest, right and
    confidence.
    """
    test = predictions[predictions["split"] == "test"].set_index("sample")
    frames = {}
    for head, shares in shown_probabilities(test, classes).items():
        true = test[f"{head}_true"]
        frames[head] = _answers(shares, true, list(classes[head]))[(true != "").to_numpy()]
    if f"disease_state:{NEOPLASTIC}" in test:
        probability = test[f"disease_state:{NEOPLASTIC}"]
        frames["tumour"] = _tumour_answers(
            frames["disease_state"], probability, probability.notna()
        )
    return {question: frames[question] for question in QUESTIONS if question in frames}


def accuracy_by_threshold(answers: pd.DataFrame, weights: np.ndarray | None = None) -> np.ndarray:
    """Accuracy of the calls at least as probable as each of `THRESHOLDS`; NaN where none is."""
    confidence = np.nan_to_num(answers["confidence"].to_numpy(float))
    right = answers["right"].to_numpy(float)
    weights = np.ones(len(right)) if weights is None else weights
    kept = (confidence[:, None] >= THRESHOLDS) * weights[:, None]
    total = kept.sum(axis=0)
    return np.divide(right @ kept, total, out=np.full(len(total), np.nan), where=total > 0)


def area_between(development: np.ndarray, outside: np.ndarray) -> float:
    """The area between two curves of accuracy by threshold, where both are known.

    Positive if accuracy is lost outside. After the area between the development and the production
    curve of MacDonald et al. 2023 (doi 10.1038/s41598-023-31126-5).
    """
    gap = development - outside
    return float(gap[~np.isnan(gap)].mean()) if (~np.isnan(gap)).any() else float("nan")


def weighted_calibration_error(answers: pd.DataFrame, weights: np.ndarray) -> float:
    """The mean gap between confidence and accuracy over `BINS` equal bins of confidence."""
    confidence, right = answers["confidence"].to_numpy(float), answers["right"].to_numpy(float)
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(place, weights=weights * (right - confidence), minlength=BINS)
    return float(np.abs(gaps).sum() / weights.sum())


def score_outside(
    calls: pd.DataFrame,
    labels: pd.DataFrame,
    classes: Mapping[str, Any],
    development: Mapping[str, pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """All scores as one long table with the columns `COLUMNS`.

    calls, labels: see `tabulate_answers`; labels also has laboratory, doubt (why its labels may be
    wrong, '' if nothing is known against them) and those of `GROUPS` that are to be told apart ('':
    of no group).
    development: see `development_answers`; without it no area is given. labels of the result: all,
    or undoubted, which is left out for groups that have no doubtful sample. samples, laboratories:
    how many a value comes from.
    """
    answers = tabulate_answers(calls, labels, classes)
    curves = {
        question: accuracy_by_threshold(rows) for question, rows in (development or {}).items()
    }
    is_new = ~labels["tissue"].isin(classes["tissue"])
    rows: list[tuple] = []
    for kept, group, member, chosen, is_even in _groups(labels):
        laboratories = labels.loc[chosen, "laboratory"]
        found = []
        for question, frame in answers.items():
            own = frame[frame.index.isin(chosen)]
            if len(own):
                found += [
                    (question, *row)
                    for row in _measure(own, laboratories, is_even, curves.get(question))
                ]
            if len(own) and question == "tumour":
                found += [(question, *row) for row in _false_tumours(own, laboratories, is_even)]
        refused = calls.loc[chosen, "refused"] != ""
        if refused.any():
            found.append(("file", *_mean("refused", refused, laboratories, is_even)))
        new = chosen[is_new[chosen]]
        if len(new):
            known = chosen[~is_new[chosen]]
            found += [(NEW, *row) for row in _measure_new(calls, known, new, laboratories, is_even)]
        rows += [(kept, group, member, *row) for row in found]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table[table["value"].notna()].reset_index(drop=True)


def _groups(labels: pd.DataFrame) -> Iterator[tuple[str, str, str, pd.Index, bool]]:
    """Labels used, kind of group, its member, samples, and whether laboratories weigh the same."""
    doubtful = (labels["doubt"] != "").to_numpy()
    for kept in ("all", "undoubted"):
        used = labels if kept == "all" else labels[~doubtful]
        for name, is_even in ((EVEN, True), (POOLED, False)):
            yield kept, "all", name, used.index, is_even
        for group in (group for group in GROUPS if group in labels):
            for member, rows in used[used[group] != ""].groupby(group):
                if kept == "all" or doubtful[(labels[group] == member).to_numpy()].any():
                    yield kept, group, str(member), rows.index, False


def laboratory_weights(laboratories: pd.Series, is_even: bool) -> np.ndarray:
    """Weights of samples: one each, or so that each laboratory has the same sum."""
    if not is_even:
        return np.ones(len(laboratories))
    return 1 / laboratories.map(laboratories.value_counts()).to_numpy(float)


def _measure(
    answers: pd.DataFrame, laboratories: pd.Series, is_even: bool, development: np.ndarray | None
) -> Iterator[tuple[str, float, int, int]]:
    """Metric, value, samples and laboratories of one question's answers."""
    accepted = answers[answers["accepted"]]
    scored = accepted[accepted["confidence"].notna()]
    for metric, column, rows in (
        ("answered", "answered", answers),
        ("right_of_answered", "right", answers[answers["answered"]]),
        ("likeliest_right", "right", accepted),
        ("set_coverage", "covered", accepted[accepted["covered"].notna()]),
        ("set_size", "set_size", accepted[accepted["set_size"].notna()]),
    ):
        yield _mean(metric, rows[column], laboratories, is_even)
    if len(scored) < ENOUGH:
        return
    own = laboratories[scored.index]
    weights, counts = laboratory_weights(own, is_even), (len(scored), own.nunique())
    yield "calibration_error", weighted_calibration_error(scored, weights), *counts
    gap = scored["right"].astype(float) - scored["confidence"]
    mean_gap = gap.groupby(own).mean().abs().mean() if is_even else abs(gap.mean())
    yield "confidence_gap", float(mean_gap), *counts
    if development is not None:
        curve = accuracy_by_threshold(scored, weights)
        yield "area_development_outside", area_between(development, curve), *counts


def _mean(
    metric: str, values: pd.Series, laboratories: pd.Series, is_even: bool
) -> tuple[str, float, int, int]:
    """The mean with its metric's name and the numbers of samples and laboratories; NaN of none."""
    own = laboratories[values.index]
    weights = laboratory_weights(own, is_even)
    mean = float(np.average(values.astype(float), weights=weights)) if len(values) else np.nan
    return metric, mean, len(values), own.nunique()


def _false_tumours(
    answers: pd.DataFrame, laboratories: pd.Series, is_even: bool
) -> Iterator[tuple[str, float, int, int]]:
    """Shares of healthy and adjacent samples whose most probable answer is a tumour."""
    for state, name in zip(STATES, ("healthy", "adjacent"), strict=False):
        rows = answers[answers["accepted"] & (answers["true"] == state)]
        yield _mean(
            f"{name}_likeliest_tumour", rows["likeliest"] == "tumour", laboratories, is_even
        )


def newness_scores(calls: pd.DataFrame) -> pd.DataFrame:
    """Three scores that are higher for samples less like training.

    novelty: the novelty score; probability: 1 - that of the most probable tissue; decision: samples
    whose tissue is withheld come after all that get an answer, by novelty among them.
    """
    novelty = calls["novelty"].astype(float)
    withheld = (calls["tissue"] == "").to_numpy(float)
    tissues = calls[[name for name in calls if name.startswith("tissue:")]].to_numpy(float)
    return pd.DataFrame(
        {
            "novelty": novelty,
            "probability": 1 - tissues.max(axis=1),
            "decision": novelty.rank() + withheld * len(calls),
        },
        index=calls.index,
    )


def _measure_new(
    calls: pd.DataFrame,
    known: pd.Index,
    new: pd.Index,
    laboratories: pd.Series,
    is_even: bool,
) -> Iterator[tuple[str, float, int, int]]:
    """Share of new samples answered, and how well each score distinguishes them from known ones."""
    yield _mean("answered", calls.loc[new, "tissue"] != "", laboratories, is_even)
    accepted = calls.index[calls["refused"] == ""]
    known, new = known[known.isin(accepted)], new[new.isin(accepted)]
    if not len(known) or not len(new):
        return
    both = known.append(new)
    is_new = np.arange(len(both)) >= len(known)
    weights = np.concatenate([laboratory_weights(laboratories[s], is_even) for s in (known, new)])
    scores = newness_scores(calls.loc[both])
    for name in scores:
        area = roc_auc_score(is_new, scores[name], sample_weight=weights)
        yield f"auroc_{name}", float(area), len(both), laboratories[both].nunique()


def count_reasons(
    calls: pd.DataFrame, warnings: Mapping[str, Sequence[str]], classes: Mapping[str, Any]
) -> pd.DataFrame:
    """How often each kind of refusal, withheld tissue and warning came: kind, reason, samples.

    Sentences that differ in numbers, files, tissues or states alone are one kind.
    """
    reasons = [("refused", text) for text in calls["refused"]]
    reasons += [("tissue withheld", text) for text in calls["tissue_abstained"]]
    reasons += [("warning", text) for own in warnings.values() for text in own]
    names = sorted({*classes["tissue"], *classes["disease_state"]}, key=len)[::-1]
    any_class = re.compile(rf"\b({'|'.join(map(re.escape, names))})\b")
    found = pd.DataFrame(
        [(kind, _generalise(text, any_class)) for kind, text in reasons if text],
        columns=["kind", "reason"],
    )
    counts = found.groupby(["kind", "reason"]).size().rename("samples").reset_index()
    return counts.sort_values(["kind", "samples"], ascending=[True, False], ignore_index=True)


def _generalise(sentence: str, any_class: re.Pattern[str]) -> str:
    """The sentence without what differs between samples."""
    without_files = re.sub(r"\S*/\S+?(?=[:;,.]?(\s|$))", "FILE", sentence)
    without_classes = any_class.sub("CLASS", without_files)
    return re.sub(r"[-−]?\d[\d,.]*\d|\d", "#", re.sub(r"'[^']*'", "'…'", without_classes))


def score_over_all(
    scores: pd.DataFrame, kept: str, member: str, question: str, metric: str
) -> tuple[float, int, int]:
    """A score over all samples, and how many samples and laboratories it comes from."""
    rows = scores[
        (scores["labels"] == kept)
        & (scores["group"] == "all")
        & (scores["member"] == member)
        & (scores["question"] == question)
        & (scores["metric"] == metric)
    ]
    if rows.empty:
        return np.nan, 0, 0
    value, samples, laboratories = rows[["value", "samples", "laboratories"]].iloc[0]
    return float(value), int(samples), int(laboratories)
