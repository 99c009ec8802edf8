"""The words that every stage shares: states, questions, units, splits, tasks and models."""

import json
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

STATES = ("non-neoplastic", "peri-neoplastic", "neoplastic")
NEOPLASTIC = STATES[-1]
HEADS = ("disease_state", "tissue", "subtype")  # the questions, each one softmax
TUMOUR = "tumour"  # the question before the state: whether the sample is neoplastic
ANSWERS = ("no", "yes")  # to it
QUESTIONS = (TUMOUR, "tissue", "disease_state", "subtype")  # in the order of a call
SEXES = {"female": "XX", "male": "XY"}  # what a sheet states, and what is expressed then
UNITS = ("count", "normalised", "log2")
SPLITS = ("train", "validation", "test")
OTHER = "other"  # the tissue of a sample of no class
BACKGROUND = "background"  # the split of such samples: no training, validation or test
TASKS: dict[str, tuple[str, ...]] = {  # the heads of each network
    "multitask": ("disease_state", "tissue"),
    "subtype": ("subtype",),
}
TANDEM = "subtype_tandem"  # subtypes among those of the tissue that was called
WITHIN = "_within_batch"
PAPER_MODEL = "dl_pca"  # networks on principal components
RIDGE_MODEL = "ridge"  # what a cohort of many laboratories is called with
ON_COMPONENTS = ("logreg", "linear_svm", "boosting")  # the other classical models see all genes


# What a sheet may state beside UNITS: the base of logarithms, and what was added to the values.
_LOGARITHM = re.compile(r"(log2|ln|log10) ?\(x ?\+ ?([0-9]*\.?[0-9]+(?:e-?[0-9]+)?)\)", re.I)
_BASES = {"log2": 2.0, "ln": np.e, "log10": 10.0}
STATED_UNITS = f"{', '.join(UNITS)}, or a logarithm such as log2(x+0.001) or ln(x+1)"


def parse_logarithm(unit: str) -> tuple[float, float] | None:
    """Base and what was added, of a unit such as log2(x+0.001) or ln(x+1); None of another."""
    found = _LOGARITHM.fullmatch(unit.strip())
    if found is None or not 0 < float(found[2]) < np.inf:
        return None
    return _BASES[found[1].lower()], float(found[2])


def is_unit(unit: str) -> bool:
    """Whether a sheet may state this unit."""
    return unit in UNITS or parse_logarithm(unit) is not None


def plain_unit(unit: str) -> str:
    """The unit that values have when they were read: log2 (of x + 1) for any stated logarithm."""
    return "log2" if parse_logarithm(unit) else unit


def has_class(samples: pd.DataFrame) -> pd.Series:
    """Whether each sample has a class; those of tissue `other` train a background, never a call."""
    return samples["tissue"] != OTHER


def rows_to_fit(split: pd.Series, fit_on: str) -> np.ndarray:
    """Whether each sample fits what a stage learns: training samples, or all that have a class."""
    return (split != BACKGROUND if fit_on == "all" else split == "train").to_numpy()


def within_batch_head(head: str) -> str:
    """The name of a head that is scored among the classes of a sample's own batch."""
    return head + WITHIN


def measured_head(question: str, known: Collection[str]) -> str:
    """The head whose metrics tell how a question is answered in use: a subtype in tandem."""
    return TANDEM if question == "subtype" and TANDEM in known else question


def features_of_model(model: str) -> str:
    """The kind of features that a network (dl_pca, ...) or classical model uses."""
    if model.startswith("dl_"):
        return model.removeprefix("dl_")
    return "pca" if model in ON_COMPONENTS else "all"


def read_classes(path: str | Path) -> dict[str, Any]:
    """The classes of each head, and under `subtypes_of` those of each tissue that has any."""
    classes = json.loads(Path(path).read_text(encoding="utf-8"))
    return {"subtype": [], "subtypes_of": {}, **classes}


def encode(labels: Sequence[str] | pd.Series, classes: Sequence[str]) -> np.ndarray:
    """The position of each label in `classes`, -1 for others."""
    return pd.Index(classes).get_indexer(pd.Index(labels)).astype(np.int64)
