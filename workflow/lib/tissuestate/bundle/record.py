"""The record of each class: what it was trained on, and how often calls of it were right."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from tissuestate.evaluation.outside import tabulate_answers
from tissuestate.labels import ANSWERS, HEADS, NEOPLASTIC, TUMOUR

OUTSIDE = (
    *("outside", "outside_answered", "outside_right"),
    *("outside_called", "outside_called_right"),
)
Record = dict[str, dict[str, dict[str, int]]]  # by question and class


def class_record(
    samples: pd.DataFrame,
    confusion: pd.DataFrame,
    classes: Mapping[str, Any],
    left_out: pd.DataFrame | None = None,
) -> Record:
    """Counts by question (the heads, and 'tumour' with the classes yes and no) and class.

    train: training samples, and laboratories: how many those come from. test, test_right: test
    samples of the class, and how many of them were given it. called, called_right: test samples
    that were given the class, and how many of them are of it. outside, outside_answered,
    outside_right: samples of the class whose laboratory was left out, how many of them got an
    answer, and the right one; outside_called, outside_called_right: of those, how many were given
    the class, and how many of these are of it (0 if none was left out).

    samples: labels, laboratory and split of the cohort. confusion: head, true, called, count of the
    model that calls. left_out: the calls of samples left out, with `{head}_true`.
    """
    training = samples[samples["split"] == "train"]
    answers = {} if left_out is None else _answers_outside(left_out, classes)
    found: Record = {}
    for question, labels, counts in _questions(training, confusion, classes):
        rows = answers.get(question)
        found[question] = {
            name: {
                "train": int((labels == name).sum()),
                "laboratories": int(training.loc[labels == name, "laboratory"].nunique()),
                **_tested(counts, name),
                **_outside(rows, name),
            }
            for name in (ANSWERS if question == TUMOUR else classes[question])
        }
    return found


def _questions(
    training: pd.DataFrame, confusion: pd.DataFrame, classes: Mapping[str, Any]
) -> list[tuple[str, pd.Series, pd.DataFrame]]:
    """Each question with the answer of each training sample and the confusion of test samples."""
    found = []
    for head in (head for head in HEADS if classes.get(head)):
        found.append((head, training[head], confusion[confusion["head"] == head]))
    states = confusion[confusion["head"] == "disease_state"]
    tumour = states.assign(**{c: _is_tumour(states[c]) for c in ("true", "called")})
    return [(TUMOUR, _is_tumour(training["disease_state"]), tumour), *found]


def _is_tumour(states: pd.Series) -> pd.Series:
    return states.map(lambda state: "yes" if state == NEOPLASTIC else "no" if state else "")


def _tested(counts: pd.DataFrame, name: str) -> dict[str, int]:
    true, called = counts["true"] == name, counts["called"] == name
    sums = {"test": true, "test_right": true & called, "called": called}
    sums["called_right"] = sums["test_right"]
    return {key: int(counts.loc[rows, "count"].sum()) for key, rows in sums.items()}


def _outside(answers: pd.DataFrame | None, name: str) -> dict[str, int]:
    if answers is None:
        return dict.fromkeys(OUTSIDE, 0)
    own, answered = answers["true"] == name, answers["answered"].astype(bool)
    right = own & answered & answers["right"].astype(bool)
    # without the right answer, a sample of another class was given this one if it is likeliest
    called = right | (~own & answered & (answers["likeliest"] == name))
    counted = (own, own & answered, right, called, right)
    return {key: int(rows.sum()) for key, rows in zip(OUTSIDE, counted, strict=True)}


def _answers_outside(calls: pd.DataFrame, classes: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    labels = pd.DataFrame({head: calls[f"{head}_true"] for head in HEADS})
    answers = tabulate_answers(calls, labels, classes)
    if TUMOUR in answers:
        tumour = answers[TUMOUR]
        likeliest = tumour["likeliest"].replace({"tumour": "yes", "no tumour": "no"})
        answers[TUMOUR] = tumour.assign(true=_is_tumour(tumour["true"]), likeliest=likeliest)
    return answers
