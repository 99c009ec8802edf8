"""The evaluation protocols on one page: how good, how much better with a leak, how far it goes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tissuestate import pages
from tissuestate.protocols import HONEST
from tissuestate.sheet import HEADS
from tissuestate.wording import head_title, model_title

DEEP = "dl_pca"
WORST = 5  # wrong calls listed of a class
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
        *_outside(tables),
        *_mistakes(tables["outside_mistakes"], tables["outside_classes"]),
    ]
    return pages.page("How good under other protocols", body)


def brief(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """What the tables (all but the mistakes) say of DL PCA's plain questions, a sentence each."""
    sentences = []
    folds, leaks, outside = (
        found[found["head"].isin(HEADS)]
        for found in (_balanced(tables[name]) for name in ("crossvalidation", "leaks", "outside"))
    )
    ours = folds[folds["model"] == DEEP]
    if len(ours):
        found = ", ".join(_of_question(row) for row in ours.to_dict("records"))
        sentences.append(
            "Cross-validated by donors, so that every sample is called by models that saw nothing "
            f"of its donor, DL PCA has a balanced accuracy of {found}."
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
    recalls = _recalls(tables["outside_classes"])
    ours = outside[(outside["model"] == DEEP) & (outside["protocol"] != "project")]
    for (column, part), rows in ours.groupby(["protocol", "part"], sort=False):
        found = ", ".join(
            _of_question(row) + _alone(recalls[column, part, row["head"]])
            for row in rows.to_dict("records")
        )
        sentences.append(f"Asked about {column} {part} without having been trained on it: {found}.")
    return sentences


def _of_question(row: Mapping[str, Any]) -> str:
    """A balanced accuracy with its interval, and the question it belongs to."""
    return (
        f"{row['value']:.3f} ({_interval(row['low'], row['high'])}) for "
        + head_title(row["head"]).lower()
    )


def _alone(recalls: Mapping[str, tuple[float, int]]) -> str:
    """The class asked about, where there is but one: the accuracy is its recall."""
    return f" ({next(iter(recalls))} alone)" if len(recalls) == 1 else ""


def _interval(low: float, high: float, sign: str = "") -> str:
    return f"{low:{sign}.3f} to {high:{sign}.3f}"


def _balanced(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["metric"] == "balanced_accuracy"] if len(table) else table


def _recalls(classes: pd.DataFrame) -> dict[tuple[str, str, str], dict[str, tuple[float, int]]]:
    """DL PCA's recall and number of samples, class by class, of each protocol, part and head."""
    found: dict[tuple[str, str, str], dict[str, tuple[float, int]]] = {}
    for row in classes[classes["model"] == DEEP].to_dict("records"):
        key = (row["protocol"], row["part"], row["head"])
        found.setdefault(key, {})[row["class"]] = (row["recall"], int(row["support"]))
    return found


def _crossvalidation(table: pd.DataFrame, searched: bool) -> list[str]:
    if table.empty:
        return []
    repeats = int(table["repeats"].max())
    settings = (
        "Each training had a search for hyper-parameters of its own."
        if searched
        else "The networks' hyper-parameters are those that the run's own tuning chose, once, on "
        "samples that are test samples here: a small advantage that the classical models lack."
    )
    rows = []
    questions = _balanced(table).groupby("head", sort=False)
    for row in pd.concat([rows for _, rows in questions]).to_dict("records"):
        apart = not np.isnan(row["difference"])
        low, high = row["difference_low"], row["difference_high"]
        rows.append(
            {
                "question": head_title(row["head"]),
                "model": model_title(row["model"]),
                "balanced accuracy": f"{row['value']:.3f} ({_interval(row['low'], row['high'])})",
                "difference": f"{row['difference']:+z.3f} ({_interval(low, high, sign='+z')})"
                if apart
                else "",
                "p": f"{row['p']:.3f}" if apart else "",
                "samples": row["n"],
            }
        )
    return [
        pages.heading("Cross-validation by donors"),
        pages.paragraph(
            "Every sample was called once by models that had seen no sample of its donor, with "
            "normalisation, correction, features and networks fitted without it"
            + (f"; mean of {repeats} repetitions with other folds. " if repeats > 1 else ". ")
            + settings
        ),
        pages.table(pd.DataFrame(rows)),
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
    cells = [
        {
            "leak": LEAKS.get(row["leak"], row["leak"]),
            "head": head_title(row["head"]),
            "text": f"{row['value']:.3f}"
            if np.isnan(row["difference"])
            else f"{row['difference']:+z.3f} "
            f"({_interval(row['difference_low'], row['difference_high'], sign='+z')})",
        }
        for row in _balanced(table).to_dict("records")
    ]
    return [
        pages.heading("What each leak is worth"),
        pages.paragraph(
            "DL PCA again on the same cohort and folds, with one leak at a time switched on: its "
            "balanced accuracy without any, and what each adds to it (95 % interval). What a leak "
            "adds is not skill: it is gone when a new patient's sample comes."
        ),
        pages.table(pages.wide(pd.DataFrame(cells), "leak", "head")),
    ]


def _outside(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    found = _balanced(tables["outside"])
    if found.empty:
        return []
    known = tables["outside_classes"].groupby(["protocol", "part", "head"])["class"].unique()
    inside, mistakes = _balanced(tables["crossvalidation"]), tables["outside_mistakes"]
    body = [
        pages.heading("Outside: a source, study or project left out of training"),
        pages.paragraph(
            "Trained on other donors of all the rest, asked about what was left out. Balanced "
            "accuracy (95 % interval) is the mean over those classes of the part left out that "
            "there were training samples of: a model cannot call what it never saw."
        ),
    ]
    for column, asked in found.groupby("protocol", sort=False):
        rows = [
            {f"{column} left out": "none (cross-validated)", **_scores(scored), "classes": "all"}
            for head, scored in inside.groupby("head", sort=False)
            if head in set(asked["head"])
        ]
        for (part, head), scored in asked.groupby(["part", "head"], sort=False):
            names = known[column, part, head]
            classes = f"{names[0]} alone" if len(names) == 1 else str(len(names))
            rows.append({f"{column} left out": part, **_scores(scored), "classes": classes})
        body.append(pages.table(pd.DataFrame(rows).fillna("")))
        body += _not_asked(asked, mistakes[mistakes["protocol"] == column])
    return [
        *body,
        pages.paragraph(
            "Where every call is right, or every one wrong, resampling shows no spread: with n "
            "samples the true share may still be 3 ÷ n away.",
            "small",
        ),
    ]


def _scores(scored: pd.DataFrame) -> dict[str, Any]:
    """One question's row for readers: the score of each model."""
    return {
        "question": head_title(scored["head"].iloc[0]),
        "samples": str(scored["n"].iloc[0]),
        **{
            model_title(row["model"]): pages.with_interval(row["value"], row["low"], row["high"])
            for row in scored.to_dict("records")
        },
    }


def _not_asked(asked: pd.DataFrame, mistakes: pd.DataFrame) -> list[str]:
    """A sentence on the questions that a part left out leaves too few classes of to ask."""
    parts = pd.concat([asked["part"], mistakes["part"]]).unique()
    missing = []
    for head in HEADS:
        without = sorted(set(parts) - set(asked.loc[asked["head"] == head, "part"]))
        if without:
            of = "any" if len(without) == len(parts) else ", ".join(without)
            missing.append(f"{head_title(head).lower()} of {of}")
    if not missing:
        return []
    text = f"Not asked: {'; '.join(missing)}. No such class, or one alone, was left to train on."
    return [pages.paragraph(text, "small")]


def _mistakes(mistakes: pd.DataFrame, classes: pd.DataFrame) -> list[str]:
    """Class by class what is right and what goes wrong, and what the unknown is taken for."""
    if mistakes.empty and classes.empty:
        return []
    ours = mistakes[mistakes["model"] == DEEP]
    wrong = {
        keys: _listed(calls)
        for keys, calls in ours.groupby(["protocol", "part", "head", "true"], sort=False)
    }
    seen, unseen = [], []
    recalls = _recalls(classes[classes["head"].isin(HEADS)])
    for (column, part, head), found in recalls.items():
        told = [
            f"{name} {recall:.2f} of {support}" + (f" ({instead})" if instead else "")
            for name, (recall, support) in found.items()
            for instead in [wrong.pop((column, part, head, name), "")]
        ]
        seen.append((f"{column} {part}", head_title(head), "; ".join(told)))
    for (column, part, head, name), called in wrong.items():
        unseen.append((f"{column} {part}", head_title(head), name, called))
    body = [
        pages.heading("Class by class outside"),
        pages.paragraph(
            "DL PCA's share of right calls of each class that was in training, and in brackets "
            f"what the others were called instead, the {WORST} commonest calls."
        ),
        pages.table(pd.DataFrame(seen, columns=["left out", "question", "right, and wrong calls"])),
    ]
    if unseen:
        body += [
            pages.heading("What the unknown is taken for"),
            pages.paragraph(
                "Where the true class was not in training, no call can be right. What DL PCA calls "
                "such samples when it must call something; with a bundle it may abstain."
            ),
            pages.table(pd.DataFrame(unseen, columns=["left out", "question", "truth", "called"])),
        ]
    return body


def _listed(calls: pd.DataFrame) -> str:
    """Wrong calls of a class, the commonest first, with their numbers."""
    worst = calls.head(WORST)
    named = [f"{called} {n}" for called, n in zip(worst["called"], worst["count"], strict=True)]
    others = calls["count"].sum() - worst["count"].sum()
    return ", ".join(named + [f"others {others}"] * bool(others))
