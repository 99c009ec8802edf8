"""The last lines of a run on the terminal: the calls (`calls.txt.j2`), or how many are right."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from tissuestate.classification.page import Background, index_facts
from tissuestate.labels import HEADS, TUMOUR
from tissuestate.report.wording import head_title

LISTED = 20  # samples with a line each; of more, the most frequent verdicts are counted


def call_facts(records: Sequence[Mapping[str, Any]], background: Background) -> dict[str, Any]:
    """The rows of the index of samples if they are few, else how many samples have each verdict.

    records: those of calls.json. counts: the most frequent verdicts with their numbers; others: the
    number of samples with another one.
    """
    facts = index_facts(records, background)
    verdicts = [
        {**row["verdict"], "refused": bool(row["verdict"]["refused"])} for row in facts["rows"]
    ]
    counts = Counter(tuple(verdict.items()) for verdict in verdicts).most_common(LISTED)
    return {
        **facts,
        "is_short": len(records) <= LISTED,
        "counts": [(dict(verdict), number) for verdict, number in counts],
        "others": len(records) - sum(number for _, number in counts),
    }


def right_answers(metrics: pd.DataFrame) -> list[str]:
    """How many test samples are called right by each head, from the metrics of a model."""
    accuracy = metrics[metrics["metric"] == "accuracy"].set_index("head")
    return [
        f"{head_title(head).lower()} {round(row['value'] * row['n'])} of {row['n']:.0f}"
        for head, row in accuracy.iterrows()
        if head in HEADS
    ]


def left_out_answers(scores: pd.DataFrame) -> list[str]:
    """How many samples of laboratories left out are answered, and how many of those right."""
    pooled = scores[(scores["labels"] == "all") & (scores["member"] == "pooled")]
    found = pooled.set_index(["question", "metric"])[["value", "samples"]].to_dict("index")
    lines = []
    for question in (TUMOUR, *HEADS):
        right = found.get((question, "right_of_answered"))
        if right and right["samples"]:
            number, answered = round(right["value"] * right["samples"]), int(right["samples"])
            asked = int(found[question, "answered"]["samples"])
            question = head_title(question).lower()
            lines.append(f"{question} {number} of {answered} answered ({asked} asked)")
    return lines
