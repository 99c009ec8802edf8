"""The choice among candidates by laboratories left out, and the calls of their samples."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import log_softmax

from tissuestate.cohort.composition import contrasts, states_of_tissue
from tissuestate.evaluation.abstention import ODDS, Limits
from tissuestate.evaluation.calls import CallRules, full_table, tabulate_calls
from tissuestate.evaluation.sets import ConformalSets
from tissuestate.evaluation.support import StatesOfTissue
from tissuestate.evaluation.tandem import apply_tandem
from tissuestate.labels import NEOPLASTIC, encode, has_class
from tissuestate.laboratories.answers import novelty_of
from tissuestate.laboratories.calibration import (
    Calibration,
    Scores,
    calibrate,
    fit_line,
    fit_temperature,
    head_probabilities,
)
from tissuestate.laboratories.limits import even_weights

RELEASED = 0.9  # share of a pair's samples that is right, at least, if the pair is to be called
SAMPLES = 10  # of a pair in laboratories left out, at least, if they are to decide


def is_supported(obs: pd.DataFrame, training: pd.DataFrame) -> np.ndarray:
    """Whether other laboratories train what each sample left out is: its tissue in its state.

    Without that it is neither known to the models that scored it nor of no class. Samples of no
    class count. training: labels of the training samples.
    """
    pairs = training["tissue"] + "|" + training["disease_state"]
    laboratories = training.groupby(pairs)["laboratory"].agg(set).to_dict()
    others = [
        laboratories.get(f"{tissue}|{state}", set()) - {laboratory}
        for tissue, state, laboratory in zip(
            obs["tissue"], obs["disease_state"], obs["laboratory"], strict=True
        )
    ]
    return ~has_class(obs).to_numpy() | np.array(list(map(bool, others)), dtype=bool)


def left_out_loss(scores: Scores, obs: pd.DataFrame, classes: Mapping[str, Any]) -> float:
    """Log loss of tissue (or none) and of tumour or not, mean over laboratories.

    The scale of the scores is fitted before, by one temperature and one line.
    """
    known = has_class(obs).to_numpy()
    codes = encode(obs["tissue"], classes["tissue"])
    codes[~known] = len(classes["tissue"])
    weights = even_weights(obs["laboratory"])
    z = scores["tissue"] / fit_temperature(scores["tissue"], codes, weights)
    loss = -weights @ log_softmax(z, axis=1)[np.arange(len(codes)), codes]
    tumour = (obs["disease_state"] == NEOPLASTIC).to_numpy()[known]
    score, laboratories = scores["tumour"][known, 0], obs["laboratory"][known]
    slope, intercept = fit_line(score, tumour, laboratories)
    odds = np.where(tumour, 1, -1) * (slope * score + intercept)
    return float(loss + even_weights(laboratories) @ np.logaddexp(0, -odds))


@dataclass(frozen=True)
class Judgement:
    """What laboratories left out teach: calibration, sets, and the pairs of subtypes not called."""

    calibration: Calibration
    sets: ConformalSets
    confounded: list[tuple[str, str]]

    def call(
        self,
        scores: Scores,
        samples: pd.Index,
        classes: Mapping[str, Any],
        states_of_tissue: StatesOfTissue,
    ) -> pd.DataFrame:
        """Calls with the columns of `Predictions.table` that `score_outside` reads."""
        limits = Limits.from_dict(self.calibration.limits)
        rules = CallRules(classes, states_of_tissue, self.sets, self.confounded, limits)
        probabilities = shown(self.calibration, scores, classes)
        novelty = novelty_of(scores["tissue"], self.calibration.margin)
        calls = tabulate_calls(probabilities, novelty > 1, rules)
        table = full_table(calls, probabilities, classes, samples)
        return table.assign(refused="", novelty=novelty)


def shown(
    calibration: Calibration, scores: Scores, classes: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Probabilities as a user sees them: calibrated, subtypes in tandem."""
    return apply_tandem(head_probabilities(calibration, scores, classes), classes)


def judge(
    scores: Scores, obs: pd.DataFrame, classes: Mapping[str, Any], training: pd.DataFrame
) -> Judgement:
    """Learn from the samples left out; training: labels of the cohort's samples.

    The coverage of the sets holds for a new laboratory: each weighs the same.
    """
    calibration = calibrate(scores, obs, classes)
    probabilities = shown(calibration, scores, classes)
    known = has_class(obs).to_numpy()
    sets = ConformalSets().fit(
        {head: shares[known] for head, shares in probabilities.items()},
        {head: encode(obs.loc[known, head], classes[head]) for head in probabilities},
        obs.loc[known, "laboratory"].to_numpy(str),
    )
    return Judgement(calibration, sets, _confounded(probabilities, obs, classes, training))


def call_left_out(
    scores: Scores, obs: pd.DataFrame, classes: Mapping[str, Any], training: pd.DataFrame
) -> pd.DataFrame:
    """Calls of the samples of each laboratory, judged by the other laboratories alone."""
    seen, parts = states_of_tissue(training), []
    for laboratory in obs["laboratory"].unique():
        own = (obs["laboratory"] == laboratory).to_numpy()
        rest = {name: values[~own] for name, values in scores.items()}
        judgement = judge(rest, obs[~own], classes, training)
        mine = {name: values[own] for name, values in scores.items()}
        parts.append(judgement.call(mine, obs.index[own], classes, seen))
    return pd.concat(parts).loc[obs.index]


def _confounded(
    probabilities: Mapping[str, np.ndarray],
    obs: pd.DataFrame,
    classes: Mapping[str, Any],
    training: pd.DataFrame,
) -> list[tuple[str, str]]:
    """The pairs of subtypes between which no call is made.

    Laboratories left out decide if enough of their samples are clearly more likely one of a pair
    than the other: it is called if nearly all of these are right, mean over laboratories. Else it
    is called if a batch of the training samples holds both. probabilities: in tandem.
    """
    if "subtype" not in probabilities:
        return []
    names, found = list(classes["subtype"]), []
    for row in contrasts(training, "subtype").to_dict("records"):
        pair = (row["first"], row["second"])
        shares = np.nan_to_num(probabilities["subtype"][:, [names.index(name) for name in pair]])
        is_clear = shares.max(axis=1) > ODDS * shares.min(axis=1)
        rows = obs["subtype"].isin(pair).to_numpy() & is_clear
        right = shares.argmax(axis=1) == (obs["subtype"] == pair[1]).to_numpy()
        by_laboratory = pd.Series(right[rows]).groupby(obs["laboratory"].to_numpy(str)[rows])
        is_called = bool(row["studies"])
        if rows.sum() >= SAMPLES:
            is_called = by_laboratory.mean().mean() >= RELEASED
        if not is_called:
            found.append(pair)
    return found


def left_out_labels(obs: pd.DataFrame) -> pd.DataFrame:
    """The labels that `score_outside` reads, of samples left out."""
    return obs[["laboratory", "tissue", "disease_state", "subtype", "unit"]].assign(doubt="")
