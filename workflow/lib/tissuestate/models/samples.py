"""The heads of each network and the samples that train them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tissuestate.errors import InputError
from tissuestate.h5ad import read_features
from tissuestate.labels import SPLITS, TASKS, encode, read_classes

Labels = dict[str, np.ndarray]


@dataclass(frozen=True)
class TaskData:
    """Training and validation samples of one task; labels are class numbers, -1 if unknown."""

    classes: dict[str, tuple[str, ...]]
    x: np.ndarray
    y: Labels
    x_validation: np.ndarray
    y_validation: Labels


def select_task(
    x: np.ndarray, obs: pd.DataFrame, classes: Mapping[str, Any], task: str
) -> TaskData:
    """The training and validation samples that have a label of `task`."""
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
    """The training and validation samples of `task`, from files of earlier stages."""
    return select_task(*read_features(features), read_classes(classes), task)
