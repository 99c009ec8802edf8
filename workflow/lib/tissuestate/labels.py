"""The words that every stage shares: states, questions, units, splits, tasks and models."""

import json
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
