"""Reasons to give no answer: a sample like nothing in training, classes about equally likely."""

from collections.abc import Mapping, Sequence

import numpy as np

from tissuestate.evaluation.support import TUMOUR, StatesOfTissue, gap_sentence, unseen_states

LEAST = 0.5  # probability that a class needs to be called
ODDS = 1.5  # how many times as probable as the second it has to be

_TITLES = {"tissue": "tissue of origin"}  # by a head, in a reason; others by their own name

NEW = "the sample is not like anything the model was trained on"


def undecided(shares: np.ndarray, classes: Sequence[str], head: str) -> list[str]:
    """Why no class of a head is called, '' where one is, for samples × classes.

    A class is called if it is more likely than not and clearly likelier than the second. Samples of
    which the head is not asked (NaN) have no reason.
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
            asked = _TITLES.get(head, head.replace("_", " "))
            reasons.append(
                f"no {asked} is more likely than not; the first is {classes[first]} "
                f"({row[first]:.0%})"
            )
        else:
            reasons.append("")
    return reasons


def is_no_tumour(state: str) -> bool:
    """Whether the disease state called ('' = none) rules a subtype out: only tumours have one."""
    return state not in ("", TUMOUR)


def abstention_reasons(
    probabilities: Mapping[str, np.ndarray],
    classes: Mapping[str, Sequence[str]],
    new: np.ndarray,
    states_of_tissue: StatesOfTissue,
) -> dict[str, list[str]]:
    """Why each head gives no answer, '' where it does.

    A disease state needs a tissue that had it in training (see `untold_states`). A subtype needs an
    answer for the tissue, and has none where the sample is called no tumour, or would be.

    probabilities: for each head samples × classes, those of subtypes in tandem; new: whether each
    sample is unlike the training samples; states_of_tissue: {} where it is not known.
    """
    states = classes["disease_state"]
    found: dict[str, list[str]] = {}
    untold = [
        gap_sentence(tissue, missing) if missing else ""
        for tissue, missing in unseen_states(probabilities, classes, states_of_tissue)
    ]
    for head, shares in probabilities.items():
        asked = ~np.isnan(shares).any(axis=1)
        even = undecided(shares, classes[head], head)
        found[head] = [
            "" if not a else NEW if unlike else reason
            for a, unlike, reason in zip(asked, new, even, strict=True)
        ]
        if head == "disease_state":
            found[head] = [a or b for a, b in zip(found[head], untold, strict=True)]
        if head == "subtype":
            likeliest = probabilities["disease_state"].argmax(axis=1)
            for row in np.flatnonzero(asked & ~np.asarray(new)):
                state, why = states[likeliest[row]], found["disease_state"][row]
                if is_no_tumour(state) and not why:
                    found[head][row] = f"only tumours have one; the sample is called {state}"
                elif is_no_tumour(state) and why == untold[row]:
                    found[head][row] = f"only tumours have one; the sample is no likely one: {why}"
                elif found["tissue"][row]:
                    found[head][row] = "the tissue is uncertain"
    return found
