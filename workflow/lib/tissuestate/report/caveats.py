"""What to beware of in a run: classes that batches may give away, holes, and few samples."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tissuestate.cohort.composition import (
    batches,
    contrasts,
    cramers_v,
    pairs_without_common_batch,
    present_states,
    split_table,
)
from tissuestate.cohort.laboratories import LEAST, laboratory_support
from tissuestate.labels import HEADS, within_batch_head
from tissuestate.report.measures import before_and_after

FEW = {"train": 10, "test": 5}  # samples of a class: fewer of either are named


def caveats(
    samples: pd.DataFrame,
    classes: Mapping[str, Sequence[str]],
    metrics: pd.DataFrame,
    diagnostics: pd.DataFrame,
) -> dict[str, Any]:
    """Facts by kind. `samples` have a class; `metrics` are those of the model that calls."""
    scored = metrics.set_index(["head", "metric"])
    return {
        "confounding": {
            **_confounding(samples),
            "study_predicted": _study_predicted(samples, diagnostics),
        },
        "batches": _batches(samples),
        "within_batch": {
            head: score for head in HEADS if (score := _within_batch(scored, head)) is not None
        },
        "laboratories": _laboratories(samples),
        "few": _few(samples, classes),
    }


def _confounding(samples: pd.DataFrame) -> dict[str, Any]:
    """The association of study and disease state, and the states that no batch holds together."""
    association = cramers_v(samples["study"], samples["disease_state"])
    pairs = contrasts(samples).to_dict("records")
    counts = pd.crosstab(batches(samples).rename("study"), samples["disease_state"])
    return {
        "association": None if np.isnan(association) else association,
        "pairs": pairs,
        "apart": pairs_without_common_batch(pairs, "disease_state"),
        "table": counts[present_states(samples)].reset_index().rename_axis(columns=None),
    }


def _study_predicted(samples: pd.DataFrame, diagnostics: pd.DataFrame) -> dict[str, Any] | None:
    """Balanced accuracy of a linear model for studies, before and after correction."""
    wide = before_and_after(diagnostics)
    if "predicted_study" not in wide.index or wide.loc["predicted_study"].isna().any():
        return None
    before, after = wide.loc["predicted_study", ["before", "after"]].astype(float)
    chance = 1 / samples["study"].nunique()
    is_visible = after - chance > 0.1 * (1 - chance)
    return {"before": before, "after": after, "chance": chance, "is_visible": is_visible}


def _within_batch(scored: pd.DataFrame, head: str) -> dict[str, float] | None:
    """Balanced accuracy within a batch and among all classes (everywhere); None if not scored.

    Within a batch, recognising the batch does not help.
    """
    key = (within_batch_head(head), "balanced_accuracy")
    if key not in scored.index:
        return None
    return {
        **{name: float(scored.loc[key, name]) for name in ("value", "low", "high")},
        "everywhere": float(scored.loc[(head, "balanced_accuracy"), "value"]),
    }


def _batches(samples: pd.DataFrame) -> dict[str, Any]:
    """The tissues and pairs of subtypes that a batch may give away."""
    pairs = contrasts(samples, "tissue")
    together = pairs[pairs["studies"] != ""]
    apart = {*pairs["first"], *pairs["second"]} - {*together["first"], *together["second"]}
    subtypes = contrasts(samples, "subtype").to_dict("records")
    return {
        "tissues": sorted(apart),
        "subtypes": pairs_without_common_batch(subtypes, "subtype"),
    }


def _laboratories(samples: pd.DataFrame) -> dict[str, Any]:
    """How many laboratories support each tissue and state, with a table of the numbers."""
    support = laboratory_support(samples)
    rows = [
        {
            "tissue": tissue,
            **{
                state: f"{c['samples']:,} of {c['laboratories']}" if c["samples"] else "none"
                for state, c in states.items()
            },
        }
        for tissue, states in support["cells"].items()
    ]
    holes = [
        (tissue, state)
        for tissue, states in support["cells"].items()
        for state, cell in states.items()
        if not cell["samples"]
    ]
    return {**support, "needed": LEAST, "holes": holes, "table": pd.DataFrame(rows)}


def _few(samples: pd.DataFrame, classes: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """The classes with few samples for training or for the test: class, train, test."""
    table = split_table(samples, {head: classes[head] for head in HEADS})
    few = (table["train"] < FEW["train"]) | (table["test"] < FEW["test"])
    return table.loc[few, ["class", "train", "test"]].to_dict("records")
