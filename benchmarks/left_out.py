"""How well scores of samples of laboratories left out answer, and how sure that is.

Every measure lets each laboratory weigh the same, but those that say "pooled". Its interval comes
from drawing laboratories with replacement; a difference between two ways of scoring comes from the
same draws for both.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from tissuestate.cohort.donors import bootstrap_weights
from tissuestate.evaluation.calibration import fit_temperature
from tissuestate.evaluation.outside import laboratory_weights, weighted_calibration_error
from tissuestate.labels import NEOPLASTIC, STATES, encode, has_class

RIGHT, NEW = 0.985, 0.05  # least share right of answers, largest share of new samples answered
STEPS = 41  # quantiles of each margin that are tried as its limit
RESAMPLES = 1000
MEASURES = {  # and whether more is better
    "tissue_right": True,
    "answered": True,
    "answered_right": True,
    "new_answered": False,
    "auroc_pooled": True,
    "auroc": True,
    "tumour_right": True,
    "states_right": True,
    "tissue_error": False,
    "tumour_error": False,
}


class LeftOut:
    """Measures of the scores of samples, each scored without its laboratory.

    scores: tissue (samples × tissues and a last column for none of them), tumour and adjacent
    (samples; above 0 if so). obs: laboratory, tissue and disease_state.
    """

    def __init__(
        self, scores: Mapping[str, np.ndarray], obs: pd.DataFrame, tissues: Sequence[str]
    ) -> None:
        self.laboratories, self.codes = np.unique(obs["laboratory"], return_inverse=True)
        self.known = has_class(obs).to_numpy()
        self.even = np.zeros(len(obs))  # so that each laboratory's known, and new, add up to 1
        for kind in (self.known, ~self.known):
            self.even[kind] = laboratory_weights(obs["laboratory"][kind], is_even=True)
        state = obs["disease_state"].to_numpy()
        is_tumour = state == NEOPLASTIC
        self.is_healthy, self.is_adjacent = (self.known & (state == name) for name in STATES[:2])
        tissue = np.asarray(scores["tissue"], dtype=float)
        ordered = np.sort(tissue[:, :-1], axis=1)
        self.margin = ordered[:, -1] - tissue[:, -1]
        true = encode(obs["tissue"], tissues)
        self._compare_margins()
        self.right = self.known & (tissue[:, :-1].argmax(axis=1) == true)
        self.called_tumour = scores["tumour"] > 0
        self.by_laboratory = {
            "tissue_right": self._mean(self.right),
            "tumour_right": self._mean(self.called_tumour == is_tumour),
            "states_right": self._mean(self._states(scores, state) == state),
        }
        self._tabulate_limits(ordered[:, -1] - ordered[:, -2])
        shares = self._tissue_probabilities(tissue[:, :-1], true)
        sure = self._probability(scores["tumour"], is_tumour, self.known)
        self.answers = {
            "tissue_error": _answers(shares.max(axis=1), self.right, self.known),
            "tumour_error": _answers(
                np.maximum(sure, 1 - sure), (sure > 0.5) == is_tumour, self.known
            ),
        }

    def _mean(self, values: np.ndarray, kind: np.ndarray | None = None) -> np.ndarray:
        """Means of samples (× columns) by laboratory, 0 if it has none of this kind (known)."""
        kind = self.known if kind is None else kind
        own = np.zeros((len(self.laboratories), len(values)))
        own[self.codes[kind], np.flatnonzero(kind)] = self.even[kind]
        return own @ values.astype(float)

    def _compare_margins(self) -> None:
        """Samples of each laboratory, known and new, and how often known ones have more margin.

        The latter is laboratories × laboratories: the area under the ROC curve of the known samples
        of one and the new ones of another; a mean over pairs weighs them as is asked.
        """
        kinds = (self.known, ~self.known)
        count = len(self.laboratories)
        self.sizes = np.array([np.bincount(self.codes[kind], minlength=count) for kind in kinds])
        known, new = (self.margin[kind] for kind in kinds)
        more = (known[:, None] > new) + 0.5 * (known[:, None] == new)
        first, second = (np.eye(count)[self.codes[kind]] * self.even[kind, None] for kind in kinds)
        self.wins = first.T @ more @ second

    def _tabulate_limits(self, second: np.ndarray) -> None:
        """Shares answered, answered right and new answered, laboratories × pairs of limits."""
        grids = [np.quantile(margin, np.linspace(0, 1, STEPS)) for margin in (self.margin, second)]
        first, other = (grid.ravel() for grid in np.meshgrid(*grids))
        answered = (self.margin[:, None] >= first) & (second[:, None] >= other)
        self.limits = (
            self._mean(answered),
            self._mean(answered & self.right[:, None]),
            self._mean(answered, ~self.known),
        )

    def _others(self, kind: np.ndarray):
        """For each laboratory its samples, and those of this kind of the others."""
        for number in range(len(self.laboratories)):
            own = self.codes == number
            yield own, kind & ~own

    def _tissue_probabilities(self, tissue: np.ndarray, true: np.ndarray) -> np.ndarray:
        shares = np.empty_like(tissue)
        for own, others in self._others(self.known):
            shares[own] = softmax(tissue[own] / fit_temperature(tissue[others], true[others]), 1)
        return shares

    def _probability(self, score: np.ndarray, is_so: np.ndarray, kind: np.ndarray) -> np.ndarray:
        """Probabilities by logistic regression on the score of other laboratories' samples."""
        found = np.empty(len(score))
        for own, others in self._others(kind):
            model = LogisticRegression(C=100.0)
            model.fit(score[others, None], is_so[others], sample_weight=self.even[others])
            found[own] = model.predict_proba(score[own, None])[:, 1]
        return found

    def _states(self, scores: Mapping[str, np.ndarray], state: np.ndarray) -> np.ndarray:
        """The most probable state: a tumour, or given none, adjacent or healthy."""
        tumour = self._probability(scores["tumour"], state == NEOPLASTIC, self.known)
        none = self.is_healthy | self.is_adjacent
        adjacent = self._probability(scores["adjacent"], self.is_adjacent, none)
        shares = [(1 - tumour) * (1 - adjacent), (1 - tumour) * adjacent, tumour]
        return np.array(STATES)[np.argmax(shares, axis=0)]

    def measures(self, draws: np.ndarray | None = None) -> dict[str, float]:
        """`MEASURES`, each laboratory counting as often as it was drawn (default: once)."""
        draws = np.ones(len(self.laboratories)) if draws is None else draws
        known, new = draws * (self.sizes > 0)
        if not known.any() or not new.any():
            return dict.fromkeys(MEASURES, np.nan)
        known, new = known / known.sum(), new / new.sum()
        found = {name: float(known @ means) for name, means in self.by_laboratory.items()}
        answered, right, wrong = (
            weights @ table for weights, table in zip((known, known, new), self.limits, strict=True)
        )
        share_right = np.divide(right, answered, out=np.ones_like(right), where=answered > 0)
        allowed = (share_right >= RIGHT) & (wrong <= NEW) & (answered > 0)
        best = int(np.argmax(np.where(allowed, answered, -1.0)))
        chosen = (answered[best], share_right[best], wrong[best])
        if not allowed[best]:
            chosen = (0.0, np.nan, 0.0)
        found |= dict(zip(("answered", "answered_right", "new_answered"), chosen, strict=True))
        found["auroc"] = float(known @ self.wins @ new)
        pooled = draws * self.sizes
        found["auroc_pooled"] = float(pooled[0] @ self.wins @ pooled[1] / np.prod(pooled.sum(1)))
        weights = (draws[self.codes] * self.even)[self.known]
        for name, answers in self.answers.items():
            found[name] = weighted_calibration_error(answers, weights)
        return {name: found[name] for name in MEASURES}

    def resamples(self, number: int = RESAMPLES) -> pd.DataFrame:
        """`measures` of laboratories drawn with replacement, one row per draw."""
        draws = bootstrap_weights(np.arange(len(self.laboratories)), number, seed=0)
        return pd.DataFrame([self.measures(row) for row in draws])

    def false_tumours(self) -> dict[str, str]:
        """Healthy and adjacent samples that are called tumours, of all (pooled)."""
        kinds = {"healthy_as_tumour": self.is_healthy, "adjacent_as_tumour": self.is_adjacent}
        return {
            name: f"{int((kind & self.called_tumour).sum())} of {int(kind.sum())}"
            for name, kind in kinds.items()
        }


def _answers(confidence: np.ndarray, right: np.ndarray, chosen: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"confidence": confidence, "right": right.astype(float)})[chosen]


def compare(found: pd.DataFrame, reference: pd.DataFrame) -> tuple[list[str], list[str]]:
    """The measures that are better, and those that are worse, beyond chance.

    found, reference: `resamples` of the same draws. Beyond chance: the 95 % interval of the
    difference does not include 0.
    """
    better, worse = [], []
    for name, more_is_better in MEASURES.items():
        low, high = (found[name] - reference[name]).quantile([0.025, 0.975])
        if low > 0 or high < 0:
            (better if (low > 0) == more_is_better else worse).append(name)
    return better, worse
