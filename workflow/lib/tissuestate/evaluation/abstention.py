"""Reasons to give no answer, such as a sample unlike training or classes equally likely."""

from collections.abc import Mapping, Sequence

import numpy as np

from tissuestate.evaluation.support import TUMOUR, StatesOfTissue, gap_sentence, unseen_states

LEAST = 0.5  # smallest probability of a called class
ODDS = 1.5  # smallest ratio of its probability to that of the second class

_TITLES = {"tissue": "tissue of origin"}  # of a head, in a reason; others have their own name

NEW = "the sample is not like anything the model was trained on"


def undecided(shares: np.ndarray, classes: Sequence[str], head: str) -> list[str]:
    """Reasons why no class of a head is called, for samples × classes; '' if one is.

    A class is called if it is more likely than not and clearly more likely than the second. Samples
    without probabilities (NaN) have no reason.
    """
    reasons = []
    for row in shares:
        if np.isnan(row).any():
            reasons.append("")
            continue
        order = np.argsort(-row, kind="stable")
        first, second = order[0], order[1] if len(order) > 1 else order[0]
        if first != second and row[first] < ODDS * row[second]:
            reasons.append(
                f"{classes[first]} and {classes[second]} are about equally likely "
                f"({row[first]:.0%} and {row[second]:.0%})"
            )
        elif row[first] < LEAST:
            title = _TITLES.get(head, head.replace("_", " "))
            reasons.append(
                f"no {title} is more likely than not; the first is {classes[first]} "
                f"({row[first]:.0%})"
            )
        else:
            reasons.append("")
    return reasons


def is_no_tumour(state: str) -> bool:
    """Whether the called disease state ('' = none) excludes a subtype: only tumours have one."""
    return state not in ("", TUMOUR)


def abstention_reasons(
    probabilities: Mapping[str, np.ndarray],
    classes: Mapping[str, Sequence[str]],
    new: np.ndarray,
    states_of_tissue: StatesOfTissue,
) -> dict[str, list[str]]:
    """Reasons by head why samples get no answer; '' if they get one.

    A disease state needs a tissue that had it in training (see `unseen_states`). A subtype needs an
    answer for the tissue, and has none if the sample is called no tumour, or would be.

    probabilities: for each head samples × classes, those of subtypes in tandem; new: whether each
    sample is unlike the training samples; states_of_tissue: {} if it is not known.
    """
    states = classes["disease_state"]
    found: dict[str, list[str]] = {}
    unseen = [
        gap_sentence(tissue, missing) if missing else ""
        for tissue, missing in unseen_states(probabilities, classes, states_of_tissue)
    ]
    for head, shares in probabilities.items():
        has_shares = ~np.isnan(shares).any(axis=1)
        even = undecided(shares, classes[head], head)
        found[head] = [
            "" if not has_share else NEW if unlike else reason
            for has_share, unlike, reason in zip(has_shares, new, even, strict=True)
        ]
        if head == "disease_state":
            found[head] = [a or b for a, b in zip(found[head], unseen, strict=True)]
        if head == "subtype":
            most_probable = probabilities["disease_state"].argmax(axis=1)
            for row in np.flatnonzero(has_shares & ~np.asarray(new)):
                state, why = states[most_probable[row]], found["disease_state"][row]
                if is_no_tumour(state) and not why:
                    found[head][row] = f"only tumours have one; the sample is called {state}"
                elif is_no_tumour(state) and why == unseen[row]:
                    found[head][row] = f"only tumours have one; the sample is no likely one: {why}"
                elif found["tissue"][row]:
                    found[head][row] = "the tissue is uncertain"
    return found
