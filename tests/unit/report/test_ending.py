"""The last lines of a run: calls of new samples, and how many test samples are right."""

import json

import pandas as pd
from conftest import ROOT
from tissuestate.report.ending import (
    LISTED,
    call_lines,
    describe_call,
    left_out_answers,
    right_answers,
)

NAMES = {"kirc": "clear cell carcinoma"}


def record(sample: str = "P1", **changes: object) -> dict:
    """A tumour of the kidney; the subtype is open."""
    heads = {
        "disease_state": {"call": "neoplastic", "probability": 0.999},
        "tissue": {"call": "kidney", "probability": 0.914},
        "subtype": {"call": "kirc", "probability": 0.8},
    }
    tumour = {"call": "yes", "probability": 0.97}
    found = {"sample": sample, "refused": "", "tumour": tumour, "heads": heads, "warnings": []}
    return {**found, **changes}


def test_a_call_is_told_with_its_probabilities_and_doubts() -> None:
    called = record(warnings=["few reads"])
    words = "kidney 91%, neoplastic 99%, clear cell carcinoma 80%; 1 warning"
    assert describe_call(called, NAMES) == words
    for head in called["heads"].values():
        head["call"] = ""
    assert describe_call(called, NAMES) == "tumour 97%; 1 warning"
    called["tumour"] = {"call": "no", "probability": 0.03}
    assert describe_call(called, NAMES) == "no tumour 97%; 1 warning"
    called["tumour"] = {"call": "", "probability": 0.5}
    assert describe_call(called, NAMES) == "no answer; 1 warning"
    refused = record(refused="no gene is known", heads={}, tumour=None)
    assert describe_call(refused, NAMES) == "refused: no gene is known"


def test_few_samples_are_listed_and_many_are_counted() -> None:
    records = json.loads((ROOT / "tests" / "data" / "calls.json").read_text())
    for called in records:
        called.setdefault("tumour", None)
    few = call_lines(records[:LISTED], {})
    assert [line.split()[0] for line in few] == [called["sample"] for called in records[:LISTED]]
    many = call_lines(records * 100, {})
    assert len(many) < LISTED
    assert sum(int(line.split()[0]) for line in many) == 100 * len(records)


def test_many_different_calls_take_no_more_lines_than_few_samples() -> None:
    records = [record(f"P{n}", refused="") for n in range(3 * LISTED)]
    for number, called in enumerate(records):
        called["heads"]["subtype"]["call"] = f"subtype{number // 2}"
    lines = call_lines(records, {})
    assert len(lines) == LISTED + 1
    assert lines[-1].split() == [str(LISTED), "other", "calls"]


def test_right_answers_are_counts_of_samples() -> None:
    rows = [("tissue", "accuracy", 12 / 13, 13), ("tissue", "auc", 1.0, 13)]
    rows += [("tissue_within_batch", "accuracy", 1.0, 5)]
    metrics = pd.DataFrame(rows, columns=["head", "metric", "value", "n"])
    assert right_answers(metrics) == ["tissue of origin 12 of 13"]
    rows = [("all", "pooled", "tissue", "answered", 0.75, 8)]
    rows += [("all", "pooled", "tissue", "right_of_answered", 5 / 6, 6)]
    rows += [("undoubted", "pooled", "tissue", "answered", 1.0, 5)]
    columns = ["labels", "member", "question", "metric", "value", "samples"]
    scores = pd.DataFrame(rows, columns=columns)
    assert left_out_answers(scores) == ["tissue of origin 5 of 6 answered (8 asked)"]
