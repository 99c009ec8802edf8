"""The last lines of a run on the terminal: the calls (`calls.txt.j2`), or how many are right."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from tissuestate.classification.page import Background, index_facts
from tissuestate.labels import QUESTIONS, measured_head
from tissuestate.report.shares import count_hits
from tissuestate.report.wording import head_title

LISTED = 20  # samples with a line each; of more, the most frequent verdicts are counted


def call_facts(records: Sequence[Mapping[str, Any]], background: Background) -> dict[str, Any]:
    """The rows of the index of samples if they are few, else how many samples have each verdict.

    records: those of calls.json. counts: the most frequent verdicts with their numbers; others: the
    number of samples with another one. called: the number of samples that are not refused, and
    unanswered: of them, those without a tissue.
    """
    facts = index_facts(records, background)
    verdicts = [
        {**row["verdict"], "refused": bool(row["verdict"]["refused"])} for row in facts["rows"]
    ]
    counts = Counter(tuple(verdict.items()) for verdict in verdicts).most_common(LISTED)
    accepted = [record["heads"] for record in records if not record["refused"]]
    answered = [heads for heads in accepted if heads["tissue"]["call"]]
    return {
        **facts,
        "called": len(accepted),
        "unanswered": len(accepted) - len(answered),
        "is_short": len(records) <= LISTED,
        "counts": [(dict(verdict), number) for verdict, number in counts],
        "others": len(records) - sum(number for _, number in counts),
    }


def right_answers(metrics: pd.DataFrame) -> list[str]:
    """How many test samples are called right by question, from the metrics of a model."""
    rows = metrics[metrics["metric"] == "accuracy"].to_dict("records")
    found = {row["head"]: row for row in rows}
    heads = {question: measured_head(question, found) for question in QUESTIONS}
    return [
        f"{head_title(question).lower()} {count_hits(row['value'], row['n'])} of {row['n']:.0f}"
        for question, head in heads.items()
        if (row := found.get(head))
    ]


def left_out_answers(scores: pd.DataFrame) -> list[str]:
    """How many samples of laboratories left out are answered, and how many of those right."""
    from tissuestate.report.accuracy import answers_outside  # slow to import, and no call needs it

    return [
        f"{head_title(row['question']).lower()} {row['right']} of {row['answered']} answered "
        f"({row['samples']} asked)"
        for row in answers_outside(scores)
        if row["answered"]
    ]
