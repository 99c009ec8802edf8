"""Calls of samples from their probabilities: what is answered, the sets, why something is not."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from tissuestate.evaluation.abstention import (
    Limits,
    abstention_reasons,
    call_tumours,
    tumour_probability,
)
from tissuestate.evaluation.sets import ConformalSets
from tissuestate.evaluation.support import StatesOfTissue, unseen_states, with_rivals
from tissuestate.labels import TUMOUR


@dataclass(frozen=True)
class CallRules:
    """What decides about calls, apart from the probabilities.

    classes: of each head; states_of_tissue: {} if not known; confounded: see `confounded_subtypes`.
    """

    classes: Mapping[str, Sequence[str]]
    states_of_tissue: StatesOfTissue
    sets: ConformalSets
    confounded: Collection[tuple[str, str]] = ()
    limits: Limits = field(default_factory=Limits)


def tabulate_calls(
    probabilities: Mapping[str, np.ndarray], new: np.ndarray, rules: CallRules
) -> dict[str, np.ndarray | list[str]]:
    """Columns of `Predictions.calls` for samples × classes by head (NaN: none), in tandem.

    new: whether each sample is unlike the training samples.
    """
    seen = rules.states_of_tissue
    why = abstention_reasons(
        probabilities, rules.classes, new, seen, rules.confounded, rules.limits
    )
    tumour = tumour_probability(probabilities["disease_state"], rules.classes["disease_state"])
    columns: dict[str, np.ndarray | list[str]] = {
        TUMOUR: call_tumours(tumour, why[TUMOUR], rules.limits),
        f"{TUMOUR}_probability": tumour,
        f"{TUMOUR}_abstained": why[TUMOUR],
    }
    for head, shares in probabilities.items():
        classes = np.asarray(rules.classes[head])
        answered = ~np.isnan(shares).any(axis=1) & (np.array(why[head], dtype=object) == "")
        names = classes[np.nan_to_num(shares).argmax(axis=1)]
        columns[head] = np.where(answered, names, "")
        columns[f"{head}_probability"] = shares.max(axis=1)
        members = rules.sets.members(head, shares)
        if head == "disease_state":  # its tissue may have lacked the true state
            unseen = unseen_states(probabilities, rules.classes, seen)
            members |= np.array([np.isin(classes, missing) for _, missing in unseen])
        if head == "subtype":
            members = with_rivals(members, rules.classes[head], rules.confounded)
        columns[f"{head}_set"] = ["|".join(classes[row]) for row in members]
        columns[f"{head}_abstained"] = why[head]
    return columns


def full_table(
    columns: Mapping[str, np.ndarray | list[str]],
    probabilities: Mapping[str, np.ndarray],
    classes: Mapping[str, Sequence[str]],
    index: pd.Index,
) -> pd.DataFrame:
    """Calls with the probabilities beside them (`{head}:{class}`), one row per sample."""
    shares = {
        f"{head}:{name}": values[:, place]
        for head, values in probabilities.items()
        for place, name in enumerate(classes[head])
    }
    return pd.DataFrame({**columns, **shares}, index=index)
