"""The last lines of a run on the terminal: the calls, or how many are right."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from tissuestate.labels import ANSWERS, HEADS, TUMOUR
from tissuestate.report.wording import class_title, head_title

LISTED = 20  # samples with a line each; of more, the most frequent calls are counted


def call_lines(records: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> list[str]:
    """One line per sample, or per call if the samples are many.

    records: those of calls.json. names: the plain names of classes.
    """
    if len(records) <= LISTED:
        width = max((len(record["sample"]) for record in records), default=0)
        return [f"{r['sample']:<{width}}  {describe_call(r, names)}" for r in records]
    counts = Counter(describe_call(record, names, with_shares=False) for record in records)
    width = len(str(len(records)))
    lines = [f"{number:>{width}}  {call}" for call, number in counts.most_common(LISTED)]
    rest = counts.total() - sum(number for _, number in counts.most_common(LISTED))
    return [*lines, f"{rest:>{width}}  other calls"] if rest else lines


def describe_call(
    record: Mapping[str, Any], names: Mapping[str, str], with_shares: bool = True
) -> str:
    """The classes that a sample is called, with their probabilities, and the number of warnings."""
    if record["refused"]:
        return f"refused: {record['refused']}" if with_shares else "refused"

    def words(name: str, share: float) -> str:
        return f"{name} {share_in_words(share)}" if with_shares else name

    heads = record["heads"]
    called = [
        words(class_title(heads[head]["call"], names), heads[head]["probability"])
        for head in ("tissue", "disease_state", "subtype")
        if head in heads and heads[head]["call"]
    ]
    tumour = record[TUMOUR]
    if tumour and tumour["call"] and not heads["disease_state"]["call"]:
        is_tumour = tumour["call"] == ANSWERS[1]
        share = tumour["probability"] if is_tumour else 1 - tumour["probability"]
        called.append(words("tumour" if is_tumour else "no tumour", share))
    text = ", ".join(called) or "no answer"
    warnings = len(record["warnings"])
    if warnings and with_shares:
        text += f"; {warnings} warning{'s' if warnings > 1 else ''}"
    return text


def share_in_words(share: float) -> str:
    """A probability in whole per cent, never 100."""
    return f"{min(round(100 * share), 99)}%"


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
