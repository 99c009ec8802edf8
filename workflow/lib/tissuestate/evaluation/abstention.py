"""Reasons to give no answer, such as a sample unlike training or classes equally likely."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from tissuestate.evaluation.support import (
    StatesOfTissue,
    gap_sentence,
    hides_tumours,
    rivals,
    unseen_states,
)
from tissuestate.labels import ANSWERS, NEOPLASTIC, STATES, TUMOUR

LEAST = 0.5  # smallest probability of a called class
ODDS = 1.5  # smallest ratio of its probability to that of the second class
EVEN = (0.4, 0.6)  # the probabilities of one of two classes that have not these odds

_TITLES = {"tissue": "tissue of origin"}  # of a head, in a reason; others have their own name

NEW = "the sample is not like anything the model was trained on"


@dataclass(frozen=True)
class Limits:
    """The probabilities that are too uncertain for an answer.

    tissue, subtype: least probability of the called class, and its least ratio to that of the
    second. tumour: the probabilities of a tumour between which there is no answer. adjacent: the
    same for adjacent tissue, given no tumour; None: it is never told from healthy tissue. Both
    include one half, so that what is called is more likely than not.
    """

    tissue: tuple[float, float] = (LEAST, ODDS)
    subtype: tuple[float, float] = (LEAST, ODDS)
    tumour: tuple[float, float] = EVEN
    adjacent: tuple[float, float] | None = EVEN

    def __post_init__(self) -> None:
        for low, high in filter(None, (self.tumour, self.adjacent)):
            if not low <= 0.5 <= high:
                raise ValueError(f"limits {low} and {high} do not include one half")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The limits in a bundle's description; those that it lacks are the usual ones."""
        return cls(**{name: limit and tuple(map(float, limit)) for name, limit in values.items()})


def undecided(
    shares: np.ndarray,
    classes: Sequence[str],
    head: str,
    limit: tuple[float, float] = (LEAST, ODDS),
) -> list[str]:
    """Reasons why no class of a head is called, for samples × classes; '' if one is.

    A class is called if it is probable enough and clearly more probable than the second (`limit`:
    least probability, least ratio). Samples without probabilities (NaN) have no reason.
    """
    least, odds = limit
    reasons = []
    for row in shares:
        if np.isnan(row).any():
            reasons.append("")
            continue
        order = np.argsort(-row, kind="stable")
        first, second = order[0], order[1] if len(order) > 1 else order[0]
        if first != second and row[first] < odds * row[second]:
            reasons.append(
                f"{classes[first]} is not clearly more likely than {classes[second]} "
                f"({row[first]:.0%} and {row[second]:.0%})"
            )
        elif row[first] < least:
            title = _TITLES.get(head, head.replace("_", " "))
            reasons.append(
                f"no {title} has a probability of {least:.0%}; the first is {classes[first]} "
                f"({row[first]:.0%})"
            )
        else:
            reasons.append("")
    return reasons


def tumour_probability(states: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Probability of a tumour, from those of disease states (samples × classes)."""
    return states[:, list(classes).index(NEOPLASTIC)] if NEOPLASTIC in classes else 0 * states[:, 0]


def call_tumours(
    probability: np.ndarray, reasons: Sequence[str], limits: Limits = Limits()
) -> np.ndarray:
    """Whether each sample is a tumour: 'yes', 'no', or '' if there is a reason for no answer."""
    answers = np.where(probability >= limits.tumour[1], *reversed(ANSWERS))
    return np.where(np.isnan(probability) | (np.asarray(reasons, dtype=object) != ""), "", answers)


def _tumour_reason(probability: float, gap: str, limits: Limits) -> str:
    """Why it is not called whether a sample is a tumour; gap: the tissue's lack in training."""
    low, high = limits.tumour
    if low < probability < high:
        return (
            "whether it is a tumour is uncertain "
            f"(tumour {probability:.0%}, no tumour {1 - probability:.0%})"
        )
    return gap


def _state_reason(row: np.ndarray, states: Sequence[str], gap: str, limits: Limits) -> str:
    """Why a sample that is no tumour is not called healthy or adjacent; '' if it is."""
    share = dict(zip(states, row, strict=True))
    healthy, adjacent = (share.get(state) for state in STATES if state != NEOPLASTIC)
    if healthy is not None and adjacent is not None:
        low, high = limits.adjacent or (-np.inf, np.inf)
        if low < adjacent / (healthy + adjacent) < high:
            return (
                f"no tumour ({healthy + adjacent:.0%}), but healthy and adjacent tissue cannot be "
                f"told apart ({healthy:.0%} and {adjacent:.0%})"
            )
    (unlikely,) = undecided(row[None], states, "disease_state", (LEAST, 1.0))
    return unlikely or gap


def abstention_reasons(
    probabilities: Mapping[str, np.ndarray],
    classes: Mapping[str, Sequence[str]],
    new: np.ndarray,
    states_of_tissue: StatesOfTissue,
    confounded: Collection[tuple[str, str]] = (),
    limits: Limits = Limits(),
) -> dict[str, list[str]]:
    """Reasons by question why samples get no answer; '' if they get one.

    The questions are the heads and 'tumour', which comes before the disease state: a tumour is
    neoplastic, and what is none is called healthy or adjacent if these can be told apart. A state
    needs a tissue that had it in training (see `unseen_states`). A subtype needs an answer for the
    tissue, a sample that may be a tumour, and no other subtype with which it is confounded.

    probabilities: for each head samples × classes, those of subtypes in tandem; new: whether each
    sample is unlike the training samples; states_of_tissue: {} if it is not known; confounded:
    pairs of subtypes (see `confounded_subtypes`).
    """
    unseen = unseen_states(probabilities, classes, states_of_tissue)
    found = _reasons_by_state(probabilities["disease_state"], classes, unseen, limits)
    for head in set(probabilities) & {"tissue", "subtype"}:
        limit = getattr(limits, head)
        found[head] = undecided(probabilities[head], classes[head], head, limit)
    known = {head: ~np.isnan(shares).any(axis=1) for head, shares in probabilities.items()}
    known[TUMOUR] = known["disease_state"]
    if "subtype" in probabilities:
        tumour = tumour_probability(probabilities["disease_state"], classes["disease_state"])
        answers = call_tumours(tumour, found[TUMOUR], limits)
        for row in np.flatnonzero(known["subtype"]):
            called = classes["subtype"][probabilities["subtype"][row].argmax()]
            others, gap = rivals(called, confounded), gap_sentence(*unseen[row])
            if answers[row] == "no":
                reason = "only tumours have one; the sample is called no tumour"
            elif found[TUMOUR][row] == gap and tumour[row] < LEAST:
                reason = f"only tumours have one; the sample is no likely one: {gap}"
            elif found["tissue"][row]:
                reason = "the tissue is uncertain"
            elif others:
                reason = (
                    f"{called} is not reliably told from {' or '.join(others)}: they never came "
                    "from the same study and source in training, or were confused in laboratories "
                    "left out"
                )
            else:
                continue
            found["subtype"][row] = reason
    return {
        question: [
            "" if not has_shares else NEW if unlike else reason
            for has_shares, unlike, reason in zip(known[question], new, reasons, strict=True)
        ]
        for question, reasons in found.items()
    }


def _reasons_by_state(
    shares: np.ndarray,
    classes: Mapping[str, Sequence[str]],
    unseen: Sequence[tuple[str, Sequence[str]]],
    limits: Limits,
) -> dict[str, list[str]]:
    """Why it is not called whether samples are tumours, and why no disease state is.

    shares: samples × states. unseen: of each sample the tissue and the states that forbid a call.
    """
    states = classes["disease_state"]
    found: dict[str, list[str]] = {TUMOUR: [], "disease_state": []}
    probabilities = tumour_probability(shares, states)
    for row, probability, (tissue, missing) in zip(shares, probabilities, unseen, strict=True):
        gap = gap_sentence(tissue, missing) if missing else ""
        reason = _tumour_reason(probability, gap if hides_tumours(missing) else "", limits)
        found[TUMOUR].append(reason)
        if not reason and probability < limits.tumour[1]:
            reason = _state_reason(row, states, gap, limits)
        found["disease_state"].append(reason)
    return found
