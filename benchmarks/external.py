"""Score calls of the samples of other laboratories, made by a bundle or with each left out.

Usage: external.py BUNDLE DATA_FOLDER benchmarks/external.tsv PAGE.html [--name ROW_NAME]

DATA_FOLDER holds matrices of laboratories that training never saw, and samples.tsv with their
labels (one row per sample: sample, laboratory, set, file, disease_state, tissue, subtype, protocol,
unit, gene_ids). They are read and called as a user's are, with a sample sheet that states each
unit. external_doubts.tsv names samples whose labels their own data contradict; scores are given
with and without them.

BUNDLE may also be the file laboratories/calls.tsv of a run that was trained on these samples, with
each laboratory left out in turn. Its calls are scored instead (sample NAME of the set SET is called
NAME.SET there). Samples that it lacks are left out of the score; their number is printed.

The table has one row per score (see tissuestate.evaluation.outside) and per kind of refusal,
withheld tissue and warning; rows of other names in it stay. The page shows the same as figures.
The area between the development and the outside curve needs the run beside the bundle.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from tissuestate.classification.classifier import Classifier
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
from tissuestate.labels import read_classes
from tissuestate.laboratories.calls import read_calls
from tissuestate.report.outside import outside_facts
from tissuestate.report.render import render
from tissuestate.sheet.classes import ClassTable
from tissuestate.sheet.sheet import read_sheet
from tissuestate.tables import read_strings

DOUBTS = Path(__file__).with_name("external_doubts.tsv")
CLASSES = Path(__file__).parents[1] / "resources" / "classes.tsv"
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
    sheet.to_csv(path, sep="\t", index=False)


@dataclass(frozen=True)
class Called:
    """The calls of samples, by sample, their warnings, and what they are scored with.

    development: answers to the test samples of the run; {} without a run.
    """

    calls: pd.DataFrame
    warnings: Mapping[str, Sequence[str]]
    classes: Mapping[str, Any]
    development: Mapping[str, pd.DataFrame]


def call_external(bundle: Path, labels: pd.DataFrame, data: Path, sheet_path: Path) -> Called:
    """Calls by a bundle; samples are read and called as the workflow does."""
    classifier = Classifier.load(bundle)
    check_not_trained_on(bundle, labels)
    write_sheet(labels, data, sheet_path)
    sheet = read_sheet(sheet_path, labelled=False)
    new = read_new_samples(sheet, {})
    found = call_samples(classifier, sheet, new, read_qualities([], {}, {}), None)
    description = classifier.description
    classes = {**description["classes"], "subtypes_of": description["subtypes_of"]}
    models = ("ridge", f"dl_{classifier.chain.features.kind}")
    development = read_development(bundle.resolve().parent, models, classes)
    return Called(found.table().set_index("sample"), found.warnings, classes, development)


def check_not_trained_on(bundle: Path, labels: pd.DataFrame) -> None:
    """Raise InputError if the run beside a bundle had samples of these laboratories."""
    table = bundle.resolve().parent / "cohort" / "laboratories.tsv"
    if table.is_file():
        trained = set(read_strings(table)["laboratory"]) & set(labels["laboratory"])
        if trained:
            raise InputError(
                f"{bundle}: it was trained on samples of {min(trained)}; its calls of them say "
                "nothing about other laboratories. Score laboratories/calls.tsv of its run instead."
            )


def left_out_calls(path: Path, labels: pd.DataFrame) -> Called:
    """Calls that a run made of these samples while their laboratory was left out."""
    results = path.resolve().parents[1]
    classes = read_classes(results / "cohort" / "classes.json")
    names = pd.Series(labels.index, index=labels.index + "." + labels["set"])
    calls = read_calls(path)
    calls = calls[calls.index.isin(names.index)].rename(index=names)
    return Called(calls, {}, classes, read_development(results, ["ridge"], classes))


def read_development(
    results: Path, models: Sequence[str], classes: Mapping[str, Any]
) -> dict[str, pd.DataFrame]:
    """Answers to the test samples of a run by the first of the models that it has; {} if none."""
    for model in models:
        path = results / "evaluation" / model / "predictions.tsv"
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
    labels = read_labels(given.data)
    given.page.parent.mkdir(parents=True, exist_ok=True)
    if given.bundle.is_file():
        found = left_out_calls(given.bundle, labels)
        print(f"{len(labels) - len(found.calls)} of {len(labels)} samples were not called there")
        labels = labels.loc[found.calls.index]
    else:
        sheet = given.page.with_name("samples.tsv")
        found = call_external(given.bundle, labels, given.data, sheet)
        with atomic(given.page.with_name("calls.tsv")) as temporary:
            found.calls.to_csv(temporary, sep="\t", float_format="%.6g", lineterminator="\n")
    calls, classes, development = found.calls, found.classes, found.development
    scores = score_outside(calls, labels, classes, development)
    reasons = count_reasons(calls, found.warnings, classes)
    name = given.name or str(given.bundle)
    append_rows(given.table, name, pd.concat([scores, reason_rows(reasons, labels)]))
    answers = tabulate_answers(calls, labels, classes)
    names = dict(ClassTable.read(CLASSES).names)
    facts = outside_facts(name, calls, labels, scores, reasons, answers, development)
    page = render("outside.html.j2", {**facts, "simulated": False, "names": names})
    with atomic(given.page) as temporary:
        temporary.write_text(page, encoding="utf-8")
    print(f"{len(calls)} samples scored; see {given.table} and {given.page}")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"external: {error}")
