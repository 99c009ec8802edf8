"""What each network is asked, and the samples it learns that from."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tissuestate.errors import InputError
from tissuestate.tables import plain_labels

TASKS: dict[str, tuple[str, ...]] = {
    "multitask": ("disease_state", "tissue"),
    "subtype": ("subtype",),
}
SPLITS = ("train", "validation", "test")

ON_COMPONENTS = ("logreg", "linear_svm", "boosting")  # the other classical models see all genes

Labels = dict[str, np.ndarray]


@dataclass(frozen=True)
class TaskData:
    """Training and validation samples of one task; labels are class numbers, -1 where unknown."""

    classes: dict[str, tuple[str, ...]]
    x: np.ndarray
    y: Labels
    x_validation: np.ndarray
    y_validation: Labels


def features_of_model(model: str) -> str:
    """The kind of features that a network (dl_pca, ...) or a classical model is given."""
    if model.startswith("dl_"):
        return model.removeprefix("dl_")
    return "pca" if model in ON_COMPONENTS else "all"


def read_classes(path: str | Path) -> dict[str, Any]:
    """The class table: a list of classes a head, and `subtypes_of` each tissue that has any."""
    classes = json.loads(Path(path).read_text(encoding="utf-8"))
    return {"subtype": [], "subtypes_of": {}, **classes}


def read_features(path: str | Path) -> tuple[np.ndarray, pd.DataFrame]:
    """Features (samples × features, float32) and labels (a row a sample) of an h5ad file."""
    import anndata

    try:
        table = anndata.read_h5ad(path)
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path}: not a readable h5ad file ({error}).") from error
    values = table.X.toarray() if hasattr(table.X, "toarray") else np.asarray(table.X)
    return np.ascontiguousarray(values, dtype=np.float32), plain_labels(table.obs)


def encode(labels: Sequence[str] | pd.Series, classes: Sequence[str]) -> np.ndarray:
    """The number of each label in `classes`, -1 for a label that is not among them."""
    return pd.Index(classes).get_indexer(pd.Index(labels)).astype(np.int64)


def select(x: np.ndarray, obs: pd.DataFrame, classes: Mapping[str, Any], task: str) -> TaskData:
    """The training and validation samples of `task` that have a label of it."""
    if task not in TASKS:
        raise InputError(f"task {task!r} is unknown; use one of {', '.join(TASKS)}.")
    heads = {head: tuple(classes[head]) for head in TASKS[task]}
    y = {head: encode(obs[head], names) for head, names in heads.items()}
    labelled = np.any([codes >= 0 for codes in y.values()], axis=0)
    parts = {}
    for split in SPLITS[:2]:
        chosen = labelled & (obs["split"] == split).to_numpy()
        if not chosen.any():
            raise InputError(f"task {task}: no {split} sample has a label; enlarge the cohort.")
        parts[split] = (x[chosen], {head: codes[chosen] for head, codes in y.items()})
    return TaskData(heads, *parts["train"], *parts["validation"])


def read_task(features: str | Path, classes: str | Path, task: str) -> TaskData:
    """The training and validation samples of `task` from the files of the stages before."""
    return select(*read_features(features), read_classes(classes), task)
