"""Vocabulary of all stages: states, heads, units, splits and tasks."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

STATES = ("non-neoplastic", "peri-neoplastic", "neoplastic")


HEADS = ("disease_state", "tissue", "subtype")


UNITS = ("count", "normalised", "log2")


TASKS: dict[str, tuple[str, ...]] = {
    "multitask": ("disease_state", "tissue"),
    "subtype": ("subtype",),
}


SPLITS = ("train", "validation", "test")
PAPER_MODEL = "dl_pca"  # networks on principal components


ON_COMPONENTS = ("logreg", "linear_svm", "boosting")  # the other classical models see all genes


def features_of_model(model: str) -> str:
    """The kind of features that a network (dl_pca, ...) or classical model uses."""
    if model.startswith("dl_"):
        return model.removeprefix("dl_")
    return "pca" if model in ON_COMPONENTS else "all"


def read_classes(path: str | Path) -> dict[str, Any]:
    """The class table: the classes of each head, and `subtypes_of` each tissue that has any."""
    classes = json.loads(Path(path).read_text(encoding="utf-8"))
    return {"subtype": [], "subtypes_of": {}, **classes}


def encode(labels: Sequence[str] | pd.Series, classes: Sequence[str]) -> np.ndarray:
    """The position of each label in `classes`, -1 for others."""
    return pd.Index(classes).get_indexer(pd.Index(labels)).astype(np.int64)
