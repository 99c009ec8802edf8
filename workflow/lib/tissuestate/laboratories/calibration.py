"""Probabilities and limits from the scores of samples whose laboratory was left out.

A new sample comes from a laboratory that training never saw. What its scores mean is therefore
learnt from samples in that position: each was scored by a model fitted without its laboratory. All
laboratories weigh the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.special import expit, log_softmax, softmax

from tissuestate.evaluation.abstention import LEAST, ODDS
from tissuestate.labels import NEOPLASTIC, STATES, encode, has_class
from tissuestate.laboratories.limits import (
    adjacent_limits,
    even_weights,
    tissue_limits,
    tumour_limits,
)
from tissuestate.laboratories.ridge import ADJACENT

Scores = Mapping[str, np.ndarray]  # by question, samples × outputs: see `Ridge`

LOG_BOUNDS = (np.log(0.01), np.log(10.0))  # of temperatures
PRIOR = 1e-4  # penalty of the square of Platt's slope, which is infinite if all are right


@dataclass(frozen=True)
class Calibration:
    """What turns scores into probabilities, and which of them are answers.

    temperatures: of tissue and subtype. tumour, adjacent: slope and intercept of the log odds.
    margin: by how much a tissue's score must exceed that of none. limits: see `Limits`.
    """

    temperatures: dict[str, float]
    tumour: tuple[float, float]
    adjacent: tuple[float, float]
    margin: float
    limits: dict[str, tuple[float, float] | None]

    def to_dict(self) -> dict[str, Any]:
        """The calibration, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The calibration that `to_dict` described."""
        limits = {name: pair and (pair[0], pair[1]) for name, pair in values["limits"].items()}
        (a, b), (c, d) = values["tumour"], values["adjacent"]
        return cls(dict(values["temperatures"]), (a, b), (c, d), float(values["margin"]), limits)

    def logits(self, scores: Scores, classes: Mapping[str, Sequence[str]]) -> dict[str, np.ndarray]:
        """By head, samples × classes: softmax of them, divided by the temperature, is calibrated.

        The probabilities of the disease states are products: of a tumour or not, and of adjacent or
        healthy given no tumour.
        """
        found = {"disease_state": self._states(scores, classes["disease_state"])}
        found["tissue"] = scores["tissue"][:, :-1]
        if "subtype" in scores:
            found["subtype"] = scores["subtype"]
        return found

    def _states(self, scores: Scores, states: Sequence[str]) -> np.ndarray:
        """Log probabilities of disease states, samples × states."""
        tumour = _log_odds(self.tumour, scores["tumour"][:, 0])
        adjacent = _log_odds(self.adjacent, scores["adjacent"][:, 0])
        no_tumour, both = -np.logaddexp(0, tumour), has_two_without_tumour(states)
        found = {
            STATES[0]: no_tumour - both * np.logaddexp(0, adjacent),
            ADJACENT: no_tumour - both * np.logaddexp(0, -adjacent),
            NEOPLASTIC: -np.logaddexp(0, -tumour),
        }
        return np.stack([found[state] for state in states], axis=1)


def has_two_without_tumour(states: Sequence[str]) -> bool:
    """Whether no tumour may mean healthy or adjacent; if the cohort lacks one, it is the other."""
    return STATES[0] in states and ADJACENT in states


def _log_odds(line: tuple[float, float], score: np.ndarray) -> np.ndarray:
    return np.clip(line[0] * score + line[1], -30, 30)


def calibrate(scores: Scores, obs: pd.DataFrame, classes: Mapping[str, Any]) -> Calibration:
    """Learn probabilities and limits from left-out scores.

    obs: laboratory, tissue, disease_state and subtype of each row; classes: those of the heads.
    """
    known = has_class(obs).to_numpy()
    laboratories = obs["laboratory"]
    is_tumour = (obs["disease_state"] == NEOPLASTIC).to_numpy()
    is_adjacent = (obs["disease_state"] == ADJACENT).to_numpy()
    tissue = encode(obs["tissue"], classes["tissue"])
    temperatures = {"disease_state": 1.0, **_temperatures(scores, obs, classes, tissue)}
    tumour = fit_line(scores["tumour"][known, 0], is_tumour[known], laboratories[known])
    rest = known & ~is_tumour
    adjacent = fit_line(scores["adjacent"][rest, 0], is_adjacent[rest], laboratories[rest])
    margin, gap = tissue_limits(scores["tissue"], tissue, known, laboratories)
    odds = float(np.exp(np.clip(gap / temperatures["tissue"], 0, 30)))
    probability = expit(_log_odds(tumour, scores["tumour"][:, 0]))
    around = tumour_limits(probability[known], is_tumour[known], laboratories[known])
    called = rest & (probability <= around[0])
    share = expit(_log_odds(adjacent, scores["adjacent"][:, 0]))
    limits: dict[str, tuple[float, float] | None] = {
        "tissue": (0.0, odds),
        "subtype": (LEAST, ODDS),
        "tumour": around,
        "adjacent": adjacent_limits(share[called], is_adjacent[called], laboratories[called]),
    }
    return Calibration(temperatures, tumour, adjacent, margin, limits)


def _temperatures(
    scores: Scores, obs: pd.DataFrame, classes: Mapping[str, Any], tissue: np.ndarray
) -> dict[str, float]:
    """The temperatures of tissue and subtype; tissue: class numbers, -1 for none."""
    known = tissue >= 0
    weights = even_weights(obs["laboratory"][known])
    found = {"tissue": fit_temperature(scores["tissue"][known, :-1], tissue[known], weights)}
    if "subtype" in scores:
        subtype = encode(obs["subtype"], classes["subtype"])
        rows = subtype >= 0
        found["subtype"] = fit_temperature(
            scores["subtype"][rows],
            subtype[rows],
            even_weights(obs["laboratory"][rows]),
            _rivals(obs["tissue"][rows].to_numpy(str), classes),
        )
    return found


def _rivals(tissues: np.ndarray, classes: Mapping[str, Any]) -> np.ndarray:
    """Which subtypes compete for each sample: those of its tissue (samples × subtypes)."""
    own = {tissue: set(names) for tissue, names in classes["subtypes_of"].items()}
    return np.array(
        [[name in own.get(tissue, ()) for name in classes["subtype"]] for tissue in tissues],
        dtype=bool,
    ).reshape(len(tissues), len(classes["subtype"]))


def fit_temperature(
    scores: np.ndarray, codes: np.ndarray, weights: np.ndarray, competes: np.ndarray | None = None
) -> float:
    """The temperature of least weighted cross-entropy (Guo et al. 2017); 0.1 of nothing.

    No sample is certain: the true class counts 1 - 0.5 / (n + 0.5), as in Platt 1999.
    """
    from scipy.optimize import minimize_scalar  # slow to import, and no call needs it

    if not len(codes) or scores.shape[1] < 2:
        return 0.1
    z = np.where(True if competes is None else competes, scores, -np.inf)
    unknown = 0.5 / (len(codes) + 0.5)

    def loss(log_temperature: float) -> float:
        logs = log_softmax(z / np.exp(log_temperature), axis=1)
        own = logs[np.arange(len(codes)), codes]
        others = np.where(np.isfinite(logs), logs, 0).sum(axis=1) - own
        count = np.maximum(np.isfinite(logs).sum(axis=1) - 1, 1)
        return -float(weights @ ((1 - unknown) * own + unknown * others / count))

    return float(np.exp(minimize_scalar(loss, bounds=LOG_BOUNDS, method="bounded").x))


def fit_line(
    score: np.ndarray, positive: np.ndarray, laboratories: pd.Series
) -> tuple[float, float]:
    """Slope (never negative) and intercept of the log odds, after Platt 1999.

    Laboratories weigh the same within a class, and both classes weigh the same: how often a new
    laboratory sends tumours is not known. (0, log odds of the share) if there is one class alone.
    """
    from scipy.optimize import minimize

    count = (positive.sum(), (~positive).sum())
    if not min(count):
        return 0.0, float(np.log((count[0] + 0.5) / (count[1] + 0.5)))
    weights = np.zeros(len(score))
    for rows in (positive, ~positive):
        weights[rows] = even_weights(laboratories[rows]) / 2
    target = np.where(positive, 1 - 0.5 / (count[0] + 0.5), 0.5 / (count[1] + 0.5))

    def loss(line: np.ndarray) -> float:
        z = line[0] * score + line[1]
        return float(weights @ (np.logaddexp(0, z) - target * z)) + PRIOR * line[0] ** 2

    found = minimize(
        loss, np.array([1.0, 0.0]), method="L-BFGS-B", bounds=[(0, None), (None, None)]
    )
    return float(found.x[0]), float(found.x[1])


def head_probabilities(
    calibration: Calibration, scores: Scores, classes: Mapping[str, Sequence[str]]
) -> dict[str, np.ndarray]:
    """Calibrated probabilities of each head, samples × classes."""
    return {
        head: softmax(z / calibration.temperatures[head], axis=1)
        for head, z in calibration.logits(scores, classes).items()
    }
