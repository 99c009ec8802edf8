"""The numbers of a run's summary as a table."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from tissuestate.labels import TUMOUR, within_batch_head
from tissuestate.report.wording import head_title, model_title

Items = Iterator[tuple[str, Any]]  # item, value


def tabulate_summary(summary: Mapping[str, Any]) -> pd.DataFrame:
    """The numbers of `summary_facts` as a long table: section, item, value."""
    sections = {
        "cohort": _cohort_items(summary["cohort"]),
        "test samples": (
            ("model that calls", summary["accuracy"]["model"]),
            *_count_items(summary["accuracy"]["tests"]),
        ),
        "samples left out": _count_items(summary["accuracy"]["outside"], is_left_out=True),
        "test metrics": (
            (f"{metric}, {row['head']}", score["value"])
            for row in summary["performance"]["heads"]
            for metric, score in row["scores"].items()
        ),
        "trust": (
            *_answer_items(TUMOUR, summary["tumour"] or {}),
            *_trust_items(summary["trust"] or []),
        ),
        "confounding": (
            *_confounding_items(summary["confounding"]),
            *_batch_items(summary["batches"]),
            *(_within(head, score) for head, score in summary["within_batch"].items()),
        ),
        "laboratories": (
            (item, summary["laboratories"][key])
            for item, key in (
                ("laboratories", "laboratories"),
                ("pairs of tissue and state", "pairs"),
                ("pairs without a sample", "missing"),
                ("pairs of one laboratory", "single"),
            )
        ),
        "laboratories left out": _left_out_items(summary["left_out"] or {}),
        "quality": _quality_items(summary["quality"] or {}),
        "sex": (
            ("samples of known sex by expression", summary["sex"]["expressed"]),
            ("samples of stated sex", summary["sex"]["stated"]),
            ("samples that contradict it or their tissue", len(summary["sex"]["contradicted"])),
        ),
        "genes": (
            (f"recognised, {row.dataset}", row.recognised)
            for row in summary["datasets"].itertuples()
        ),
        "correction": _correction_items(summary["correction"]),
        "truth": _truth_items(summary["truth"] or {}),
    }
    rows = [(section, *item) for section, found in sections.items() for item in found]
    return pd.DataFrame(rows, columns=["section", "item", "value"], dtype=object)


def _cohort_items(cohort: Mapping[str, Any]) -> Items:
    for split, samples in cohort["samples"].items():
        yield f"{split} samples", samples
    yield "samples of no class", cohort["no_class"]
    yield "donors", cohort["donors"]
    yield "genes", cohort["genes"]
    yield "donors on several sides of the split", cohort["shared_donors"]


def _count_items(rows: Iterable[Mapping[str, Any]], *, is_left_out: bool = False) -> Items:
    """Counts of right calls of the model that calls, by question, and by what was left out."""
    for row in rows:
        what = row["question"] + (f", {model_title(row['model'])}" if is_left_out else "")
        yield f"right, {what}", row["right"]
        yield f"asked, {what}", row["samples"]
        yield f"share right, lower end of its interval, {what}", row["low"]
        yield f"share right, upper end of its interval, {what}", row["high"]


def _trust_items(trust: Iterable[Mapping[str, Any]]) -> Items:
    for row in trust:
        yield f"covered by the sets, {row['head']}", row["coverage"]
        yield from _answer_items(row["head"], row)


def _answer_items(head: str, found: Mapping[str, Any]) -> Items:
    if found:
        yield f"share answered, {head}", found["share"]
        yield f"accuracy of the answers, {head}", found["accuracy"]


def _left_out_items(found: Mapping[str, Any]) -> Items:
    if not found:
        return
    for name, score in found["scores"].items():
        yield name.replace("_", " "), score["value"]
    for row in found["calibration"]:
        for place in ("inside", "outside"):
            yield f"calibration error {place}, {row['question']}", row[place]


def _confounding_items(confounding: Mapping[str, Any]) -> Items:
    yield "Cramér's V, study and disease state", confounding["association"]
    for pair in confounding["pairs"]:
        yield f"samples that contrast {pair['first']} and {pair['second']}", pair["samples"]
    if confounding["study_predicted"]:
        chance = confounding["study_predicted"]["chance"]
        yield "study predicted from expression, chance", chance


def _batch_items(found: Mapping[str, Any]) -> Items:
    if found["tissues"]:
        yield "tissues that share no batch with another", ", ".join(found["tissues"])
    if found["subtypes"]:
        pairs = "; ".join(f"{first} and {second}" for first, second in found["subtypes"])
        yield "subtypes of a tissue in no common batch", pairs


def _within(head: str, score: Mapping[str, float]) -> tuple[str, float]:
    return f"balanced accuracy, {head_title(within_batch_head(head)).lower()}", score["value"]


def _quality_items(quality: Mapping[str, Any]) -> Items:
    if quality:
        yield "samples checked", quality["checked"]
        yield "samples excluded", len(quality["excluded"])


def _correction_items(correction: Mapping[str, Any]) -> Items:
    for row in correction["measures"]:
        for stage in ("before", "after"):
            yield f"{row['measure']}, {stage}", row[stage]
    yield "surrogate variables", correction["surrogate_variables"]


def _truth_items(truth: Mapping[str, Any]) -> Items:
    if not truth:
        return
    for kind, samples in truth["samples"].items():
        yield f"{kind} samples", samples["all"]
        yield f"{kind} samples excluded", samples["excluded"]
    for row in truth["heads"]:
        yield f"test accuracy, {row['head']}", row["accuracy"]
        yield f"share of the most frequent class, {row['head']}", row["chance"]
