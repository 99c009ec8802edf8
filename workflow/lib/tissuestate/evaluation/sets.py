"""Sets of classes that hold the true one in nine of ten new samples (split conformal prediction).

A class is in the set if its calibrated probability reaches a threshold, the same for all classes of
a head: least ambiguous sets (Sadinle, Lei & Wasserman 2019), which have the fewest classes on
average and no random element. If a head is right more often than the level, some samples get an
empty set: every class is less probable than the true one usually is. (Adaptive sets are empty as
often, but at random; without randomness they cover far more than their level.)

Samples of a donor are not exchangeable, donors are. The threshold is therefore the quantile of
scores in which each donor weighs the same, and one more donor is at infinity (hierarchical
conformal prediction, Lee, Barber & Willett 2023); with one sample per donor it is the usual one.
The libraries (MAPIE, crepes) treat calibration samples as independent, and keep the estimator that
they wrap, although a bundle needs only one number per head.

The thresholds come from validation samples, which fitted no weight but chose the epoch that is kept
and the temperatures. The coverage is therefore not exact; it is measured on test samples.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd

from tissuestate.cohort.donors import donor_quantile
from tissuestate.evaluation.tandem import apply_tandem
from tissuestate.labels import encode

LEVEL = 0.9


class ConformalSets:
    """Sets of classes for each head. Fitted: `thresholds_`, the least probability of a member."""

    def __init__(self, level: float = LEVEL) -> None:
        self.level = level

    def fit(
        self,
        probabilities: Mapping[str, np.ndarray],
        labels: Mapping[str, np.ndarray],
        donors: Sequence[str] | np.ndarray,
    ) -> Self:
        """Learn the thresholds from samples that the networks were not trained on.

        probabilities: for each head samples × classes, as a new sample would be shown (NaN without
        an answer). labels: class numbers, -1 if unknown (left out).
        """
        self.thresholds_: dict[str, float] = {}
        for head, shares in probabilities.items():
            known = labels[head] >= 0
            own = shares[known, labels[head][known]]
            # a subtype that the called tissue excludes can be in no set
            scores = np.where(own > 0, -own, np.inf)
            quantile = donor_quantile(scores, np.asarray(donors)[known], self.level)
            # slightly below, so that rounding does not decide about the sample that set it
            self.thresholds_[head] = max(-quantile - 1e-9, 0.0)
        return self

    def members(self, head: str, probabilities: np.ndarray) -> np.ndarray:
        """Whether each class is in the set (samples × classes, bool); none for NaN."""
        shares = np.nan_to_num(probabilities)
        return (shares >= self.thresholds_[head]) & (shares > 0)

    def to_dict(self) -> dict[str, float | dict[str, float]]:
        """The fitted state, for JSON."""
        return {"level": self.level, "thresholds": self.thresholds_}

    @classmethod
    def from_dict(cls, values: Mapping) -> Self:
        """The sets that `to_dict` described."""
        sets = cls(float(values["level"]))
        sets.thresholds_ = {head: float(value) for head, value in values["thresholds"].items()}
        return sets


def fit_sets(
    obs: pd.DataFrame, probabilities: Mapping[str, np.ndarray], classes: Mapping[str, Any]
) -> ConformalSets:
    """The sets that the validation samples among `obs` give, subtypes in tandem.

    probabilities: calibrated ones of the samples of `obs`, for each head samples × classes.
    """
    known = (obs["split"] == "validation").to_numpy()
    return ConformalSets().fit(
        {head: shares[known] for head, shares in apply_tandem(probabilities, classes).items()},
        {head: encode(obs.loc[known, head], classes[head]) for head in probabilities},
        obs.loc[known, "donor"].to_numpy(str),
    )
