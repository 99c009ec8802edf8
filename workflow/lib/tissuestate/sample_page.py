"""The page a person reads about one classified sample: the call, how sure, and what to doubt."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tissuestate import pages
from tissuestate.wording import head_title

LEAST_SHOWN = 0.005


def sample_page(
    record: Mapping[str, Any], training: pd.DataFrame, contrasts: list[Mapping[str, Any]]
) -> str:
    """One sample's result as a self-contained HTML page.

    `record` is what `Predictions.record` returns; `training` the training samples on the plane of
    `TrainingMap` (x, y, tissue, disease_state); `contrasts` those of the bundle's data.
    """
    title = f"Sample {record['sample']}"
    if record["refused"]:
        return pages.page(
            title,
            [
                pages.paragraph(f"No call: {record['refused']}", "warning"),
                *_closing(),
            ],
        )
    body = [
        pages.paragraph(_sentence(record), "note"),
        *(pages.paragraph(text, "warning") for text in record["warnings"]),
    ]
    for head, found in record["heads"].items():
        shown = _shown(found["probabilities"])
        body += [pages.heading(head_title(head)), pages.bars(shown)]
        body.append(pages.paragraph(_set(found["set"])))
        hidden = len(found["probabilities"]) - len(shown)
        if hidden:
            classes = "class" if hidden == 1 else "classes"
            body.append(pages.paragraph(f"{hidden} more {classes} below 0.5 %.", "small"))
    body += [
        pages.heading("Where it lies among the training samples"),
        _picture(record, training),
        pages.paragraph(
            "First two principal components of what the networks see; filled marks are neoplastic, "
            "pale ones peri-neoplastic, hollow ones non-neoplastic. Two components show only part "
            "of the picture.",
            "small",
        ),
        pages.heading("About the sample"),
        pages.table(pd.DataFrame(_facts(record), columns=["what", "found"])),
        pages.heading("What to beware of"),
        pages.items(_cautions(record, contrasts)),
        *_closing(),
    ]
    return pages.page(title, body)


def _sentence(record: Mapping[str, Any]) -> str:
    parts = [
        f"{head_title(head)}: {found['call']} ({found['probability']:.0%})"
        if found["call"]
        else f"{head_title(head)}: no answer, {found['abstained']}"
        for head, found in record["heads"].items()
    ]
    return ". ".join(parts) + "."


def _set(members: Sequence[str]) -> str:
    if not members:
        return (
            "With 90 % confidence: none of them. The call is less certain than nine of ten calls "
            "of samples like those of the training cohort."
        )
    return f"With 90 % confidence: {' or '.join(members)}."


def _shown(probabilities: Mapping[str, float]) -> dict[str, float]:
    ranked = sorted(probabilities.items(), key=lambda item: -item[1])
    return {
        name: share
        for place, (name, share) in enumerate(ranked)
        if place < 2 or share >= LEAST_SHOWN
    }


def _picture(record: Mapping[str, Any], training: pd.DataFrame) -> str:
    from tissuestate.plots import embedding

    place = pd.DataFrame([record["point"]], columns=["x", "y"], index=[record["sample"]])
    figure = embedding(training, place)
    return pages.picture(
        pages.figure_bytes(figure), "the sample among the training samples, by tissue"
    )


def _facts(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = [
        ("genes", record["recognition"]),
        ("read as", record["unit"]),
        ("novelty (above 1: like nothing in training)", f"{record['novelty']:.2f}"),
    ]
    if record["mrin"] is not None and np.isfinite(record["mrin"]):
        facts.append(("RNA integrity (mRIN; lower is more degraded)", f"{record['mrin']:.3f}"))
    else:
        facts.append(("RNA integrity", "not known: the sample did not come as reads"))
    return facts


def _cautions(record: Mapping[str, Any], contrasts: list[Mapping[str, Any]]) -> list[str]:
    cautions = [
        "The model knows the classes listed here and no other. Most samples of another origin are "
        "told apart and get no answer, but one close to a known class may be given that class.",
        "Probabilities hold for samples like those of the training cohort.",
    ]
    apart = [f"{row['first']} and {row['second']}" for row in contrasts if not row["studies"]]
    if apart:
        cautions.append(
            f"In training, {'; '.join(apart)} never came from the same study: what tells them "
            "apart may be the study, not the disease."
        )
    return cautions


def _closing() -> list[str]:
    return [pages.paragraph("For research only; not a medical device.", "small")]
