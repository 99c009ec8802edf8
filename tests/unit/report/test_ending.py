"""The last lines of a run: calls of new samples, and how many test samples are right."""

import pandas as pd
from tissuestate.classification.page import Background, page_facts
from tissuestate.report.ending import LISTED, call_facts, left_out_answers, right_answers
from tissuestate.report.render import render

NAMES = {"kirc": "clear cell carcinoma"}


def record(sample: str = "P1", **changes: object) -> dict:
    """A tumour of the kidney, of an uncertain subtype."""
    heads = {
        "disease_state": {"call": "neoplastic", "probability": 0.999},
        "tissue": {"call": "kidney", "probability": 0.914},
        "subtype": {"call": "kirc", "probability": 0.81},
    }
    tumour = {"call": "yes", "probability": 0.97}
    found = {"sample": sample, "refused": "", "tumour": tumour, "heads": heads, "novelty": 0.2}
    return {**found, "doubts": {}, **changes}


def lines_of(records: list[dict]) -> list[str]:
    background = Background(page=page_facts({"names": NAMES}))
    return render("calls.txt.j2", call_facts(records, background)).splitlines()


def test_a_call_is_told_with_its_confidence_and_doubts() -> None:
    few = record("few", doubts={"few reads": "The sample has few reads."})
    refused = record("refused", refused="no gene is known", heads={}, tumour=None)
    *lines, last = lines_of([record(), few, refused])
    assert last == "2 of 3 samples called."
    assert sorted(lines) == [
        "P1       Clear cell carcinoma: moderate confidence, 81 %",
        "few      Clear cell carcinoma: doubtful (few reads), 81 %",
        "refused  No call: no gene is known",
    ]


def test_of_many_samples_verdicts_are_counted() -> None:
    records = [record(f"P{n}") for n in range(2 * LISTED)]
    records += [record(f"bad{n}", refused=f"row {n}", heads={}, tumour=None) for n in range(LISTED)]
    *lines, last = lines_of(records)
    assert last == f"{2 * LISTED} of {3 * LISTED} samples called."
    assert [line.split(maxsplit=1) for line in lines] == [
        [str(2 * LISTED), "Clear cell carcinoma"],
        [str(LISTED), "No call"],
    ]
    for number, called in enumerate(records[: 2 * LISTED]):
        called["heads"]["subtype"]["call"] = f"subtype{number}"
    *lines, _ = lines_of(records)
    assert len(lines) == LISTED + 1
    assert lines[-1].split() == [str(LISTED + 1), "other", "calls"]


def test_right_answers_are_counts_of_samples() -> None:
    rows = [("tissue", "accuracy", 12 / 13, 13), ("tissue", "auc", 1.0, 13)]
    rows += [("tissue_within_batch", "accuracy", 1.0, 5)]
    metrics = pd.DataFrame(rows, columns=["head", "metric", "value", "n"])
    assert right_answers(metrics) == ["tissue of origin 12 of 13"]
    rows = [("all", "pooled", "tissue", "answered", 0.75, 8)]
    rows += [("all", "pooled", "tissue", "right_of_answered", 5 / 6, 6)]
    rows += [("undoubted", "pooled", "tissue", "answered", 1.0, 5)]
    columns = ["labels", "member", "question", "metric", "value", "samples"]
    scores = pd.DataFrame(rows, columns=columns).assign(group="all", laboratories=2)
    assert left_out_answers(scores) == ["tissue of origin 5 of 6 answered (8 asked)"]
