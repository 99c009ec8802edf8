"""Call the samples of other laboratories with a bundle, and score the calls.

Usage: external.py BUNDLE DATA_FOLDER benchmarks/external.tsv PAGE.html [--name ROW_NAME]

DATA_FOLDER holds matrices of laboratories that training never saw, and samples.tsv with their
labels (one row per sample: sample, laboratory, set, file, disease_state, tissue, subtype, protocol,
unit, gene_ids). They are read and called as a user's are, with a sample sheet that states each
unit. external_doubts.tsv names samples whose labels their own data contradict; scores are given
with and without them.

The table has one row per score (see tissuestate.evaluation.outside) and per kind of refusal,
withheld tissue and warning; rows of other names in it stay. The page shows the same as figures.
The area between the development and the outside curve needs the run beside the bundle.
"""

import argparse
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from tissuestate.classification.classifier import Classifier, Predictions
from tissuestate.classification.new_samples import call_samples, read_new_samples, read_qualities
from tissuestate.errors import InputError
from tissuestate.evaluation.outside import (
    POOLED,
    count_reasons,
    development_answers,
    score_outside,
    tabulate_answers,
)
from tissuestate.evaluation.predictions import read_predictions
from tissuestate.files import atomic
from tissuestate.report.outside import outside_facts
from tissuestate.report.render import render
from tissuestate.sheet.sheet import read_sheet
from tissuestate.tables import read_strings

DOUBTS = Path(__file__).with_name("external_doubts.tsv")
UNITS = {
    "count": "count",
    "tpm": "normalised",
    "fpkm": "normalised",
    "log2_tpm": "log2",
    "log2_fpkm": "log2",
    "log2_cpm": "log2",
    "log2_unknown": "log2",
    "log2_quantile_normalised": "log2",
}


def read_labels(folder: Path) -> pd.DataFrame:
    """The labels of the samples by name, why they may be wrong, and which are metastases."""
    labels = read_strings(folder / "samples.tsv").set_index("sample")
    doubts = read_strings(DOUBTS).set_index("sample")["doubt"]
    return labels.assign(
        doubt=doubts.reindex(labels.index).fillna(""),
        specimen=labels["what"].str.extract(r"^(\S+ metastasis) of", expand=False).fillna(""),
    )


def write_sheet(labels: pd.DataFrame, folder: Path, path: Path) -> None:
    """Write the sample sheet of a user who wants these samples called."""
    sheet = pd.DataFrame(
        {
            "sample": labels.index,
            "matrix": [str(folder.resolve() / name) for name in labels["file"]],
            "column": labels.index,
            "unit": labels["unit"].map(UNITS),
        }
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.to_csv(path, sep="\t", index=False)


def call_external(classifier: Classifier, sheet_path: Path) -> Predictions:
    """The calls of the samples of a sheet, read and called as the workflow does."""
    sheet = read_sheet(sheet_path, labelled=False)
    new = read_new_samples(sheet, {})
    return call_samples(classifier, sheet, new, read_qualities([], {}, {}), None)


def read_development(classifier: Classifier, classes: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """Answers to the test samples of the run that the bundle stands in; {} without a run."""
    evaluation = classifier.folder.resolve().parent / "evaluation"
    for model in ("ridge", f"dl_{classifier.chain.features.kind}"):
        path = evaluation / model / "predictions.tsv"
        if path.is_file():
            return development_answers(read_predictions(path), classes)
    return {}


def reason_rows(reasons: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """Kinds of refusal, withheld tissue and warning as rows of the table of scores."""
    rows = reasons.rename(columns={"kind": "question", "reason": "metric", "samples": "value"})
    return rows.assign(
        labels="all",
        group="all",
        member=POOLED,
        samples=len(labels),
        laboratories=labels["laboratory"].nunique(),
    )


def append_rows(path: Path, name: str, table: pd.DataFrame) -> None:
    """Write the rows of one bundle into the table, in place of those that had its name."""
    rows = table.assign(model=name)[["model", *table.columns]]
    rows["value"] = rows["value"].map("{:.4g}".format)
    if path.is_file():
        earlier = read_strings(path)
        rows = pd.concat([earlier[earlier["model"] != name], rows], ignore_index=True)
    with atomic(path) as temporary:
        rows.to_csv(temporary, sep="\t", index=False, lineterminator="\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for argument in ("bundle", "data", "table", "page"):
        parser.add_argument(argument, type=Path)
    parser.add_argument("--name", help="of the bundle's rows in the table (default: its folder)")
    given = parser.parse_args()
    started = time.perf_counter()
    classifier = Classifier.load(given.bundle)
    description = classifier.description
    classes = {**description["classes"], "subtypes_of": description["subtypes_of"]}
    labels = read_labels(given.data)
    sheet = given.page.with_name("samples.tsv")
    write_sheet(labels, given.data, sheet)
    found = call_external(classifier, sheet)
    called = time.perf_counter()
    calls = found.table().set_index("sample")
    with atomic(given.page.with_name("calls.tsv")) as temporary:
        calls.to_csv(temporary, sep="\t", float_format="%.6g", lineterminator="\n")
    development = read_development(classifier, classes)
    scores = score_outside(calls, labels, classes, development)
    reasons = count_reasons(calls, found.warnings, classes)
    name = given.name or str(given.bundle)
    append_rows(given.table, name, pd.concat([scores, reason_rows(reasons, labels)]))
    answers = tabulate_answers(calls, labels, classes)
    facts = outside_facts(name, calls, labels, scores, reasons, answers, development)
    with atomic(given.page) as temporary:
        temporary.write_text(render("outside.html.j2", facts), encoding="utf-8")
    print(
        f"{len(calls)} samples called in {called - started:.1f} s, scored in "
        f"{time.perf_counter() - called:.1f} s; see {given.table} and {given.page}"
    )


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"external: {error}")
