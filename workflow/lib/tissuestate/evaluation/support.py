"""What training lacked: states of a tissue, and batches that hold two of its subtypes together.

A state that a tissue lacked cannot be recognised. Two subtypes that never came from one batch may
differ only by how their numbers were made, so no call is made between them.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from tissuestate.cohort.composition import pairs_without_common_batch
from tissuestate.labels import NEOPLASTIC, STATES

# For each tissue the number of training samples of each state; {} if a bundle does not say.
StatesOfTissue = Mapping[str, Mapping[str, int]]


def missing_states(
    tissue: str, states: Sequence[str], states_of_tissue: StatesOfTissue
) -> list[str]:
    """The states that a tissue lacked in training, of those that the model knows (`states`).

    Tumours always count, and all other states if the tissue had one state alone.
    """
    counts = states_of_tissue.get(tissue)
    if counts is None:
        return []
    here = {state for state, count in counts.items() if count}
    return [
        state
        for state in STATES
        if state not in here and (state in states or state == NEOPLASTIC or len(here) == 1)
    ]


def gap_sentence(tissue: str, missing: Sequence[str]) -> str:
    """Sentence on the lack, such as 'no neoplastic thyroid was in training'."""
    return f"no {' or '.join(missing)} {tissue} was in training"


def hides_tumours(missing: Sequence[str]) -> bool:
    """Whether a tissue without these states had no tumours in training, or nothing else."""
    return NEOPLASTIC in missing or len(missing) == len(STATES) - 1


def unseen_states(
    probabilities: Mapping[str, np.ndarray],
    classes: Mapping[str, Sequence[str]],
    states_of_tissue: StatesOfTissue,
) -> list[tuple[str, list[str]]]:
    """Each sample's most probable tissue, and its missing states if they forbid a call of a state.

    They do if the tissue had no tumours or one state only, because any sample would get that state,
    and if the tissue lacked the most probable state. probabilities: samples × classes of
    disease_state and tissue (NaN: none).
    """
    found: list[tuple[str, list[str]]] = []
    tissues, states = classes["tissue"], classes["disease_state"]
    for tissue_shares, state_shares in zip(
        probabilities["tissue"], probabilities["disease_state"], strict=True
    ):
        if np.isnan(tissue_shares).any() or np.isnan(state_shares).any():
            found.append(("", []))
            continue
        tissue, state = tissues[int(tissue_shares.argmax())], states[int(state_shares.argmax())]
        missing = missing_states(tissue, states, states_of_tissue)
        forbids_call = hides_tumours(missing) or state in missing
        found.append((tissue, missing if forbids_call else []))
    return found


def confounded_subtypes(description: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The pairs of subtypes of one tissue between which a bundle makes no call.

    Those that never came from the same batch in training, or what laboratories left out have shown
    ('confounded_subtypes' in the description).
    """
    if "confounded_subtypes" in description:
        return [(first, second) for first, second in description["confounded_subtypes"]]
    return pairs_without_common_batch(description["data"]["contrasts"], "subtype")


def sort_pairs(
    apart: Collection[tuple[str, str]], confounded: Collection[tuple[str, str]]
) -> dict[str, list[tuple[str, str]]]:
    """Pairs of subtypes, by whether a batch holds both and whether a call is made between them.

    apart: the pairs that no batch holds together; confounded: those between which no call is made.
    released are apart and called, withheld apart and not called, confused not apart and not called.
    """
    return {
        "released": [pair for pair in apart if pair not in confounded],
        "withheld": [pair for pair in apart if pair in confounded],
        "confused": [pair for pair in confounded if pair not in apart],
    }


def rivals(name: str, pairs: Collection[tuple[str, str]]) -> list[str]:
    """The other member of each pair that has the class `name`."""
    return [
        second if name == first else first for first, second in pairs if name in (first, second)
    ]


def with_rivals(
    members: np.ndarray, classes: Sequence[str], pairs: Collection[tuple[str, str]]
) -> np.ndarray:
    """Sets (samples × classes, bool) with all rivals of their members."""
    together = np.eye(len(classes), dtype=bool)
    for row, name in enumerate(classes):
        together[row] |= np.isin(classes, rivals(name, pairs))
    return members @ together


def training_doubts(
    calls: Mapping[str, Any], tissue: str, description: Mapping[str, Any]
) -> list[str]:
    """Warnings, in sentences, about a call for which training lacked samples.

    calls: the called classes and the reasons for no call ('disease_state_abstained'). tissue: the
    most probable one. description: that of the bundle.
    """
    data, found = description["data"], []
    states = description["classes"]["disease_state"]
    missing = missing_states(tissue, states, data.get("states_of_tissue", {}))
    if "states_of_tissue" not in data:
        found.append(
            "Which states its tissue had in training is not known: an earlier release made the "
            "bundle."
        )
    if missing:
        text = gap_sentence(tissue, missing)
        consequence = "such a sample would be called one of the other states"
        if calls["disease_state_abstained"] == text:
            consequence = "whether this sample is one cannot be decided"
        found.append(f"{text[0].upper()}{text[1:]}; {consequence}.")
    subtype = calls.get("subtype", "")
    if not subtype:
        return found
    own = next(names for names in description["subtypes_of"].values() if subtype in names)
    if len(own) == 1:
        found.append(
            f"{subtype} was the only subtype of {tissue} in training; any other would be called so."
        )
    return found
