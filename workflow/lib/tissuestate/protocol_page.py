"""The evaluation protocols on one page: how good, how much better with a leak, how far it goes."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from tissuestate import pages
from tissuestate.protocols import HONEST
from tissuestate.wording import head_title, model_title

DEEP = "dl_pca"
WORST = 5  # mistakes listed of each head and of each part left out
LEAKS = {
    HONEST: "none: donors apart, everything fitted on training samples",
    "duplicates": "duplicate specimens: a donor's samples of another source may be in training",
    "random": "random split: a donor's other samples may be in training",
    "correction": "batch correction fitted on all samples",
    "features": "scaling and components fitted on all samples",
    "paper": "the paper's protocol: random split, everything fitted on all samples",
}


def protocol_page(tables: Mapping[str, pd.DataFrame], searched: bool) -> str:
    """The tables of `tissuestate.assess` as an HTML page.

    searched: whether each training had a search for hyper-parameters of its own.
    """
    body = [
        *_crossvalidation(tables["crossvalidation"], searched),
        *_leaks(tables["leaks"]),
        *_outside(tables["outside"], tables["crossvalidation"]),
        *_mistakes(tables["outside_mistakes"], tables["outside_classes"]),
    ]
    return pages.page("How good under other protocols", body)


def brief(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """What the tables crossvalidation, leaks and outside say of DL PCA, a sentence each."""
    sentences = []
    folds, leaks, outside = (
        _balanced(tables[name]) for name in ("crossvalidation", "leaks", "outside")
    )
    ours = folds[folds["model"] == DEEP]
    if len(ours):
        sentences.append(
            "Cross-validated by donors, so that every sample is called by models that saw nothing "
            f"of its donor, DL PCA has a balanced accuracy of {_listed(ours)}."
        )
    paper = leaks[leaks["leak"] == "paper"]
    if len(paper):
        gains = ", ".join(
            f"{row['difference']:+z.3f} for {head_title(row['head']).lower()}"
            for row in paper.to_dict("records")
        )
        sentences.append(
            "With the paper's protocol on the same samples (random split, everything fitted on all "
            f"of them) it changes by {gains}; such a gain is not there for a new patient."
        )
    for (column, part), found in outside.groupby(["protocol", "part"], sort=False):
        if column != "project" and (found["model"] == DEEP).any():
            sentences.append(
                f"Asked about {column} {part} without having been trained on it: "
                f"{_listed(found[found['model'] == DEEP])}."
            )
    return sentences


def _listed(rows: pd.DataFrame) -> str:
    """Balanced accuracies with intervals, question by question."""
    return ", ".join(
        f"{row['value']:.3f} ({_interval(row['low'], row['high'])}) for "
        + head_title(row["head"]).lower()
        for row in rows.to_dict("records")
    )


def _interval(low: float, high: float, digits: int = 3, sign: str = "") -> str:
    return f"{low:{sign}.{digits}f} to {high:{sign}.{digits}f}"


def _balanced(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["metric"] == "balanced_accuracy"] if len(table) else table


def _with_difference(table: pd.DataFrame, first: str, names: Mapping[str, str]) -> pd.DataFrame:
    """Rows for readers: what, question, balanced accuracy, difference with interval and p."""
    rows = []
    for row in _balanced(table).to_dict("records"):
        apart = not np.isnan(row["difference"])
        low, high = row["difference_low"], row["difference_high"]
        rows.append(
            {
                first: names.get(row[first], row[first]),
                "question": head_title(row["head"]),
                "balanced accuracy": f"{row['value']:.3f} ({_interval(row['low'], row['high'])})",
                "difference": f"{row['difference']:+.3f} ({_interval(low, high, sign='+')})"
                if apart
                else "",
                "p": f"{row['p']:.3f}" if apart else "",
                "samples": row["n"],
            }
        )
    return pd.DataFrame(rows)


def _crossvalidation(table: pd.DataFrame, searched: bool) -> list[str]:
    if table.empty:
        return []
    names = {model: model_title(model) for model in table["model"].unique()}
    repeats = int(table["repeats"].max())
    settings = (
        "Each training had a search for hyper-parameters of its own."
        if searched
        else "The networks' hyper-parameters are those that the run's own tuning chose, once, on "
        "samples that are test samples here: a small advantage that the classical models lack."
    )
    return [
        pages.heading("Cross-validation by donors"),
        pages.paragraph(
            "Every sample was called once by models that had seen no sample of its donor, with "
            "normalisation, correction, features and networks fitted without it"
            + (f"; mean of {repeats} repetitions with other folds. " if repeats > 1 else ". ")
            + settings
        ),
        pages.table(_with_difference(table, "model", names)),
        pages.paragraph(
            "In brackets the 95 % interval over bootstrap resamples of donors. The difference is "
            "to DL PCA on the same samples, with the two-sided share p of resamples in which it "
            "has the other sign.",
            "small",
        ),
    ]


def _leaks(table: pd.DataFrame) -> list[str]:
    if table["leak"].nunique() < 2:
        return []
    return [
        pages.heading("What each leak is worth"),
        pages.paragraph(
            "DL PCA again on the same cohort and folds, with one leak at a time switched on. What "
            "a leak adds is not skill: it is gone when a new patient's sample comes."
        ),
        pages.table(_with_difference(table, "leak", LEAKS)),
    ]


def _outside(table: pd.DataFrame, within: pd.DataFrame) -> list[str]:
    if table.empty:
        return []
    inside = _balanced(within).set_index(["model", "head"])["value"]
    rows = [
        {
            "left out": f"{row['protocol']} {row['part']}",
            "model": model_title(row["model"]),
            "question": head_title(row["head"]),
            "balanced accuracy": f"{row['value']:.3f} ({_interval(row['low'], row['high'])})",
            "cross-validated": inside.get((row["model"], row["head"]), np.nan),
            "samples": row["n"],
        }
        for row in _balanced(table).to_dict("records")
    ]
    return [
        pages.heading("Outside: a source, study or project left out of training"),
        pages.paragraph(
            "Trained on other donors of all the rest, asked about what was left out. Only classes "
            "that there were training samples of are counted: a model cannot call what it never "
            "saw. The mean is over the classes that the part left out has; beside it that of the "
            "cross-validation, over all classes."
        ),
        pages.table(pd.DataFrame(rows)),
    ]


def _mistakes(mistakes: pd.DataFrame, classes: pd.DataFrame) -> list[str]:
    ours = mistakes[mistakes["model"] == DEEP] if len(mistakes) else mistakes
    if ours.empty:
        return []
    keys = ["protocol", "part", "head"]
    support = {
        (*key, name): int(count)
        for *key, name, count in classes.loc[
            classes["model"] == DEEP, [*keys, "class", "support"]
        ].itertuples(index=False, name=None)
    }
    rows = [
        {
            "left out": f"{row['protocol']} {row['part']}",
            "question": head_title(row["head"]),
            "truth": row["true"],
            "called": row["called"],
            "samples": row["count"],
            "of": support.get((*(row[key] for key in keys), row["true"]), "not in training"),
        }
        for row in ours.groupby(keys, sort=False).head(WORST).to_dict("records")
    ]
    return [
        pages.heading("What goes wrong outside"),
        pages.paragraph(
            f"DL PCA's commonest wrong calls, at most {WORST} of each question and part left out. "
            "Where the true class was not in training, no call can be right, and the table shows "
            "what such samples are taken for."
        ),
        pages.table(pd.DataFrame(rows).astype({"of": str})),
    ]
